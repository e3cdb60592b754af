//! ELF files that pass by once: the parts that say what a program needs and can do are kept while the bytes stream,
//! and read at the end. Prefix, dynamic section and section table in; [`ElfFacts`] out.

mod facts;
mod go;

use object::read::ReadRef;
use plimsoll_model::ElfFacts;

pub(crate) use self::go::BuildInfo;

use crate::limits::{MAX_ELF_PREFIX_BYTES, MAX_ELF_WINDOW_BYTES};

/// Bytes before the section table that are kept with it: linkers put the section names there.
const BEFORE_SECTIONS_BYTES: u64 = 64 << 10;

/// Keeps parts of one ELF file.
#[derive(Debug)]
pub(crate) struct Capture {
    prefix: Vec<u8>,
    windows: Vec<Window>,
    at: u64,
    size: u64,
}

#[derive(Debug)]
struct Window {
    start: u64,
    end: u64,
    bytes: Vec<u8>,
}

impl Capture {
    /// `None` when the first bytes are not those of an ELF file. `buffer` is that of the file before, whose memory is used
    /// again: a system has a thousand libraries.
    pub(crate) fn new(head: &[u8], size: u64, buffer: &mut Vec<u8>) -> Option<Self> {
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        let windows = facts::windows(head)
            .into_iter()
            .map(|(start, end)| Window {
                start,
                end: end.min(size).min(start.saturating_add(MAX_ELF_WINDOW_BYTES)),
                bytes: Vec::new(),
            })
            .filter(|window| window.end > MAX_ELF_PREFIX_BYTES as u64 && window.start < window.end)
            .collect();
        let mut prefix = std::mem::take(buffer);
        prefix.clear();
        // Growing would copy it several times.
        prefix.reserve(usize::try_from(size).unwrap_or(usize::MAX).min(MAX_ELF_PREFIX_BYTES));
        Some(Self {
            prefix,
            windows,
            at: 0,
            size,
        })
    }

    /// The next bytes of the file, in order.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = MAX_ELF_PREFIX_BYTES - self.prefix.len();
        self.prefix.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let end = self.at + bytes.len() as u64;
        for window in &mut self.windows {
            let (from, to) = (window.start.max(self.at), window.end.min(end));
            if from < to
                && let (Ok(from), Ok(to)) = (usize::try_from(from - self.at), usize::try_from(to - self.at))
            {
                window.bytes.extend_from_slice(&bytes[from..to]);
            }
        }
        self.at = end;
    }

    /// What the file says; `None` when its headers make no sense. The buffer comes back for the next file.
    pub(crate) fn finish(self, buffer: &mut Vec<u8>) -> Option<ElfFacts> {
        let facts = facts::read(&self);
        *buffer = self.prefix;
        facts
    }
}

impl<'a> ReadRef<'a> for &'a Capture {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let slice = |start: u64, bytes: &'a [u8]| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            bytes.get(from..from.checked_add(usize::try_from(size).ok()?)?)
        };
        slice(0, &self.prefix)
            .or_else(|| {
                self.windows
                    .iter()
                    .find_map(|window| slice(window.start, &window.bytes))
            })
            .ok_or(())
    }

    fn read_bytes_at_until(self, range: std::ops::Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let end = range.end.min(self.size);
        let part = |start: u64, bytes: &'a [u8]| {
            let from = usize::try_from(range.start.checked_sub(start)?).ok()?;
            let to = usize::try_from(end.checked_sub(start)?).ok()?.min(bytes.len());
            let found = bytes.get(from..to)?;
            memchr::memchr(delimiter, found).map(|length| &found[..length])
        };
        part(0, &self.prefix)
            .or_else(|| self.windows.iter().find_map(|window| part(window.start, &window.bytes)))
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(bytes: &[u8], step: usize) -> Option<ElfFacts> {
        let head = &bytes[..bytes.len().min(4096)];
        let mut buffer = b"of another file".to_vec();
        let mut capture = Capture::new(head, bytes.len() as u64, &mut buffer)?;
        for chunk in bytes.chunks(step) {
            capture.push(chunk);
        }
        capture.finish(&mut buffer)
    }

    #[test]
    fn reads_this_machines_own_programs() {
        let shell = std::fs::read("/bin/sh").unwrap();
        let found = facts(&shell, 1000).unwrap();
        assert!(found.interpreter.unwrap().contains("ld-"));
        assert!(found.needed.iter().any(|name| name.starts_with("libc.")));
        assert!(found.imports.exec && !found.imports.listen && !found.is_static);
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let whole = facts(&own, 1 << 20).unwrap();
        assert_eq!(whole, facts(&own, 777_777).unwrap());
        assert!(whole.is_position_independent && !whole.is_go);
    }

    #[test]
    fn never_panics_on_cut_or_changed_headers() {
        let shell = std::fs::read("/bin/sh").unwrap();
        for cut in (0..600).chain([4096, 10_000, shell.len() / 2, shell.len() - 1]) {
            let _ = facts(&shell[..cut], 512);
        }
        for at in 0..900 {
            for value in [0, 0x7f, 0xff] {
                let mut changed = shell[..shell.len().min(200_000)].to_vec();
                changed[at] = value;
                let _ = facts(&changed, 1 << 20);
            }
        }
    }
}
