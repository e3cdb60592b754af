//! Uncompressed tar bytes in, members and their bodies out: forward only, nothing buffered but headers.
//!
//! Container engines read layers with Go's archive/tar, so where tar dialects differ we do as it does: a member that is
//! only a header has no body whatever its size says, global pax headers change nothing, a long name wins over pax.

use std::io::{self, BufRead};

use super::{
    header::{self, BLOCK, Header},
    pax::{self, Pax},
    sparse::{self, Extents},
};
use crate::limits::{MAX_SPARSE_EXTENTS, MAX_TAR_HEADER_BYTES, MAX_TAR_HEADERS_PER_MEMBER};

/// Sizes are signed in Go's reader.
const MAX_BODY_BYTES: u64 = i64::MAX as u64;

/// Bytes that can be walked over, cheaper than reading them where possible.
pub(crate) trait Input: BufRead {
    /// Moves forward; fails when the input ends before.
    fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = there.min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.consume(step);
            bytes -= step as u64;
        }
        Ok(())
    }
}

impl Input for &[u8] {}

/// Why a tar stream cannot be read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarError {
    #[error("tar ends in the middle of a member")]
    Truncated,
    #[error("tar is damaged: {0}")]
    Malformed(&'static str),
    #[error("tar header is longer than {MAX_TAR_HEADER_BYTES} bytes")]
    HeaderLimit,
    #[error("{0}")]
    Read(#[source] io::Error),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Regular,
    Directory,
    Symlink,
    HardLink,
    Device,
    Fifo,
    Unknown(u8),
}

/// One member, without its body.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: MemberKind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Bytes of the body as stored.
    pub(crate) stored_bytes: u64,
    /// Target of a link; empty otherwise.
    pub(crate) link: Vec<u8>,
    pub(crate) has_capabilities: bool,
    /// Where the body's bytes belong, for a sparse file.
    pub(crate) extents: Option<Extents>,
}

/// Reads members one after the other.
pub(crate) struct TarReader<R> {
    input: R,
    /// Bytes of the current body that were not read yet.
    remaining: u64,
    padding: u64,
    /// The archive ended without the two zero blocks that should be there.
    pub(crate) lacks_end: bool,
}

