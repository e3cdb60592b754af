//! Feeds by URL, file or folder in, a renewed database out: fetch and parse apart, with a fingerprint between. A feed
//! that fails keeps its last good rows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use plimsoll_model::{Note, NoteKind};
use reqwest::Url;

use crate::cache::{Cache, State};
use crate::fetch::{self, Fetched};
use crate::import::take_notes;
use crate::limits::PARALLEL_DOWNLOADS;
use crate::merge::{self, Arrival, MergeOptions, Replaced};
use crate::read::{self, FileContent};
use crate::store::Old;
use crate::tables::{self, Content};
use crate::{Error, SourceSummary, replace};

/// A feed to keep up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSource {
    /// What it is called in `plimsoll db status`: `osv-debian`.
    pub name: String,
    /// Where it can be had, the first that answers counts.
    pub locations: Vec<Location>,
}

/// Where a feed can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `http://` or `https://`.
    Url(Url),
    /// A file or a folder.
    Path(PathBuf),
}

/// How an update is done.
#[derive(Debug, Clone)]
pub struct UpdateOptions {
    /// RFC 3339 time that is written as the time of the update.
    pub now: String,
    /// How long all downloads together may take. What is unfinished then goes on next time.
    pub budget: Duration,
    /// How long a server may be silent.
    pub stall: Duration,
    /// Take over a source that would lose more than a fifth of its records.
    pub allow_shrink: bool,
}

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateSummary {
    /// One entry per feed, in the order that was given.
    pub feeds: Vec<(String, FeedOutcome)>,
    /// One entry per source of which records were read, sorted by name.
    pub sources: Vec<SourceSummary>,
    /// Size of the database afterwards.
    pub size_bytes: u64,
}

/// What became of one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedOutcome {
    /// It was read.
    New,
    /// It is the one that is already in the database.
    Unchanged,
    /// It could not be had or not be read; the rows that are there stay. The reason.
    Failed(String),
}

impl FeedSource {
    /// Reads `NAME=URL` or `NAME=PATH`. An error is the reason, as a lower-case fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, place) = text.split_once('=').ok_or("it is not NAME=URL or NAME=PATH")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(is_plain) {
            return Err(format!(
                "the name `{name}` is not one of at most 64 letters, digits, `-`, `_` and `.`"
            ));
        }
        if place.is_empty() {
            return Err("there is nothing after `=`".to_owned());
        }
        let location = if place.starts_with("http://") || place.starts_with("https://") {
            Location::Url(Url::parse(place).map_err(|error| error.to_string())?)
        } else {
            Location::Path(PathBuf::from(place.strip_prefix("file://").unwrap_or(place)))
        };
        Ok(Self {
            name: name.to_owned(),
            locations: vec![location],
        })
    }

    /// Joins entries of the same name: their locations are mirrors, in the order given.
    pub fn join(entries: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for entry in entries {
            match joined.iter_mut().find(|known| known.name == entry.name) {
                Some(known) => known.locations.extend(entry.locations),
                None => joined.push(entry),
            }
        }
        joined
    }
}

/// One feed on its way.
struct Job<'a> {
    feed: &'a FeedSource,
    cache: Cache,
    state: State,
    outcome: FeedOutcome,
    /// Set with `New`: what is written down when the database has it.
    next: State,
    /// Where the newest readable bytes are.
    readable: Option<PathBuf>,
}

/// Renews the database at `destination` from feeds, and creates it where it is missing. Rows of sources that none of the
/// feeds is about stay. What was downloaded is kept in `<destination>.feeds`, so that only what changed is downloaded
/// again. A feed that fails, or that is refused, keeps its last good rows, is marked as stale and has a Note.
pub fn update(
    feeds: &[FeedSource],
    destination: &Path,
    options: &UpdateOptions,
) -> Result<(UpdateSummary, Vec<Note>), Error> {
    let _lock = replace::lock(destination)?;
    let old = match Old::load(destination) {
        Ok(old) => Some(old),
        Err(Error::Missing(_) | Error::OlderSchema { .. }) => None,
        Err(error) => return Err(error),
    };
    let folder = replace::beside(destination, "feeds");
    let mut jobs = Vec::with_capacity(feeds.len());
    for feed in feeds {
        let cache = Cache::open(&folder, &feed.name)?;
        // Without the database, nothing of what was downloaded is in it.
        let state = cache.read_state().filter(|_| old.is_some()).unwrap_or_default();
        jobs.push(Job {
            feed,
            readable: cache.good(),
            next: state.clone(),
            cache,
            state,
            outcome: FeedOutcome::Unchanged,
        });
    }
    find_local(&mut jobs);
    download(&mut jobs, options)?;
    let must_read = old.is_none() || jobs.iter().any(|job| job.outcome == FeedOutcome::New);
    let mut notes = Vec::new();
    let contents = match must_read {
        true => read_jobs(&mut jobs, &mut notes),
        false => jobs.iter().map(|_| Vec::new()).collect(),
    };
    finish(jobs, contents, old.unwrap_or_default(), notes, destination, options)
}

