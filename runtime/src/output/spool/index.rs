//! What writer and readers share: which files there are, how far each output is, who waits for news.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::segment_path;
use crate::output::{OutputSummary, write_whole};

/// A file of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Number of its first record.
    pub(crate) first: u64,
    /// Whole records in it.
    pub(crate) count: u64,
    /// Bytes of these.
    pub(crate) bytes: u64,
}

impl Segment {
    pub(super) fn end(self) -> u64 {
        self.first + self.count
    }
}

#[derive(Debug)]
struct Cursor {
    name: &'static str,
    /// Number of the first record that it has not settled.
    next: u64,
    delivered: u64,
    refused: u64,
    lost: u64,
}

/// Files and cursors.
#[derive(Debug)]
pub(crate) struct Index {
    segments: VecDeque<Segment>,
    cursors: Vec<Cursor>,
    /// Number of the next record.
    next: u64,
}

impl Index {
    /// Reads the cursors. An output without one begins with what comes from now on; one whose cursor cannot be read
    /// begins with the oldest record, since sending twice is better than not at all.
    pub(super) fn new(
        folder: &Path,
        segments: VecDeque<Segment>,
        names: &[&'static str],
        notes: &mut Vec<String>,
    ) -> io::Result<Self> {
        let oldest = segments.front().map_or(1, |segment| segment.first);
        let mut next = segments.back().map_or(1, |segment| segment.end());
        let mut found: Vec<Option<u64>> = Vec::new();
        for name in names {
            let path = cursor_path(folder, name);
            let number = match fs::read_to_string(&path) {
                Ok(text) => Some(text.trim().parse().unwrap_or_else(|_| {
                    notes.push(format!(
                        "cursor {} is damaged; all that is kept is sent again",
                        path.display()
                    ));
                    oldest
                })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            next = next.max(number.unwrap_or(0));
            found.push(number);
        }
        let mut cursors = Vec::new();
        for (name, number) in names.iter().zip(found) {
            let cursor = Cursor {
                name,
                next: number.unwrap_or(next),
                delivered: 0,
                refused: 0,
                lost: 0,
            };
            save(folder, &cursor)?;
            cursors.push(cursor);
        }
        Ok(Self {
            segments,
            cursors,
            next,
        })
    }

    fn drop_oldest(&mut self, folder: &Path) {
        let Some(segment) = self.segments.pop_front() else {
            return;
        };
        for cursor in &mut self.cursors {
            cursor.skip_to(segment.end());
        }
        let _ = fs::remove_file(segment_path(folder, segment.first));
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

impl Cursor {
    /// Records before this number are gone.
    fn skip_to(&mut self, number: u64) {
        self.lost += number.saturating_sub(self.next);
        self.next = self.next.max(number);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    folder: PathBuf,
    index: Mutex<Index>,
    news: Vec<Notify>,
}

/// Where the next unread record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) segment: Segment,
    pub(super) number: u64,
}

impl Shared {
    pub(super) fn new(folder: PathBuf, index: Index, outputs: usize) -> Self {
        Self {
            folder,
            index: Mutex::new(index),
            news: (0..outputs).map(|_| Notify::new()).collect(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every change leaves it whole, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that all files take.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes()
    }

    pub(super) fn last_bytes(&self) -> u64 {
        self.lock().segments.back().map_or(0, |segment| segment.bytes)
    }

    /// The file that is written to: the last one while it has room and its numbers go on, else a new one.
    pub(super) fn open_segment(&self, segment_bytes: u64) -> u64 {
        let mut index = self.lock();
        let next = index.next;
        let open = index
            .segments
            .back()
            .filter(|last| last.bytes < segment_bytes && last.end() == next);
        match open.copied() {
            Some(last) => last.first,
            None => {
                // An empty one of the same name would be found twice.
                index.segments.retain(|segment| segment.first != next);
                index.segments.push_back(Segment {
                    first: next,
                    count: 0,
                    bytes: 0,
                });
                next
            }
        }
    }

    /// One more record is in the last file. Drops the oldest files while there are too many bytes.
    pub(super) fn appended(&self, bytes: u64, most_bytes: u64) {
        let mut index = self.lock();
        index.next += 1;
        if let Some(last) = index.segments.back_mut() {
            last.count += 1;
            last.bytes += bytes;
        }
        while index.segments.len() > 1 && index.bytes() > most_bytes {
            index.drop_oldest(&self.folder);
        }
        drop(index);
        self.wake_all();
    }

    /// Records that never reached the disk.
    pub(super) fn lose_for_all(&self, count: u64) {
        for cursor in &mut self.lock().cursors {
            cursor.lost += count;
        }
    }

    /// Where an output that has read up to `number` goes on; `None`: nothing is left.
    pub(super) fn find(&self, output: usize, number: u64) -> Option<Spot> {
        let mut index = self.lock();
        let number = number.max(index.cursors[output].next);
        let segment = *index.segments.iter().find(|segment| segment.end() > number)?;
        if segment.first > number {
            // A damaged file ended early, or files were removed by hand.
            index.cursors[output].lost += segment.first - number;
        }
        Some(Spot {
            segment,
            number: number.max(segment.first),
        })
    }

    /// The rest of this file cannot be read.
    pub(super) fn lose_from(&self, output: usize, number: u64, end: u64) {
        self.lock().cursors[output].lost += end - number;
    }

    /// All records before `number` are settled.
    ///
    /// # Errors
    /// The cursor could not be saved; then more is sent again after a restart.
    pub(crate) fn settle(&self, output: usize, number: u64, delivered: u64, refused: u64) -> io::Result<()> {
        let mut index = self.lock();
        let cursor = &mut index.cursors[output];
        cursor.delivered += delivered;
        cursor.refused += refused;
        let is_news = number > cursor.next;
        cursor.next = cursor.next.max(number);
        let saved = match is_news {
            true => save(&self.folder, cursor),
            false => Ok(()),
        };
        let slowest = index.cursors.iter().map(|cursor| cursor.next).min().unwrap_or(0);
        while index.segments.len() > 1 && index.segments.front().is_some_and(|first| first.end() <= slowest) {
            index.drop_oldest(&self.folder);
        }
        saved
    }

    /// What an output has done so far.
    pub(crate) fn summary(&self, output: usize) -> OutputSummary {
        let index = self.lock();
        let cursor = &index.cursors[output];
        OutputSummary {
            name: cursor.name,
            delivered: cursor.delivered,
            refused: cursor.refused,
            lost: cursor.lost,
            waiting: index.next.saturating_sub(cursor.next),
        }
    }

    /// Returns when something was appended since the last call, or everybody is woken.
    pub(crate) async fn wait(&self, output: usize) {
        self.news[output].notified().await;
    }

    pub(crate) fn wake_all(&self) {
        self.news.iter().for_each(Notify::notify_one);
    }
}

fn cursor_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.cursor"))
}

fn save(folder: &Path, cursor: &Cursor) -> io::Result<()> {
    write_whole(
        &cursor_path(folder, cursor.name),
        format!("{}\n", cursor.next).as_bytes(),
    )
}
