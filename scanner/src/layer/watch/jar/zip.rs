//! A zip archive that passes by once in, its entries out (PKWARE's APPNOTE.TXT, sections 4.3 and 4.4). The directory at its
//! end, which is what programs read, is held against the entries that passed: none that matters is missed in silence.

use std::collections::BTreeSet;

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;
use plimsoll_model::NoteKind;

use super::{Findings, Role};
use crate::limits::{MAX_JAR_DEPTH, MAX_JAR_TEXT_BYTES};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
/// Sizes follow the content (section 4.4.4, bit 3).
const SIZES_LATER: u16 = 8;
/// The real size is in the extra field with this number (section 4.5.3).
const ZIP64: u16 = 1;
const INFLATE_BUFFER_BYTES: usize = 32 << 10;

/// One archive, outermost or nested.
pub(super) struct Zip {
    /// Which one of [`Findings::archives`] it is.
    index: usize,
    depth: usize,
    /// The beginning of a header that is not all there.
    pending: Vec<u8>,
    state: State,
    /// Names of entries that matter and that passed, read or noted.
    seen: BTreeSet<Vec<u8>>,
    has_end: bool,
}

enum State {
    /// Between entries, also before the first one: programs that start themselves have a script there.
    Header,
    Skip {
        left: u64,
    },
    Stored {
        left: u64,
        sink: Sink,
    },
    Deflated {
        inflate: Box<Decompress>,
        /// `None` where the end of the stream alone tells.
        left: Option<u64>,
        sink: Sink,
    },
}

/// Where an entry's content goes.
enum Sink {
    Nothing,
    Text {
        role: Role,
        name: String,
        bytes: Vec<u8>,
        is_cut: bool,
    },
    Nested(Box<Zip>),
}

impl Zip {
    pub(super) fn new(index: usize, depth: usize) -> Self {
        Self {
            index,
            depth,
            pending: Vec::new(),
            state: State::Header,
            seen: BTreeSet::new(),
            has_end: false,
        }
    }