/// Files and folders need no download; their names, sizes and times are their fingerprint.
fn find_local(jobs: &mut [Job<'_>]) {
    for job in jobs {
        let local = job.feed.locations.iter().find_map(|location| match location {
            Location::Path(path) => Some(path),
            Location::Url(_) => None,
        });
        let has_url = job
            .feed
            .locations
            .iter()
            .any(|location| matches!(location, Location::Url(_)));
        // What an earlier run had from a file says nothing of where this one gets it.
        job.next.is_local = false;
        let Some(path) = local.filter(|path| !has_url || path.exists()) else {
            continue;
        };
        match crate::cache::local_digest(path) {
            Ok(digest) => {
                let is_new = digest != job.state.digest;
                job.next.digest = digest;
                job.readable = Some(path.clone());
                job.outcome = if is_new {
                    FeedOutcome::New
                } else {
                    FeedOutcome::Unchanged
                };
            }
            Err(reason) => job.outcome = FeedOutcome::Failed(reason),
        }
        job.next.is_local = true;
    }
}

/// Downloads what is not local, some at a time, within the budget.
fn download(jobs: &mut [Job<'_>], options: &UpdateOptions) -> Result<(), Error> {
    let remote: Vec<&mut Job<'_>> = jobs.iter_mut().filter(|job| !job.next.is_local).collect();
    if remote.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| read::io_error("start the downloads for", Path::new("update"), source))?;
    let client = fetch::client(options.stall);
    runtime.block_on(async {
        let deadline = tokio::time::Instant::now() + options.budget;
        futures_util::stream::iter(remote)
            .for_each_concurrent(PARALLEL_DOWNLOADS, |job| {
                let client = client.clone();
                async move {
                    let fetched = match &client {
                        Ok(client) => tokio::time::timeout_at(deadline, fetch_job(client, job)).await,
                        Err(reason) => Ok(Err(reason.clone())),
                    };
                    job.outcome = match fetched {
                        Err(_) => FeedOutcome::Failed(format!("the time for downloads is up ({:?})", options.budget)),
                        Ok(Err(reason)) => FeedOutcome::Failed(reason),
                        Ok(Ok(outcome)) => outcome,
                    };
                }
            })
            .await;
    });
    Ok(())
}

async fn fetch_job(client: &reqwest::Client, job: &mut Job<'_>) -> Result<FeedOutcome, String> {
    let mirrors: Vec<Url> = job
        .feed
        .locations
        .iter()
        .filter_map(|location| match location {
            Location::Url(url) => Some(url.clone()),
            Location::Path(_) => None,
        })
        .collect();
    let Some(first) = mirrors.first() else {
        return Err("there is no such file".to_owned());
    };
    let part = job.cache.part(first.path())?;
    // Validators of a file that is gone would leave us with nothing.
    let is_in_database = job.readable.is_some() && !job.state.is_local;
    let known = is_in_database.then_some(&job.state.fingerprint);
    let known = known.filter(|known| known.etag.is_some() || known.last_modified.is_some());
    match fetch::fetch(client, &mirrors, known, &part).await? {
        Fetched::Unchanged => Ok(FeedOutcome::Unchanged),
        Fetched::New(fingerprint) => {
            let digest = crate::cache::file_digest(&part).map_err(|error| error.to_string())?;
            job.next.fingerprint = fingerprint;
            if digest == job.state.digest && job.readable.is_some() {
                // The same bytes under a new date or from another mirror.
                fetch::forget(&part);
                return Ok(FeedOutcome::Unchanged);
            }
            job.next.digest = digest;
            Ok(FeedOutcome::New)
        }
    }
}

/// Reads all feeds, because one source may come from several of them. What cannot be read falls back to the last good
/// bytes.
fn read_jobs(jobs: &mut [Job<'_>], notes: &mut Vec<Note>) -> Vec<Vec<FileContent>> {
    let mut all = Vec::with_capacity(jobs.len());
    for job in jobs {
        let mut contents = Vec::new();
        if job.outcome == FeedOutcome::New {
            let new = match job.next.is_local {
                true => job.readable.take(),
                false => job.cache.downloaded(),
            };
            contents = new.map_or_else(Vec::new, |path| read_feed(&path));
            notes.extend(take_notes(&mut contents));
            if let Some(reason) = fault(&contents) {
                job.outcome = FeedOutcome::Failed(reason);
                contents.clear();
            }
        }
        if job.outcome != FeedOutcome::New {
            contents = job.readable.as_deref().map_or_else(Vec::new, read_feed);
            if fault(&contents).is_some() {
                contents.clear();
            }
        }
        all.push(contents);
    }
    all
}

fn read_feed(path: &Path) -> Vec<FileContent> {
    let files = read::find_files(&[path.to_owned()]).unwrap_or_default();
    let mut contents = read::read_files(&files);
    merge::refuse_broken(&mut contents);
    contents
}

/// Why a feed cannot be taken over.
fn fault(contents: &[FileContent]) -> Option<String> {
    let failed = contents.iter().find_map(|content| content.failed.clone());
    let nothing = || {
        let is_empty = contents.iter().all(|content| content.feed.is_none());
        is_empty.then(|| "no feed's format was recognised in it".to_owned())
    };
    failed.or_else(nothing)
}

fn finish(
    mut jobs: Vec<Job<'_>>,
    contents: Vec<Vec<FileContent>>,
    old: Old,
    mut notes: Vec<Note>,
    destination: &Path,
    options: &UpdateOptions,
) -> Result<(UpdateSummary, Vec<Note>), Error> {
    let mut arrivals = Vec::new();
    let mut replaced = BTreeSet::new();
    for (job, contents) in jobs.iter_mut().zip(contents) {
        if !contents.is_empty() {
            job.next.sources = merge::source_names(&contents);
        }
        replaced.extend(job.next.sources.iter().filter(|_| !contents.is_empty()).cloned());
        arrivals.extend(contents.into_iter().map(|content| Arrival {
            origin: job.feed.name.clone(),
            content,
        }));
    }
    // Rows that only the database still has must not give way to those of another feed of the same source.
    for job in jobs
        .iter()
        .filter(|job| matches!(job.outcome, FeedOutcome::Failed(_)) && job.readable.is_none())
    {
        replaced.retain(|source| !job.state.sources.contains(source));
    }
    let merge_options = MergeOptions {
        now: &options.now,
        replaced: Replaced::These(replaced),
        allow_shrink: options.allow_shrink,
    };
    let (mut all, sources, shrink_notes) = merge::merge(old, arrivals, &merge_options)?;
    notes.extend(shrink_notes);
    for job in &mut jobs {
        let shrunk = |source: &SourceSummary| source.is_shrunk && job.next.sources.contains(&source.name);
        if job.outcome == FeedOutcome::New && sources.iter().any(shrunk) {
            job.outcome = FeedOutcome::Failed("it has lost more than a fifth of its records".to_owned());
        }
        if let FeedOutcome::Failed(reason) = &job.outcome {
            notes.push(Note::new(NoteKind::Unreadable, &job.feed.name, reason));
        }
    }
    date_sources(&jobs, &mut all, &options.now);
    let tables = merge::fill_counts(tables::build(all));
    let size_bytes = replace::replace(destination, tables, &options.now)?;
    for job in &jobs {
        job.cache.settle(&job.outcome, &job.next, &job.state, &options.now)?;
    }
    let feeds = jobs
        .into_iter()
        .map(|job| (job.feed.name.clone(), job.outcome))
        .collect();
    Ok((
        UpdateSummary {
            feeds,
            sources,
            size_bytes,
        },
        notes,
    ))
}

/// Writes down how old the rows of each source are: now, or when it was last good. Of several feeds of one source, the
/// oldest counts.
fn date_sources(jobs: &[Job<'_>], all: &mut Content, now: &str) {
    let is_failed = |job: &&Job<'_>| matches!(job.outcome, FeedOutcome::Failed(_));
    for job in jobs.iter().filter(|job| !is_failed(job)) {
        for name in &job.next.sources {
            if let Some(row) = all.sources.get_mut(name) {
                row.stale = false;
                now.clone_into(&mut row.imported);
            }
        }
    }
    for job in jobs.iter().filter(is_failed) {
        for name in job.state.sources.iter().chain(&job.next.sources) {
            let Some(row) = all.sources.get_mut(name) else {
                continue;
            };
            row.stale = true;
            if !job.state.checked.is_empty() && job.state.checked < row.imported {
                row.imported.clone_from(&job.state.checked);
            }
        }
    }
}
