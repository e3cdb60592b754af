//! Text files in, the secrets in them, redacted, out. A window moves over the file; what a pattern may need beyond it is
//! kept for the next piece.

use std::ops::Range;

use plimsoll_model::{FileEntry, Note, NoteKind};

use super::{Seen, Sighting, Watch, Watcher};
use crate::{
    limits::{MAX_SECRET_FILE_BYTES, MAX_SECRETS_PER_FILE},
    secret,
};

/// Keys, tokens and passwords in text.
pub(super) struct Secrets;

/// Bytes that decide whether a file is text: a NUL among them says that it is not.
const JUDGED_BYTES: usize = 1024;
/// Text, but never of a person's making.
const ENDINGS: &[&str] = &[
    ".list",
    ".md5sums",
    ".po",
    ".pot",
    ".svg",
    ".map",
    ".css",
    ".afm",
    ".ipynb_checkpoints",
];

impl Watcher for Secrets {
    fn wants(&self, entry: &FileEntry, head: &[u8]) -> Option<Box<dyn Watch>> {
        // Bytes and sizes first: they rule most files out.
        let is_text = !head.is_empty() && memchr::memchr(0, &head[..head.len().min(JUDGED_BYTES)]).is_none();
        if !is_text
            || entry.size_bytes > MAX_SECRET_FILE_BYTES
            || head.starts_with(b"\x1f\x8b")
            || head.starts_with(b"%PDF")
            || ENDINGS.iter().any(|end| entry.path.ends_with(end))
            || secret::allow::is_public_path(&entry.path)
        {
            return None;
        }
        Some(Box::new(Window {
            bytes: Vec::new(),
            from: 0,
            line: 1,
            found: Vec::new(),
        }))
    }
}

struct Window {
    /// What was not looked at yet, with the byte before it.
    bytes: Vec<u8>,
    from: usize,
    /// Line that `bytes` begins in.
    line: u32,
    found: Vec<Sighting>,
}

impl Window {
    /// Looks for secrets that begin within a range of bytes, of which the first is in this window's line.
    fn look(&mut self, bytes: &[u8], within: Range<usize>) {
        let Self { line, found, .. } = self;
        secret::find(bytes, within, &mut |kind, range| {
            found.push(Sighting::Secret {
                kind: kind.kind.id.to_owned(),
                line: line.saturating_add(newlines(&bytes[..range.start])),
                redacted: secret::redact(&bytes[range]),
            });
        });
    }

    /// Looks at all from `from` on that has enough behind it, and keeps the rest.
    fn pass(&mut self, bytes: &[u8], from: usize) {
        let to = bytes.len().saturating_sub(secret::MAX_SECRET_BYTES);
        let (gone, from) = match to > from {
            true => {
                self.look(bytes, from..to);
                self.line = self.line.saturating_add(newlines(&bytes[..to - 1]));
                (to - 1, 1)
            }
            false => (0, from),
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes[gone..]);
        self.from = from;
    }
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u32::MAX)
}

impl Watch for Window {
    fn feed(&mut self, bytes: &[u8]) {
        if self.bytes.is_empty() {
            self.pass(bytes, 0);
            return;
        }
        let mut joined = std::mem::take(&mut self.bytes);
        let (before, from) = (joined.len(), self.from);
        if bytes.len() <= secret::MAX_SECRET_BYTES {
            joined.extend_from_slice(bytes);
            self.pass(&joined, from);
            return;
        }
        // Only where two pieces meet are they put together; the second is looked at where it is.
        joined.extend_from_slice(&bytes[..secret::MAX_SECRET_BYTES]);
        self.look(&joined, from..before + 1);
        self.line = self.line.saturating_add(newlines(&joined[..before]));
        self.pass(bytes, 1);
    }

    fn finish(mut self: Box<Self>, entry: &FileEntry, seen: &mut Seen) {
        let bytes = std::mem::take(&mut self.bytes);
        self.look(&bytes, self.from..bytes.len());
        if self.found.len() > MAX_SECRETS_PER_FILE {
            let detail = format!("{} more secrets were left out", self.found.len() - MAX_SECRETS_PER_FILE);
            seen.notes.push(Note::new(NoteKind::Limit, &entry.path, detail));
            self.found.truncate(MAX_SECRETS_PER_FILE);
        }
        seen.sightings.append(&mut self.found);
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FileKind;

    use super::*;
    use crate::check::testing::entry;

    fn lines(text: &[u8], step: usize) -> Vec<u32> {
        let mut file = entry("/app/settings", FileKind::Regular, 0o644);
        file.size_bytes = text.len() as u64;
        let mut watch = Secrets.wants(&file, &text[..text.len().min(4096)]).unwrap();
        text.chunks(step).for_each(|piece| watch.feed(piece));
        let mut seen = Seen::default();
        watch.finish(&file, &mut seen);
        let line = |sighting: &Sighting| match sighting {
            Sighting::Secret { line, .. } => *line,
            _ => 0,
        };
        seen.sightings.iter().map(line).collect()
    }

    #[test]
    fn finds_secrets_wherever_the_pieces_end() {
        // Put together here, so that no scanner of repositories takes it for one.
        let token = ["glpat", "-", "q7Rk2mZx9LwT4vBn8sYd"].concat();
        let filler = "a line of some text that is none of our business\n".repeat(100);
        let text = format!("{filler}token: {token}\n{filler}{filler}\n{token}x1_tail\n{token}");
        for step in [1, 7, 100, 4095, 4096, 4097, 1 << 20] {
            assert_eq!(lines(text.as_bytes(), step), [101, 303, 304], "{step}");
        }
    }

    #[test]
    fn leaves_binaries_and_documentation_alone() {
        for (path, head) in [
            ("/usr/bin/x", &b"\x7fELF\0"[..]),
            ("/usr/share/doc/x", b"text"),
            ("/x.gz", b"\x1f\x8bz"),
            ("/x", b""),
        ] {
            assert!(
                Secrets.wants(&entry(path, FileKind::Regular, 0o644), head).is_none(),
                "{path}"
            );
        }
    }
}
