//! The spool: alerts in, records on disk out, each with a number. What an output has not taken yet survives the agent's
//! death; how much is kept is bounded, and what is dropped to stay within the bound is counted for each output.
//!
//! Files are named after the number of their first record. A record is appended with one write, so it survives `kill -9`
//! at once; the disk is told to keep it at most a second later ([`Spool::sync`]), so a power cut may cost that second.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use plimsoll_model::Alert;

mod index;
mod reader;
mod record;

pub(crate) use index::{Index, Shared};
pub(crate) use reader::Reader;
pub use record::Record;
pub(crate) use record::{Kind, encode, fit};

use index::Segment;

use super::Pace;
use crate::limits::{MAX_BACKLOG_BYTES, MAX_SPOOL_FILES};

const EXTENSION: &str = "alerts";

/// The writing end.
#[derive(Debug)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    pace: Pace,
    file: Option<File>,
    /// Records that the disk had no room for.
    backlog: VecDeque<Vec<u8>>,
    backlog_bytes: usize,
    is_dirty: bool,
    /// As long as it is held, no other agent uses the folder.
    _lock: File,
}

impl Spool {
    /// Opens the spool of a folder for outputs of these names. Gives what had to be repaired, for people.
    ///
    /// # Errors
    /// The folder cannot be made, written, or another agent uses it.
    pub(crate) fn open(folder: &Path, pace: Pace, names: &[&'static str]) -> io::Result<(Self, Vec<String>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another agent uses this folder")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut notes = Vec::new();
        let segments = read_segments(folder, &mut notes)?;
        let index = Index::new(folder, segments, names, &mut notes)?;
        let spool = Self {
            shared: Arc::new(Shared::new(folder.to_owned(), index, names.len())),
            pace,
            file: None,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            is_dirty: false,
            _lock: lock,
        };
        Ok((spool, notes))
    }

    /// What readers share with it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Appends an alert. While the disk has no room it is kept in memory, bounded; beyond, it is lost, and counted.
    ///
    /// # Errors
    /// The disk did not take it now.
    pub(crate) fn append(&mut self, kind: Kind, alert: &Alert) -> io::Result<()> {
        let record = encode(kind, &fit(alert));
        if self.backlog_bytes + record.len() > MAX_BACKLOG_BYTES {
            self.shared.lose_for_all(1);
        } else {
            self.backlog_bytes += record.len();
            self.backlog.push_back(record);
        }
        self.write_backlog()
    }

    /// Tells the disk to keep what was appended, and tries again what it did not take.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.write_backlog()?;
        if let Some(file) = self.file.as_ref().filter(|_| self.is_dirty) {
            file.sync_data()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn write_backlog(&mut self) -> io::Result<()> {
        while let Some(record) = self.backlog.pop_front() {
            match self.write(&record) {
                Ok(()) => self.backlog_bytes -= record.len(),
                Err(error) => {
                    self.backlog.push_front(record);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let mut written = self.shared.last_bytes();
        if self.file.is_none() || written >= self.pace.segment_bytes {
            self.start_segment()?;
            written = self.shared.last_bytes();
        }
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the segment is gone"));
        };
        if let Err(error) = file.write_all(record) {
            // Half a record must not be followed by a whole one.
            file.set_len(written)?;
            return Err(error);
        }
        self.is_dirty = true;
        self.shared.appended(record.len() as u64, self.pace.spool_bytes);
        Ok(())
    }

    /// Goes on in the last file if it has room, else begins one.
    fn start_segment(&mut self) -> io::Result<()> {
        self.sync_file()?;
        let first = self.shared.open_segment(self.pace.segment_bytes);
        let path = segment_path(self.shared.folder(), first);
        self.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(path)?);
        Ok(())
    }

    fn sync_file(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}

fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// All files of a spool, checked record by record. The end of the last one may be torn: it is cut there.
fn read_segments(folder: &Path, notes: &mut Vec<String>) -> io::Result<VecDeque<Segment>> {
    let mut firsts: Vec<u64> = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_SPOOL_FILES) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(first) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
        {
            firsts.push(first);
        }
    }
    firsts.sort_unstable();
    let mut segments = VecDeque::new();
    for (position, first) in firsts.iter().enumerate() {
        let path = segment_path(folder, *first);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let length = file.metadata()?.len();
        let (count, bytes) = record::count(&file)?;
        if bytes < length {
            notes.push(format!(
                "spool file {} is whole up to record {count}; {} bytes behind it were not",
                path.display(),
                length - bytes
            ));
            if position + 1 == firsts.len() {
                file.set_len(bytes)?;
            }
        }
        segments.push_back(Segment {
            first: *first,
            count,
            bytes,
        });
    }
    Ok(segments)
}

/// All records of a segment: for the fuzzer.
pub(crate) fn read_records(mut bytes: &[u8]) {
    while let Ok(Some(_)) = record::read(&mut bytes) {}
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::sample;
