//! `plimsoll profile learn`: what a running agent has written down, or recordings, in; facts that may be learned, or a review
//! for people, out.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;
use plimsoll_model::{Digest, Fact, ScanReport, schema};
use plimsoll_policy::{KnownFiles, Learned, Ledger, ObservedLog, Thresholds, carry_over, refusal};
use plimsoll_scanner::diff::fact_words;

use super::replay::{Arguments, watch};
use crate::{
    commands::{db, stored},
    exit::{Exit, Failure, escape},
};

/// Largest file that an agent has written down, bytes.
const MAX_OBSERVED_BYTES: u64 = 256 << 20;

/// From what to learn, and how much is enough.
#[derive(Args)]
pub(super) struct LearnArguments {
    #[command(flatten)]
    seen: Arguments,
    #[command(flatten)]
    enough: Enough,
    /// Report of the image that was watched, where it is another one: only facts about unchanged files are taken
    #[arg(long, value_name = "FILE")]
    learned_on: Option<PathBuf>,
    /// Show what would be learned, what is missing, what is refused, what is used no more and what a person may allow, instead of
    /// writing facts
    #[arg(long)]
    review: bool,
}

/// How much is enough to learn from, and to forget by.
#[derive(Args)]
pub(super) struct Enough {
    /// Containers that must have done it
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    min_containers: usize,
    /// Hours for which these containers must have been watched, together
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, value_parser = parse_hours)]
    min_hours: f64,
}

fn parse_hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "give a number of hours".to_owned())?;
    match hours.is_finite() && hours >= 0.0 {
        true => Ok(hours),
        false => Err("give a number of hours, 0 or more".to_owned()),
    }
}

impl Enough {
    pub(super) fn thresholds(&self) -> Thresholds {
        Thresholds {
            containers: self.min_containers,
            hours: self.min_hours,
        }
    }
}

/// Runs `plimsoll profile learn`.
pub(super) fn run(arguments: &LearnArguments) -> Result<Exit, Failure> {
    let report = arguments.seen.load()?;
    let old = arguments.learned_on.as_deref().map(stored::read_report).transpose()?;
    let watched = old.as_ref().unwrap_or(&report);
    let (ledger, is_damaged) = gather(&arguments.seen, watched)?;
    let learned = ledger.learned(
        &watched.profile,
        &KnownFiles::new(&watched.files),
        arguments.enough.thresholds(),
    );
    let learned = match &old {
        Some(old) => carried(learned, old, &report),
        None => learned,
    };
    if ledger.dropped > 0 {
        eprintln!("note: {} acts found no room", ledger.dropped);
    }
    match arguments.review {
        true => db::print(&review(&ledger, &learned))?,
        false => {
            for (fact, why) in &learned.unused {
                eprintln!("note: used no more: {}: {}", escape(&fact_words(fact)), escape(why));
            }
            let json = serde_json::to_string_pretty(&learned.facts).expect("a fact has only text as keys");
            db::print(&(json + "\n"))?
        }
    };
    Ok(if is_damaged { Exit::Incomplete } else { Exit::Go })
}

/// What holds for another image too; the rest is refused.
fn carried(mut learned: Learned, old: &ScanReport, new: &ScanReport) -> Learned {
    let (kept, dropped) = carry_over(learned.facts, old, new);
    let files = KnownFiles::new(&new.files);
    learned.refused.extend(dropped);
    learned.facts = Vec::new();
    for fact in kept {
        match refusal(&fact, &new.profile, &files) {
            None => learned.facts.push(fact),
            Some(reason) => learned.refused.push((fact, reason)),
        }
    }
    learned
}

/// All that was seen of one image, and whether some of it could not be read.
fn gather(seen: &Arguments, watched: &ScanReport) -> Result<(Ledger, bool), Failure> {
    let mut ledger = Ledger::of(&watched.profile);
    let mut recordings = Vec::new();
    let mut known = 0;
    for path in &seen.recordings {
        match read_observed(path)? {
            None => recordings.push(path.clone()),
            Some(log) => known += add(&mut ledger, log, watched.image.config_digest),
        }
    }
    let mut is_damaged = false;
    if !recordings.is_empty() {
        let (told, damaged) = watch(watched, &recordings, |observed| {
            ledger.note(&observed.event, &observed.judgement);
        })?;
        is_damaged = damaged;
        known += told;
    }
    if known == 0 {
        eprintln!("note: no container of this image was seen, by its digests");
    }
    Ok((ledger, is_damaged))
}

fn add(ledger: &mut Ledger, log: ObservedLog, digest: Digest) -> u64 {
    let mut count = 0;
    for image in log.images.into_iter().filter(|image| image.config_digest == digest) {
        ledger.add(image);
        count += 1;
    }
    count
}

/// What an agent has written down; `None` when the file is something else, such as a recording.
pub(super) fn read_observed(path: &Path) -> Result<Option<ObservedLog>, Failure> {
    let failed = |error: anyhow::Error| {
        let error = error.context(format!("read what was seen from {}", path.display()));
        Failure::new(
            Exit::Target,
            error,
            "name a file that `plimsoll agent --learn FILE` or `--record FILE` wrote",
        )
    };
    let mut file = File::open(path).map_err(|error| failed(error.into()))?;
    let mut first = [0];
    let count = file.read(&mut first).map_err(|error| failed(error.into()))?;
    if first[..count] != *b"{" {
        return Ok(None);
    }
    let mut bytes = first.to_vec();
    let read = file.take(MAX_OBSERVED_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.into()))?;
    if bytes.len() as u64 > MAX_OBSERVED_BYTES {
        return Err(failed(anyhow::anyhow!("it is longer than {MAX_OBSERVED_BYTES} bytes")));
    }
    let log: ObservedLog = serde_json::from_slice(&bytes).map_err(|error| {
        let hint = "the agent writes it whole: was it copied or changed?";
        let error = anyhow::Error::new(error).context(format!("read what was seen from {}", path.display()));
        Failure::new(Exit::Incomplete, error, hint)
    })?;
    if log.schema != schema::OBSERVED {
        let error = anyhow::anyhow!("its schema is `{}`, not `{}`", log.schema, schema::OBSERVED);
        return Err(failed(error));
    }
    Ok(Some(log))
}

/// What an agent has written down of one image, from files of which each must be such a one.
pub(super) fn ledger_of(report: &ScanReport, paths: &[PathBuf]) -> Result<Ledger, Failure> {
    let mut ledger = Ledger::of(&report.profile);
    for path in paths {
        let Some(log) = read_observed(path)? else {
            let error = anyhow::anyhow!("read what was seen from {}: it is no JSON document", path.display());
            return Err(Failure::new(
                Exit::Usage,
                error,
                "name a file that `plimsoll agent --learn FILE` wrote",
            ));
        };
        add(&mut ledger, log, report.image.config_digest);
    }
    Ok(ledger)
}

fn review(ledger: &Ledger, learned: &Learned) -> String {
    let mut text = format!("{} containers watched\n", ledger.containers());
    for fact in &learned.facts {
        let why = fact.evidence.first().map_or("", |first| first.detail.as_str());
        text += &format!("learned   {}: {}\n", escape(&fact_words(fact)), escape(why));
    }
    let lists: [(&str, &[(Fact, String)]); 3] = [
        ("waiting ", &learned.waiting),
        ("refused ", &learned.refused),
        ("unused  ", &learned.unused),
    ];
    for (title, list) in lists {
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
    text
}
