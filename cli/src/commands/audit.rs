//! `plimsoll audit`: a Kubernetes audit log in, alerts out.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read as _, stdin},
    path::PathBuf,
};

use plimsoll_policy::{audit_events, judge_audit};
use plimsoll_rules::RuleSet;
use plimsoll_runtime::sink::{self, Sink, SinkOptions};

use crate::{
    exit::{Exit, Failure},
    rule_files,
};

/// Longest line: an API server cuts events at 1.5 MiB, and sends lists of up to 400.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// Alerts that are remembered, so that a request's later stage does not tell them again.
const MAX_TOLD: usize = 100_000;

/// Which log, by which rules.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Audit log: JSON lines as the API server writes them (--audit-log-path), or lists of events; `-` for standard input
    file: PathBuf,
    /// Rule file, or folder of *.yaml and *.yml files, loaded after the shipped rules; may be repeated
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Leave the shipped rules out
    #[arg(long)]
    no_shipped_rules: bool,
    /// How alerts are written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "line", value_parser = ["line", "json"])]
    format: String,
    /// Explain each alert in indented lines below it (with --format line)
    #[arg(long)]
    explain: bool,
    /// Name of the cluster in alerts
    #[arg(long, value_name = "NAME", default_value = "kubernetes")]
    cluster: String,
}

/// Runs `plimsoll audit`.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let shipped = match arguments.no_shipped_rules {
        true => Vec::new(),
        false => RuleSet::shipped_audit_files(),
    };
    let rules = rule_files::load(shipped, &arguments.rules)?;
    let mut log: Box<dyn BufRead> = match arguments.file.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => Box::new(BufReader::new(File::open(&arguments.file).map_err(|error| {
            let context = anyhow::Error::new(error).context(format!("open audit log {}", arguments.file.display()));
            Failure::new(
                Exit::Target,
                context,
                "name a file that you may read, or - for standard input",
            )
        })?)),
    };
    let options = SinkOptions {
        explain: arguments.explain,
        updates: false,
        path: None,
    };
    let opened = sink::find(&arguments.format).map(|kind| kind.open(&options));
    let mut sink = opened
        .unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
        .map_err(|error| Failure::new(Exit::Usage, error, "use --format line or json"))?;
    let counts = judge(log.as_mut(), &rules, &arguments.cluster, sink.as_mut()).map_err(|error| {
        let context = anyhow::Error::new(error).context("read the audit log or write an alert");
        Failure::new(
            Exit::Incomplete,
            context,
            "what was told so far is right; run it again for the rest",
        )
    })?;
    eprintln!("done: {} events, {} alerts", counts.events, counts.alerts);
    Ok(match counts.unreadable {
        0 => Exit::Go,
        count => {
            eprintln!("done: {count} lines were no audit events");
            Exit::Incomplete
        }
    })
}

/// Alerts of late: a request comes in several stages, soon after each other or when its shell is left.
#[derive(Default)]
struct Told {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Told {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > MAX_TOLD
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[derive(Default)]
struct Counts {
    events: u64,
    alerts: u64,
    unreadable: u64,
}

fn judge(log: &mut dyn BufRead, rules: &RuleSet, cluster: &str, sink: &mut dyn Sink) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut told = Told::default();
    loop {
        line.clear();
        if (&mut *log).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(counts);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Some(events) = serde_json::from_slice(&line).ok().and_then(audit_events) else {
            counts.unreadable += 1;
            continue;
        };
        for event in events {
            counts.events += 1;
            if let Some(alert) = judge_audit(rules, &event, cluster).filter(|alert| told.is_new(&alert.id)) {
                counts.alerts += 1;
                sink.alert(&alert)?;
            }
        }
    }
}
