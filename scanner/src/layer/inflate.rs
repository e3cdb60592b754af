//! A layer's blob in, its uncompressed bytes out in recycled chunks: a thread of its own, so that inflating and what is
//! done with the result overlap even when there is only one layer.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use plimsoll_model::Digest;
use sha2::{Digest as _, Sha256};

use super::tar::Input;
use crate::{
    limits::{MAX_LAYER_BYTES, MAX_RATIO, MAX_ZSTD_WINDOW_LOG, RATIO_GRACE_BYTES},
    progress::Progress,
};

/// Bytes of one chunk: fits the second-level cache, in which it is written and hashed.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks between the two threads of a layer.
const CHUNKS: usize = 4;
/// Bytes read from the source at once.
const READ_BYTES: usize = 128 << 10;

/// Why uncompressed bytes end before the layer does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InflateError {
    #[error("compressed data is damaged: {0}")]
    Damaged(io::Error),
    #[error("inflates to more than {MAX_LAYER_BYTES} bytes")]
    Size,
    #[error("inflates to more than {MAX_RATIO} times its size")]
    Ratio,
    #[error("compression is not supported: {0}")]
    Unsupported(&'static str),
}

/// How a blob is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Unsupported(&'static str),
}

impl Compression {
    /// As a manifest says it.
    pub(crate) fn of_media_type(media_type: &str) -> Self {
        match media_type.rsplit(['+', '.']).next() {
            Some("gzip") => Self::Gzip,
            Some("zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Unsupported("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Unsupported("xz"),
            _ => Self::None,
        }
    }
}

/// Bytes of a record: GNU tar and others fill the last one with zeros (pax, `-b`: 20 blocks of 512 bytes).
const RECORD_BYTES: usize = 10_240;

/// What the compressed side learned.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// Digest of the uncompressed bytes, or of those before an error.
    pub(crate) content_digest: Digest,
    /// Digest of the uncompressed bytes with zeros to the end of their last record; `None` when that is full, or nobody is
    /// known to leave it out.
    pub(crate) filled_digest: Option<Digest>,
    pub(crate) size_bytes: u64,
    pub(crate) compression: Compression,
}

/// Connects the two sides of a layer.
pub(crate) fn pipe() -> (Producer, Chunks) {
    let (full, full_receiver) = sync_channel(CHUNKS);
    let (empty, empty_receiver) = sync_channel(CHUNKS);
    let producer = Producer {
        full,
        empty: empty_receiver,
        fresh: CHUNKS,
        hasher: None,
        content_bytes: 0,
    };
    let chunks = Chunks {
        full: full_receiver,
        empty,
        current: Vec::new(),
        at: 0,
        size_bytes: 0,
        error: None,
    };
    (producer, chunks)
}

/// The side that inflates.
pub(crate) struct Producer {
    full: SyncSender<Result<Vec<u8>, InflateError>>,
    empty: Receiver<Vec<u8>>,
    fresh: usize,
    /// Of what is inflated; `None` when the blob is not compressed: its own digest is that of the content. The other side
    /// hashes every file and has more to do.
    hasher: Option<Sha256>,
    content_bytes: u64,
}

impl Producer {
    /// Reads the whole blob, whatever becomes of its content, so that its digest is always known. Errors of the source
    /// are returned, errors of the content sent to the other side.
    pub(crate) fn run(mut self, source: &mut dyn Read, progress: &dyn Progress) -> io::Result<Blob> {
        let mut input = BufReader::with_capacity(READ_BYTES, Metered::new(source, progress));
        let compression = match input.fill_buf() {
            Ok(start) => Compression::detect(start),
            Err(error) => return Err(input.get_mut().failed.take().unwrap_or(error)),
        };
        self.hasher = (compression != Compression::None).then(Sha256::new);
        let inflated = match compression {
            Compression::None => self.copy(&mut input, |_| 0),
            Compression::Gzip => {
                let mut decoder = flate2::bufread::MultiGzDecoder::new(&mut input);
                self.copy(&mut decoder, |decoder| decoder.get_ref().get_ref().size_bytes)
            }
            Compression::Zstd => zstd::stream::read::Decoder::with_buffer(&mut input)
                .and_then(|mut decoder| {
                    decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                    Ok(decoder)
                })
                .map_err(InflateError::Damaged)
                .and_then(|mut decoder| self.copy(&mut decoder, |decoder| decoder.get_ref().get_ref().size_bytes)),
            Compression::Unsupported(name) => Err(InflateError::Unsupported(name)),
        };
        if let Err(error) = inflated {
            // A receiver that is gone has read all that it wanted.
            let _ = self.full.send(Err(error));
        }
        let hasher = self.hasher.take();
        let content_bytes = self.content_bytes;
        drop(self);
        finish(input, compression, hasher, content_bytes)
    }

