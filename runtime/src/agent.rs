//! The agent: sensors, identity, pipeline and sinks on their threads, from start to the last alert.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use plimsoll_model::Note;
use plimsoll_rules::RuleSet;

use crate::{
    alert::Told,
    enforce::{Enforcement, Tallies},
    identity::{self, Answer, Cgroups},
    images::{Images, PullOptions, Puller, ReportSource},
    limits::{MAX_BATCHES, MAX_OUTPUTS},
    output::{OutputError, OutputOptions, OutputSummary, Outputs, ReportDesk, SharedVitals, Vitals},
    pipeline::{Counts, Output, Pipeline, Setup, host_mount_namespace},
    raw::RawEvent,
    read::Filter,
    sensor::{Plan, SensorError},
    sink::Sink,
    snapshot::RawProcess,
};

mod clock;
mod delivery;
mod error;
mod handover;
mod kernel_side;
mod record;
mod reload;
mod replay;
mod watch;

#[cfg(test)]
mod tests;

use clock::Clock;
use delivery::{Delivered, Delivery, Parcel};
use kernel_side::KernelSide;
use reload::{NewRules, Reloader};

pub use crate::pipeline::Observed;
pub use error::AgentError;
pub use reload::RuleChange;
pub use replay::{observe, replay};

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

/// The pipeline is woken at least this often, to tell what is due.
const TICK: Duration = Duration::from_millis(20);
/// Heartbeats show a state of this age at most.
const VITALS: Duration = Duration::from_secs(2);
/// Events may be this long on their way from the kernel.
const SLACK_NS: u64 = 20_000_000;

