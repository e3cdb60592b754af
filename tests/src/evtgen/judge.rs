//! The agent's library with upstream's rules, in this process: alerts in, verdicts on cases out.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use plimsoll_model::{Alert, Reason};
use plimsoll_rules::{RuleFile, RuleSet};
use plimsoll_runtime::{
    agent::{self, Options},
    sensor::{Kernel, Needs, plan},
    sink::Sink,
};
use serde_json::Value;

use super::suite::Case;

/// Longest wait for an alert, and for an agent to begin.
const PATIENCE: Duration = Duration::from_secs(8);
const START: Duration = Duration::from_secs(30);
/// Between the fields that are added to a rule's output.
const MARK: &str = " @@";

/// A running agent.
#[derive(Debug)]
pub struct Judge {
    alerts: Receiver<Alert>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Debug)]
struct Hand(Sender<Alert>);

impl Sink for Hand {
    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        self.0.send(alert.clone()).map_err(io::Error::other)
    }

    fn changed(&mut self, alert: &Alert) -> io::Result<()> {
        self.alert(alert)
    }
}

/// The rules of the first of these files, and of others as far as they hold rules that cases name; all that cases name
/// enabled, and behind them outputs with the fields that cases compare. Rules that no file holds come back by their names.
///
/// # Errors
/// A file cannot be read or does not load.
pub fn rules(files: &[PathBuf], cases: &[Case]) -> anyhow::Result<(RuleSet, BTreeSet<String>)> {
    let mut wanted: BTreeSet<&str> = cases.iter().map(|case| case.rule.as_str()).collect();
    let (mut upstream, mut extra) = (Vec::new(), String::new());
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        upstream.push(RuleFile {
            name: file.display().to_string(),
            text,
        });
        let loaded = RuleSet::load(&upstream).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        let found: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|name| loaded.rules.rule(name).is_some())
            .collect();
        if found.is_empty() && upstream.len() > 1 {
            upstream.pop();
        }
        for name in found {
            wanted.remove(name);
            extra.push_str(&with_fields(name, cases));
        }
    }
    upstream.push(RuleFile {
        name: "outputs.yaml".to_owned(),
        text: extra,
    });
    let loaded = RuleSet::load(&upstream).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    Ok((loaded.rules, wanted.into_iter().map(str::to_owned).collect()))
}

/// A rule that is enabled and says what its cases compare.
fn with_fields(rule: &str, cases: &[Case]) -> String {
    let fields: BTreeSet<&String> = cases
        .iter()
        .filter(|case| case.rule == rule)
        .filter_map(|case| case.body["expectedOutcome"]["outputFields"].as_object())
        .flat_map(|fields| fields.keys())
        .collect();
    let output: String = fields.iter().map(|field| format!("{MARK}{field}=%{field}")).collect();
    let rule = Value::from(rule);
    format!(
        "- rule: {rule}\n  output: \"{output}{MARK}\"\n  enabled: true\n  override: {{output: append, enabled: replace}}\n"
    )
}

impl Judge {
    /// Starts an agent and waits until it watches.
    ///
    /// # Errors
    /// It ended before it was ready.
    pub fn start(rules: RuleSet) -> anyhow::Result<Self> {
        let (sender, alerts) = channel();
        let (is_ready, ready) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let images = tempfile::tempdir()?;
            let plan = plan(&Needs::wanted_by(rules.wants()), &Kernel::probe());
            let options = Options {
                images: images.path().to_owned(),
                pull: None,
                rules,
                node: None,
                enforcement: None,
                record: None,
                logbook: None,
                sinks: vec![Box::new(Hand(sender))],
                outputs: None,
                notice: Box::new(|text| eprintln!("notice: {text}")),
            };
            agent::run(options, plan, &asked, || {
                // Nobody waits any more when the test has given up.
                let _ = is_ready.send(());
            })?;
            Ok(())
        });
        let mut judge = Self {
            alerts,
            stop,
            thread: Some(thread),
        };
        if ready.recv_timeout(START).is_err() {
            judge.end()?;
            anyhow::bail!("the agent was not ready in time");
        }
        Ok(judge)
    }

    /// Waits for the alert of a case, by the process that began it. `Err` holds what is wrong, in words.
    pub fn verdict(&self, case: &Case, pid: i32) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(alert) = self.alerts.recv_timeout(left) else {
                return Err(match seen.is_empty() {
                    true => "no alert".to_owned(),
                    false => seen.join("; "),
                });
            };
            let pids = alert.process.iter().chain(&alert.ancestry);
            let is_ours = pids.map(|process| process.pid).any(|known| known == pid);
            let rules = alert.reasons.iter().filter(|_| is_ours);
            for reason in rules {
                let Reason::Rule {
                    name, output, priority, ..
                } = reason
                else {
                    continue;
                };
                match name == &case.rule {
                    true => match compare(&case.body["expectedOutcome"], output, priority) {
                        Ok(()) => return Ok(()),
                        Err(why) => seen.push(why),
                    },
                    false => seen.push(format!("other rule: {name}")),
                }
            }
            if is_ours
                && alert
                    .follow_ups
                    .iter()
                    .any(|follow_up| follow_up.rules.contains(&case.rule))
            {
                seen.push("fired as a follow-up of another alert, without fields".to_owned());
            }
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => anyhow::bail!("the agent panicked"),
            None => Ok(()),
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the agent ended with: {error:#}");
        }
    }
}

fn compare(expected: &Value, output: &str, priority: &str) -> Result<(), String> {
    if let Some(wanted) = expected["priority"].as_str()
        && !priority.starts_with(&wanted.to_lowercase())
    {
        return Err(format!("priority {priority} instead of {wanted}"));
    }
    let fields = expected["outputFields"].as_object().into_iter().flatten();
    for (field, wanted) in fields {
        let wanted = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
        let start = format!("{MARK}{field}=");
        let found = output
            .split_once(&start)
            .map(|(_, rest)| rest.split(MARK).next().unwrap_or(rest));
        if found != Some(wanted.as_str()) {
            return Err(format!("{field} is {found:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}
