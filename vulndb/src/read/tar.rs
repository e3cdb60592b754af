//! A tar archive in, what its members say out: read forward once, members parsed on all cores.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::atomic::AtomicU64;

use rayon::prelude::*;
use tar::{EntryType, Header};

use super::FileContent;
use super::archive::{Gathered, clean_name};
use crate::limits::{BATCH_BYTES, MAX_DOCUMENT_BYTES, MAX_FILES, MAX_TAR_NAME_BYTES};

const BLOCK: usize = 512;
/// Where a header carries the format's name.
const MAGIC: std::ops::Range<usize> = 257..262;
/// Where a header carries its checksum, which counts as blanks in itself.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Whether unpacked bytes start as a tar archive does.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.len() >= BLOCK && head[MAGIC] == *b"ustar"
}

/// Reads all members that are called like data.
pub(super) fn read(path: &Path, reader: impl Read + Send, left: &AtomicU64) -> Vec<FileContent> {
    let mut batches = Batches {
        reader,
        members: 0,
        number: 0,
        end: None,
    };
    let mut parts: Vec<(u64, Gathered)> = batches
        .by_ref()
        .par_bridge()
        .map(|(number, members)| {
            let mut gathered = Gathered::default();
            for (name, member) in members {
                match member {
                    Ok(bytes) => gathered.read(path, &name, &bytes, left),
                    Err(reason) => gathered.add_unreadable(&name, reason),
                }
            }
            (number, gathered)
        })
        .collect();
    parts.sort_by_key(|(number, _)| *number);
    let mut all = Gathered::default();
    for (_, part) in parts {
        all.append(part, path);
    }
    all.finish(path, batches.end.unwrap_or(Ok(())))
}

/// A member's cleaned name, and its bytes or why it is not read.
type Member = (String, std::result::Result<Vec<u8>, String>);

struct Batches<R> {
    reader: R,
    members: usize,
    number: u64,
    /// How the archive ended, once it has.
    end: Option<Result<()>>,
}

impl<R: Read> Iterator for Batches<R> {
    type Item = (u64, Vec<Member>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut members = Vec::new();
        let mut size = 0;
        while self.end.is_none() && size < BATCH_BYTES {
            match self.member() {
                Ok(Some(member)) => {
                    size += member.1.as_ref().map_or(0, Vec::len) + BLOCK;
                    members.push(member);
                }
                Ok(None) => self.end = Some(self.drain()),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        self.number += 1;
        (!members.is_empty()).then_some((self.number, members))
    }
}

impl<R: Read> Batches<R> {
    /// The next member that is called like data; `None` after the two blocks of zeros that end an archive.
    fn member(&mut self) -> Result<Option<Member>> {
        let mut long_name: Option<Vec<u8>> = None;
        let mut stated_size: Option<Vec<u8>> = None;
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    let name = self.body(size, MAX_TAR_NAME_BYTES)?;
                    long_name = Some(name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec());
                }
                EntryType::XHeader => {
                    let records = self.body(size, MAX_TAR_NAME_BYTES)?;
                    for record in tar::PaxExtensions::new(&records) {
                        let record = record?;
                        match record.key_bytes() {
                            b"path" => long_name = Some(record.value_bytes().to_vec()),
                            b"size" => stated_size = Some(record.value_bytes().to_vec()),
                            _ => {}
                        }
                    }
                }
                kind => {
                    // Only of what is longer than the header's field can say, which no document is, must the two differ.
                    if stated_size
                        .take()
                        .is_some_and(|stated| stated != size.to_string().as_bytes())
                    {
                        return Err(Error::other("an extended header states another size than its member's"));
                    }
                    self.members += 1;
                    if self.members > MAX_FILES {
                        return Err(Error::other("the archive has more members than any feed"));
                    }
                    let name = long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
                    let name = clean_name(&name).filter(|_| kind.is_file());
                    let Some(name) = name else {
                        self.skip(size)?;
                        continue;
                    };
                    if size > MAX_DOCUMENT_BYTES as u64 {
                        self.skip(size)?;
                        return Ok(Some((name, Err("the document is too long".to_owned()))));
                    }
                    let bytes = self.body(size, MAX_DOCUMENT_BYTES)?;
                    return Ok(Some((name, Ok(bytes))));
                }
            }
        }
    }

    fn header(&mut self) -> Result<Option<Header>> {
        let mut header = Header::new_old();
        self.reader.read_exact(header.as_mut_bytes())?;
        let bytes = header.as_bytes();
        if *bytes == [0; BLOCK] {
            let mut second = [0; BLOCK];
            self.reader.read_exact(&mut second)?;
            return match second == [0; BLOCK] {
                true => Ok(None),
                false => Err(Error::other("tar has a lone block of zeros")),
            };
        }
        let around = bytes[..CHECKSUM.start].iter().chain(&bytes[CHECKSUM.end..]);
        let with_blanks = around.chain(&[b' '; CHECKSUM.end - CHECKSUM.start]);
        let sum: u32 = with_blanks.map(|&byte| u32::from(byte)).sum();
        match header.cksum()? == sum {
            true => Ok(Some(header)),
            false => Err(Error::other("tar has a header with a wrong checksum")),
        }
    }

    fn body(&mut self, size: u64, limit: usize) -> Result<Vec<u8>> {
        if size > limit as u64 {
            return Err(Error::other("tar has a header that is longer than any name"));
        }
        // The size is only what the header says: memory grows with what is there.
        let mut bytes = Vec::new();
        (&mut self.reader).take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.skip_exactly(padding(size))?;
        Ok(bytes)
    }

    fn skip(&mut self, size: u64) -> Result<()> {
        self.skip_exactly(size.saturating_add(padding(size)))
    }

    fn skip_exactly(&mut self, bytes: u64) -> Result<()> {
        match std::io::copy(&mut (&mut self.reader).take(bytes), &mut std::io::sink())? == bytes {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// What follows is padding, but only its end shows that the compressed stream is whole.
    fn drain(&mut self) -> Result<()> {
        std::io::copy(&mut self.reader, &mut std::io::sink()).map(drop)
    }
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}
