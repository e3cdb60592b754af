//! A database in, one zstd file with its digest out, and back: size and digest are checked before anything is replaced.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::cache::{file_digest, hex};
use crate::limits::{MAX_DATABASE_BYTES, MAX_ZSTD_WINDOW_LOG};
use crate::read::io_error;
use crate::replace;
use crate::store;

/// zstd's level: level 19 saves a fifth more and takes twenty times as long.
const LEVEL: i32 = 9;

/// What every SQLite database begins with (<https://www.sqlite.org/fileformat.html#magic_header_string>).
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// So much of a compressed file holds at least its first block, of at most 128 KiB (RFC 8878, section 3.1.1.2.3).
const HEAD_BYTES: u64 = 256 << 10;

/// What a transfer moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Size of the compressed file.
    pub size_bytes: u64,
    /// SHA-256 of the compressed file, 64 lower-case hexadecimal digits.
    pub digest: String,
}

/// Writes the database as one zstd file and, beside it, `<file>.sha256` as `sha256sum -c` reads it.
pub fn export(database: &Path, file: &Path) -> Result<Transfer, Error> {
    // A file that is no database of ours, or damaged, is not passed on.
    replace::check(database, None)?;
    let size_bytes = replace::put(file, |new| {
        let failed = |source| io_error("write", new, source);
        let mut reader = File::open(database).map_err(|source| io_error("open", database, source))?;
        let mut encoder = zstd::Encoder::new(File::create(new).map_err(failed)?, LEVEL).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        std::io::copy(&mut reader, &mut encoder).map_err(failed)?;
        encoder.finish().and_then(|file| file.sync_all()).map_err(failed)
    })?;
    let digest = file_digest(file).map_err(|source| io_error("read", file, source))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = replace::beside(file, "sha256");
    fs::write(&beside, format!("{digest}  {name}\n")).map_err(|source| io_error("write", &beside, source))?;
    Ok(Transfer { size_bytes, digest })
}

/// Puts a file that [`export`] wrote in the place of the database. `digest` is what it must have; where it is `None`,
/// `<file>.sha256` says it. Killed at any moment, the old or the new database is there, whole.
pub fn restore(file: &Path, digest: Option<&str>, destination: &Path) -> Result<Transfer, Error> {
    let refused = |reason: String| Error::Transfer {
        path: file.to_owned(),
        reason,
    };
    let metadata = fs::metadata(file).map_err(|source| io_error("read", file, source))?;
    if metadata.len() > MAX_DATABASE_BYTES {
        return Err(refused(format!("it is longer than {MAX_DATABASE_BYTES} bytes")));
    }
    let wanted = match digest {
        Some(digest) => digest.trim_start_matches("sha256:").to_owned(),
        None => read_digest(file)?,
    };
    let _lock = replace::lock(destination)?;
    replace::put(destination, |new| {
        let found = unpack(file, new, metadata.len()).map_err(|source| match source.raw_os_error() {
            Some(_) => io_error("unpack", file, source),
            // Not the machine's doing: the file is damaged or cut.
            None => refused(source.to_string()),
        })?;
        if found != wanted {
            return Err(refused(format!("its SHA-256 is {found}, not {wanted}")));
        }
        store::open(new)?;
        replace::check(new, None)
    })?;
    Ok(Transfer {
        size_bytes: metadata.len(),
        digest: wanted,
    })
}

/// Whether a file is what [`export`] writes, by its beginning. What cannot be read is not.
pub fn is_exported(file: &Path) -> bool {
    let is_database = || -> std::io::Result<bool> {
        let mut decoder = zstd::Decoder::new(File::open(file)?.take(HEAD_BYTES))?;
        decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
        let mut magic = [0; SQLITE_MAGIC.len()];
        decoder.read_exact(&mut magic)?;
        Ok(magic == *SQLITE_MAGIC)
    };
    file.is_file() && is_database().unwrap_or(false)
}

fn read_digest(file: &Path) -> Result<String, Error> {
    let path = replace::beside(file, "sha256");
    let mut text = String::new();
    File::open(&path)
        .and_then(|file| file.take(4096).read_to_string(&mut text))
        .map_err(|source| io_error("read", &path, source))?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Unpacks and digests in one pass. Nobody sees the result before the digest was compared.
fn unpack(file: &Path, new: &Path, size_bytes: u64) -> std::io::Result<String> {
    let mut hashing = Hashing {
        inner: BufReader::with_capacity(1 << 16, File::open(file)?).take(size_bytes),
        hasher: Sha256::new(),
    };
    let mut decoder = zstd::Decoder::new(&mut hashing)?;
    decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
    let mut output = File::create(new)?;
    let written = std::io::copy(&mut decoder.take(MAX_DATABASE_BYTES + 1), &mut output)?;
    if written > MAX_DATABASE_BYTES {
        return Err(std::io::Error::other("it unpacks to more than any database"));
    }
    output.flush()?;
    // What stands behind the last frame belongs to the file too.
    std::io::copy(&mut hashing, &mut std::io::sink())?;
    Ok(hex(&hashing.hasher.finalize()))
}

struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
