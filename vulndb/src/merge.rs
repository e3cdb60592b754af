//! An old database's content and what files say in, the new content out; a source that shrinks keeps its old rows.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};
use plimsoll_model::{Note, NoteKind};

use crate::feed::Record;
use crate::limits::{MAX_SHRINK_PERCENT, MIN_RECORDS_PER_BROKEN};
use crate::read::FileContent;
use crate::replace::parent;
use crate::store::Old;
use crate::tables::{self, Content, SourceRow};
use crate::{Error, SourceSummary};

/// How what is new stands to what is there.
pub(crate) struct MergeOptions<'a> {
    /// RFC 3339 time of the import.
    pub(crate) now: &'a str,
    /// Sources whose old rows give way; those of others stay below the new ones.
    pub(crate) replaced: Replaced,
    /// Take over a source that has lost more than a fifth of its records.
    pub(crate) allow_shrink: bool,
}

/// Which sources' old rows give way.
pub(crate) enum Replaced {
    All,
    These(BTreeSet<String>),
}

impl Replaced {
    fn has(&self, source: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(source),
        }
    }
}

/// What one file says, and by which name the database calls where it came from.
pub(crate) struct Arrival {
    pub(crate) origin: String,
    pub(crate) content: FileContent,
}

/// Empties files that are too broken to be believed. Files of one record each are judged together, per folder.
pub(crate) fn refuse_broken(contents: &mut [FileContent]) {
    let mut single: BTreeMap<std::path::PathBuf, (u64, u64)> = BTreeMap::new();
    let is_single = |content: &FileContent| content.documents + content.broken <= 1;
    for content in contents.iter().filter(|content| is_single(content)) {
        let entry = single.entry(parent(&content.path).to_owned()).or_default();
        entry.0 += content.documents;
        entry.1 += content.broken;
    }
    let is_too_much = |documents: u64, broken: u64| broken * MIN_RECORDS_PER_BROKEN > documents + broken;
    for content in contents {
        let (documents, broken) = match is_single(content) {
            true => single[parent(&content.path)],
            false => (content.documents, content.broken),
        };
        if content.failed.is_none() && is_too_much(documents, broken) {
            let detail = format!("{broken} of {} records cannot be read: refused", documents + broken);
            content.notes.insert(
                0,
                Note::new(NoteKind::Unreadable, content.path.display().to_string(), &detail),
            );
            content.failed = Some(detail);
        }
    }
}

/// Merges; marks sources of refused files and sources that shrank as stale.
pub(crate) fn merge(
    mut stored: Old,
    mut arrivals: Vec<Arrival>,
    options: &MergeOptions<'_>,
) -> Result<(Content, Vec<SourceSummary>, Vec<Note>), Error> {
    for arrival in &mut arrivals {
        if arrival.content.failed.is_some() {
            arrival.content.feed_sources = sources_of(&arrival.content).into_keys().collect();
            arrival.content.batch = Default::default();
        }
    }
    let (shrunk, notes) = match options.allow_shrink {
        true => (BTreeSet::new(), Vec::new()),
        false => find_shrunk(&stored.content, &arrivals, &options.replaced),
    };
    let is_dropped = |source: &str| options.replaced.has(source) && !shrunk.contains(source);
    stored.keep(|record| !is_dropped(record.source))?;
    let mut old = stored.content;
    drop_replaced(&mut old, is_dropped);
    for name in &shrunk {
        old.sources.entry(name.clone()).or_default().stale = true;
    }
    let mut summaries = summarise(&arrivals, &mut old.sources, &shrunk, options.now);
    for arrival in arrivals {
        add(arrival.content, &mut old, &shrunk, options.now);
    }
    for summary in &mut summaries {
        summary.is_shrunk = shrunk.contains(&summary.name);
    }
    old.sources
        .retain(|name, row| !row.imported.is_empty() || summaries.iter().any(|summary| summary.name == *name));
    Ok((old, summaries, notes))
}

