//! A Rust program that passes by once in, the crates that it was built from out (rust-secure-code/cargo-auditable, "PARSING.md":
//! the section `.dep-v0` holds JSON, compressed by zlib). Where the section is stands at the end of the file, so it is
//! recognised by its own beginning.

use std::cell::Cell;

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;
use plimsoll_model::FileEntry;
use serde::{Deserialize, Serialize};

use super::{Seen, Sighting, Watch, Watcher};
use crate::limits::MAX_RUST_AUDIT_BYTES;

/// Programs built by `cargo auditable`.
pub(super) struct RustPrograms;

/// One crate that a program was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// zlib's header as `cargo auditable` writes it: today, and as other versions of its encoder do.
const ZLIB: [&[u8]; 2] = [b"x\x9c", b"x\xda"];
const START: &[u8] = br#"{"packages":["#;
/// Compressed bytes after which their beginning is known: the codes of a block take no more than 300.
const PROBE_BYTES: usize = 512;
/// Random bytes look like the header once in 32 KiB; those made to look like it shall not cost more than others. The
/// cataloger says it when a program has the section and no list was found.
const BYTES_PER_PROBE: u64 = 2048;
const FREE_PROBES: u64 = 500;

impl Watcher for RustPrograms {
    fn wants(&self, _entry: &FileEntry, head: &[u8]) -> Option<Box<dyn Watch>> {
        head.starts_with(b"\x7fELF").then(|| {
            let list: Box<dyn Watch> = Box::new(AuditData::new());
            list
        })
    }
}

#[derive(Deserialize)]
struct Document {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    kind: Option<String>,
}

struct AuditData {
    /// What may be the beginning, from its first byte.
    pending: Vec<u8>,
    decoder: Decompress,
    read_bytes: u64,
    probes: u64,
    state: State,
}

thread_local! {
    /// The decoder of the file before: its state takes more time to allocate than most files to look through.
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

enum State {
    Searching,
    /// Inflated so far.
    Reading(Vec<u8>),
    Done(Option<Vec<Crate>>),
}

enum Probe {
    Yes,
    No,
    More,
}

impl AuditData {
    fn new() -> Self {
        Self {
            pending: Vec::new(),
            decoder: SPARE.take().unwrap_or_else(|| Decompress::new(true)),
            read_bytes: 0,
            probes: 0,
            state: State::Searching,
        }
    }

    fn search(&mut self, bytes: &[u8]) {
        let mut starts: Vec<usize> = ZLIB
            .iter()
            .flat_map(|header| memmem::find_iter(bytes, header))
            .collect();
        starts.sort_unstable();
        for start in starts {
            if matches!(self.state, State::Done(_)) {
                return;
            }
            let rest = &bytes[start..];
            match self.probe(rest) {
                Probe::No => {}
                Probe::More => {
                    self.pending.extend_from_slice(rest);
                    return;
                }
                Probe::Yes => {
                    self.decoder.reset(true);
                    self.state = State::Reading(Vec::new());
                    self.read(rest);
                    return;
                }
            }
        }
        // The last byte may be the first of the header.
        self.pending.extend(bytes.last().filter(|last| **last == b'x'));
    }

    fn probe(&mut self, rest: &[u8]) -> Probe {
        // The type of the first block: 3 does not exist.
        if rest.get(2).is_some_and(|byte| byte & 6 == 6) {
            return Probe::No;
        }
        self.probes += 1;
        if self.probes > FREE_PROBES + self.read_bytes / BYTES_PER_PROBE {
            self.state = State::Done(None);
            return Probe::No;
        }
        let input = &rest[..rest.len().min(PROBE_BYTES)];
        let mut start = [0; START.len()];
        self.decoder.reset(true);
        let status = self.decoder.decompress(input, &mut start, FlushDecompress::None);
        if status.is_err() {
            return Probe::No;
        }
        let there = usize::try_from(self.decoder.total_out())
            .unwrap_or(usize::MAX)
            .min(START.len());
        match START.starts_with(&start[..there]) {
            true if there == START.len() => Probe::Yes,
            true if input.len() < PROBE_BYTES && !matches!(status, Ok(Status::StreamEnd)) => Probe::More,
            _ => Probe::No,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let State::Reading(text) = &mut self.state else {
            return;
        };
        let mut rest = bytes;
        let mut buffer = vec![0; 32 << 10];
        let end = loop {
            let (read, written) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self.decoder.decompress(rest, &mut buffer, FlushDecompress::None);
            let read = usize::try_from(self.decoder.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.decoder.total_out() - written).unwrap_or(usize::MAX);
            rest = &rest[read..];
            text.extend_from_slice(&buffer[..written]);
            match status {
                _ if text.len() > MAX_RUST_AUDIT_BYTES => break Some(None),
                Ok(Status::StreamEnd) => break Some(crates(text)),
                Ok(_) if read == 0 && written == 0 => break None,
                Ok(_) => {}
                Err(_) => break Some(None),
            }
        };
        if let Some(found) = end {
            self.state = State::Done(found);
        }
    }
}

/// Crates that only ran at build time are not in the program.
fn crates(text: &[u8]) -> Option<Vec<Crate>> {
    let document: Document = serde_json::from_slice(text).ok()?;
    let built_in = document
        .packages
        .into_iter()
        .filter(|package| package.kind.as_deref() != Some("build"));
    Some(
        built_in
            .map(|Package { name, version, .. }| Crate { name, version })
            .collect(),
    )
}

impl Watch for AuditData {
    fn feed(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        match &self.state {
            State::Done(_) => {}
            State::Reading(_) => self.read(bytes),
            State::Searching if self.pending.is_empty() => self.search(bytes),
            State::Searching => {
                let mut joined = std::mem::take(&mut self.pending);
                joined.extend_from_slice(bytes);
                self.search(&joined);
            }
        }
    }

    fn finish(self: Box<Self>, _entry: &FileEntry, seen: &mut Seen) {
        if let State::Done(Some(crates)) = self.state {
            seen.sightings.push(Sighting::Crates(crates));
        }
        SPARE.set(Some(self.decoder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], step: usize) -> Option<Vec<Crate>> {
        let mut data = AuditData::new();
        for piece in bytes.chunks(step) {
            data.feed(piece);
        }
        match data.state {
            State::Done(found) => found,
            _ => None,
        }
    }

    /// The section that `cargo auditable` put into a real program, among bytes that look like the beginning of one.
    fn program() -> Vec<u8> {
        let section = include_bytes!("../../../tests/fixtures/rust/dep-v0");
        [&b"\x7fELF....x\xda\x05xx\xdax\xdax"[..], section, &b"x\xdaafter"[..]].concat()
    }

    #[test]
    fn the_list_is_found_however_the_file_is_cut_into_pieces() {
        let bytes = program();
        let whole = read(&bytes, bytes.len()).unwrap();
        assert!(whole.iter().any(|one| one.name == "memchr"), "{whole:?}");
        for step in [1, 2, 3, 7, 64, 100] {
            assert_eq!(read(&bytes, step).as_ref(), Some(&whole), "{step}");
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_no_list() {
        let bytes = program();
        let section = bytes.len() - b"x\xdaafter".len();
        for cut in 0..section {
            assert_eq!(read(&bytes[..cut], 50), None, "{cut}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            let _ = read(&changed, 33);
        }
    }
}
