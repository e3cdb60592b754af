//! `plimsoll db update`: feeds in, a renewed database and one line per feed out.

use std::time::Duration;

use clap::Args;
use plimsoll_model::Note;
use plimsoll_vulndb::{FeedOutcome, FeedSource, UpdateOptions, default_feeds};

use super::{Place, failure, now, print, show_notes, size, sources_text};
use crate::exit::{Exit, Failure, escape};

/// How long a server may be silent.
const STALL: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(after_help = "\
A name that is given twice has two mirrors, tried in order. Downloads are kept beside the database, so that only what
changed is downloaded again. What fails keeps its old rows; the exit code is then 5.")]
pub(super) struct Arguments {
    /// A feed: NAME=URL or NAME=PATH; may be given several times [default: the publishers of all known feeds]
    #[arg(long = "source", value_name = "NAME=URL|PATH", value_parser = FeedSource::parse)]
    sources: Vec<FeedSource>,
    /// Minutes that all downloads together may take
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=1440))]
    budget: u64,
    /// Take over a source that has lost more than a fifth of its records
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs `plimsoll db update`.
pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let feeds = match arguments.sources.is_empty() {
        true => default_feeds(),
        false => FeedSource::join(arguments.sources),
    };
    let destination = arguments.place.path();
    let options = UpdateOptions {
        now: now(),
        budget: Duration::from_secs(arguments.budget * 60),
        stall: STALL,
        allow_shrink: arguments.allow_shrink,
    };
    let (summary, notes) = plimsoll_vulndb::update(&feeds, &destination, &options).map_err(failure)?;
    show_notes(&notes);
    let mut text = String::new();
    for (name, outcome) in &summary.feeds {
        let word = match outcome {
            FeedOutcome::New => "new",
            FeedOutcome::Unchanged => "unchanged",
            FeedOutcome::Failed(_) => "failed: its old rows stay",
        };
        text += &format!("{:<20} {word}\n", escape(name));
    }
    text += &sources_text(&summary.sources);
    text += &format!("{} {}\n", destination.display(), size(summary.size_bytes));
    print(&text)?;
    let is_failed = |(_, outcome): &(String, FeedOutcome)| matches!(outcome, FeedOutcome::Failed(_));
    if summary.feeds.iter().all(is_failed) {
        let error = anyhow::anyhow!("update {}: no feed could be had", destination.display());
        return Err(Failure::new(
            Exit::Data,
            error,
            "the old rows are still there; check the network and the mirrors",
        ));
    }
    match notes.iter().any(Note::makes_incomplete) {
        true => Ok(Exit::Incomplete),
        false => Ok(Exit::Go),
    }
}
