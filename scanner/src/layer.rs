//! One layer's blob in, its entries with facts out: one forward pass, two threads, both digests computed on the way.

mod digests;
mod entries;
mod entry;
mod header;
mod inflate;
mod inventory;
mod kept;
mod pax;
mod sparse;
mod stargz;
pub(crate) mod tar;
pub(crate) mod watch;

use std::{
    io::{self, Read},
    sync::atomic::AtomicU64,
};

use plimsoll_model::{Digest, FileEntry, Note, NoteKind};
use serde::{Deserialize, Serialize};

use self::inventory::Inventory;
pub(crate) use self::{entries::Entries, inflate::Compression, kept::Kept};
use crate::progress::Progress;

/// What layers of one image share.
pub(crate) struct Shared<'a> {
    pub(crate) progress: &'a dyn Progress,
    /// Members of all layers so far.
    pub(crate) entries: AtomicU64,
    /// Bytes of kept contents so far.
    pub(crate) kept_bytes: AtomicU64,
    /// Members of all layers that are read.
    pub(crate) max_entries: u64,
    /// Bytes of contents that may be kept.
    pub(crate) kept_limit: u64,
    /// Whether the target is a folder of sources and no image.
    pub(crate) is_source_tree: bool,
}

/// What a layer does to the tree below it.
#[derive(Debug, Clone)]
pub(crate) enum LayerEntry {
    /// A file, folder, symbolic link, device or pipe.
    File {
        entry: Box<FileEntry>,
        content: Option<Kept>,
    },
    /// Another name of a file; `entry` has no content facts yet.
    HardLink { entry: Box<FileEntry>, target: String },
}

/// One layer, read.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// Digest of what was read from the source.
    pub(crate) blob_digest: Digest,
    pub(crate) blob_bytes: u64,
    pub(crate) compression: Compression,
    /// Digest of the uncompressed bytes; `None` when they could not all be had.
    pub(crate) diff_id: Option<Digest>,
    pub(crate) size_bytes: u64,
    /// In the order of the archive.
    pub(crate) entries: Entries,
    /// Paths below this layer that it removes.
    pub(crate) whiteouts: Vec<Whiteout>,
    pub(crate) sighted: Vec<watch::Sighted>,
    pub(crate) notes: Vec<Note>,
}

impl Layer {
    /// Says which layer of its image it is.
    pub(crate) fn number(&mut self, index: u32) {
        self.entries.number(index);
        for sighted in &mut self.sighted {
            sighted.layer = index;
        }
    }
}

/// A whiteout (image-spec, layer.md#whiteouts).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Whiteout {
    /// This path and all below it.
    Path(String),
    /// All below this folder.
    Opaque(String),
}

/// Reads a layer to its end. Errors of the source are errors; errors of its content are notes. `diff_id` is what the image
/// promises that its content is, where that is known.
pub(crate) fn read(
    index: u32,
    name: &str,
    source: &mut (dyn Read + Send),
    diff_id: Option<&Digest>,
    shared: &Shared<'_>,
) -> io::Result<Layer> {
    let (producer, chunks) = inflate::pipe();
    std::thread::scope(|scope| {
        let inflater = std::thread::Builder::new()
            .name(format!("inflate-{index}"))
            .spawn_scoped(scope, move || producer.run(source, shared.progress))?;
        let mut inventory = Inventory::new(index, name, shared);
        let content = inventory.read(chunks);
        let blob = inflater
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        stargz::drop_own_files(&mut inventory.entries);
        let mut notes = inventory.notes;
        if let Some(error) = &content.error {
            let kind = match error {
                inflate::InflateError::Damaged(_) => NoteKind::Unreadable,
                inflate::InflateError::Unsupported(_) => NoteKind::Unsupported,
                inflate::InflateError::Size | inflate::InflateError::Ratio => NoteKind::Limit,
            };
            notes.push(Note::new(kind, name, error.to_string()));
        }
        // Early writers of zstd:chunked (skopeo and podman before 2024) leave out what fills the last record, and the digest
        // of before stays in the config. podman takes such an image, containerd refuses it. Zeros behind the end say nothing.
        let filled = blob.filled_digest.filter(|filled| diff_id == Some(filled));
        if filled.is_some() && content.error.is_none() {
            let detail = "zeros at the end of its tar were left out when it was compressed again (zstd:chunked): its digest \
                          is right with them, but containerd refuses it";
            notes.push(Note::new(NoteKind::Hint, name, detail));
        }
        Ok(Layer {
            blob_digest: blob.digest,
            blob_bytes: blob.size_bytes,
            compression: blob.compression,
            diff_id: content.error.is_none().then_some(filled.unwrap_or(blob.content_digest)),
            size_bytes: content.size_bytes,
            entries: inventory.entries,
            whiteouts: inventory.whiteouts,
            sighted: inventory.sighted,
            notes,
        })
    })
}
