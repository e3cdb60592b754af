//! `plimsoll agent top`: what a running agent costs and does. Its socket in, two readings, and what changed between them out.

use std::{
    fs,
    io::{self, IsTerminal as _, Read as _, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use plimsoll_runtime::meter::{Listeners, MeterError, RUN_FOLDER, Reading};

use crate::exit::{Exit, Failure};

mod page;

/// A reading is a few kilobytes.
const MAX_READING_BYTES: u64 = 4 << 20;
/// An agent that does not answer for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(5);

const START: &str = "start `plimsoll agent`, or name its folder with --run";

/// What an agent tells of itself.
#[derive(clap::Args)]
#[command(next_help_heading = "What it costs")]
pub(super) struct MeterArguments {
    /// Serve metrics for Prometheus at http://ADDRESS/metrics; a loopback address (127.0.0.1:9464)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "replay")]
    metrics: Option<SocketAddr>,
    /// Folder of the socket that `plimsoll agent top` asks
    #[arg(long, value_name = "FOLDER", default_value = RUN_FOLDER)]
    run: PathBuf,
}

impl MeterArguments {
    /// Opens what was asked for.
    pub(super) fn open(&self) -> Result<Listeners, Failure> {
        let (listeners, problem) = Listeners::open(&self.run, self.metrics).map_err(|error| {
            let hint = match &error {
                MeterError::NotLoopback { .. } => "use 127.0.0.1 or [::1], and a proxy that checks who asks",
                MeterError::Bind { .. } => "choose a port that nobody uses",
            };
            Failure::new(Exit::Usage, error, hint)
        })?;
        if let Some(problem) = problem {
            eprintln!("notice: {problem}");
        }
        Ok(listeners)
    }
}

/// Arguments of `plimsoll agent top`.
#[derive(clap::Args)]
pub(super) struct TopArguments {
    /// Show it once and end
    #[arg(long)]
    once: bool,
    /// Seconds between two readings
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    interval: u16,
    /// `text`, or a JSON document a line, each a reading (plimsoll.agent-reading/v1)
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    format: String,
    /// Which agent, where several run
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Folder of its socket
    #[arg(long, value_name = "FOLDER", default_value = RUN_FOLDER)]
    run: PathBuf,
}

/// Shows readings until the agent or this command ends.
pub(super) fn run(arguments: &TopArguments) -> Result<Exit, Failure> {
    let socket = find(&arguments.run, arguments.pid)?;
    let is_json = arguments.format == "json";
    let mut before = read(&socket)?;
    if is_json && arguments.once {
        show(&json(&before)?)?;
        return Ok(Exit::Go);
    }
    let clears = !is_json && !arguments.once && io::stdout().is_terminal();
    loop {
        thread::sleep(Duration::from_secs(u64::from(arguments.interval)));
        let now = read(&socket)?;
        let text = match is_json {
            true => json(&now)?,
            false => page::write(&before, &now),
        };
        let clear = if clears { "\u{1b}[H\u{1b}[2J" } else { "" };
        show(&format!("{clear}{text}"))?;
        if arguments.once {
            return Ok(Exit::Go);
        }
        before = now;
    }
}

fn json(reading: &Reading) -> Result<String, Failure> {
    let line = serde_json::to_string(reading)
        .context("write a reading")
        .map_err(broken)?;
    Ok(line + "\n")
}

fn show(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .context("write to standard output")
        .map_err(|error| Failure::new(Exit::Target, error, "did whoever read it end?"))
}

/// The agent's socket: the only one, or that of `pid`.
fn find(run: &Path, pid: Option<u32>) -> Result<PathBuf, Failure> {
    if let Some(pid) = pid {
        return Ok(run.join(format!("agent-{pid}.sock")));
    }
    let found = fs::read_dir(run).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => START,
            _ => "run as root, beside a running agent",
        };
        let error = anyhow::Error::from(error).context(format!("look for a running agent in {}", run.display()));
        Failure::new(Exit::Target, error, hint)
    })?;
    let mut sockets: Vec<PathBuf> = found
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .filter(|path| UnixStream::connect(path).is_ok())
        .collect();
    sockets.sort();
    match sockets.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let error = anyhow::anyhow!("find a running agent: none answers in {}", run.display());
            Err(Failure::new(Exit::Target, error, START))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
                .collect();
            let error = anyhow::anyhow!("choose an agent: several run ({})", names.join(", "));
            Err(Failure::new(Exit::Usage, error, "say which one with --pid"))
        }
    }
}

fn read(socket: &Path) -> Result<Reading, Failure> {
    let take = || -> anyhow::Result<Reading> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        stream.take(MAX_READING_BYTES).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    };
    take()
        .with_context(|| format!("ask the agent at {}", socket.display()))
        .map_err(broken)
}

fn broken(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Target, error, "has the agent ended, or is it of another version?")
}