impl<R: Input> TarReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            remaining: 0,
            padding: 0,
            lacks_end: false,
        }
    }

    /// The bytes below, for what follows the archive's end.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    /// The next member; `None` at the end of the archive. What is left of the body before is skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, TarError> {
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        for _ in 0..MAX_TAR_HEADERS_PER_MEMBER {
            self.input.skip(self.remaining.saturating_add(self.padding))?;
            (self.remaining, self.padding) = (0, 0);
            let Some(block) = self.header_block()? else {
                return Ok(None);
            };
            let header = Header::parse(&block).ok_or(TarError::Malformed("wrong header checksum"))?;
            let size = header.size().ok_or(TarError::Malformed("size is no number"))?;
            match header.type_flag() {
                b'x' => pax = pax::parse(&self.special(size)?).ok_or(TarError::Malformed("pax record"))?,
                b'g' => drop(self.special(size)?),
                b'L' => long_name = Some(until_nul(self.special(size)?)),
                b'K' => long_link = Some(until_nul(self.special(size)?)),
                _ => return self.member(&header, pax, long_name, long_link).map(Some),
            }
        }
        Err(TarError::Malformed("too many extended headers in a row"))
    }

    /// More bytes of the current body; empty at its end. Follow with [`Self::consume`].
    pub(crate) fn body(&mut self) -> Result<&[u8], TarError> {
        if self.remaining == 0 {
            return Ok(&[]);
        }
        let bytes = self.input.fill_buf()?;
        if bytes.is_empty() {
            return Err(TarError::Truncated);
        }
        Ok(&bytes[..bytes.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX))])
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.remaining -= bytes as u64;
    }

    /// Fills `block` from the current body.
    pub(crate) fn read_body(&mut self, block: &mut [u8]) -> Result<(), TarError> {
        let mut at = 0;
        while at < block.len() {
            let bytes = self.body()?;
            let step = bytes.len().min(block.len() - at);
            if step == 0 {
                return Err(TarError::Malformed("a body is shorter than its own map says"));
            }
            block[at..at + step].copy_from_slice(&bytes[..step]);
            self.consume(step);
            at += step;
        }
        Ok(())
    }

    /// The next header; `None` at the end: two zero blocks, or no bytes at all (as Go accepts it).
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let Some(block) = self.block()? else {
            self.lacks_end = true;
            return Ok(None);
        };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.block()? {
            None => Ok(None),
            Some(second) if second == [0; BLOCK] => Ok(None),
            Some(_) => Err(TarError::Malformed("a lone zero block")),
        }
    }

    /// 512 bytes; `None` when there is not even one.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut at = 0;
        while at < BLOCK {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return if at == 0 { Ok(None) } else { Err(TarError::Truncated) };
            }
            let step = bytes.len().min(BLOCK - at);
            block[at..at + step].copy_from_slice(&bytes[..step]);
            self.input.consume(step);
            at += step;
        }
        Ok(Some(block))
    }

    /// The body of an extended header.
    fn special(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > MAX_TAR_HEADER_BYTES {
            return Err(TarError::HeaderLimit);
        }
        let (remaining, padding) = (size, padding(size));
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < remaining {
            let there = self.input.fill_buf()?;
            if there.is_empty() {
                return Err(TarError::Truncated);
            }
            let wanted = usize::try_from(remaining).unwrap_or(usize::MAX) - bytes.len();
            let step = there.len().min(wanted);
            bytes.extend_from_slice(&there[..step]);
            self.input.consume(step);
        }
        self.input.skip(padding)?;
        Ok(bytes)
    }

    fn member(
        &mut self,
        header: &Header<'_>,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Member, TarError> {
        let number = |value: Option<u64>| value.ok_or(TarError::Malformed("a header field is no number"));
        let path = long_name.or(pax.path).unwrap_or_else(|| header.name());
        let kind = kind_of(header.type_flag(), &path);
        let has_body = matches!(kind, MemberKind::Regular | MemberKind::Unknown(_));
        let stated = pax.size.or(header.size()).unwrap_or(0);
        if stated > MAX_BODY_BYTES {
            return Err(TarError::Malformed("size is negative"));
        }
        let size = if has_body { stated } else { 0 };
        let mut member = Member {
            kind,
            mode: u32::try_from(number(header.mode())? & 0o7777).unwrap_or(0),
            uid: u32::try_from(number(pax.uid.or(header.uid()))?).unwrap_or(u32::MAX),
            gid: u32::try_from(number(pax.gid.or(header.gid()))?).unwrap_or(u32::MAX),
            stored_bytes: size,
            link: long_link
                .or(pax.link_path)
                .unwrap_or_else(|| header.link_name().to_vec()),
            has_capabilities: pax.has_capabilities,
            extents: None,
            path,
        };
        if header.type_flag() == b'S' {
            member.extents = Some(self.gnu_extents(header)?);
        }
        (self.remaining, self.padding) = (size, padding(size));
        if kind == MemberKind::Regular && member.extents.is_none() {
            member.extents = sparse::from_pax(&pax.sparse, self)?;
            if let (Some(_), Some(name)) = (&member.extents, pax.sparse.name) {
                member.path = name;
            }
        }
        member.stored_bytes = self.remaining;
        Ok(member)
    }

    fn gnu_extents(&mut self, header: &Header<'_>) -> Result<Extents, TarError> {
        let malformed = || TarError::Malformed("sparse map");
        let (mut list, mut more) = header.gnu_sparse().ok_or_else(malformed)?;
        let real_size = header.gnu_real_size().ok_or_else(malformed)?;
        while more {
            let block = self.block()?.ok_or(TarError::Truncated)?;
            let (extents, again) = header::gnu_sparse_extension(&block).ok_or_else(malformed)?;
            list.extend(extents);
            more = again;
            if list.len() > MAX_SPARSE_EXTENTS {
                return Err(malformed());
            }
        }
        Ok(Extents { list, real_size })
    }
}

fn kind_of(flag: u8, path: &[u8]) -> MemberKind {
    match flag {
        // Before ustar, a folder was a file whose name ends with a slash.
        b'0' | 0 | b'7' | b'S' if path.ends_with(b"/") => MemberKind::Directory,
        b'0' | 0 | b'7' | b'S' => MemberKind::Regular,
        b'1' => MemberKind::HardLink,
        b'2' => MemberKind::Symlink,
        b'3' | b'4' => MemberKind::Device,
        b'5' => MemberKind::Directory,
        b'6' => MemberKind::Fifo,
        other => MemberKind::Unknown(other),
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = memchr::memchr(0, &bytes) {
        bytes.truncate(end);
    }
    bytes
}
