//! Frames in, items out, up to the last good one.

use std::io::Read;

use plimsoll_model::Note;

use super::{CaptureError, Item};

/// Reads a capture.
pub struct Reader<R: Read> {
    input: R,
}

impl<R: Read> Reader<R> {
    /// Checks that it is a capture of a version that we read.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        Ok(Self { input })
    }

    /// The next item; `None` at the end, also when the end is a broken frame: then [`Self::notes`] says so.
    pub fn next_item(&mut self) -> Result<Option<Item>, CaptureError> {
        let mut byte = [0];
        self.input
            .read(&mut byte)
            .map(|_| None)
            .map_err(|source| CaptureError::Io { action: "read", source })
    }

    /// What could not be read.
    pub fn notes(&self) -> &[Note] {
        &[]
    }
}
