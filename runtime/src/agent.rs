//! The agent: sensors, identity, pipeline and sinks on their threads, from start to the last alert.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Receiver, sync_channel},
    },
};

use plimsoll_rules::RuleSet;

use crate::{
    enforce::{Enforcement, Tallies},
    identity::{self, Answer, Cgroups},
    images::PullOptions,
    limits::MAX_BATCHES,
    load,
    logbook::{LogbookOptions, Saver},
    meter::Listeners,
    output::{OutputOptions, OutputSummary},
    pipeline::{Counts, Pipeline, Setup, host_mount_namespace},
    raw::RawEvent,
    read::Filter,
    sensor::{Plan, SensorError},
    sink::Sink,
};

mod clock;
mod delivery;
mod error;
mod feed;
mod handover;
mod kernel_side;
mod open;
mod record;
mod reload;
mod replay;
mod run;
mod watch;

#[cfg(test)]
mod tests;

use delivery::Delivery;
use open::{
    boot_id, boot_offset_ns_now, first_vitals, node_name, open_images, open_more_images, open_outputs, vitals_of,
};
use reload::{NewRules, Reloader};
use run::Run;

pub use crate::pipeline::Observed;
pub use error::AgentError;
pub use reload::RuleChange;
pub use replay::{observe, place, replay};

/// How an agent runs.
pub struct Options {
    /// Folder of scan reports.
    pub images: PathBuf,
    /// How reports are got from the images' registries; `None`: they are not.
    pub pull: Option<PullOptions>,
    /// Rules to evaluate.
    pub rules: RuleSet,
    /// Name of this node; in a replay `None` means the recorded one.
    pub node: Option<String>,
    /// What may be refused; `None`: nothing is.
    pub enforcement: Option<Enforcement>,
    /// File into which everything that the sensors say is recorded.
    pub record: Option<PathBuf>,
    /// What images use, and what may be learned, written down; `None`: it is not.
    pub logbook: Option<LogbookOptions>,
    /// Where alerts go on this machine.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Where alerts go over the network; `None`: nowhere.
    pub outputs: Option<OutputOptions>,
    /// Called with every notice, on the thread that delivers alerts.
    pub notice: Box<dyn FnMut(&str) + Send>,
}

/// What reaches an agent while it runs.
pub struct Controls {
    /// Set to end it.
    pub stop: Arc<AtomicBool>,
    /// Other rules; `None`: they stay as they are.
    pub rule_changes: Option<Receiver<RuleChange>>,
    /// Called every few seconds by the thread that judges events, as long as it does.
    pub pulse: Option<Box<dyn FnMut() + Send>>,
    /// Where others ask what it costs.
    pub listeners: Listeners,
}

/// What an agent did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Counts of the pipeline.
    pub counts: Counts,
    /// Alerts that a sink could not write, and that found no room on their way there.
    pub undelivered: u64,
    /// What each output over the network has done.
    pub outputs: Vec<OutputSummary>,
    /// What the kernel side decided and did not tell.
    pub tallies: Tallies,
    /// The capture that was replayed ends early or holds what could not be read: it says less than what happened.
    pub is_capture_damaged: bool,
}

/// What the pipeline's thread receives.
enum Input {
    Batch(Vec<RawEvent>),
    Answer(u64, Box<Answer>),
    Failed(SensorError),
    Rules(Box<NewRules>),
    RulesRefused(String),
}

/// Runs until `stop` is set. Calls `ready` once everything is attached.
///
/// # Errors
/// The sensors cannot be loaded, or a file cannot be opened.
pub fn run(options: Options, plan: Plan, stop: &Arc<AtomicBool>, ready: impl FnOnce()) -> Result<Summary, AgentError> {
    let controls = Controls {
        stop: Arc::clone(stop),
        rule_changes: None,
        pulse: None,
        listeners: Listeners::default(),
    };
    run_controlled(options, plan, controls, ready)
}

/// The same, with more say while it runs.
///
/// # Errors
/// See [`run`].
pub fn run_controlled(
    options: Options,
    plan: Plan,
    controls: Controls,
    ready: impl FnOnce(),
) -> Result<Summary, AgentError> {
    let (mut images, mut notes) = open_images(&options.images)?;
    let filter = Filter::for_rules(&options.rules);
    let boot_offset_ns = boot_offset_ns_now();
    let boot_id = boot_id();
    let node = options.node.unwrap_or_else(node_name);
    let record = |path: &PathBuf| record::Recorder::create(path, &boot_id, boot_offset_ns, &node);
    let mut recorder = options.record.as_ref().map(record).transpose()?;
    let is_learning = options.logbook.as_ref().is_some_and(|logbook| logbook.learn.is_some());
    let logbook = options.logbook.map(|logbook| Saver::open(logbook, &node, true));
    let tells_all = options.record.is_some() || is_learning;
    let vitals = first_vitals(&plan, logbook.as_ref().map(|(_, logbook, _)| logbook));
    let (outputs, desk) = open_outputs(options.outputs.as_ref(), &node, &vitals)?;
    let puller = open_more_images(options.pull, &desk, &mut images, &mut notes)?;
    let (sender, inputs) = sync_channel(MAX_BATCHES);
    let answers = sender.clone();
    let tell = move |cgroup_id, answer| answers.send(Input::Answer(cgroup_id, Box::new(answer))).is_ok();
    let cgroups = Cgroups::find();
    let existing = cgroups.list();
    let (asker, _identity) = identity::start(cgroups, images, desk, puller, tell).map_err(AgentError::Thread)?;
    let (give, given) = sync_channel(1);
    if let Some(changes) = controls.rule_changes {
        let reloader = Reloader::new(
            &options.rules,
            options.enforcement.clone(),
            sender.clone(),
            give,
            vitals.clone(),
        );
        reloader
            .recording(tells_all)
            .start(changes)
            .map_err(AgentError::Thread)?;
    }
    let guard = kernel_side::guard(&options.rules, options.enforcement, tells_all);
    let (mut eyes, kernel, guard) = kernel_side::open(&plan, &filter, guard)?;
    let processes = eyes.snapshot()?;
    // It holds the kernel's type information, tens of megabytes that nobody needs any more.
    drop(plan);
    let setup = Setup {
        node: node.into(),
        accounts: Some(Arc::new(identity::host_accounts())),
        boot_id,
        boot_offset_ns,
        host_mount_namespace: host_mount_namespace(&processes),
        rules: Arc::new(options.rules),
        images_folder: options.images.display().to_string(),
        asker: Some(asker),
        guard,
    };
    let delivery = Delivery {
        sinks: options.sinks,
        outputs,
        notice: options.notice,
        is_patient: false,
    };
    let mut run = Run::start(Pipeline::new(setup), delivery, boot_offset_ns, vitals.clone())?;
    run.kernel = kernel;
    run.pulse = controls.pulse;
    run.say_notes(&notes);
    run.open_logbook(logbook);
    run.seed(existing, processes, recorder.as_mut());
    // Types of the kernel, scan reports as text, rules as they were read, and who read them: all that is done with.
    load::give_back_start();
    let stop = controls.stop;
    run.write_vitals();
    let _served = controls.listeners.start(&vitals).map_err(AgentError::Thread)?;
    let watcher = watch::start(eyes, given, sender, Arc::clone(&stop), vitals).map_err(AgentError::Thread)?;
    ready();
    run.until_the_end(inputs, watcher, recorder, &stop)
}
