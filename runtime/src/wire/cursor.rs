//! A position in a record; every read is checked.

use super::WireError;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(length).ok_or(WireError::Short)?;
        let bytes = self.bytes.get(self.at..end).ok_or(WireError::Short)?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), WireError> {
        self.bytes(length).map(drop)
    }

    /// Goes on at `at`, which must not lie before the present position.
    pub(super) fn seek(&mut self, at: usize) -> Result<(), WireError> {
        self.skip(at.checked_sub(self.at).ok_or(WireError::Short)?)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.bytes(N)?.try_into().map_err(|_| WireError::Short)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_ne_bytes)
    }

    /// A length field.
    pub(super) fn length(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.u32()?).map_err(|_| WireError::Short)
    }
}
