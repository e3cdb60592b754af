//! `plimsoll agent`: watches this machine's containers, or replays a recording; `agent doctor` says what it can see.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
};

use plimsoll_runtime::{
    agent::{self, AgentError, Controls, Options, Summary},
    capture::Recording,
    confine, images,
    meter::Listeners,
    output::{OutputError, OutputOptions, Pace, ServerOptions},
    sensor::{Kernel, Needs, Plan, plan},
    sink::{self, Sink, SinkOptions},
};

use crate::exit::{Exit, Failure};

mod enforce;
mod logbook;
mod profiles;
mod reload;
mod summary;
mod systemd;
mod top;

use reload::Sources;
use summary::report;
use systemd::Manager;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Folder of scan reports (plimsoll scan IMAGE -o json=FOLDER/NAME.json)
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/var/lib/plimsoll/images",
        alias = "reports"
    )]
    images: PathBuf,
    /// Rule file, or folder of *.yaml and *.yml files, loaded after the shipped rules; may be repeated
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Leave the shipped rules out
    #[arg(long)]
    no_shipped_rules: bool,
    /// How alerts are written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "line", alias = "output", value_parser = ["line", "json"])]
    format: String,
    /// Explain each alert in indented lines below it (with --format line)
    #[arg(long)]
    explain: bool,
    /// Write an alert again when more follows from it
    #[arg(long)]
    updates: bool,
    /// Also append alerts as JSON lines to a file
    #[arg(long, value_name = "FILE")]
    alert_file: Option<PathBuf>,
    /// Send alerts to this Plimsoll server, and fetch scan reports from it
    #[arg(long, value_name = "URL", help_heading = "Outputs")]
    server: Option<String>,
    /// Token that admits this agent to the server, once
    #[arg(long, value_name = "TOKEN|@FILE", requires = "server", help_heading = "Outputs")]
    #[arg(env = "PLIMSOLL_ENROLMENT_TOKEN", hide_env_values = true)]
    enrolment_token: Option<String>,
    /// Trust only these certificates (PEM) for the server, instead of the system's
    #[arg(long, value_name = "FILE", requires = "server", help_heading = "Outputs")]
    server_ca: Option<PathBuf>,
    /// Allow plain http to a server on another machine
    #[arg(long, requires = "server", help_heading = "Outputs")]
    insecure_server: bool,
    /// Post each alert to this URL in Falco's JSON shape
    #[arg(long, value_name = "URL|@FILE", help_heading = "Outputs")]
    webhook: Option<String>,
    /// Publish alerts to NATS JetStream
    #[arg(long, value_name = "URL|@FILE", help_heading = "Outputs")]
    nats: Option<String>,
    /// Subject that alerts are published to
    #[arg(
        long,
        value_name = "SUBJECT",
        default_value = "plimsoll.alerts",
        help_heading = "Outputs"
    )]
    nats_subject: String,
    /// Folder of what must survive a restart: alerts that wait, this agent's token, reports of a server
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/var/lib/plimsoll/agent",
        help_heading = "Outputs"
    )]
    state: PathBuf,
    /// Record what the sensors say of containers into a file
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Replay a recording, of --record or of Falco (.scap), instead of watching this machine
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Name of this node in alerts; default: the host's name, in a replay the recorded one
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    #[command(flatten)]
    logbook: logbook::LogbookArguments,
    #[command(flatten)]
    profiles: profiles::ProfileArguments,
    #[command(flatten)]
    enforcement: enforce::EnforcementArguments,
    #[command(flatten)]
    meter: top::MeterArguments,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say which sensors this kernel allows, and what goes unseen without the others
    Doctor,
    /// End what an agent that is no more still refuses (--enforce-stays)
    Release,
    /// Show what a running agent costs and does
    Top(top::TopArguments),
    /// Started by an agent: runs the children that ask registries
    #[command(hide = true)]
    Broker,
}

pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Some(Command::Doctor) => return doctor(),
        Some(Command::Release) => return release(),
        Some(Command::Top(arguments)) => return top::run(&arguments),
        Some(Command::Broker) => return broker(),
        None => {}
    }
    let sources = Sources {
        paths: arguments.rules.clone(),
        has_shipped: !arguments.no_shipped_rules,
    };
    let rules = sources.load()?;
    let (sinks, outputs) = (open_sinks(&arguments)?, outputs(&arguments));
    let listeners = match &arguments.replay {
        Some(_) => Listeners::default(),
        None => arguments.meter.open()?,
    };
    let pull = arguments.profiles.options(&arguments.state)?;
    let is_replay = arguments.replay.is_some();
    let logbook = arguments.logbook.options(
        arguments
            .server
            .as_ref()
            .filter(|_| !is_replay)
            .map(|_| &*arguments.state),
    );
    let options = Options {
        images: arguments.images,
        pull,
        rules,
        node: arguments.node,
        enforcement: enforce::enforcement(&arguments.enforcement),
        record: arguments.record,
        logbook,
        sinks,
        outputs,
        notice: Box::new(|text| eprintln!("notice: {}", plimsoll_policy::escape(text))),
    };
    let summary = match &arguments.replay {
        Some(path) => agent::replay(options, &*recording(path)?).map_err(explain)?,
        None => watch(options, sources, listeners)?,
    };
    report(&summary);
    Ok(match summary.is_capture_damaged {
        true => Exit::Incomplete,
        false => Exit::Go,
    })
}

/// A recording of ours or of Falco's.
pub(super) fn recording(path: &Path) -> Result<Box<dyn Recording>, Failure> {
    plimsoll_scap::open(path).map_err(|source| {
        let path = path.display().to_string();
        explain(AgentError::Open { path, source })
    })
}

fn watch(options: Options, sources: Sources, listeners: Listeners) -> Result<Summary, Failure> {
    // Before any thread is started: what runs already would keep its capabilities.
    let confinement = confine::confine();
    let plan = plan(&Needs::wanted_by(options.rules.wants()), &Kernel::probe());
    may_load(
        &plan,
        "attach sensors",
        "run as root; --replay FILE judges a recording as anybody",
    )?;
    for entry in plan
        .entries
        .iter()
        .filter(|entry| entry.is_needed && entry.way.is_none())
    {
        eprintln!("notice: {} go unseen: {}", entry.title, entry.without_it);
    }
    for kept in &confinement.missing {
        eprintln!("notice: {} is not to be had: {}", kept.name, kept.reason);
    }
    for failure in &confinement.failures {
        eprintln!("notice: {failure}");
    }
    if !options.images.is_dir() {
        let folder = options.images.display();
        eprintln!("notice: there is no folder {folder} of scan reports yet: without them only rules judge containers");
    }
    let (folder, rules) = (options.images.display().to_string(), options.rules.rules().len());
    let metrics = listeners
        .metrics_address()
        .map_or_else(String::new, |address| format!("; metrics at http://{address}/metrics"));
    let stop = Arc::new(AtomicBool::new(false));
    let (wake, rule_changes) = reload::start(sources)?;
    handle_signals(Arc::clone(&stop), wake)?;
    let manager = Arc::new(Manager::find());
    let pulse = Arc::clone(&manager);
    let controls = Controls {
        stop,
        rule_changes: Some(rule_changes),
        pulse: Some(Box::new(move || pulse.tell("WATCHDOG=1"))),
        listeners,
    };
    let summary = agent::run_controlled(options, plan, controls, || {
        eprintln!("ready: {rules} rules, scan reports from {folder}{metrics}");
        manager.tell("READY=1");
    });
    manager.tell("STOPPING=1");
    summary.map_err(explain)
}

