//! The members of an archive in, what they say out, as if they lay in a folder: one result for each feed that recognises
//! some of them.

use std::io::{BufReader, Result};
use std::path::Path;
use std::sync::atomic::AtomicU64;

use plimsoll_model::{Note, NoteKind};

use super::unpack::{Limited, unpack};
use super::{FileContent, is_called_like_data, read_plain};
use crate::limits::{MAX_HEAD_BYTES, MAX_NAME_BYTES, MAX_NOTES, MAX_STRANGERS_PERCENT};

/// What the members that were read so far say.
#[derive(Default)]
pub(super) struct Gathered {
    contents: Vec<FileContent>,
    /// Members that could not be unpacked, so that nobody knows whose they are.
    unreadable: Vec<(String, String)>,
    read: u64,
    /// Members that no feed recognises, and the first of them.
    strangers: u64,
    first_stranger: String,
}

/// A member's name without what could lead out of a folder or confuse who reads it; `None` for what no folder's reader
/// would take.
pub(super) fn clean_name(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(&name[..name.len().min(MAX_NAME_BYTES)]);
    let parts = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let plain = |part: &str| part.chars().filter(|c| !c.is_control()).collect::<String>();
    let parts: Vec<String> = parts.map(plain).collect();
    // A repository's own settings are no data.
    let is_hidden = parts.iter().any(|part| part.starts_with('.'));
    let name = parts.join("/");
    (!is_hidden && !name.is_empty() && is_called_like_data(Path::new(&name))).then_some(name)
}

impl Gathered {
    /// Reads one member; `left` is what the whole archive may still unpack to.
    pub(super) fn read(&mut self, archive: &Path, name: &str, bytes: &[u8], left: &AtomicU64) {
        let mut content = FileContent::new(&archive.join(name));
        let result = read_member(bytes, left, &mut content);
        match (result, content.feed) {
            (Err(error), _) => self.add_unreadable(name, error.to_string()),
            (Ok(()), Some(_)) => {
                self.read += 1;
                self.add_content(content, archive);
            }
            (Ok(()), None) => self.add_strangers(1, name),
        }
    }

    pub(super) fn add_unreadable(&mut self, name: &str, reason: String) {
        self.unreadable.push((name.to_owned(), reason));
    }

    fn add_strangers(&mut self, count: u64, first: &str) {
        if self.strangers == 0 {
            first.clone_into(&mut self.first_stranger);
        }
        self.strangers += count;
    }

    fn add_content(&mut self, mut content: FileContent, archive: &Path) {
        let name = |content: &FileContent| content.feed.map(|feed| feed.name());
        let known = self.contents.iter_mut().find(|known| name(known) == name(&content));
        let Some(known) = known else {
            archive.clone_into(&mut content.path);
            self.contents.push(content);
            return;
        };
        known.documents += content.documents;
        known.broken += content.broken;
        known.batch.append(&mut content.batch);
        let room = MAX_NOTES.saturating_sub(known.notes.len());
        known.notes.extend(content.notes.into_iter().take(room));
    }

    /// Adds what other members, which come later in the archive, say.
    pub(super) fn append(&mut self, other: Self, archive: &Path) {
        for content in other.contents {
            self.add_content(content, archive);
        }
        self.unreadable.extend(other.unreadable);
        self.read += other.read;
        if other.strangers > 0 {
            self.add_strangers(other.strangers, &other.first_stranger);
        }
    }

    /// The archive's results; `end` says why it could not be read to its end.
    pub(super) fn finish(mut self, archive: &Path, end: Result<()>) -> Vec<FileContent> {
        let place = archive.display().to_string();
        if self.contents.is_empty() {
            self.contents.push(FileContent::new(archive));
        }
        // Whose they are is not known: those who have most of the archive are judged by them.
        self.contents
            .sort_by_key(|content| std::cmp::Reverse(content.documents));
        let largest = &mut self.contents[0];
        largest.broken += self.unreadable.len() as u64;
        for (name, reason) in self.unreadable.into_iter().take(MAX_NOTES) {
            largest
                .notes
                .push(Note::new(NoteKind::Unreadable, format!("{place}/{name}"), reason));
        }
        let is_strange = self.strangers * 100 > (self.read + self.strangers) * MAX_STRANGERS_PERCENT;
        if is_strange && self.read > 0 {
            let detail = format!(
                "no feed's format was recognised in {} of its files, {} among them",
                self.strangers, self.first_stranger
            );
            largest.notes.push(Note::new(NoteKind::Unsupported, &place, detail));
        }
        if let Err(error) = end {
            largest
                .notes
                .push(Note::new(NoteKind::Unreadable, &place, error.to_string()));
            for content in &mut self.contents {
                content.failed = Some(error.to_string());
            }
        } else if largest.feed.is_none() {
            let detail = "no feed's format was recognised in it";
            largest.notes.push(Note::new(NoteKind::Unsupported, place, detail));
        }
        self.contents
    }
}

fn read_member(bytes: &[u8], left: &AtomicU64, content: &mut FileContent) -> Result<()> {
    let unpacked = unpack(bytes)?;
    // Only what a member's own compression adds counts here: the archive has counted the member.
    let limited = Limited { inner: unpacked, left };
    read_plain(BufReader::with_capacity(MAX_HEAD_BYTES, limited), content)
}