    /// The next bytes of the archive, in order.
    pub(super) fn push(&mut self, bytes: &[u8], findings: &mut Findings) {
        let joined;
        let mut rest = bytes;
        if !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(bytes);
            joined = pending;
            rest = &joined;
        }
        while !rest.is_empty() && !findings.is_over() {
            match self.step(rest, findings) {
                Some(consumed) => rest = &rest[consumed..],
                None => break,
            }
        }
        self.pending = rest.to_vec();
    }

    /// The archive has no more bytes.
    pub(super) fn finish(self, findings: &mut Findings) {
        if findings.is_over() {
            return;
        }
        if !matches!(self.state, State::Header) {
            self.state.finish(findings);
            findings.note(NoteKind::Unreadable, self.index, "archive ends within an entry");
        } else if !self.has_end {
            findings.note(NoteKind::Unreadable, self.index, "archive has no directory at its end");
        }
    }

    /// How many bytes were used up; `None` when more are needed.
    fn step(&mut self, rest: &[u8], findings: &mut Findings) -> Option<usize> {
        match &mut self.state {
            State::Header => return self.header(rest, findings),
            State::Skip { left } => {
                let step = shorter(rest, *left);
                *left -= step as u64;
                if *left == 0 {
                    self.state = State::Header;
                }
                return Some(step);
            }
            State::Stored { left, sink } => {
                let step = shorter(rest, *left);
                sink.push(&rest[..step], findings);
                *left -= step as u64;
                if *left > 0 {
                    return Some(step);
                }
                self.end_entry(findings);
                return Some(step);
            }
            State::Deflated { .. } => {}
        }
        self.inflate(rest, findings)
    }

    fn end_entry(&mut self, findings: &mut Findings) {
        let state = std::mem::replace(&mut self.state, State::Header);
        match state {
            State::Stored { sink, .. } | State::Deflated { sink, .. } => sink.finish(self.index, findings),
            State::Header | State::Skip { .. } => {}
        }
    }

    fn inflate(&mut self, rest: &[u8], findings: &mut Findings) -> Option<usize> {
        let State::Deflated { inflate, left, sink } = &mut self.state else {
            return None;
        };
        let input = &rest[..shorter(rest, left.unwrap_or(u64::MAX))];
        let mut at = 0;
        let mut buffer = findings.take_buffer(self.depth, INFLATE_BUFFER_BYTES);
        let end = loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(&input[at..], &mut buffer, FlushDecompress::None);
            let read = usize::try_from(inflate.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(inflate.total_out() - written).unwrap_or(usize::MAX);
            at += read;
            sink.push(&buffer[..written], findings);
            findings.inflated(written);
            match status {
                _ if findings.is_over() => break Some(true),
                Ok(Status::StreamEnd) => break Some(true),
                Ok(_) if read == 0 && written == 0 => break None,
                Ok(_) => {}
                Err(_) => break Some(false),
            }
        };
        findings.give_buffer(self.depth, buffer);
        if let Some(left) = left {
            *left -= at as u64;
        }
        let (left, is_wanted) = (*left, !matches!(sink, Sink::Nothing));
        match end {
            // The stated size and the stream's own end disagree, or the decoder stands still.
            None if left == Some(0) || at < input.len() => {
                self.damaged(left.unwrap_or(0), is_wanted, findings);
            }
            None => {}
            Some(true) => {
                self.end_entry(findings);
                self.skip(left.unwrap_or(0));
            }
            Some(false) => self.damaged(left.unwrap_or(0), is_wanted, findings),
        }
        Some(at)
    }

    fn damaged(&mut self, left: u64, is_wanted: bool, findings: &mut Findings) {
        if is_wanted {
            findings.note(
                NoteKind::Unreadable,
                self.index,
                "an entry's compressed data are damaged",
            );
        }
        self.end_entry(findings);
        self.skip(left);
    }

    fn skip(&mut self, left: u64) {
        self.state = match left {
            0 => State::Header,
            left => State::Skip { left },
        };
    }

    fn header(&mut self, rest: &[u8], findings: &mut Findings) -> Option<usize> {
        let Some(at) = memmem::find(rest, b"PK") else {
            // The last byte may be the first of a signature.
            return (rest.len() > 1).then(|| rest.len() - 1);
        };
        if at > 0 {
            return Some(at);
        }
        match rest.get(..4)? {
            LOCAL => self.local(rest, findings),
            CENTRAL => self.central(rest, findings),
            END => {
                self.has_end = true;
                Some(4)
            }
            _ => Some(2),
        }
    }

    fn local(&mut self, rest: &[u8], findings: &mut Findings) -> Option<usize> {
        let (name_bytes, extra_bytes) = (short(rest, 26)?, short(rest, 28)?);
        let name = rest.get(LOCAL_BYTES..LOCAL_BYTES + usize::from(name_bytes))?;
        let whole = LOCAL_BYTES + name.len() + usize::from(extra_bytes);
        let extra = rest.get(LOCAL_BYTES + name.len()..whole)?;
        let (flags, method) = (short(rest, 6)?, short(rest, 8)?);
        let size = compressed_size(rest, extra)?;
        // A size of nothing and a promise that it comes later: the content tells.
        let size = (flags & SIZES_LATER == 0 || size > 0).then_some(size);
        findings.entry();
        let mut role = Role::of(name);
        if role == Role::Archive && self.depth == MAX_JAR_DEPTH {
            let detail = format!("archives within archives are read to a depth of {MAX_JAR_DEPTH}");
            findings.note(NoteKind::Limit, self.index, detail);
            self.seen.insert(name.to_vec());
            role = Role::Other;
        }
        if role != Role::Other {
            self.seen.insert(name.to_vec());
        }
        let is_wanted = role != Role::Other;
        let problem = if flags & ENCRYPTED != 0 {
            Some("encrypted")
        } else if method != STORED && method != DEFLATED {
            Some("compressed by a method that Java does not read")
        } else if method == STORED && size.is_none() {
            Some("stored without its size")
        } else {
            None
        };
        if let Some(problem) = problem {
            if is_wanted {
                let detail = format!("{}: {problem}", shown(name));
                findings.note(NoteKind::Unsupported, self.index, detail);
            }
            self.skip(size.unwrap_or(0));
            return Some(whole);
        }
        if let (false, Some(size)) = (is_wanted, size) {
            self.skip(size);
            return Some(whole);
        }
        let sink = self.sink(role, name, findings);
        self.state = match (method, size) {
            (STORED, size) => State::Stored {
                left: size.unwrap_or(0),
                sink,
            },
            (_, left) => State::Deflated {
                inflate: Box::new(Decompress::new(false)),
                left,
                sink,
            },
        };
        if matches!(self.state, State::Stored { left: 0, .. }) {
            self.end_entry(findings);
        }
        Some(whole)
    }

    fn sink(&self, role: Role, name: &[u8], findings: &mut Findings) -> Sink {
        let name = shown(name);
        match role {
            Role::Other => Sink::Nothing,
            Role::Archive => {
                let index = findings.open_archive(self.index, &name);
                Sink::Nested(Box::new(Self::new(index, self.depth + 1)))
            }
            Role::Manifest | Role::Coordinates => Sink::Text {
                role,
                name,
                bytes: Vec::new(),
                is_cut: false,
            },
        }
    }

    fn central(&mut self, rest: &[u8], findings: &mut Findings) -> Option<usize> {
        let (name_bytes, extra, comment) = (short(rest, 28)?, short(rest, 30)?, short(rest, 32)?);
        let name = rest.get(CENTRAL_BYTES..CENTRAL_BYTES + usize::from(name_bytes))?;
        let whole = CENTRAL_BYTES + name.len() + usize::from(extra) + usize::from(comment);
        rest.get(..whole)?;
        if Role::of(name) != Role::Other && !self.seen.contains(name) {
            let detail = format!("{}: listed at the archive's end, but not found in it", shown(name));
            findings.note(NoteKind::Unreadable, self.index, detail);
        }
        findings.entry();
        Some(whole)
    }
}