/// Runs until `stop` is set. Calls `ready` once everything is attached.
///
/// # Errors
/// The sensors cannot be loaded, or a file cannot be opened.
pub fn run(options: Options, plan: Plan, stop: &Arc<AtomicBool>, ready: impl FnOnce()) -> Result<Summary, AgentError> {
    let controls = Controls {
        stop: Arc::clone(stop),
        rule_changes: None,
        pulse: None,
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
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned();
    let node = options.node.unwrap_or_else(node_name);
    let mut recorder = match &options.record {
        Some(path) => Some(record::Recorder::create(path, &boot_id, boot_offset_ns, &node)?),
        None => None,
    };
    let vitals = vitals_of(&plan);
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
            .recording(options.record.is_some())
            .start(changes)
            .map_err(AgentError::Thread)?;
    }
    let guard = kernel_side::guard(&options.rules, options.enforcement, options.record.is_some());
    let (mut eyes, kernel, guard) = kernel_side::open(&plan, &filter, guard)?;
    let processes = eyes.snapshot()?;
    // It holds the kernel's type information, tens of megabytes that nobody needs any more.
    drop(plan);
    let setup = Setup {
        node: node.into(),
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
    let mut run = Run::start(Pipeline::new(setup), delivery, boot_offset_ns, vitals)?;
    run.kernel = kernel;
    run.pulse = controls.pulse;
    run.say_notes(&notes);
    run.seed(existing, processes, recorder.as_mut());
    let stop = controls.stop;
    let watcher = watch::start(eyes, given, sender, Arc::clone(&stop)).map_err(AgentError::Thread)?;
    ready();
    run.until_the_end(inputs, watcher, recorder, &stop)
}

struct Run {
    pipeline: Pipeline,
    parcels: SyncSender<Parcel>,
    delivery: JoinHandle<Delivered>,
    out: Vec<Output>,
    clock: Clock,
    undelivered: u64,
    vitals: SharedVitals,
    vitals_at: Instant,
    kernel: KernelSide,
    pulse: Option<Box<dyn FnMut() + Send>>,
}

impl Run {
    fn start(
        pipeline: Pipeline,
        delivery: Delivery,
        boot_offset_ns: u64,
        vitals: SharedVitals,
    ) -> Result<Self, AgentError> {
        let (parcels, receiver) = sync_channel(MAX_OUTPUTS);
        let delivery = thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || delivery.run(&receiver))
            .map_err(AgentError::Thread)?;
        Ok(Self {
            pipeline,
            parcels,
            delivery,
            out: Vec::new(),
            clock: Clock::start(boot_offset_ns, boot_offset_ns_now),
            undelivered: 0,
            vitals,
            vitals_at: Instant::now(),
            kernel: KernelSide::default(),
            pulse: None,
        })
    }

    /// Lets outputs know how the agent is.
    fn note_vitals(&mut self) {
        if self.vitals_at.elapsed() < VITALS {
            return;
        }
        self.vitals_at = Instant::now();
        self.kernel.tick(&mut self.out);
        self.out.extend(self.clock.look().map(Output::Notice));
        if let Some(pulse) = &mut self.pulse {
            pulse();
        }
        let containers = self.pipeline.running().collect();
        let mut vitals = self.vitals.lock();
        vitals.counts = self.pipeline.counts();
        vitals.undelivered = self.undelivered;
        vitals.containers = containers;
    }

    fn say_notes(&mut self, notes: &[Note]) {
        for note in notes {
            self.out
                .push(Output::Notice(format!("scan report {}: {}", note.subject, note.detail)));
        }
    }

    /// Ends when the watcher has drained the ring buffer and closed its end.
    fn loop_until_closed(
        &mut self,
        inputs: &Receiver<Input>,
        mut recorder: Option<&mut record::Recorder>,
    ) -> Result<(), AgentError> {
        loop {
            match inputs.recv_timeout(TICK) {
                Ok(Input::Batch(batch)) if batch.is_empty() => return Ok(()),
                Ok(Input::Batch(batch)) => {
                    let mut last_ns = 0;
                    for event in batch {
                        last_ns = event.time_ns.max(last_ns);
                        if let Some(recorder) = &mut recorder {
                            recorder.event(&event);
                        }
                        self.pipeline.push(event, &mut self.out);
                    }
                    // While there is more to read, the stream's own clock counts: what is late must not look missing.
                    self.pipeline
                        .tick(last_ns.saturating_add(self.clock.offset_ns), &mut self.out);
                }
                Ok(Input::Answer(cgroup_id, answer)) => self.pipeline.answer(cgroup_id, *answer, &mut self.out),
                Ok(Input::Failed(error)) => return Err(error.into()),
                Ok(Input::Rules(new)) => self.change_rules(*new),
                Ok(Input::RulesRefused(why)) => self.pipeline.refuse_rules(&why, &mut self.out),
                Err(RecvTimeoutError::Timeout) => self
                    .pipeline
                    .tick(self.clock.steady_ns().saturating_sub(SLACK_NS), &mut self.out),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.flush(recorder.as_deref_mut())?;
            self.note_vitals();
        }
    }

    /// Judges until the sensors' thread closes, then tells what is left.
    fn until_the_end(
        mut self,
        inputs: Receiver<Input>,
        watcher: JoinHandle<()>,
        mut recorder: Option<record::Recorder>,
        stop: &AtomicBool,
    ) -> Result<Summary, AgentError> {
        let result = self.loop_until_closed(&inputs, recorder.as_mut());
        stop.store(true, Ordering::Relaxed);
        drop(inputs);
        let _ = watcher.join();
        self.pipeline.finish(&mut self.out);
        let recorded = self.flush(recorder.as_mut());
        let finished = recorder.map_or(Ok(()), |recorder| recorder.finish(&self.pipeline));
        let summary = self.end();
        result.and(recorded).and(finished)?;
        Ok(summary)
    }

    /// Takes in what is there already.
    fn seed(
        &mut self,
        cgroups: impl IntoIterator<Item = (u64, String)>,
        processes: Vec<RawProcess>,
        mut recorder: Option<&mut record::Recorder>,
    ) {
        for (cgroup_id, path) in cgroups {
            self.pipeline.know(cgroup_id, path, &mut self.out);
        }
        for process in processes {
            if let Some(recorder) = &mut recorder {
                recorder.process(&process);
            }
            self.pipeline.seed(process, &mut self.out);
        }
    }

    fn change_rules(&mut self, new: NewRules) {
        let guard = new.kernel.map(|(kernel, guard)| {
            self.kernel.replace(kernel);
            guard
        });
        self.pipeline.change_rules(new.rules, guard, &mut self.out);
    }

    /// Hands over what came out. A sink that is slower than the alerts blocks nobody: what does not fit is counted.
    fn flush(&mut self, mut recorder: Option<&mut record::Recorder>) -> Result<(), AgentError> {
        for output in self.out.drain(..) {
            if let (Output::Identified(container), Some(recorder)) = (&output, &mut recorder) {
                recorder.container((**container).clone())?;
            }
            if let Output::Telling(telling) = output {
                self.kernel.tell(telling);
                continue;
            }
            if let Some(parcel) = parcel(output, &self.clock)
                && self.parcels.try_send(parcel).is_err()
            {
                self.undelivered += 1;
            }
        }
        recorder.map_or(Ok(()), |recorder| recorder.settle(&self.pipeline))
    }

    fn end(self) -> Summary {
        drop(self.parcels);
        let delivered = self.delivery.join().unwrap_or_default();
        Summary {
            counts: self.pipeline.counts(),
            undelivered: self.undelivered + delivered.failed,
            outputs: delivered.outputs,
            tallies: self.kernel.tallies(),
            is_capture_damaged: false,
        }
    }
}

fn parcel(output: Output, clock: &Clock) -> Option<Parcel> {
    match output {
        Output::Told(Told::New(mut alert)) => {
            clock.correct(&mut alert);
            Some(Parcel::Alert(alert))
        }
        Output::Told(Told::Changed(mut alert)) => {
            clock.correct(&mut alert);
            Some(Parcel::Changed(alert))
        }
        Output::Notice(text) => Some(Parcel::Notice(text)),
        Output::Identified(_) | Output::Telling(_) => None,
    }
}

type OpenOutputs = (Option<Outputs>, Arc<ReportDesk>);

fn open_outputs(
    options: Option<&OutputOptions>,
    node: &str,
    vitals: &SharedVitals,
) -> Result<OpenOutputs, OutputError> {
    let Some(options) = options else {
        return Ok((None, Arc::default()));
    };
    let desk = Arc::new(ReportDesk::new(&options.state));
    let outputs = Outputs::start(options, node, vitals, &desk)?;
    Ok((outputs, desk))
}

/// What does not change as long as the agent runs: its kernel, and what goes unseen on it.
fn vitals_of(plan: &Plan) -> SharedVitals {
    let missing = plan
        .entries
        .iter()
        .filter(|entry| entry.is_needed && entry.way.is_none())
        .map(|entry| (entry.title.to_owned(), entry.without_it.to_owned()));
    let partly = plan
        .entries
        .iter()
        .filter_map(|entry| Some((entry.title.to_owned(), entry.way?.blind_to.to_owned())))
        .filter(|(_, gap)| !gap.is_empty());
    let vitals = SharedVitals::default();
    *vitals.lock() = Vitals {
        kernel: plan.release.clone(),
        blind_spots: missing.chain(partly).collect(),
        ..Vitals::default()
    };
    vitals
}

fn open_images(folder: &std::path::Path) -> Result<(Images, Vec<Note>), AgentError> {
    Images::open(folder).map_err(|source| AgentError::Images {
        folder: folder.display().to_string(),
        source,
    })
}

/// Reports that are not this machine's own: a server's, and those of the images' registries.
fn open_more_images(
    pull: Option<PullOptions>,
    desk: &ReportDesk,
    images: &mut Images,
    notes: &mut Vec<Note>,
) -> Result<Option<Puller>, AgentError> {
    if let Some(folder) = desk.folder() {
        match images.add_folder(folder, ReportSource::Server) {
            Ok(more) => notes.extend(more),
            Err(error) => tracing::warn!(%error, "folder of a server's scan reports not read"),
        }
    }
    pull.map(|pull| open_puller(pull, images, notes)).transpose()
}

fn open_puller(options: PullOptions, images: &mut Images, notes: &mut Vec<Note>) -> Result<Puller, AgentError> {
    let name = options.folder.display().to_string();
    let failed = |source| AgentError::Images {
        folder: name.clone(),
        source,
    };
    let puller = Puller::start(options).map_err(failed)?;
    notes.extend(
        images
            .add_folder(puller.folder(), ReportSource::Registry)
            .map_err(failed)?,
    );
    Ok(puller)
}

fn wall_clock_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn boot_offset_ns_now() -> u64 {
    wall_clock_ns().saturating_sub(crate::read::boot_time_ns())
}

fn node_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
