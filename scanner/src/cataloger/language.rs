//! What the catalogers of programming languages share: a package from the file that describes it, and safe JSON.

use std::borrow::Cow;

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};
use serde::de::DeserializeOwned;

use crate::Tree;

/// A package as its own file states it, in that file's layer.
pub(super) fn package(kind: PackageKind, name: &str, version: &str, purl: String, entry: &FileEntry) -> Package {
    Package {
        purl,
        layer: entry.layer,
        evidence_path: entry.path.clone(),
        ..Package::new(kind, name, version)
    }
}

/// JSON of a file in the image; what is no JSON is a note.
pub(super) fn json<T: DeserializeOwned>(path: &str, content: &[u8], notes: &mut Vec<Note>) -> Option<T> {
    match serde_json::from_slice(content) {
        Ok(value) => Some(value),
        Err(error) => {
            notes.push(Note::new(NoteKind::Unreadable, path, error.to_string()));
            None
        }
    }
}

/// The kept files whose path says which format they have, with their texts; bytes that are no UTF-8 are replaced.
pub(super) fn texts<'a, F>(
    tree: &'a Tree,
    format_of: impl Fn(&str) -> Option<F>,
) -> impl Iterator<Item = (&'a FileEntry, F, Cow<'a, str>)> {
    tree.contents().filter_map(move |(entry, content)| {
        let format = format_of(&entry.path)?;
        Some((entry, format, String::from_utf8_lossy(content)))
    })
}

/// The folder of a file.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
