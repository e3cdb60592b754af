//! Programs and libraries in, as they stream; the software that their own bytes name out.

use plimsoll_model::FileEntry;

use super::{Seen, Sighting, Watch, Watcher};
use crate::{
    cataloger::binary::{self, Look, Matcher},
    limits::MAX_CLASSIFIED_TEXT_BYTES,
};

/// Watches the files that the table of classifiers names.
pub(crate) struct Software;

impl Watcher for Software {
    fn wants(&self, entry: &FileEntry, head: &[u8]) -> Option<Box<dyn Watch>> {
        let mut rows = binary::candidates(&entry.path);
        rows.retain(|row| match row.look {
            Look::Elf => head.starts_with(b"\x7fELF"),
            Look::Stream => true,
            Look::Text => entry.size_bytes <= MAX_CLASSIFIED_TEXT_BYTES,
            Look::Path => false,
        });
        (!rows.is_empty()).then(|| Box::new(SoftwareWatch(Matcher::new(&entry.path, rows))) as Box<dyn Watch>)
    }
}

struct SoftwareWatch(Matcher);

impl Watch for SoftwareWatch {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn finish(self: Box<Self>, _entry: &FileEntry, seen: &mut Seen) {
        for (row, version) in self.0.finish() {
            seen.sightings.push(Sighting::Software {
                classifier: row.id.to_owned(),
                version,
            });
        }
    }
}
