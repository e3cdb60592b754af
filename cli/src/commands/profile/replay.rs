//! `plimsoll profile test`: recordings of an agent in; what the profile says of them out.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use plimsoll_model::{Confidence, ScanReport};
use plimsoll_policy::Judgement;
use plimsoll_runtime::agent::{Observed, observe};

use super::folder;
use crate::{
    commands::{agent, db, scan::SourceArguments, stored},
    exit::{Exit, Failure, escape},
};

/// Which profile, and what happened.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` or `profile merge -o` wrote
    target: String,
    /// Recordings (`plimsoll agent --record FILE`); to learn from, also what `plimsoll agent --learn FILE` wrote
    #[arg(required = true, value_name = "RECORDING")]
    pub(super) recordings: Vec<PathBuf>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

impl Arguments {
    /// The image's report.
    pub(super) fn load(&self) -> Result<ScanReport, Failure> {
        stored::load(&self.target, &self.source, self.db.as_ref())
    }
}

/// Runs `plimsoll profile test`: 1 when something deviates.
pub(super) fn test(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut counts = [0_u64; 3];
    let mut found: BTreeMap<(Confidence, String), u64> = BTreeMap::new();
    let report = arguments.load()?;
    let (told, is_damaged) = watch(&report, &arguments.recordings, |observed| match &observed.judgement {
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
    if told == 0 {
        eprintln!("note: no container of this image is in the recordings, by its digests");
    }
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
            (false, _) if is_damaged => Exit::Incomplete,
            (false, _) => Exit::Go,
        },
    )
}

/// Replays recordings against one profile, whatever else is in them. How much was told, and whether some could not be read.
pub(super) fn watch(
    report: &ScanReport,
    recordings: &[PathBuf],
    mut tell: impl FnMut(Observed),
) -> Result<(u64, bool), Failure> {
    let folder = folder()?;
    let json = serde_json::to_vec(report).expect("a report's maps have text as keys");
    super::write_whole(&folder.path().join("report.json"), &json)?;
    let (mut told, mut is_damaged) = (0_u64, false);
    for recording in recordings {
        let replayed = observe(folder.path(), &*agent::recording(recording)?, |observed| {
            told += 1;
            tell(observed);
        });
        let notes = replayed
            .map_err(|error| Failure::new(Exit::Target, error, "name a file that `plimsoll agent --record` wrote"))?;
        for note in notes.iter().filter(|note| note.makes_incomplete()) {
            eprintln!("note: {}: {}", recording.display(), escape(&note.detail));
            is_damaged = true;
        }
    }
    Ok((told, is_damaged))
}