    fn copy<R: Read>(&mut self, decoder: &mut R, compressed: impl Fn(&R) -> u64) -> Result<(), InflateError> {
        let mut total = 0;
        loop {
            let mut chunk = self.chunk();
            let mut length = 0;
            while length < chunk.len() {
                match decoder.read(&mut chunk[length..]) {
                    Ok(0) => break,
                    Ok(count) => length += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.send(chunk, length);
                        return Err(InflateError::Damaged(error));
                    }
                }
            }
            let is_last = length < chunk.len();
            total += length as u64;
            let ratio_base = compressed(decoder);
            if !self.send(chunk, length) || is_last {
                return Ok(());
            }
            if total > MAX_LAYER_BYTES {
                return Err(InflateError::Size);
            }
            if ratio_base > 0 && total > RATIO_GRACE_BYTES && total / ratio_base > MAX_RATIO {
                return Err(InflateError::Ratio);
            }
        }
    }

    fn chunk(&mut self) -> Vec<u8> {
        if self.fresh > 0 {
            self.fresh -= 1;
            return vec![0; CHUNK_BYTES];
        }
        let mut chunk = self.empty.recv().unwrap_or_default();
        chunk.resize(CHUNK_BYTES, 0);
        chunk
    }

    /// False when nobody listens any more.
    fn send(&mut self, mut chunk: Vec<u8>, length: usize) -> bool {
        chunk.truncate(length);
        self.content_bytes += length as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        self.full.send(Ok(chunk)).is_ok()
    }
}

fn finish<R: Read>(
    mut input: BufReader<Metered<'_, R>>,
    compression: Compression,
    hasher: Option<Sha256>,
    content_bytes: u64,
) -> io::Result<Blob> {
    loop {
        let there = match input.fill_buf() {
            Ok(there) => there.len(),
            Err(error) => return Err(input.get_mut().failed.take().unwrap_or(error)),
        };
        if there == 0 {
            break;
        }
        input.consume(there);
    }
    let metered = input.into_inner();
    let digest = Digest::from_bytes(metered.hasher.finalize().into());
    let filled = hasher.as_ref().filter(|_| compression == Compression::Zstd);
    Ok(Blob {
        digest,
        filled_digest: filled.and_then(|hasher| filled_digest(hasher.clone(), content_bytes)),
        content_digest: hasher.map_or(digest, |hasher| Digest::from_bytes(hasher.finalize().into())),
        size_bytes: metered.size_bytes,
        compression,
    })
}

/// See [`Blob::filled_digest`].
fn filled_digest(mut hasher: Sha256, content_bytes: u64) -> Option<Digest> {
    let over = usize::try_from(content_bytes % RECORD_BYTES as u64).ok()?;
    if over == 0 {
        return None;
    }
    hasher.update(&[0; RECORD_BYTES][over..]);
    Some(Digest::from_bytes(hasher.finalize().into()))
}

/// Hashes and counts what passes.
struct Metered<'a, R> {
    source: R,
    hasher: Sha256,
    size_bytes: u64,
    progress: &'a dyn Progress,
    /// The source's error, which the decoder only learns the kind of.
    failed: Option<io::Error>,
}

