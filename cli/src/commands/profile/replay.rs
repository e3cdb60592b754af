//! `plimsoll profile test` and `plimsoll profile learn`: recordings of an agent in; what the profile says of them, and what may
//! be learned from them, out.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use plimsoll_model::{Confidence, ScanReport};
use plimsoll_policy::{Judgement, KnownFiles, Ledger, Thresholds};
use plimsoll_runtime::agent::{Observed, observe};
use plimsoll_scanner::diff::fact_words;

use super::folder;
use crate::{
    commands::{db, scan::SourceArguments, stored},
    exit::{Exit, Failure, escape},
};

/// Which profile, and what happened.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` or `profile merge -o` wrote
    target: String,
    /// Recordings (`plimsoll agent --record FILE`)
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

/// From what to learn, and how much is enough.
#[derive(Args)]
pub(super) struct LearnArguments {
    #[command(flatten)]
    seen: Arguments,
    /// Containers that must have done it
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    min_containers: usize,
    /// Hours for which these containers must have been watched, together
    #[arg(long, value_name = "HOURS", default_value_t = 24.0)]
    min_hours: f64,
    /// Show what would be learned, what is missing, what is refused and what a person may allow, instead of writing facts
    #[arg(long)]
    review: bool,
}

/// Runs `plimsoll profile test`: 1 when something deviates.
pub(super) fn test(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut counts = [0_u64; 3];
    let mut found: BTreeMap<(Confidence, String), u64> = BTreeMap::new();
    watch(arguments, |_, observed| match &observed.judgement {
        Judgement::Expected => counts[0] += 1,
        Judgement::NotJudged => counts[1] += 1,
        Judgement::Deviates(deviations) => {
            counts[2] += 1;
            for deviation in deviations.iter().take(1) {
                *found
                    .entry((deviation.confidence, deviation.summary.clone()))
                    .or_default() += 1;
            }
        }
    })?;
    let mut text = String::new();
    for ((confidence, summary), count) in &found {
        text += &format!("{confidence:?} {count:>6}  {}\n", escape(summary));
    }
    let [expected, open, wrong] = counts;
    text += &format!("{expected} acts expected, {open} not judged, {wrong} deviate\n");
    db::print(&text)?;
    Ok(
        match (
            found.keys().any(|(confidence, _)| *confidence < Confidence::C),
            expected + open + wrong,
        ) {
            (true, _) => Exit::Stopped,
            (false, 0) => Exit::Incomplete,
            (false, _) => Exit::Go,
        },
    )
}

/// Runs `plimsoll profile learn`.
pub(super) fn learn(arguments: &LearnArguments) -> Result<Exit, Failure> {
    let mut ledger = Ledger::default();
    let report = watch(&arguments.seen, |_, observed| {
        ledger.note(&observed.event, &observed.judgement)
    })?;
    let thresholds = Thresholds {
        containers: arguments.min_containers,
        hours: arguments.min_hours,
    };
    let learned = ledger.learned(&report.profile, &KnownFiles::new(&report.files), thresholds);
    if ledger.dropped > 0 {
        eprintln!("note: {} acts found no room", ledger.dropped);
    }
    if !arguments.review {
        let json = serde_json::to_string_pretty(&learned.facts).expect("a fact has only text as keys");
        db::print(&(json + "\n"))?;
        return Ok(Exit::Go);
    }
    let mut text = format!("{} containers watched\n", ledger.containers());
    for fact in &learned.facts {
        let why = fact.evidence.first().map_or("", |first| first.detail.as_str());
        text += &format!("learned   {}: {}\n", escape(&fact_words(fact)), escape(why));
    }
    for (title, list) in [("waiting ", &learned.waiting), ("refused ", &learned.refused)] {
        for (fact, reason) in list {
            text += &format!("{title}  {}: {}\n", escape(&fact_words(fact)), escape(reason));
        }
    }
    for (summary, count, allow) in &learned.suggested {
        text += &format!("deviates  {}: {count} times\n", escape(summary));
        if let Some(fact) = allow {
            let json = serde_json::to_string(fact).expect("a fact has only text as keys");
            text += &format!("          to allow it, merge {json}\n");
        }
    }
    db::print(&text)?;
    Ok(Exit::Go)
}

/// Replays recordings against one profile, whatever else is in them.
fn watch(arguments: &Arguments, mut tell: impl FnMut(&ScanReport, Observed)) -> Result<ScanReport, Failure> {
    let report = stored::load(&arguments.target, &arguments.source, arguments.db.as_ref())?;
    let folder = folder()?;
    let json = serde_json::to_vec(&report).expect("a report's maps have text as keys");
    super::write_whole(&folder.path().join("report.json"), &json)?;
    let mut told = 0_u64;
    for recording in &arguments.recordings {
        let replayed = observe(folder.path(), recording, |observed| {
            told += 1;
            tell(&report, observed);
        });
        replayed
            .map_err(|error| Failure::new(Exit::Target, error, "name a file that `plimsoll agent --record` wrote"))?;
    }
    if told == 0 {
        eprintln!("note: no container of this image is in the recordings, by its digests");
    }
    Ok(report)
}