/// A user who may not load programs is told that, and not what the kernel said to each of them.
fn may_load(plan: &Plan, what: &str, hint: &'static str) -> Result<(), Failure> {
    if plan.ways().next().is_some() || is_root() {
        return Ok(());
    }
    let error = anyhow::anyhow!("{what}: this user may not load BPF programs");
    Err(Failure::new(Exit::Target, error, hint))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn doctor() -> Result<Exit, Failure> {
    let plan = plan(&Needs::all(), &Kernel::probe());
    may_load(&plan, "try this kernel's sensors", "run as root")?;
    print!("{plan}\n{}", confine::outlook());
    Ok(match plan.is_complete() {
        true => Exit::Go,
        false => Exit::Incomplete,
    })
}

fn release() -> Result<Exit, Failure> {
    let count = plimsoll_runtime::enforce::release();
    eprintln!("{count} links of an agent that is no more were taken off");
    Ok(Exit::Go)
}

fn broker() -> Result<Exit, Failure> {
    match images::serve(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => Ok(Exit::Go),
        Err(error) => {
            let error = anyhow::Error::from(error).context("serve the agent that started this");
            Err(Failure::new(Exit::Usage, error, "only `plimsoll agent` starts this"))
        }
    }
}

fn open_sinks(arguments: &Arguments) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let options = SinkOptions {
        explain: arguments.explain,
        updates: arguments.updates,
        path: arguments.alert_file.clone(),
    };
    let names = [
        Some(arguments.format.as_str()),
        arguments.alert_file.as_ref().map(|_| "file"),
    ];
    let kinds = names.into_iter().flatten().filter_map(sink::find);
    kinds
        .map(|kind| {
            kind.open(&options).map_err(|error| {
                let what = match &options.path {
                    Some(path) if kind.name() == "file" => format!("open alert file {}", path.display()),
                    _ => format!("open alert sink `{}`", kind.name()),
                };
                let context = anyhow::Error::new(error).context(what);
                Failure::new(Exit::Usage, context, "name a file in a folder that you may write to")
            })
        })
        .collect()
}

/// `None` when alerts stay on this machine: then no state folder is needed.
fn outputs(arguments: &Arguments) -> Option<OutputOptions> {
    let is_any = arguments.server.is_some() || arguments.webhook.is_some() || arguments.nats.is_some();
    is_any.then(|| OutputOptions {
        state: arguments.state.clone(),
        server: arguments.server.as_ref().map(|url| ServerOptions {
            url: url.clone(),
            enrolment_token: arguments.enrolment_token.clone(),
            ca: arguments.server_ca.clone(),
            allow_plain: arguments.insecure_server,
        }),
        webhook: arguments.webhook.clone(),
        nats: arguments.nats.clone(),
        nats_subject: arguments.nats_subject.clone(),
        updates: arguments.updates,
        pace: Pace::NORMAL,
    })
}

/// SIGINT and SIGTERM end the agent after it has told what it knows; SIGHUP lets it read its rules again.
fn handle_signals(stop: Arc<AtomicBool>, wake: SyncSender<()>) -> Result<(), Failure> {
    let wait = move || -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            let mut hangup = signal(SignalKind::hangup())?;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    // One that comes while the last is worked on asks for the same.
                    _ = hangup.recv() => {
                        let _ = wake.try_send(());
                    }
                }
            }
        })
    };
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Err(error) = wait() {
            tracing::warn!(%error, "signals are not handled");
            return;
        }
        stop.store(true, Ordering::Relaxed);
    });
    match thread {
        Ok(_) => Ok(()),
        Err(error) => {
            let context = anyhow::Error::new(error).context("start the thread that waits for signals");
            Err(Failure::new(Exit::Incomplete, context, "raise the limit of threads"))
        }
    }
}

fn explain(error: AgentError) -> Failure {
    let (exit, hint) = match &error {
        AgentError::Sensor(_) => (
            Exit::Target,
            "run as root on a kernel from 5.15 with BTF; `plimsoll agent doctor` says what is missing, and --replay needs neither",
        ),
        AgentError::Images { .. } => (Exit::Usage, "give --images a folder that you may read"),
        AgentError::Open { .. } => (
            Exit::Target,
            "name a file that you may read (--replay) or write (--record)",
        ),
        AgentError::Capture { .. } => (
            Exit::Target,
            "use a file that this version's `plimsoll agent --record` wrote, or a capture of Falco's",
        ),
        AgentError::Output(error) => (Exit::Usage, output_hint(error)),
        AgentError::Thread(_) => (Exit::Incomplete, "raise the limit of threads"),
    };
    Failure::new(exit, error, hint)
}

fn output_hint(error: &OutputError) -> &'static str {
    match error {
        OutputError::Address { output: "server", .. } => {
            "use https, or --insecure-server if the network is yours alone"
        }
        OutputError::Address { .. } => "give a URL with scheme and host, or @FILE that holds one",
        OutputError::File { .. } => "name a file that you may read",
        OutputError::Client { .. } => "check --server-ca, or the system's certificates",
        OutputError::NoToken { .. } => {
            "give --enrolment-token; an admin of the server makes one (Agents in the dashboard)"
        }
        OutputError::Spool { .. } => "give --state a folder that you may write to and no other agent uses",
        OutputError::Thread(_) => "raise the limit of threads",
    }
}
