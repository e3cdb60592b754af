//! Layers that were read before: what a layer holds in, a file out, and back. A layer is known by the digest of its
//! content and by the version of all that looked into it, so that a known image is neither fetched nor read again.
//!
//! A file is written beside its place, synced and renamed, so that whoever reads sees all of it or nothing, without a
//! lock. Its first 32 bytes are the SHA-256 of the rest: a damaged file is not believed, removed, and made again. Nothing
//! of the image is unpacked: kept are lists of files, and the few small contents that catalogers read, compressed.

mod shape;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use plimsoll_model::{Digest, NoteKind};
use sha2::{Digest as _, Sha256};

use crate::{
    layer::Layer,
    layout::{digest_of, read_limited},
    limits::{MAX_CACHE_ENTRY_BYTES, MAX_CONFIG_BYTES},
};

/// Version of everything that looks into layers. **Raise it by one whenever a layer's result changes for the same bytes**:
/// a watcher, what is kept for a cataloger or the profile, ELF facts, tar. Catalogers and checks that work on the merged
/// tree run every time and need no new version. `cache::shape` fails its test when the stored shape changes without it.
pub(crate) const ANALYZER_VERSION: u32 = 3;

/// Compression of entries: writing must not slow the first scan down.
const ZSTD_LEVEL: i32 = 1;
/// What a writer that died has left is removed after this time.
const STALE: Duration = Duration::from_secs(3600);
/// After an eviction so much of the bound is used: not every new layer evicts another.
const KEEP_PERCENT: u64 = 80;

/// A folder of layers that were read before. Several processes may use it at once.
#[derive(Debug, Clone)]
pub struct LayerCache {
    folder: PathBuf,
    max_bytes: u64,
}

impl LayerCache {
    /// Keeps at most `max_bytes` below `folder`, which is made when something is stored; the least recently used goes.
    pub fn new(folder: PathBuf, max_bytes: u64) -> Self {
        Self { folder, max_bytes }
    }

    fn versioned(&self) -> PathBuf {
        self.folder
            .join(format!("v{ANALYZER_VERSION}-{}", env!("CARGO_PKG_VERSION")))
    }

    fn place(&self, kind: &str, digest: &Digest) -> PathBuf {
        self.versioned().join(format!("{}.{kind}", digest.encoded()))
    }

    /// A layer by the digest of its content. `blob`: what the image calls its compressed form, which must have been seen
    /// to be that content; `None` where the source has no such digest.
    pub(crate) fn layer(&self, diff_id: &Digest, blob: Option<&Digest>) -> Option<Layer> {
        if let Some(blob) = blob {
            let content = self.read(&self.place("blob", blob), 64)?;
            if content != diff_id.encoded().as_bytes() {
                return None;
            }
        }
        let path = self.place("layer", diff_id);
        let file = File::open(&path).ok()?;
        let layer = read_layer(&file).filter(|layer| layer.diff_id == Some(*diff_id));
        if layer.is_none() {
            tracing::debug!(path = %path.display(), "cache entry is damaged");
            // Made again by who reads the layer now.
            let _ = fs::remove_file(&path);
        } else {
            // Marks it as used; where that is not allowed, it only goes earlier.
            let _ = file.set_modified(SystemTime::now());
        }
        layer
    }

    /// Keeps a layer that was read whole; one that met a limit is read again, since others of its image had a part in it.
    pub(crate) fn store(&self, layer: &Layer) -> io::Result<()> {
        let is_limited = layer.notes.iter().any(|note| note.kind == NoteKind::Limit);
        let Some(diff_id) = layer.diff_id.filter(|_| !is_limited) else {
            return Ok(());
        };
        let place = self.place("layer", &diff_id);
        if !place.exists() {
            self.write_with(&place, &|out| shape::pack(layer, ZSTD_LEVEL, out))?;
        }
        self.write(&self.place("blob", &layer.blob_digest), diff_id.encoded().as_bytes())?;
        self.evict()
    }

    /// An image's config by its digest.
    pub(crate) fn config(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = self.read(&self.place("config", digest), MAX_CONFIG_BYTES)?;
        (digest_of(&bytes) == *digest).then_some(bytes)
    }

    pub(crate) fn store_config(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(&self.place("config", &digest_of(bytes)), bytes)
    }

    /// A file's bytes after its checksum; `None` when it is not there, damaged or too long.
    fn read(&self, path: &Path, limit: u64) -> Option<Vec<u8>> {
        let file = File::open(path).ok()?;
        let mut bytes = read_limited("", file, limit + 32).ok()?;
        let content = bytes.split_off(32.min(bytes.len()));
        if bytes != Sha256::digest(&content).as_slice() {
            tracing::debug!(path = %path.display(), "cache entry is damaged");
            // Made again by who reads the layer now.
            let _ = fs::remove_file(path);
            return None;
        }
        Some(content)
    }

    fn write(&self, place: &Path, content: &[u8]) -> io::Result<()> {
        self.write_with(place, &|out| out.write_all(content))
    }

    fn write_with(&self, place: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let folder = self.versioned();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!("{}-{number}.new", std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?;
            // The digest's place, until it is known.
            file.write_all(&[0; 32])?;
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, Hashing::new(&file));
            content(&mut out)?;
            let digest = out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .hasher
                .finalize();
            file.rewind()?;
            file.write_all(&digest)?;
            file.sync_all()?;
            fs::rename(&beside, place)
        })();
        if written.is_err() {
            // It is ours, and nobody reads it.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Removes other versions, what died writers left, and then the least recently used until there is room.
    fn evict(&self) -> io::Result<()> {
        let own = self.versioned();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path != own && path.is_dir() {
                // Another process may remove it, too.
                let _ = fs::remove_dir_all(&path);
            }
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&own)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let used = metadata.modified()?;
            let path = entry.path();
            let is_stale = used.elapsed().is_ok_and(|age| age > STALE);
            if path.extension().is_some_and(|ending| ending == "new") && is_stale {
                // Another process may remove it, too.
                let _ = fs::remove_file(&path);
            } else {
                files.push((used, metadata.len(), path));
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if total <= self.max_bytes {
            return Ok(());
        }
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.max_bytes / 100 * KEEP_PERCENT {
                break;
            }
            // Another process may remove it, too.
            let _ = fs::remove_file(&path);
            total -= bytes;
        }
        Ok(())
    }
}

const BUFFER_BYTES: usize = 64 << 10;

/// A layer from its file, if all of it is as it was written. What it says is not used before that is known.
fn read_layer(mut file: &File) -> Option<Layer> {
    let mut digest = [0; 32];
    file.read_exact(&mut digest).ok()?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, Hashing::new(file.take(MAX_CACHE_ENTRY_BYTES)));
    let layer = shape::unpack(&mut input)?;
    io::copy(&mut input, &mut io::sink()).ok()?;
    (input.into_inner().hasher.finalize()[..] == digest).then_some(layer)
}

/// Computes the digest of what passes.
struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
        }
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