/// Records per source in a file; for a file of which nothing could be read, the feed's own name.
fn sources_of(content: &FileContent) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let batch = &content.batch;
    let names = batch.records.iter().map(|record| record.source);
    let names = names.chain(batch.enrichments.iter().map(|enrichment| enrichment.source));
    for name in names.chain(batch.support.iter().map(|row| row.source)) {
        *counts.entry(name).or_default() += 1;
    }
    if content.failed.is_some() && counts.is_empty() {
        counts.extend(content.feed.map(|feed| (feed.name(), 0)));
    }
    counts
}

/// Sources that files are about, sorted.
pub(crate) fn source_names(contents: &[FileContent]) -> Vec<String> {
    let names: BTreeSet<&str> = contents
        .iter()
        .flat_map(|content| sources_of(content).into_keys())
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Live vulnerabilities per source: those whose newest record is not taken back.
fn count<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeMap<String, u64> {
    let mut newest: HashMap<(&str, &str), (&str, bool)> = HashMap::new();
    for record in records {
        let entry = newest.entry((record.source, &record.key)).or_insert(("", false));
        // Of two that are equally new, the later one counts.
        if record.modified.as_str() >= entry.0 {
            *entry = (&record.modified, !record.withdrawn);
        }
    }
    let mut counts = BTreeMap::new();
    for ((source, _), (_, is_live)) in newest {
        if is_live {
            *counts.entry(source.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Old enrichments, and those that arrive, per source.
fn count_enrichments(old: &Content, arrivals: &[Arrival]) -> [(&'static str, u64, u64); 4] {
    let before = |test: fn(&tables::Enriched) -> bool| old.enrichments.values().filter(|one| test(one)).count() as u64;
    let after = |name: &str| {
        let batches = arrivals.iter().map(|arrival| &arrival.content.batch);
        let rows = batches.flat_map(|batch| &batch.enrichments);
        rows.filter(|row| row.source == name).count() as u64
    };
    [
        ("kev", before(|one| one.kev_added.is_some()), after("kev")),
        ("epss", before(|one| one.epss.is_some()), after("epss")),
        ("cvss", before(|one| one.cvss.is_some()), after("cvss")),
        ("ssvc", before(|one| one.ssvc.is_some()), after("ssvc")),
    ]
}

/// Sources that would lose more than a fifth of their records. A mirror that serves an empty or cut list must not make
/// images look clean.
fn find_shrunk(old: &Content, arrivals: &[Arrival], replaced: &Replaced) -> (BTreeSet<String>, Vec<Note>) {
    let before = count(old.records.iter());
    // What had nothing cannot lose anything.
    let new = arrivals.iter().filter(|_| !before.is_empty());
    let kept = old.records.iter().filter(|record| !replaced.has(record.source));
    let new = new.flat_map(|arrival| &arrival.content.batch.records);
    let after = count(kept.chain(new));
    let mut changes: Vec<(String, u64, u64)> = before
        .into_iter()
        .map(|(source, before)| {
            let after = after.get(&source).copied().unwrap_or_default();
            (source, before, after)
        })
        .collect();
    let enrichments = count_enrichments(old, arrivals);
    let replaced_enrichments = enrichments.into_iter().filter(|(source, ..)| replaced.has(source));
    changes.extend(replaced_enrichments.map(|(source, before, after)| (source.to_owned(), before, after)));
    let mut shrunk = BTreeSet::new();
    let mut notes = Vec::new();
    for (source, before, after) in changes {
        if after * 100 < before * (100 - MAX_SHRINK_PERCENT) {
            let detail = format!("{after} records instead of {before}: its old rows stay");
            notes.push(Note::new(NoteKind::Limit, source.as_str(), detail));
            shrunk.insert(source);
        }
    }
    (shrunk, notes)
}

/// Takes away what replaced sources say beside records.
fn drop_replaced(old: &mut Content, is_dropped: impl Fn(&str) -> bool) {
    old.support.retain(|_, row| !is_dropped(row.source));
    for one in old.enrichments.values_mut() {
        if is_dropped("kev") {
            one.kev_added = None;
        }
        if is_dropped("epss") {
            one.epss = None;
        }
        if is_dropped("cvss") {
            one.cvss = None;
        }
        if is_dropped("ssvc") {
            one.ssvc = None;
        }
    }
    old.enrichments.retain(|_, one| *one != tables::Enriched::default());
    for (name, row) in &mut old.sources {
        if is_dropped(name) {
            *row = SourceRow::default();
        }
    }
    if old.records.is_empty() {
        old.texts.clear();
    }
}

/// Counts what comes, and writes down when it came and from where.
fn summarise(
    arrivals: &[Arrival],
    sources: &mut BTreeMap<String, SourceRow>,
    shrunk: &BTreeSet<String>,
    now: &str,
) -> Vec<SourceSummary> {
    let mut summaries: BTreeMap<String, SourceSummary> = BTreeMap::new();
    for Arrival { origin, content } in arrivals {
        let mut counts = sources_of(content);
        counts.extend(content.feed_sources.iter().map(|&name| (name, 0)));
        for (name, records) in counts {
            let summary = summaries.entry(name.to_owned()).or_insert_with(|| SourceSummary {
                name: name.to_owned(),
                ..Default::default()
            });
            let row = sources.entry(name.to_owned()).or_default();
            if content.failed.is_some() {
                summary.refused_files += 1;
                row.stale = true;
            } else if !shrunk.contains(name) {
                summary.records += records;
                now.clone_into(&mut row.imported);
                row.stale &= summary.refused_files > 0;
                add_origin(row, origin);
            }
        }
    }
    summaries.into_values().collect()
}

fn add(content: FileContent, all: &mut Content, shrunk: &BTreeSet<String>, now: &str) {
    let is_taken = |source: &str| !shrunk.contains(source);
    let mut batch = content.batch;
    // A record from the future would override every later one until that day comes.
    for record in batch.records.iter_mut().filter(|record| record.modified.as_str() > now) {
        now.clone_into(&mut record.modified);
    }
    for (name, newest) in batch.freshness.into_iter().filter(|(name, _)| is_taken(name)) {
        let row = all.sources.entry(name.to_owned()).or_default();
        row.newest = newest.max(std::mem::take(&mut row.newest));
    }
    all.records
        .extend(batch.records.into_iter().filter(|record| is_taken(record.source)));
    for enrichment in batch.enrichments.into_iter().filter(|one| is_taken(one.source)) {
        all.enrichments
            .entry(enrichment.cve.clone())
            .or_default()
            .add(enrichment);
    }
    for row in batch.support {
        all.support
            .insert((row.ecosystem.clone(), row.package.clone(), row.kind), row);
    }
}

/// Keeps the names of the last files that a source came from, sorted.
fn add_origin(row: &mut SourceRow, origin: &str) {
    const MAX_ORIGINS: usize = 16;
    let mut names: BTreeSet<&str> = row.origin.split('\n').filter(|name| !name.is_empty()).collect();
    if names.len() < MAX_ORIGINS {
        names.insert(origin);
    }
    row.origin = names.into_iter().collect::<Vec<_>>().join("\n");
}

/// Fills in how many records each source has now, and its newest change.
pub(crate) fn fill_counts(mut tables: tables::Tables) -> tables::Tables {
    let mut counts: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    // By fields, not through the method, so that the sources can be changed meanwhile.
    for &index in &tables.advisories {
        let record = &tables.records[index as usize];
        let entry = counts.entry(record.source).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(record.modified.as_str());
    }
    let known =
        |test: fn(&tables::Enriched) -> bool| tables.enrichments.values().filter(|row| test(row)).count() as u64;
    counts.insert("kev", (known(|row| row.kev_added.is_some()), ""));
    counts.insert("epss", (known(|row| row.epss.is_some()), ""));
    counts.insert("cvss", (known(|row| row.cvss.is_some()), ""));
    counts.insert("ssvc", (known(|row| row.ssvc.is_some()), ""));
    for row in tables.support.values() {
        counts.entry(row.source).or_default().0 += 1;
    }
    for (name, row) in &mut tables.sources {
        if let Some((records, newest)) = counts.get(name.as_str()) {
            row.records = *records;
            if *newest > row.newest.as_str() {
                (*newest).clone_into(&mut row.newest);
            }
        }
    }
    tables
}
