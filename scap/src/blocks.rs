//! A capture's bytes in, its blocks out: plain or gzip, one block at a time, up to the first that is broken.
//!
//! The frame is pcapng's: type, length of the whole block, body, the length again (falcosecurity/libs
//! `userspace/libscap/scap_savefile.h`). All numbers are of the byte order of the machine that wrote it.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use plimsoll_runtime::capture::read_fully;

use crate::{
    ScapError,
    cursor::Cursor,
    limits::{MAX_BLOCK_BYTES, MAX_UNPACKED_BYTES},
};

const SECTION: u32 = 0x0a0d_0d0a;
/// In the section header: reads so where the byte order is the writer's.
const ORDER: u32 = 0x1a2b_3c4d;
/// Of the format; higher ones are laid out otherwise.
const MAX_MAJOR: u16 = 1;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Type, length, and the length again.
const FRAME_BYTES: u32 = 12;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The machine.
    Machine,
    /// Processes, laid out as in this version, from 1 to 9.
    Processes(u8),
    /// Descriptors of one process; newer ones give the length of each entry.
    Descriptors { has_lengths: bool },
    /// One event.
    Event(EventLayout),
    /// Users, interfaces and what is not known: passed over.
    Other,
}

/// How an event is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventLayout {
    /// The number of its parameters is given.
    pub(crate) has_count: bool,
    /// Flags stand before it.
    pub(crate) has_flags: bool,
}

impl Kind {
    /// By the number of the type; some had another one before the format was published.
    fn of(number: u32) -> Self {
        let event = |has_count, has_flags| Self::Event(EventLayout { has_count, has_flags });
        match number {
            0x201 | 0x8002_abcd => Self::Machine,
            0x202 | 0x8000_abcd => Self::Processes(1),
            0x207 | 0x8013_abcd => Self::Processes(2),
            0x209 | 0x8014_abcd => Self::Processes(3),
            0x210 => Self::Processes(4),
            0x211 => Self::Processes(5),
            0x212 => Self::Processes(6),
            0x213 => Self::Processes(7),
            0x214 => Self::Processes(8),
            0x215 => Self::Processes(9),
            0x203 | 0x8001_abcd => Self::Descriptors { has_lengths: false },
            0x218 => Self::Descriptors { has_lengths: true },
            0x204 | 0x8010_abcd => event(false, false),
            0x208 => event(false, true),
            // Large ones differ in what they may hold only.
            0x216 | 0x221 => event(true, false),
            0x217 | 0x222 => event(true, true),
            _ => Self::Other,
        }
    }
}

/// Reads blocks.
pub(crate) struct Blocks<'r> {
    input: Box<dyn Read + 'r>,
    body: Vec<u8>,
    count: u64,
    /// Why reading stopped before the end.
    pub(crate) broken: Option<&'static str>,
}

impl<'r> Blocks<'r> {
    /// Checks that it is a capture of a version and byte order that we read.
    pub(crate) fn new(mut input: impl Read + 'r) -> Result<Self, ScapError> {
        let mut first = [0; 2];
        let length = read_fully(&mut input, &mut first).map_err(ScapError::Read)?;
        let whole = io::Cursor::new(first).take(length as u64).chain(input);
        let input: Box<dyn Read + 'r> = match first {
            GZIP => Box::new(MultiGzDecoder::new(whole).take(MAX_UNPACKED_BYTES)),
            _ => Box::new(whole),
        };
        let mut blocks = Self {
            input,
            body: Vec::new(),
            count: 0,
            broken: None,
        };
        match blocks.next_frame() {
            Ok(Some(SECTION)) => {}
            _ => return Err(ScapError::NotACapture),
        }
        let mut body = Cursor(&blocks.body);
        match (body.u32(), body.u16()) {
            (Some(ORDER), Some(major)) if major <= MAX_MAJOR => Ok(blocks),
            (Some(ORDER), Some(major)) => Err(ScapError::Version { found: major }),
            (Some(order), _) if order.swap_bytes() == ORDER => Err(ScapError::ByteOrder),
            _ => Err(ScapError::NotACapture),
        }
    }

    /// The next block; `None` at the end, also when the end is a broken block: then [`Self::broken`] says so.
    pub(crate) fn next_block(&mut self) -> Result<Option<(Kind, &[u8])>, ScapError> {
        loop {
            if self.broken.is_some() {
                return Ok(None);
            }
            let Some(number) = self.next_frame()? else {
                return Ok(None);
            };
            // Captures that were put one behind the other.
            if number != SECTION {
                return Ok(Some((Kind::of(number), &self.body)));
            }
        }
    }

    /// Blocks so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    fn next_frame(&mut self) -> Result<Option<u32>, ScapError> {
        let mut head = [0; 8];
        match self.fill(&mut head)? {
            0 => return Ok(None),
            8 => {}
            _ => return Ok(self.give_up("the capture ends within a block")),
        }
        let mut cursor = Cursor(&head);
        let (Some(number), Some(length)) = (cursor.u32(), cursor.u32()) else {
            return Ok(None);
        };
        let Some(inner) = length.checked_sub(FRAME_BYTES) else {
            return Ok(self.give_up("a block is shorter than its own frame"));
        };
        if inner > MAX_BLOCK_BYTES {
            return Ok(self.give_up("a block is larger than the limit"));
        }
        self.body.clear();
        let wanted = u64::from(inner) + 4;
        if let Err(error) = (&mut self.input).take(wanted).read_to_end(&mut self.body) {
            return self.failed(error);
        }
        if (self.body.len() as u64) < wanted {
            return Ok(self.give_up("the capture ends within a block"));
        }
        let tail = self.body.split_off(self.body.len() - 4);
        if tail != length.to_le_bytes() {
            return Ok(self.give_up("a block says two different lengths"));
        }
        self.count += 1;
        Ok(Some(number))
    }

    fn fill(&mut self, head: &mut [u8]) -> Result<usize, ScapError> {
        match read_fully(&mut self.input, head) {
            Ok(length) => Ok(length),
            Err(error) => self.failed(error).map(|_| 1),
        }
    }

    /// Damaged compression is a damaged capture; a disk that cannot be read is another matter.
    fn failed(&mut self, error: io::Error) -> Result<Option<u32>, ScapError> {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Ok(self.give_up("its compression is damaged or cut off"))
            }
            _ => Err(ScapError::Read(error)),
        }
    }

    fn give_up(&mut self, why: &'static str) -> Option<u32> {
        self.broken.get_or_insert(why);
        None
    }
}
