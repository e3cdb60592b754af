//! A tar file that holds an image: indexed once by seeking from header to header, its members then read by offset, side
//! by side.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    error::ScanError,
    layer::tar::{Input, MemberKind, TarError, TarReader},
    limits::{MAX_ARCHIVE_MEMBERS, MAX_LINKS},
};

/// Where the members of a tar file are.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: Arc<File>,
    members: BTreeMap<String, Place>,
}

#[derive(Debug)]
enum Place {
    At { offset: u64, size: u64 },
    Link(String),
}

impl Archive {
    /// Reads all headers.
    pub(crate) fn open(path: &Path) -> Result<Self, ScanError> {
        let open_error = |source| ScanError::Open {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(open_error)?;
        let metadata = file.metadata().map_err(open_error)?;
        if !metadata.is_file() {
            return Err(ScanError::NotAnImage {
                what: path.display().to_string(),
                reason: "it is not a regular file".to_owned(),
            });
        }
        let mut archive = Self {
            path: path.to_owned(),
            file: Arc::new(file.try_clone().map_err(open_error)?),
            members: BTreeMap::new(),
        };
        let input = SeekInput {
            reader: BufReader::with_capacity(4096, file),
            at: 0,
            length: metadata.len(),
        };
        archive.index(input)?;
        Ok(archive)
    }

    fn index(&mut self, input: SeekInput) -> Result<(), ScanError> {
        let mut tar = TarReader::new(input);
        loop {
            let member = match tar.next() {
                Ok(Some(member)) => member,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.refuse(&error)),
            };
            if self.members.len() >= MAX_ARCHIVE_MEMBERS {
                return Err(ScanError::Limit {
                    what: self.path.display().to_string(),
                    limit: format!("{MAX_ARCHIVE_MEMBERS} members"),
                });
            }
            let name = normal(&member.path, "");
            let place = match member.kind {
                MemberKind::Regular if member.extents.is_none() => Place::At {
                    offset: tar.input().at,
                    size: member.stored_bytes,
                },
                MemberKind::HardLink => Place::Link(normal(&member.link, "")),
                MemberKind::Symlink => {
                    Place::Link(normal(&member.link, name.rsplit_once('/').map_or("", |parts| parts.0)))
                }
                _ => continue,
            };
            self.members.insert(name, place);
        }
    }

    fn refuse(&self, error: &TarError) -> ScanError {
        match error {
            TarError::Read(_) | TarError::Truncated if !self.members.is_empty() => ScanError::Read {
                what: self.path.display().to_string(),
                source: io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()),
            },
            _ => ScanError::NotAnImage {
                what: self.path.display().to_string(),
                reason: error.to_string(),
            },
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member's bytes and their number. Links between members are followed.
    pub(crate) fn member(&self, name: &str) -> Result<(Section, u64), ScanError> {
        let mut name = name;
        for _ in 0..MAX_LINKS {
            match self.members.get(name) {
                Some(Place::Link(target)) => name = target,
                Some(&Place::At { offset, size }) => {
                    let section = Section {
                        file: Arc::clone(&self.file),
                        at: offset,
                        end: offset + size,
                    };
                    return Ok((section, size));
                }
                None => break,
            }
        }
        Err(ScanError::Missing {
            what: format!("{} in {}", name.escape_debug(), self.path.display()),
            available: Vec::new(),
        })
    }
}

/// A member's name relative to a folder, without `.` and `..`. Names only ever are keys of the index.
fn normal(bytes: &[u8], folder: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Part of a file, read without moving anybody else's position.
#[derive(Debug)]
pub(crate) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        if count == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}

/// A file whose bodies are jumped over.
struct SeekInput {
    reader: BufReader<File>,
    at: u64,
    length: u64,
}

impl Read for SeekInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl BufRead for SeekInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.at += bytes as u64;
    }
}

impl Input for SeekInput {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.length);
        let (Some(end), Ok(step)) = (end, i64::try_from(bytes)) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        self.reader.seek_relative(step)?;
        self.at = end;
        Ok(())
    }
}
