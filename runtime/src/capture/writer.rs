//! Items in, frames out.

use std::io::Write;

use zstd::{bulk::Compressor, zstd_safe::CParameter};

use super::{CaptureError, Item, MAGIC, VERSION};
use crate::limits;

/// zstd's own default: captures are written while the machine works.
const LEVEL: i32 = 3;

/// Writes a capture. What was not flushed is lost when it is dropped: call [`Self::finish`].
pub struct Writer<W: Write> {
    output: W,
    compressor: Compressor<'static>,
    items: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a capture; the first item must be [`Item::Start`].
    pub fn new(mut output: W) -> Result<Self, CaptureError> {
        let mut compressor = Compressor::new(LEVEL).map_err(CaptureError::Write)?;
        compressor
            .set_parameter(CParameter::ChecksumFlag(true))
            .map_err(CaptureError::Write)?;
        output.write_all(MAGIC).map_err(CaptureError::Write)?;
        output.write_all(&VERSION.to_le_bytes()).map_err(CaptureError::Write)?;
        Ok(Self {
            output,
            compressor,
            items: Vec::new(),
        })
    }

    /// Adds one item; it may stay in memory until [`Self::flush`].
    pub fn write(&mut self, item: &Item) -> Result<(), CaptureError> {
        let encoded = postcard::to_stdvec(item).map_err(|error| CaptureError::Encode(error.to_string()))?;
        if encoded.len() > limits::MAX_FRAME_BYTES - limits::FRAME_BYTES {
            return Err(CaptureError::Encode(format!("an item of {} bytes", encoded.len())));
        }
        self.items.extend_from_slice(&encoded);
        match self.items.len() >= limits::FRAME_BYTES {
            true => self.end_frame(),
            false => Ok(()),
        }
    }

    /// Makes everything written so far readable. Frames end here: many flushes make a larger file.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        self.end_frame()?;
        self.output.flush().map_err(CaptureError::Write)
    }

    /// Flushes and gives the output back.
    pub fn finish(mut self) -> Result<W, CaptureError> {
        self.flush()?;
        Ok(self.output)
    }

    fn end_frame(&mut self) -> Result<(), CaptureError> {
        if self.items.is_empty() {
            return Ok(());
        }
        let body = self.compressor.compress(&self.items).map_err(CaptureError::Write)?;
        let length = u32::try_from(body.len()).map_err(|_| CaptureError::Encode("a frame of 4 GiB".to_owned()))?;
        self.output
            .write_all(&length.to_le_bytes())
            .map_err(CaptureError::Write)?;
        self.output.write_all(&body).map_err(CaptureError::Write)?;
        self.items.clear();
        Ok(())
    }
}
