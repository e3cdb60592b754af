//! `plimsoll profile merge`: facts that were learned, or that somebody says, into an image's profile.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use plimsoll_model::{Evidence, EvidenceSource, Fact, ScanReport};
use plimsoll_policy::{KnownFiles, carry_over, merge};
use plimsoll_scanner::diff::fact_words;

use super::learn::{Enough, ledger_of};
use crate::{
    commands::{db, scan::SourceArguments, stored},
    exit::{Exit, Failure, escape},
};

/// Most bytes of a file with facts.
const MAX_FACTS_BYTES: u64 = 64 << 20;

/// Into which profile, and what.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    target: String,
    /// Files with facts (JSON): a list, one fact such as an alert's `allow`, a profile, or what `profile learn` wrote
    #[arg(required_unless_present = "prune", value_name = "FACTS")]
    facts: Vec<PathBuf>,
    /// Report of the image that the facts were learned on: only those about unchanged files are taken
    #[arg(long, value_name = "FILE")]
    learned_on: Option<PathBuf>,
    /// What `plimsoll agent --learn` wrote: facts that were learned and are used no more are taken out, and named
    #[arg(long, value_name = "FILE")]
    prune: Vec<PathBuf>,
    #[command(flatten)]
    enough: Enough,
    /// File for the report with the merged profile, as the agent reads it [default: the profile alone to standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut report = stored::load(&arguments.target, &arguments.source, arguments.db.as_ref())?;
    let pruned = prune(&mut report, arguments)?;
    let mut facts = Vec::new();
    for path in &arguments.facts {
        facts.extend(read(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                error.context(format!("read facts from {}", path.display())),
                "give a JSON list of facts; docs/profile.md shows one",
            )
        })?);
    }
    if let Some(path) = &arguments.learned_on {
        let (kept, dropped) = carry_over(facts, &stored::read_report(path)?, &report);
        facts = kept;
        say(&dropped, "not carried over");
    }
    let merged = merge(report.profile.clone(), facts, &KnownFiles::new(&report.files));
    say(&merged.refused, "not taken");
    eprintln!(
        "{} facts taken, {} refused, {pruned} taken out",
        merged.taken,
        merged.refused.len()
    );
    match &arguments.output {
        None => {
            let json = serde_json::to_string_pretty(&merged.profile).expect("a profile's maps have text as keys");
            db::print(&(json + "\n"))?;
        }
        Some(path) => {
            report.profile = merged.profile;
            let json = serde_json::to_vec(&report).expect("a report's maps have text as keys");
            super::write_whole(path, &json)?;
        }
    }
    Ok(Exit::Go)
}

/// Takes out what was learned once and is used no more; how much that is.
fn prune(report: &mut ScanReport, arguments: &Arguments) -> Result<usize, Failure> {
    if arguments.prune.is_empty() {
        return Ok(0);
    }
    let ledger = ledger_of(report, &arguments.prune)?;
    let files = KnownFiles::new(&report.files);
    let unused = ledger
        .learned(&report.profile, &files, arguments.enough.thresholds())
        .unused;
    say(&unused, "taken out");
    report
        .profile
        .facts
        .retain(|fact| !unused.iter().any(|(gone, _)| gone == fact));
    Ok(unused.len())
}

fn say(facts: &[(Fact, String)], what: &str) {
    for (fact, reason) in facts {
        eprintln!("note: {what}: {}: {}", escape(&fact_words(fact)), escape(reason));
    }
}

/// A list, one fact, or a document with a list `facts`. What a profile says of its own image is not added to another.
fn read(path: &Path) -> anyhow::Result<Vec<Fact>> {
    let size_bytes = std::fs::metadata(path)?.len();
    anyhow::ensure!(
        size_bytes <= MAX_FACTS_BYTES,
        "{size_bytes} bytes are more than {MAX_FACTS_BYTES}"
    );
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let list = match document.get_mut("facts").map(serde_json::Value::take) {
        Some(facts) => facts,
        None if document.is_array() => document,
        None => serde_json::Value::Array(vec![document]),
    };
    let mut facts: Vec<Fact> = serde_json::from_value(list).context("it is no list of facts")?;
    let derived = |one: &Evidence| matches!(one.source, EvidenceSource::Image | EvidenceSource::Pack);
    facts.retain(|fact| !fact.evidence.iter().all(derived));
    Ok(facts)
}
