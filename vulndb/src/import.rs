//! Feed files in, a database file out: parse in parallel, build beside, check, fsync, rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use plimsoll_model::{Note, NoteKind};

use crate::Error;
use crate::limits::{MAX_NOTES, MIN_RECORDS_PER_BROKEN};
use crate::read::{self, FileContent, io_error};
use crate::store;
use crate::tables::{self, Content, SourceRow};

/// How an import is done.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// RFC 3339 time that is written as the time of the import. The same inputs and the same time give the same bytes.
    pub now: String,
    /// Start with an empty database instead of adding to the one that is there.
    pub replace: bool,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportSummary {
    /// One entry per source that was read, sorted by name.
    pub sources: Vec<SourceSummary>,
    /// Size of the database afterwards.
    pub size_bytes: u64,
}

/// What an import did with one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceSummary {
    /// `debian`, `ghsa`, `kev`, …
    pub name: String,
    /// Records that were read and taken over.
    pub records: u64,
    /// Files that were refused because too much of them cannot be read; each has a Note. Older rows stay.
    pub refused_files: u64,
}

/// Reads feeds (files or folders) and adds them to the database at `destination`, which is created when it is missing
/// and replaced in one step: a reader sees the old or the new one, never half. A record that cannot be read is a Note;
/// a file of which more than 1 % cannot be read, or which ends early, is refused whole.
pub fn import(
    paths: &[PathBuf],
    destination: &Path,
    options: &ImportOptions,
) -> Result<(ImportSummary, Vec<Note>), Error> {
    let files = read::find_files(paths)?;
    let mut contents = read::read_files(&files);
    let mut notes = Vec::new();
    refuse_broken(&mut contents);
    for content in &mut contents {
        let room = MAX_NOTES.saturating_sub(notes.len());
        notes.extend(content.notes.drain(..).take(room));
    }
    let folder = parent(destination);
    fs::create_dir_all(folder).map_err(|source| io_error("create folder", folder, source))?;
    let _lock = lock(destination)?;
    let mut all = match options.replace || !destination.exists() {
        true => Content::default(),
        false => store::load(destination)?,
    };
    let summaries = add(contents, &mut all, &options.now);
    let tables = count(tables::build(all));
    let size_bytes = replace(destination, &tables, &options.now)?;
    Ok((
        ImportSummary {
            sources: summaries,
            size_bytes,
        },
        notes,
    ))
}

