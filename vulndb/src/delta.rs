//! Two databases in, what turns the first into the second out (as `zstd --patch-from` does), and back. A result whose
//! digest is another is thrown away, so a delta can never make a database that nobody built.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::cache::{file_digest, hex};
use crate::limits::{MAX_DATABASE_BYTES, MAX_DELTA_BASE_BYTES, MAX_DELTA_WINDOW_LOG};
use crate::read::io_error;
use crate::replace;
use crate::transfer::Transfer;

/// zstd's level: with a prefix, higher ones take much longer and save little.
const LEVEL: i32 = 9;

/// SHA-256 of a database file, 64 lower-case hexadecimal digits: what a delta is from or to. `None` when there is no file.
pub fn database_digest(database: &Path) -> Result<Option<String>, Error> {
    match file_digest(database) {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", database, error)),
    }
}

/// Writes what turns `base` into `database`. `None`, and no file, when the base is too large to be held in memory by
/// whoever reads it.
pub fn write_delta(base: &Path, database: &Path, file: &Path) -> Result<Option<Transfer>, Error> {
    replace::check(database, None)?;
    let Some(prefix) = read_base(base)? else {
        return Ok(None);
    };
    let size_bytes = replace::put(file, |new| {
        let failed = |source| io_error("write", new, source);
        let mut reader = File::open(database).map_err(|source| io_error("open", database, source))?;
        let size = reader.metadata().map_err(failed)?.len();
        let output = File::create(new).map_err(failed)?;
        let mut encoder = zstd::Encoder::with_ref_prefix(output, LEVEL, &prefix).map_err(failed)?;
        // The window must reach from the end of the new file back to the start of the old one.
        let log = u64::BITS - (prefix.len() as u64 + size).leading_zeros();
        encoder
            .window_log(log.clamp(20, MAX_DELTA_WINDOW_LOG))
            .map_err(failed)?;
        encoder.long_distance_matching(true).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        std::io::copy(&mut reader, &mut encoder).map_err(failed)?;
        encoder.finish().and_then(|file| file.sync_all()).map_err(failed)
    })?;
    let digest = file_digest(file).map_err(|source| io_error("read", file, source))?;
    Ok(Some(Transfer { size_bytes, digest }))
}

/// Turns the database at `destination` into the one with this digest, in one step: a reader sees the old or the new one.
/// An error leaves the old one.
pub fn apply_delta(file: &Path, digest: &str, destination: &Path) -> Result<(), Error> {
    let refused = |reason: String| Error::Transfer {
        path: file.to_owned(),
        reason,
    };
    let _lock = replace::lock(destination)?;
    let Some(prefix) = read_base(destination)? else {
        return Err(refused("the database that it is from is too large".to_owned()));
    };
    replace::put(destination, |new| {
        let found = unpack(file, &prefix, new).map_err(|source| io_error("unpack", file, source))?;
        if found != digest {
            return Err(refused(format!(
                "it makes a database with SHA-256 {found}, not {digest}"
            )));
        }
        replace::check(new, None)
    })?;
    Ok(())
}

fn read_base(base: &Path) -> Result<Option<Vec<u8>>, Error> {
    let size = fs::metadata(base)
        .map_err(|source| io_error("read", base, source))?
        .len();
    if size > MAX_DELTA_BASE_BYTES {
        return Ok(None);
    }
    fs::read(base)
        .map(Some)
        .map_err(|source| io_error("read", base, source))
}

fn unpack(file: &Path, prefix: &[u8], new: &Path) -> std::io::Result<String> {
    let input = std::io::BufReader::new(File::open(file)?);
    let mut decoder = zstd::Decoder::with_ref_prefix(input, prefix)?;
    decoder.window_log_max(MAX_DELTA_WINDOW_LOG)?;
    let mut output = File::create(new)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    let mut written = 0;
    loop {
        let read = decoder.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        written += read as u64;
        if written > MAX_DATABASE_BYTES {
            return Err(std::io::Error::other("it unpacks to more than any database"));
        }
        hasher.update(&buffer[..read]);
        output.write_all(&buffer[..read])?;
    }
}
