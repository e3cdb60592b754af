//! A zip archive of one record per member (OSV's `all.zip`) in, what its records say out; members are read on all cores.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_model::NoteKind;
use rayon::prelude::*;
use zip::ZipArchive;

use super::{FileContent, Part};
use crate::feed::{self, Feed};
use crate::limits::{MAX_DOCUMENT_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_HEAD_BYTES};

type Archive = ZipArchive<Cursor<Arc<[u8]>>>;

/// Members that one task reads.
const MEMBERS_PER_TASK: usize = 256;

/// Whether the file starts as a zip archive does: with a member, or, if it has none, with its end.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// Reads all members that are called like JSON.
pub(super) fn read(path: &Path, content: &mut FileContent) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_DOCUMENT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(std::io::Error::other("the archive is longer than any feed"));
    }
    let mut archive: Archive = ZipArchive::new(Cursor::new(Arc::from(bytes)))?;
    if archive.len() > MAX_FILES {
        return Err(std::io::Error::other("the archive has more members than any feed"));
    }
    let Some(feed) = recognise(&mut archive)? else {
        return Ok(());
    };
    content.feed = Some(feed);
    // A bomb is a fault of the file, not of a member: what all members unpack to is counted.
    let unpacked = AtomicU64::new(0);
    let indexes: Vec<usize> = (0..archive.len()).collect();
    let parts: Vec<Part> = indexes
        .par_chunks(MEMBERS_PER_TASK)
        .map(|chunk| read_members(archive.clone(), chunk, feed, &unpacked))
        .collect();
    let place = path.display().to_string();
    for part in parts {
        part.add_to(content, &place);
    }
    if unpacked.into_inner() > MAX_FILE_BYTES {
        return Err(std::io::Error::other("the archive unpacks to more than any feed"));
    }
    Ok(())
}

/// The feed of the first member that one recognises.
fn recognise(archive: &mut Archive) -> std::io::Result<Option<&'static dyn Feed>> {
    for index in 0..archive.len().min(MEMBERS_PER_TASK) {
        let mut member = archive.by_index(index)?;
        let name = member.name()?.into_owned();
        if !is_json(&name) {
            continue;
        }
        let mut head = Vec::new();
        (&mut member).take(MAX_HEAD_BYTES as u64).read_to_end(&mut head)?;
        let name = name.rsplit('/').next().unwrap_or_default();
        let found = feed::ALL.iter().copied().find(|feed| feed.recognises(name, &head));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn is_json(name: &str) -> bool {
    name.ends_with(".json")
}

fn read_members(mut archive: Archive, indexes: &[usize], feed: &dyn Feed, unpacked: &AtomicU64) -> Part {
    let mut part = Part::default();
    let mut bytes = Vec::new();
    for &index in indexes {
        let number = index as u64 + 1;
        if unpacked.load(Ordering::Relaxed) > MAX_FILE_BYTES {
            break;
        }
        let mut member = match archive.by_index(index) {
            Ok(member) if member.name().is_ok_and(|name| is_json(&name)) => member,
            Ok(_) => continue,
            Err(error) => {
                part.add_broken(NoteKind::Unreadable, number, error.to_string());
                continue;
            }
        };
        bytes.clear();
        let limit = feed.max_document_bytes() as u64 + 1;
        let result = (&mut member).take(limit).read_to_end(&mut bytes);
        unpacked.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        match result {
            Err(error) => part.add_broken(NoteKind::Unreadable, number, error.to_string()),
            Ok(read) if read as u64 == limit => {
                part.add_broken(NoteKind::Limit, number, "the record is too long".to_owned());
            }
            Ok(_) => part.parse(feed, &bytes, number),
        }
    }
    part
}
