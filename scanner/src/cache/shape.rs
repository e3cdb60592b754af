//! A layer in, bytes out, and back, one entry after another: neither side ever holds more than the layer and one entry.
//!
//! After a header come as many whiteouts, sightings, notes and entries as it says; each is its length and its fields in
//! postcard's format. Then, in the order of the entries that have them, what was kept of files. All of it is one zstd frame.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    sync::Arc,
};

use plimsoll_model::{Digest, Note};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    layer::{Compression, Entries, Kept, Layer, Whiteout, watch::Sighted},
    limits::{MAX_CACHE_ENTRY_BYTES, MAX_CACHE_RECORD_BYTES},
};

#[derive(Serialize, Deserialize)]
struct Header {
    blob_digest: [u8; 32],
    blob_bytes: u64,
    compression: StoredCompression,
    diff_id: [u8; 32],
    size_bytes: u64,
    whiteouts: usize,
    sighted: usize,
    notes: usize,
    entries: usize,
}

#[derive(Serialize, Deserialize)]
enum StoredCompression {
    None,
    Gzip,
    Zstd,
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    /// Bytes that follow.
    bytes: u64,
    /// Bytes of the content, if what follows is its packed form.
    size: Option<usize>,
}

/// Writes one layer. A field that [`Layer`] gains does not compile here before it is stored, too.
pub(super) fn pack(layer: &Layer, level: i32, out: &mut dyn Write) -> io::Result<()> {
    let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
    write(layer, &mut encoder)?;
    encoder.finish()?;
    Ok(())
}

/// The same before it is compressed.
pub(super) fn write(layer: &Layer, out: &mut dyn Write) -> io::Result<()> {
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
    let mut record = Record::default();
    let header = Header {
        blob_digest: *blob_digest.as_bytes(),
        blob_bytes: *blob_bytes,
        compression: match compression {
            Compression::None => StoredCompression::None,
            Compression::Gzip => StoredCompression::Gzip,
            Compression::Zstd => StoredCompression::Zstd,
            Compression::Unsupported(_) => return Err(io::ErrorKind::Unsupported.into()),
        },
        diff_id: *diff_id.as_ref().ok_or(io::ErrorKind::InvalidInput)?.as_bytes(),
        size_bytes: *size_bytes,
        whiteouts: whiteouts.len(),
        sighted: sighted.len(),
        notes: notes.len(),
        entries: entries.len(),
    };
    record.write(&header, out)?;
    for whiteout in whiteouts {
        record.write(whiteout, out)?;
    }
    for sighted in sighted {
        record.write(sighted, out)?;
    }
    for note in notes {
        record.write(note, out)?;
    }
    for entry in entries.packed() {
        let length = u32::try_from(entry.len()).map_err(io::Error::other)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(entry)?;
    }
    for kept in entries.contents() {
        let (content, bytes) = stored_content(kept);
        record.write(&content, out)?;
        out.write_all(bytes)?;
    }
    Ok(())
}

fn stored_content(kept: &Kept) -> (StoredContent, &[u8]) {
    let (size, bytes) = match kept {
        Kept::Plain(bytes) => (None, bytes),
        Kept::Packed { size, bytes } => (Some(*size), bytes),
    };
    let bytes_stored = bytes.len() as u64;
    (
        StoredContent {
            bytes: bytes_stored,
            size,
        },
        bytes,
    )
}

/// The layer again; `None` when the bytes are not what [`pack`] wrote. They need not be trusted.
pub(super) fn unpack(packed: impl BufRead) -> Option<Layer> {
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?.single_frame();
    let mut input = BufReader::with_capacity(BUFFER_BYTES, decoder.take(MAX_CACHE_ENTRY_BYTES));
    let layer = read(&mut input)?;
    // What follows was not written by us.
    input.fill_buf().is_ok_and(<[u8]>::is_empty).then_some(layer)
}

const BUFFER_BYTES: usize = 64 << 10;

fn read(input: &mut dyn Read) -> Option<Layer> {
    let mut record = Record::default();
    let header: Header = record.read(input)?;
    let whiteouts: Vec<Whiteout> = record.list(header.whiteouts, input)?;
    let sighted: Vec<Sighted> = record.list(header.sighted, input)?;
    let notes: Vec<Note> = record.list(header.notes, input)?;
    let mut entries = Entries::default();
    let mut contents = 0;
    for _ in 0..header.entries {
        let has_content = entries.push_packed(record.bytes(input)?)?;
        contents += usize::from(has_content);
    }
    for _ in 0..contents {
        let content: StoredContent = record.read(input)?;
        entries.keep(kept(&content, input)?);
    }
    Some(Layer {
        blob_digest: Digest::from_bytes(header.blob_digest),
        blob_bytes: header.blob_bytes,
        compression: match header.compression {
            StoredCompression::None => Compression::None,
            StoredCompression::Gzip => Compression::Gzip,
            StoredCompression::Zstd => Compression::Zstd,
        },
        diff_id: Some(Digest::from_bytes(header.diff_id)),
        size_bytes: header.size_bytes,
        entries,
        whiteouts,
        sighted,
        notes,
    })
}

fn kept(stored: &StoredContent, input: &mut dyn Read) -> Option<Kept> {
    let bytes = Arc::from(exactly(stored.bytes, Vec::new(), input)?);
    Some(match stored.size {
        Some(size) => Kept::Packed { size, bytes },
        None => Kept::Plain(bytes),
    })
}

/// Items of a list for which there is room before they are seen: a damaged count must not take memory.
const MAX_RESERVED: usize = 4096;

/// The bytes of one item, in memory that is used again.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn write(&mut self, value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
        self.0.clear();
        let bytes = postcard::to_extend(value, std::mem::take(&mut self.0)).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&bytes)?;
        self.0 = bytes;
        Ok(())
    }

    fn read<'a, T: Deserialize<'a>>(&'a mut self, input: &mut dyn Read) -> Option<T> {
        postcard::from_bytes(self.bytes(input)?).ok()
    }

    fn bytes(&mut self, input: &mut dyn Read) -> Option<&[u8]> {
        let mut length = [0; 4];
        input.read_exact(&mut length).ok()?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > MAX_CACHE_RECORD_BYTES {
            return None;
        }
        self.0 = exactly(length, std::mem::take(&mut self.0), input)?;
        Some(&self.0)
    }

    fn list<T: DeserializeOwned>(&mut self, count: usize, input: &mut dyn Read) -> Option<Vec<T>> {
        let mut list = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            list.push(self.read(input)?);
        }
        Some(list)
    }
}

/// That many bytes, or nothing.
fn exactly(length: u64, mut bytes: Vec<u8>, input: &mut dyn Read) -> Option<Vec<u8>> {
    bytes.clear();
    bytes.reserve_exact(usize::try_from(length.min(MAX_CACHE_RECORD_BYTES)).ok()?);
    input.take(length).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == length).then_some(bytes)
}
