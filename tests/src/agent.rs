//! `plimsoll agent` as a child process: its alerts as values, in order; stopped when dropped.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use plimsoll_model::Alert;

use crate::{command, stage::Stage};

/// Longest wait for anything that must happen: only what never happens takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(120);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    alerts: Receiver<String>,
    talk: Receiver<String>,
    ready: String,
}

impl Agent {
    /// Starts it with these rules alone (a file or a folder), the images of a stage, and more arguments.
    pub fn with_rules(stage: &Stage, rules: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let images = stage.path().join("images");
        let own = [
            Path::new("--no-shipped-rules"),
            Path::new("--rules"),
            rules,
            Path::new("--images"),
            &images,
        ];
        Self::start(own.into_iter().chain(more.iter().map(Path::new)))
    }

    /// Starts `plimsoll agent --format json` with more arguments and waits until it says that it is ready.
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> anyhow::Result<Self> {
        let mut child = command::plimsoll()
            .args(["agent", "--format", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let alerts = lines_of(child.stdout.take().context("stdout was asked for")?);
        let talk = lines_of(child.stderr.take().context("stderr was asked for")?);
        let mut agent = Self {
            child,
            alerts,
            talk,
            ready: String::new(),
        };
        let deadline = Instant::now() + LIMIT;
        let mut said = Vec::new();
        loop {
            match agent
                .talk
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) if line.starts_with("ready") => {
                    agent.ready = line;
                    return Ok(agent);
                }
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout) => bail!("the agent was not ready in time: {said:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("the agent ended: {:?}: {said:?}", agent.child.wait()?),
            }
        }
    }

    /// The next alert about a container; an error when none comes in time. Others may run on this machine, and the agent
    /// sees them all.
    pub fn next_alert(&self, container_id: &str) -> anyhow::Result<Alert> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let line = self
                .alerts
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .context("wait for an alert")?;
            let alert = read_alert(&line)?;
            if alert.container_id.as_deref() == Some(container_id) {
                return Ok(alert);
            }
        }
    }

    /// The next alert that `test` accepts; those before it are dropped. An error when none comes in time.
    pub fn find_alert(&self, test: impl Fn(&Alert) -> bool) -> anyhow::Result<Alert> {
        let mut alerts = self.alerts_until(test)?;
        alerts.pop().context("an alert was accepted")
    }

    /// All alerts up to the next one that `test` accepts. An error when none comes in time.
    pub fn alerts_until(&self, test: impl Fn(&Alert) -> bool) -> anyhow::Result<Vec<Alert>> {
        let deadline = Instant::now() + LIMIT;
        let mut alerts = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let alert = read_alert(&self.alerts.recv_timeout(left).context("wait for an alert")?)?;
            let is_it = test(&alert);
            alerts.push(alert);
            if is_it {
                return Ok(alerts);
            }
        }
    }

    /// Waits for a line on standard error that holds a text.
    pub fn wait_for_talk(&self, text: &str) -> anyhow::Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .talk
                .recv_timeout(left)
                .with_context(|| format!("wait for `{text}`"))?;
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// What it said when it was ready.
    pub fn ready_line(&self) -> &str {
        &self.ready
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name (`HUP`).
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.child, name)
    }

    /// The most memory that it has had resident, in KiB.
    pub fn peak_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("VmHWM is not told")?.parse()?)
    }

    /// Asks the agent to end, as Ctrl-C does, and gives the alerts that nobody had asked for, and what it said last.
    pub fn stop(mut self) -> anyhow::Result<(Vec<Alert>, Vec<String>)> {
        signal(&self.child, "INT")?;
        let mut left = Vec::new();
        loop {
            match self.alerts.recv_timeout(LIMIT) {
                Ok(line) => left.push(read_alert(&line)?),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("the agent did not end after SIGINT"),
            }
        }
        self.child.wait()?;
        Ok((left, self.talk.iter().collect()))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It is our own child; there is nobody to tell when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_alert(line: &str) -> anyhow::Result<Alert> {
    serde_json::from_str(line).with_context(|| format!("read alert {line}"))
}

fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .context("run kill")?;
    anyhow::ensure!(status.success(), "the agent had ended before it was asked to");
    Ok(())
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
