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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(*name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// What became of an archive that may unpack to a mebibyte: why it failed, and all reasons.
    fn read_small(archive: &[u8]) -> (Option<String>, Vec<String>) {
        let mut contents = read(Path::new("a.zip"), archive, &AtomicU64::new(1 << 20));
        let failed = contents[0].failed.take();
        let notes = contents.iter().flat_map(|content| &content.notes);
        (failed, notes.map(|note| note.detail.clone()).collect())
    }

    #[test]
    fn a_bomb_is_refused_whole() {
        let blanks = vec![b' '; 256 << 10];
        let members: Vec<(String, &[u8])> = (0..5).map(|at| (format!("{at}.json"), blanks.as_slice())).collect();
        let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let (failed, _) = read_small(&archive(&members));
        assert_eq!(failed.as_deref(), Some("the archive unpacks to more than any feed"));
        let (failed, _) = read_small(&archive(&members[..3]));
        assert_eq!(failed, None);
        // One member's bytes, listed ten times.
        let mut overlapping = archive(&[("0.json", &blanks)]);
        let directory = overlapping.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        let end = overlapping.windows(4).position(|four| four == b"PK\x05\x06").unwrap();
        let (entry, mut tail) = (overlapping[directory..end].to_vec(), overlapping.split_off(end));
        for digit in b"123456789" {
            let mut other = entry.clone();
            other[46] = *digit;
            overlapping.extend(other);
        }
        for count in [8, 10] {
            tail[count] = 10;
        }
        tail[12..16].copy_from_slice(&u32::try_from(entry.len() * 10).unwrap().to_le_bytes());
        let (failed, notes) = read_small(&[overlapping, tail].concat());
        assert!(failed.is_some(), "{notes:?}");
    }

    #[test]
    fn what_the_directory_says_of_sizes_is_not_believed() {
        let sound = archive(&[("kev.json", br#"{"catalogVersion":"1","vulnerabilities":[]}"#)]);
        let directory = sound.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        // Packed and unpacked size: nothing, and as much as the field holds.
        for (field, size) in [(20, 0_u32), (24, 0), (20, u32::MAX - 1), (24, u32::MAX - 1)] {
            let mut lying = sound.clone();
            lying[directory + field..directory + field + 4].copy_from_slice(&size.to_le_bytes());
            let mut contents = read(Path::new("a.zip"), lying.as_slice(), &AtomicU64::new(1 << 20));
            let content = contents.remove(0);
            let is_whole = content.documents == 1 && content.broken == 0;
            let is_told = content.failed.is_some() || content.broken > 0;
            assert!(is_whole != is_told, "field {field}, size {size}: {:?}", content.notes);
        }
    }
}
