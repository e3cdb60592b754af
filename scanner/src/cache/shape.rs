//! A layer in, bytes out, and back: lists as JSON, so that new fields of entries and sightings follow by themselves, and
//! the kept contents behind it.

use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

use plimsoll_model::{Digest, FileEntry, Note};
use serde::{Deserialize, Serialize};

use crate::{
    layer::{Compression, Layer, LayerEntry, Whiteout, watch::Sighted},
    limits::MAX_CACHE_ENTRY_BYTES,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    blob_digest: Digest,
    blob_bytes: u64,
    compression: StoredCompression,
    diff_id: Digest,
    size_bytes: u64,
    entries: Vec<StoredEntry>,
    whiteouts: Vec<Whiteout>,
    sighted: Vec<Sighted>,
    notes: Vec<Note>,
}

#[derive(Serialize, Deserialize)]
enum StoredCompression {
    None,
    Gzip,
    Zstd,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry {
    #[serde(rename = "e")]
    entry: Box<FileEntry>,
    /// Bytes of its content among the contents, in order.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    content_bytes: Option<usize>,
    /// Target of a hard link.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// Bytes for one layer.
pub(super) fn pack(layer: &Layer, level: i32) -> io::Result<Vec<u8>> {
    let json = document(layer)?;
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
    encoder.write_all(&(json.len() as u64).to_le_bytes())?;
    encoder.write_all(&json)?;
    for entry in &layer.entries {
        if let LayerEntry::File {
            content: Some(content), ..
        } = entry
        {
            encoder.write_all(content)?;
        }
    }
    encoder.finish()
}

/// All but the contents. A field that [`Layer`] gains does not compile here before it is stored, too.
pub(super) fn document(layer: &Layer) -> io::Result<Vec<u8>> {
    let Layer {
        blob_digest,
        blob_bytes,
        compression,
        diff_id,
        size_bytes,
        entries,
        whiteouts,
        sighted,
        notes,
    } = layer;
    let mut stored = Vec::with_capacity(entries.len());
    for entry in entries {
        stored.push(match entry {
            LayerEntry::File { entry, content } => StoredEntry {
                entry: entry.clone(),
                content_bytes: content.as_ref().map(|content| content.len()),
                target: None,
            },
            LayerEntry::HardLink { entry, target } => StoredEntry {
                entry: entry.clone(),
                content_bytes: None,
                target: Some(target.clone()),
            },
        });
    }
    let document = Stored {
        blob_digest: *blob_digest,
        blob_bytes: *blob_bytes,
        compression: match compression {
            Compression::None => StoredCompression::None,
            Compression::Gzip => StoredCompression::Gzip,
            Compression::Zstd => StoredCompression::Zstd,
            Compression::Unsupported(_) => return Err(io::ErrorKind::Unsupported.into()),
        },
        diff_id: diff_id.ok_or(io::ErrorKind::InvalidInput)?,
        size_bytes: *size_bytes,
        entries: stored,
        whiteouts: whiteouts.clone(),
        sighted: sighted.clone(),
        notes: notes.clone(),
    };
    Ok(serde_json::to_vec(&document)?)
}

/// The layer again; `None` when the bytes are not what [`pack`] wrote.
pub(super) fn unpack(packed: &[u8]) -> Option<Layer> {
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
    let mut bytes = Vec::new();
    decoder.take(MAX_CACHE_ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let json = rest.get(..length)?;
    let mut contents = &rest[length..];
    let stored: Stored = serde_json::from_slice(json).ok()?;
    let mut entries = Vec::with_capacity(stored.entries.len());
    for StoredEntry {
        entry,
        content_bytes,
        target,
    } in stored.entries
    {
        let content = match content_bytes {
            Some(bytes) => {
                let (content, rest) = contents.split_at_checked(bytes)?;
                contents = rest;
                Some(Arc::from(content))
            }
            None => None,
        };
        entries.push(match target {
            Some(target) => LayerEntry::HardLink { entry, target },
            None => LayerEntry::File { entry, content },
        });
    }
    Some(Layer {
        blob_digest: stored.blob_digest,
        blob_bytes: stored.blob_bytes,
        compression: match stored.compression {
            StoredCompression::None => Compression::None,
            StoredCompression::Gzip => Compression::Gzip,
            StoredCompression::Zstd => Compression::Zstd,
        },
        diff_id: Some(stored.diff_id),
        size_bytes: stored.size_bytes,
        entries,
        whiteouts: stored.whiteouts,
        sighted: stored.sighted,
        notes: stored.notes,
    })
}
