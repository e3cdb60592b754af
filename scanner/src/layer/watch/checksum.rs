//! Programs and libraries of the system in, the digests that package databases state for them out.
//!
//! The inventory has SHA-256. dpkg states MD5 and apk SHA-1 only, and which of them a file needs is known when the
//! database has passed, which may be before or after the file or in another layer. Both are computed, for what can run
//! and lies in a folder of the system, up to a size: that is what an attacker changes, and it bounds the cost.

use md5::{Digest as _, Md5};
use plimsoll_model::FileEntry;
use sha1::Sha1;

use super::{Seen, Sighting, Watch, Watcher};
use crate::limits::MAX_CHECKSUM_BYTES;

/// Digests besides SHA-256.
pub(super) struct Checksums;

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

impl Watcher for Checksums {
    fn wants(&self, entry: &FileEntry, head: &[u8]) -> Option<Box<dyn Watch>> {
        let can_run = head.starts_with(b"\x7fELF") || (head.starts_with(b"#!") && entry.mode & 0o111 != 0);
        let is_wanted = can_run
            && entry.size_bytes <= MAX_CHECKSUM_BYTES
            && FOLDERS.iter().any(|folder| entry.path.starts_with(folder));
        is_wanted.then(|| {
            Box::new(Both {
                md5: Md5::new(),
                sha1: Sha1::new(),
            }) as Box<dyn Watch>
        })
    }
}

struct Both {
    md5: Md5,
    sha1: Sha1,
}

impl Watch for Both {
    fn feed(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
    }

    fn finish(self: Box<Self>, _: &FileEntry, seen: &mut Seen) {
        seen.sightings.push(Sighting::Checksums {
            md5: self.md5.finalize().into(),
            sha1: self.sha1.finalize().into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FileKind;

    use super::*;
    use crate::check::testing::entry;

    #[test]
    fn sums_what_can_run_in_folders_of_the_system() {
        let wants = |path: &str, mode, head: &[u8]| Checksums.wants(&entry(path, FileKind::Regular, mode), head);
        assert!(wants("/usr/local/bin/x", 0o755, b"\x7fELF").is_none());
        assert!(wants("/usr/bin/x", 0o644, b"#!/bin/sh\n").is_none());
        assert!(wants("/usr/lib/x.so", 0o644, b"\x7fELF").is_some());
        let mut watch = wants("/usr/bin/x", 0o755, b"#!abc").unwrap();
        let mut seen = Seen::default();
        watch.feed(b"a");
        watch.feed(b"bc");
        watch.finish(&entry("/usr/bin/x", FileKind::Regular, 0o755), &mut seen);
        // RFC 1321, A.5, and FIPS 180's example.
        let [Sighting::Checksums { md5, sha1 }] = &seen.sightings[..] else {
            panic!("{seen:?}");
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
