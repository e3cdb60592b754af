//! A zip archive (OSV's `all.zip`, GitHub's of a repository) in, what its members say out; members are read on all cores.

use std::io::{Cursor, Error, Read, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use zip::ZipArchive;

use super::FileContent;
use super::archive::{Gathered, clean_name};
use super::unpack::Limited;
use crate::limits::{MAX_DOCUMENT_BYTES, MAX_FILES};

type Archive = ZipArchive<Cursor<Arc<[u8]>>>;

/// Members that one task reads.
const MEMBERS_PER_TASK: usize = 256;

/// Whether the file starts as a zip archive does: with a member, or, if it has none, with its end.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// Reads all members that are called like data.
pub(super) fn read(path: &Path, reader: impl Read, left: &AtomicU64) -> Vec<FileContent> {
    let archive = match open(reader) {
        Ok(archive) => archive,
        Err(error) => return Gathered::default().finish(path, Err(error)),
    };
    let indexes: Vec<usize> = (0..archive.len()).collect();
    let parts: Vec<Gathered> = indexes
        .par_chunks(MEMBERS_PER_TASK)
        .map(|chunk| read_members(archive.clone(), chunk, path, left))
        .collect();
    let mut all = Gathered::default();
    for part in parts {
        all.append(part, path);
    }
    // A bomb is a fault of the file, not of a member.
    let end = match left.load(Ordering::Relaxed) {
        0 => Err(Error::other("the archive unpacks to more than any feed")),
        _ => Ok(()),
    };
    all.finish(path, end)
}

fn open(reader: impl Read) -> Result<Archive> {
    let mut bytes = Vec::new();
    reader.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::other("the archive is longer than any feed"));
    }
    let archive: Archive = ZipArchive::new(Cursor::new(Arc::from(bytes)))?;
    match archive.len() > MAX_FILES {
        true => Err(Error::other("the archive has more members than any feed")),
        false => Ok(archive),
    }
}

fn read_members(mut archive: Archive, indexes: &[usize], path: &Path, left: &AtomicU64) -> Gathered {
    let mut gathered = Gathered::default();
    let mut bytes = Vec::new();
    for &index in indexes {
        if left.load(Ordering::Relaxed) == 0 {
            break;
        }
        let member = match archive.by_index(index) {
            Ok(member) => member,
            Err(error) => {
                gathered.add_unreadable(&format!("member {}", index + 1), error.to_string());
                continue;
            }
        };
        let name = member.name().ok().and_then(|name| clean_name(name.as_bytes()));
        let Some(name) = name.filter(|_| member.is_file()) else {
            continue;
        };
        bytes.clear();
        let limited = Limited { inner: member, left };
        match limited.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes) {
            Err(error) => gathered.add_unreadable(&name, error.to_string()),
            Ok(read) if read > MAX_DOCUMENT_BYTES => {
                gathered.add_unreadable(&name, "the document is too long".to_owned());
            }
            Ok(_) => gathered.read(path, &name, &bytes, left),
        }
    }
    gathered
}