impl<'a, R: Read> Metered<'a, R> {
    fn new(source: R, progress: &'a dyn Progress) -> Self {
        Self {
            source,
            hasher: Sha256::new(),
            size_bytes: 0,
            progress,
            failed: None,
        }
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A decoder swallows the error of its source; reading on to the end must meet it again.
        if let Some(error) = &self.failed {
            return Err(error.kind().into());
        }
        let count = match self.source.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let kind = error.kind();
                self.failed = Some(error);
                return Err(kind.into());
            }
            other => other?,
        };
        self.hasher.update(&buffer[..count]);
        self.size_bytes += count as u64;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

/// The side that reads uncompressed bytes.
pub(crate) struct Chunks {
    full: Receiver<Result<Vec<u8>, InflateError>>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    size_bytes: u64,
    error: Option<InflateError>,
}

/// What the uncompressed side learned.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) size_bytes: u64,
    pub(crate) error: Option<InflateError>,
}

impl Chunks {
    /// Reads to the end.
    pub(crate) fn finish(mut self) -> Content {
        while self.fill_buf().is_ok_and(|bytes| !bytes.is_empty()) {
            self.at = self.current.len();
        }
        Content {
            size_bytes: self.size_bytes,
            error: self.error,
        }
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.current.len() && self.error.is_none() {
            let used = std::mem::take(&mut self.current);
            self.at = 0;
            if used.capacity() > 0 {
                // Nobody takes it back after the last chunk.
                let _ = self.empty.try_send(used);
            }
            match self.full.recv() {
                Ok(Ok(chunk)) => {
                    self.size_bytes += chunk.len() as u64;
                    self.current = chunk;
                }
                Ok(Err(error)) => self.error = Some(error),
                Err(_) => break,
            }
        }
        match &self.error {
            Some(error) if self.at == self.current.len() => Err(io::Error::other(error.to_string())),
            _ => Ok(&self.current[self.at..]),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.current.len());
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl Input for Chunks {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn inflate(blob: &[u8]) -> (Vec<u8>, Content, Blob) {
        let (producer, mut chunks) = pipe();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| producer.run(&mut &blob[..], &Silent).unwrap());
            let mut bytes = Vec::new();
            while let Ok(there) = chunks.fill_buf() {
                if there.is_empty() {
                    break;
                }
                let count = there.len();
                bytes.extend_from_slice(there);
                chunks.consume(count);
            }
            let content = chunks.finish();
            (bytes, content, worker.join().unwrap())
        })
    }

    #[test]
    fn every_compression_gives_the_same_bytes_and_digest() {
        let plain: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        let wanted = Digest::from_bytes(Sha256::digest(&plain).into());
        for blob in [plain.clone(), gzip, zstd] {
            let (bytes, content, read) = inflate(&blob);
            assert!(bytes == plain && content.error.is_none());
            assert_eq!(content.size_bytes, plain.len() as u64);
            assert_eq!(read.content_digest, wanted);
            assert_eq!(read.digest, Digest::from_bytes(Sha256::digest(&blob).into()));
            assert_eq!(read.size_bytes, blob.len() as u64);
        }
    }

    #[test]
    fn a_bomb_ends_at_the_ratio_and_the_blob_is_still_hashed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..400 {
            std::io::Write::write_all(&mut gzip, &[0; 1 << 20]).unwrap();
        }
        let blob = gzip.finish().unwrap();
        let (bytes, content, read) = inflate(&blob);
        assert!(
            matches!(content.error, Some(InflateError::Ratio)),
            "{:?}",
            content.error
        );
        assert!((bytes.len() as u64) < RATIO_GRACE_BYTES + (CHUNK_BYTES as u64) * 4);
        assert_eq!(read.digest, Digest::from_bytes(Sha256::digest(&blob).into()));
    }

    #[test]
    fn damage_after_good_bytes_gives_the_good_bytes_and_an_error() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let plain: Vec<u8> = (0..100_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        std::io::Write::write_all(&mut gzip, &plain).unwrap();
        let blob = gzip.finish().unwrap();
        let (bytes, content, _) = inflate(&blob[..blob.len() / 2]);
        assert!(plain.starts_with(&bytes) && !bytes.is_empty());
        assert!(matches!(content.error, Some(InflateError::Damaged(_))));
    }
}
