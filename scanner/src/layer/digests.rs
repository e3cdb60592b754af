//! A file's bytes in, SHA-256 out; of programs and libraries of the system also the digests that package databases state.
//!
//! dpkg states MD5 and apk SHA-1 only, and which of them a file needs is known when the database has passed, which may be
//! before or after the file or in another layer. Both are computed, for what can run and lies in a folder of the system, up
//! to a size: that is what an attacker changes, and it bounds the cost.

use md5::{Digest as _, Md5};
use plimsoll_model::{Digest, FileEntry};
use sha1::Sha1;
use sha2::Sha256;

use super::watch::{Seen, Sighting};
use crate::limits::MAX_CHECKSUM_BYTES;

/// Bytes of one block of any of the three.
const BLOCK_BYTES: usize = 64;

/// Where packages put what can run. `/usr/local` and `/opt` are the administrator's.
const FOLDERS: &[&str] = &[
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/lib32/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/libexec/",
];

/// Digests of one file.
#[derive(Default)]
pub(super) struct Digests {
    sha256: Sha256,
    others: Option<Box<Others>>,
}

#[derive(Default)]
struct Others {
    md5: Md5,
    sha1: Sha1,
}

impl Digests {
    /// Of a file that begins like this: `head` is what [`super::watch::Watcher::wants`] is given.
    pub(super) fn new(entry: &FileEntry, head: &[u8]) -> Self {
        let can_run = head.starts_with(b"\x7fELF") || (head.starts_with(b"#!") && entry.mode & 0o111 != 0);
        let is_checked = can_run
            && entry.size_bytes <= MAX_CHECKSUM_BYTES
            && FOLDERS.iter().any(|folder| entry.path.starts_with(folder));
        Self {
            others: is_checked.then(Box::default),
            ..Self::default()
        }
    }

    /// The next bytes, in order.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let Some(others) = &mut self.others else {
            self.sha256.update(bytes);
            return;
        };
        // Each of the three waits for its own last step. Block by block in turns, a processor works on one while another
        // waits: two thirds of the time that they take one after the other.
        for block in bytes.chunks(BLOCK_BYTES) {
            self.sha256.update(block);
            others.md5.update(block);
            others.sha1.update(block);
        }
    }

    /// SHA-256; the others are among what was seen.
    pub(super) fn finish(self, seen: &mut Seen) -> Digest {
        if let Some(others) = self.others {
            seen.sightings.push(Sighting::Checksums {
                md5: others.md5.finalize().into(),
                sha1: others.sha1.finalize().into(),
            });
        }
        Digest::from_bytes(self.sha256.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FileKind;

    use super::*;
    use crate::check::testing::entry;

    #[test]
    fn sums_what_can_run_in_folders_of_the_system() {
        let digests = |path: &str, mode, head: &[u8]| Digests::new(&entry(path, FileKind::Regular, mode), head);
        assert!(digests("/usr/local/bin/x", 0o755, b"\x7fELF").others.is_none());
        assert!(digests("/usr/bin/x", 0o644, b"#!/bin/sh\n").others.is_none());
        assert!(digests("/usr/lib/x.so", 0o644, b"\x7fELF").others.is_some());
        let mut plain = digests("/home/x", 0o755, b"#!abc");
        let mut summed = digests("/usr/bin/x", 0o755, b"#!abc");
        let mut seen = Seen::default();
        for piece in [&b"a"[..], b"bc"] {
            plain.update(piece);
            summed.update(piece);
        }
        let found = [plain.finish(&mut seen), summed.finish(&mut seen)].map(|digest| digest.encoded());
        // FIPS 180's example, and RFC 1321, A.5.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(found, [abc, abc]);
        let [Sighting::Checksums { md5, sha1 }] = &seen.sightings[..] else {
            panic!("{seen:?}");
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn where_pieces_end_makes_no_difference() {
        let content: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut program = entry("/usr/bin/x", FileKind::Regular, 0o755);
        program.size_bytes = content.len() as u64;
        let sums = |step: usize| {
            let (mut digests, mut seen) = (Digests::new(&program, b"\x7fELF"), Seen::default());
            content.chunks(step).for_each(|piece| digests.update(piece));
            (digests.finish(&mut seen), seen.sightings)
        };
        let whole = sums(content.len());
        assert_eq!(whole.0, Digest::from_bytes(Sha256::digest(&content).into()));
        for step in [1, 63, 64, 65, 1000] {
            assert_eq!(sums(step), whole, "{step}");
        }
    }
}
