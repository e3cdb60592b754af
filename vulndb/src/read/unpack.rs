//! Compressed bytes in, plain ones out, by the first bytes and not by the name; more than any feed has is an error.

use std::io::{BufRead, Error, Read, Result};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::MAX_ZSTD_WINDOW_LOG;

/// Decompresses zstd, gzip and bzip2; what is none of them stays as it is.
pub(super) fn unpack<'a>(mut packed: impl BufRead + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    let start = packed.fill_buf()?;
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
        decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
        return Ok(Box::new(decoder));
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(packed)));
    }
    if start.starts_with(b"BZh") {
        return Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(packed)));
    }
    Ok(Box::new(packed))
}

/// Ends with an error, not quietly, when more is read than any feed has: compressed bombs. The members of an archive
/// share what is left.
pub(super) struct Limited<'a, R> {
    pub(super) inner: R,
    pub(super) left: &'a AtomicU64,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(buffer)?;
        let take = |left: u64| left.checked_sub(read as u64);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(read),
            Err(_) => {
                // Nor does a later read get any.
                self.left.store(0, Ordering::Relaxed);
                Err(Error::other("the file is longer than any feed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_ends_with_an_error() {
        let left = AtomicU64::new(100_000);
        let mut reader = Limited {
            inner: std::io::repeat(b' '),
            left: &left,
        };
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        let left = AtomicU64::new(3);
        let mut short = Limited {
            inner: b"abc".as_slice(),
            left: &left,
        };
        assert_eq!(short.read_to_end(&mut Vec::new()).unwrap(), 3);
    }
}