/// Empties files that are too broken to be believed. Files of one record each are judged together, per folder.
fn refuse_broken(contents: &mut [FileContent]) {
    let mut single: BTreeMap<PathBuf, (u64, u64)> = BTreeMap::new();
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

/// Adds what the files say; marks sources of refused files as stale.
fn add(contents: Vec<FileContent>, all: &mut Content, now: &str) -> Vec<SourceSummary> {
    let mut summaries: BTreeMap<&'static str, SourceSummary> = BTreeMap::new();
    for content in contents {
        let file_name = content
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let batch = content.batch;
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        let names = batch.records.iter().map(|record| record.source);
        for name in names.chain(batch.enrichments.iter().map(|enrichment| enrichment.source)) {
            *counts.entry(name).or_default() += 1;
        }
        if content.failed.is_some() && counts.is_empty() {
            // Nothing could be read, so only the feed is known.
            counts.extend(content.feed.map(|feed| (feed.name(), 0)));
        }
        for (name, records) in counts {
            let summary = summaries.entry(name).or_insert_with(|| SourceSummary {
                name: name.to_owned(),
                ..Default::default()
            });
            let row = all.sources.entry(name.to_owned()).or_default();
            if content.failed.is_some() {
                summary.refused_files += 1;
                row.stale = true;
                continue;
            }
            summary.records += records;
            now.clone_into(&mut row.imported);
            row.stale &= summary.refused_files > 0;
            add_origin(row, &file_name);
        }
        if content.failed.is_some() {
            continue;
        }
        for (name, newest) in batch.freshness {
            let row = all.sources.entry(name.to_owned()).or_default();
            row.newest = newest.max(std::mem::take(&mut row.newest));
        }
        all.records.extend(batch.records);
        for enrichment in batch.enrichments {
            all.enrichments
                .entry(enrichment.cve.clone())
                .or_default()
                .add(enrichment);
        }
    }
    all.sources
        .retain(|name, row| !row.imported.is_empty() || summaries.contains_key(name.as_str()));
    summaries.into_values().collect()
}

/// Keeps the names of the last files that a source came from, sorted.
fn add_origin(row: &mut SourceRow, file_name: &str) {
    const MAX_ORIGINS: usize = 16;
    let mut names: BTreeSet<&str> = row.origin.split('\n').filter(|name| !name.is_empty()).collect();
    if names.len() < MAX_ORIGINS {
        names.insert(file_name);
    }
    row.origin = names.into_iter().collect::<Vec<_>>().join("\n");
}

/// Fills in how many records each source has now, and its newest change.
fn count(mut tables: tables::Tables) -> tables::Tables {
    let mut counts: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for record in &tables.advisories {
        let entry = counts.entry(record.source).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(record.modified.as_str());
    }
    let known =
        |test: fn(&tables::Enriched) -> bool| tables.enrichments.values().filter(|row| test(row)).count() as u64;
    counts.insert("kev", (known(|row| row.kev_added.is_some()), ""));
    counts.insert("epss", (known(|row| row.epss.is_some()), ""));
    counts.insert("cvss", (known(|row| row.cvss.is_some()), ""));
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

/// Held while a database is replaced, so that two imports do not undo each other; released when the process ends.
fn lock(destination: &Path) -> Result<File, Error> {
    let path = beside(destination, "lock");
    let file = File::create(&path).map_err(|source| io_error("create lock", &path, source))?;
    file.lock().map_err(|source| io_error("lock", &path, source))?;
    Ok(file)
}

/// Builds beside, checks, syncs and renames. Returns the new file's size in bytes.
fn replace(destination: &Path, tables: &tables::Tables, now: &str) -> Result<u64, Error> {
    let new = beside(destination, "new");
    // An import that was killed may have left one.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error("remove", &new, error)),
        _ => {}
    }
    let written = store::write(&new, tables, now)
        .and_then(|()| check(&new, tables))
        .and_then(|()| sync(&new))
        .and_then(|size| {
            fs::rename(&new, destination).map_err(|source| io_error("rename to", destination, source))?;
            Ok(size)
        });
    if written.is_err() {
        // The error that is reported is the first one.
        let _ = fs::remove_file(&new);
    }
    let size = written?;
    let folder = parent(destination);
    let sync_folder = File::open(folder).and_then(|folder| folder.sync_all());
    sync_folder.map_err(|source| io_error("sync folder", folder, source))?;
    Ok(size)
}

/// Reads the new file as a reader would.
fn check(new: &Path, tables: &tables::Tables) -> Result<(), Error> {
    let corrupt = |reason: String| Error::Corrupt {
        path: new.to_owned(),
        reason,
    };
    let connection = store::open(new)?;
    let failed = |source| Error::Sqlite {
        operation: "check",
        path: new.to_owned(),
        source,
    };
    let answer: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if answer != "ok" {
        return Err(corrupt(answer));
    }
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM affected", [], |row| row.get(0))
        .map_err(failed)?;
    if usize::try_from(rows) != Ok(tables.affected.len()) {
        return Err(corrupt(format!(
            "{rows} of {} rows were written",
            tables.affected.len()
        )));
    }
    Ok(())
}

fn sync(path: &Path) -> Result<u64, Error> {
    let file = File::open(path).map_err(|source| io_error("open", path, source))?;
    file.sync_all().map_err(|source| io_error("sync", path, source))?;
    let metadata = file.metadata().map_err(|source| io_error("read", path, source))?;
    Ok(metadata.len())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