impl State {
    /// Nested archives say what they lack, too.
    fn finish(self, findings: &mut Findings) {
        if let Self::Stored {
            sink: Sink::Nested(zip),
            ..
        }
        | Self::Deflated {
            sink: Sink::Nested(zip),
            ..
        } = self
        {
            zip.finish(findings);
        }
    }
}

impl Sink {
    fn push(&mut self, content: &[u8], findings: &mut Findings) {
        match self {
            Self::Nothing => {}
            Self::Text { bytes, is_cut, .. } => {
                let room = MAX_JAR_TEXT_BYTES - bytes.len();
                *is_cut |= content.len() > room;
                bytes.extend_from_slice(&content[..content.len().min(room)]);
            }
            Self::Nested(zip) => zip.push(content, findings),
        }
    }

    fn finish(self, index: usize, findings: &mut Findings) {
        match self {
            Self::Nothing => {}
            Self::Text {
                role,
                name,
                bytes,
                is_cut,
            } => findings.text(index, role, &name, &bytes, is_cut),
            Self::Nested(zip) => zip.finish(findings),
        }
    }
}

fn shorter(rest: &[u8], left: u64) -> usize {
    rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let found = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes([found[0], found[1]]))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    let found = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(found.try_into().ok()?))
}

/// From a local header and its extra fields.
fn compressed_size(header: &[u8], extra: &[u8]) -> Option<u64> {
    let (compressed, whole) = (long(header, 18)?, long(header, 22)?);
    if compressed != u32::MAX {
        return Some(compressed.into());
    }
    let mut rest = extra;
    while let (Some(kind), Some(length)) = (short(rest, 0), short(rest, 2)) {
        let Some(field) = rest.get(4..4 + usize::from(length)) else {
            break;
        };
        if kind == ZIP64 {
            let at = if whole == u32::MAX { 8 } else { 0 };
            let found = field.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            return Some(found.map_or(u64::from(compressed), u64::from_le_bytes));
        }
        rest = &rest[4 + field.len()..];
    }
    Some(compressed.into())
}

/// A name for people; old archives have other encodings than UTF-8.
fn shown(name: &[u8]) -> String {
    let name = &name[..name.len().min(1024)];
    String::from_utf8_lossy(name).into_owned()
}
