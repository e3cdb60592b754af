//! Frames in, items out, up to the last good one.

use std::io::{self, Read};

use plimsoll_model::{Note, NoteKind};
use zstd::bulk::Decompressor;

use super::{CaptureError, Item, MAGIC, VERSION};
use crate::limits;

/// Reads a capture.
pub struct Reader<R: Read> {
    input: R,
    decompressor: Decompressor<'static>,
    frame: Vec<u8>,
    at: usize,
    frames: u64,
    notes: Vec<Note>,
}

impl<R: Read> Reader<R> {
    /// Checks that it is a capture of a version that we read.
    pub fn new(mut input: R) -> Result<Self, CaptureError> {
        let mut head = [0; 12];
        let length = read_fully(&mut input, &mut head).map_err(CaptureError::Read)?;
        let (magic, version) = head.split_at(MAGIC.len());
        if length < head.len() || magic != MAGIC {
            return Err(CaptureError::NotACapture);
        }
        let found = version
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u32::from(byte));
        if found != VERSION {
            return Err(CaptureError::Version { found });
        }
        let decompressor = Decompressor::new().map_err(CaptureError::Read)?;
        Ok(Self {
            input,
            decompressor,
            frame: Vec::new(),
            at: 0,
            frames: 0,
            notes: Vec::new(),
        })
    }

    /// The next item; `None` at the end, also when the end is a broken frame: then [`Self::notes`] says so.
    pub fn next_item(&mut self) -> Result<Option<Item>, CaptureError> {
        while self.at == self.frame.len() {
            if !self.notes.is_empty() || !self.next_frame()? {
                return Ok(None);
            }
        }
        match postcard::take_from_bytes(&self.frame[self.at..]) {
            Ok((item, rest)) => {
                self.at = self.frame.len() - rest.len();
                Ok(Some(item))
            }
            Err(error) => {
                self.give_up(&format!("an item cannot be decoded: {error}"));
                Ok(None)
            }
        }
    }

    /// What could not be read.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Reads one frame; `false` at the end.
    fn next_frame(&mut self) -> Result<bool, CaptureError> {
        let mut head = [0; 4];
        match read_fully(&mut self.input, &mut head).map_err(CaptureError::Read)? {
            0 => return Ok(false),
            4 => {}
            _ => return Ok(self.give_up("the capture ends within a frame")),
        }
        let length = u64::from(u32::from_le_bytes(head));
        if length > limits::MAX_FRAME_BYTES as u64 {
            return Ok(self.give_up("a frame is larger than the limit"));
        }
        let mut body = Vec::new();
        (&mut self.input)
            .take(length)
            .read_to_end(&mut body)
            .map_err(CaptureError::Read)?;
        if (body.len() as u64) < length {
            return Ok(self.give_up("the capture ends within a frame"));
        }
        match self.decompressor.decompress(&body, limits::MAX_FRAME_BYTES) {
            Ok(frame) => {
                (self.frame, self.at) = (frame, 0);
                self.frames += 1;
                Ok(true)
            }
            Err(error) => Ok(self.give_up(&format!("a frame cannot be decompressed: {error}"))),
        }
    }

    /// Nothing behind a broken frame can be trusted to follow what came before it.
    fn give_up(&mut self, why: &str) -> bool {
        let detail = format!("{why}; what follows was not read");
        self.notes.push(Note::new(
            NoteKind::Unreadable,
            format!("frame {}", self.frames + 1),
            detail,
        ));
        (self.frame, self.at) = (Vec::new(), 0);
        false
    }
}

/// Fills `buffer` as far as the input goes, and says how far that was.
///
/// # Errors
/// Reading failed.
pub fn read_fully(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
