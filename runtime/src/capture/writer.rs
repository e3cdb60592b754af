//! Items in, frames out.

use std::io::Write;

use super::{CaptureError, Item};

/// Writes a capture.
pub struct Writer<W: Write> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// Starts a capture; the first item must be [`Item::Start`].
    pub fn new(output: W) -> Result<Self, CaptureError> {
        Ok(Self { output })
    }

    /// Adds one item; it may stay in memory until [`Self::flush`].
    pub fn write(&mut self, _item: &Item) -> Result<(), CaptureError> {
        Ok(())
    }

    /// Makes everything written so far readable.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        self.output.flush().map_err(|source| CaptureError::Io {
            action: "write",
            source,
        })
    }
}
