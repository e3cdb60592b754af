//! Feed files in, a database file out: parse in parallel, merge, build beside, check, fsync, rename.

use std::path::{Path, PathBuf};

use plimsoll_model::Note;

use crate::Error;
use crate::limits::MAX_NOTES;
use crate::merge::{self, Arrival, MergeOptions, Replaced};
use crate::read::{self, FileContent};
use crate::replace;
use crate::store::Old;
use crate::tables;

/// How an import is done.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// RFC 3339 time that is written as the time of the import. The same inputs and the same time give the same bytes.
    pub now: String,
    /// Let the files take the place of all that is there, instead of adding to it.
    pub replace: bool,
    /// Take over a source that would lose more than a fifth of its records. Otherwise its old rows stay, and it is
    /// marked as stale.
    pub allow_shrink: bool,
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
    /// It would have lost more than a fifth of its records, so the old ones stay; it has a Note.
    pub is_shrunk: bool,
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
    let _lock = replace::lock(destination)?;
    let (mut contents, old) = rayon::join(|| read::read_files(&files), || Old::load(destination));
    let old = match old {
        Ok(old) => old,
        // A database that this program cannot read has nothing that could be kept.
        Err(error) if !options.replace && !matches!(error, Error::Missing(_)) => return Err(error),
        Err(_) => Old::default(),
    };
    merge::refuse_broken(&mut contents);
    let mut notes = take_notes(&mut contents);
    let arrivals = contents.into_iter().map(|content| Arrival {
        origin: content
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        content,
    });
    let merge_options = MergeOptions {
        now: &options.now,
        replaced: match options.replace {
            true => Replaced::All,
            false => Replaced::These(Default::default()),
        },
        allow_shrink: options.allow_shrink,
    };
    let (all, sources, shrink_notes) = merge::merge(old, arrivals.collect(), &merge_options)?;
    notes.extend(shrink_notes);
    let tables = merge::fill_counts(tables::build(all));
    let size_bytes = replace::replace(destination, tables, &options.now)?;
    Ok((ImportSummary { sources, size_bytes }, notes))
}

/// The first notes of all files.
pub(crate) fn take_notes(contents: &mut [FileContent]) -> Vec<Note> {
    let mut notes = Vec::new();
    for content in contents {
        let room = MAX_NOTES.saturating_sub(notes.len());
        notes.extend(content.notes.drain(..).take(room));
    }
    notes
}
