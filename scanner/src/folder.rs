//! A folder in, a tar stream of it out: what is on a disk is read as a layer is, by the same code. Nothing is followed out
//! of the folder, whoever changes it meanwhile: every step is relative to an open folder and refuses links.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Mutex},
};

use plimsoll_model::{Note, NoteKind};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::{
    error::ScanError,
    limits::{MAX_FOLDER_NAMES, MAX_NOTES, MAX_PATH_DEPTH},
};

/// Bytes of a tar block.
const BLOCK: usize = 512;
/// Where a file's capabilities are (xattr(7), capabilities(7)).
const CAPABILITIES: &str = "security.capability";

/// What the walk could not read; shared with whoever asks after the stream has ended.
pub(crate) type Notes = Arc<Mutex<Vec<Note>>>;

/// What lies below other file systems' mount points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounts {
    /// Part of the folder.
    Enter,
    /// Not part of it: `/proc`, `/sys`, volumes.
    Skip,
}

/// The stream.
pub(crate) struct FolderTar {
    /// Folders from the root down, each with the names that are still to be read.
    stack: Vec<Level>,
    root_device: Option<u64>,
    notes: Notes,
    /// Header bytes that are to be given first.
    pending: Vec<u8>,
    at: usize,
    body: Option<Body>,
    has_ended: bool,
}

struct Level {
    folder: OwnedFd,
    /// Relative to the root, with a slash at its end unless empty.
    path: Vec<u8>,
    /// Sorted backwards: the next one is the last.
    names: Vec<Vec<u8>>,
}

struct Body {
    file: File,
    left: u64,
    padding: usize,
    path: Vec<u8>,
}

impl FolderTar {
    /// Opens the folder.
    pub(crate) fn open(path: &Path, mounts: Mounts, notes: &Notes) -> Result<Self, ScanError> {
        let error = |source: rustix::io::Errno| ScanError::Open {
            path: path.to_owned(),
            source: source.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(error)?;
        let device = rustix::fs::fstat(&folder).map_err(error)?.st_dev;
        let mut tar = Self {
            stack: Vec::new(),
            root_device: (mounts == Mounts::Skip).then_some(device),
            notes: Arc::clone(notes),
            pending: Vec::new(),
            at: 0,
            body: None,
            has_ended: false,
        };
        tar.enter(folder, Vec::new());
        Ok(tar)
    }

    fn note(&self, kind: NoteKind, path: &[u8], detail: &str) {
        if let Ok(mut notes) = self.notes.lock()
            && notes.len() <= MAX_NOTES
        {
            let path = String::from_utf8_lossy(path);
            notes.push(Note::new(kind, format!("/{}", path.trim_end_matches('/')), detail));
        }
    }

    /// Reads the names of a folder and goes on with them.
    fn enter(&mut self, folder: OwnedFd, path: Vec<u8>) {
        let mut names = Vec::new();
        match Dir::read_from(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let Ok(entry) = entry else {
                        self.note(NoteKind::Unreadable, &path, "folder could not be read to its end");
                        break;
                    };
                    let name = entry.file_name().to_bytes();
                    if name != b"." && name != b".." {
                        names.push(name.to_vec());
                    }
                    if names.len() > MAX_FOLDER_NAMES {
                        let detail = format!("folder has more than {MAX_FOLDER_NAMES} names");
                        self.note(NoteKind::Limit, &path, &detail);
                        break;
                    }
                }
            }
            Err(error) => self.note(NoteKind::Unreadable, &path, &format!("folder cannot be read: {error}")),
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.stack.push(Level { folder, path, names });
    }

    /// Prepares the next header; false at the end.
    fn next(&mut self) -> bool {
        while let Some(level) = self.stack.last_mut() {
            let Some(name) = level.names.pop() else {
                self.stack.pop();
                continue;
            };
            let path = [level.path.as_slice(), &name].concat();
            match rustix::fs::statat(&level.folder, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.member(&name, path, &stat),
                Err(error) => self.note(NoteKind::Unreadable, &path, &format!("cannot be looked at: {error}")),
            }
            if !self.pending.is_empty() {
                return true;
            }
        }
        false
    }

    fn member(&mut self, name: &[u8], path: Vec<u8>, stat: &Stat) {
        let folder = &self.stack.last().expect("a member is in a folder").folder;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let opened = rustix::fs::openat(folder, name, flags, Mode::empty());
                match opened.and_then(|file| Ok((rustix::fs::fstat(&file)?, file))) {
                    Ok((stat, file)) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                        self.file(path, &stat, file);
                    }
                    Ok(_) => self.note(NoteKind::Unreadable, &path, "changed while it was read"),
                    Err(error) => self.note(NoteKind::Unreadable, &path, &format!("cannot be opened: {error}")),
                }
            }
            FileType::Directory => self.folder(name, path, stat),
            FileType::Symlink => match rustix::fs::readlinkat(folder, name, Vec::new()) {
                Ok(target) => self.header(&path, b'2', stat, 0, target.as_bytes()),
                Err(error) => self.note(NoteKind::Unreadable, &path, &format!("link cannot be read: {error}")),
            },
            FileType::CharacterDevice => self.header(&path, b'3', stat, 0, b""),
            FileType::BlockDevice => self.header(&path, b'4', stat, 0, b""),
            FileType::Fifo => self.header(&path, b'6', stat, 0, b""),
            _ => self.note(NoteKind::Hint, &path, "a socket is no file of an image: left out"),
        }
    }

    fn folder(&mut self, name: &[u8], mut path: Vec<u8>, stat: &Stat) {
        self.header(&path, b'5', stat, 0, b"");
        if self.root_device.is_some_and(|device| device != stat.st_dev) {
            self.note(
                NoteKind::Hint,
                &path,
                "another file system is mounted here: not looked into",
            );
            return;
        }
        if self.stack.len() > MAX_PATH_DEPTH {
            self.note(NoteKind::Limit, &path, "folders are too deep");
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = &self.stack.last().expect("a folder is in a folder").folder;
        match rustix::fs::openat(parent, name, flags, Mode::empty()) {
            Ok(folder) => {
                path.push(b'/');
                self.enter(folder, path);
            }
            Err(error) => self.note(
                NoteKind::Unreadable,
                &path,
                &format!("folder cannot be opened: {error}"),
            ),
        }
    }

    fn file(&mut self, path: Vec<u8>, stat: &Stat, file: OwnedFd) {
        let mut value = [0; 256];
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if rustix::fs::fgetxattr(&file, CAPABILITIES, &mut value[..]).is_ok_and(|length| length > 0) {
            self.extended(b'x', &pax_record("SCHILY.xattr.security.capability", "1"));
        }
        self.header(&path, b'0', stat, size, b"");
        self.body = Some(Body {
            file: file.into(),
            left: size,
            padding: usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0),
            path,
        });
    }

    /// A header block, with long names before it (GNU).
    fn header(&mut self, path: &[u8], kind: u8, stat: &Stat, size: u64, link: &[u8]) {
        if path.len() > 100 {
            self.extended(b'L', path);
        }
        if link.len() > 100 {
            self.extended(b'K', link);
        }
        let mode = u64::from(stat.st_mode) & 0o7777;
        let block = block(path, kind, mode, (stat.st_uid, stat.st_gid), size, link);
        self.pending.extend_from_slice(&block);
    }

    fn extended(&mut self, kind: u8, body: &[u8]) {
        let block = block(b"././@LongLink", kind, 0, (0, 0), body.len() as u64, b"");
        self.pending.extend_from_slice(&block);
        self.pending.extend_from_slice(body);
        let padded = self.pending.len().next_multiple_of(BLOCK);
        self.pending.resize(padded, 0);
    }

    /// The rest of the current file. One that became shorter is filled with zeros and noted: its header is given already.
    fn read_body(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let body = self.body.as_mut()?;
        if body.left > 0 {
            let wanted = buffer.len().min(usize::try_from(body.left).unwrap_or(usize::MAX));
            let count = match body.file.read(&mut buffer[..wanted]) {
                Ok(count) if count > 0 => count,
                other => {
                    let detail = match other {
                        Err(error) => format!("cannot be read to its end: {error}"),
                        Ok(_) => "became shorter while it was read".to_owned(),
                    };
                    let path = std::mem::take(&mut body.path);
                    let (left, padding) = (body.left, body.padding as u64);
                    self.body = None;
                    self.note(NoteKind::Unreadable, &path, &detail);
                    return self.fill(left + padding, buffer);
                }
            };
            body.left -= count as u64;
            return Some(count);
        }
        let padding = body.padding;
        self.body = None;
        self.pending = vec![0; padding];
        self.at = 0;
        None
    }

    fn fill(&mut self, bytes: u64, buffer: &mut [u8]) -> Option<usize> {
        let zeros = File::open("/dev/zero").ok()?;
        let count = buffer.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        buffer[..count].fill(0);
        self.body = Some(Body {
            file: zeros,
            left: bytes - count as u64,
            padding: 0,
            path: Vec::new(),
        });
        Some(count)
    }
}

impl Read for FolderTar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.at < self.pending.len() {
                let count = buffer.len().min(self.pending.len() - self.at);
                buffer[..count].copy_from_slice(&self.pending[self.at..self.at + count]);
                self.at += count;
                return Ok(count);
            }
            self.pending.clear();
            self.at = 0;
            if let Some(count) = self.read_body(buffer) {
                return Ok(count);
            }
            if self.pending.is_empty() && self.body.is_none() && !self.next() {
                if self.has_ended {
                    return Ok(0);
                }
                self.has_ended = true;
                self.pending = vec![0; 2 * BLOCK];
            }
        }
    }
}

fn pax_record(name: &str, value: &str) -> Vec<u8> {
    // The length counts its own digits; these records have two or three of them.
    let rest = name.len() + value.len() + 3;
    let digits = if rest + 2 < 100 { 2 } else { 3 };
    format!("{} {name}={value}\n", rest + digits).into_bytes()
}

fn block(path: &[u8], kind: u8, mode: u64, owner: (u32, u32), size: u64, link: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let text = |block: &mut [u8; BLOCK], at: usize, text: &[u8]| {
        let length = text.len().min(100);
        block[at..at + length].copy_from_slice(&text[..length]);
    };
    text(&mut block, 0, path);
    text(&mut block, 157, link);
    block[156] = kind;
    number(&mut block[100..108], mode);
    number(&mut block[108..116], owner.0.into());
    number(&mut block[116..124], owner.1.into());
    number(&mut block[124..136], size);
    // No times: what a folder holds is the same image whenever it was written.
    number(&mut block[136..148], 0);
    block[257..265].copy_from_slice(b"ustar  \0");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    number(&mut block[148..155], sum);
    block
}

/// Octal with a NUL behind it, or base 256 where that has no room (GNU).
fn number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    if digits * 3 < 64 && value >> (digits * 3) != 0 {
        field.fill(0);
        let start = field.len() - 8;
        if start > 0 {
            field[start..].copy_from_slice(&value.to_be_bytes());
        } else {
            field.copy_from_slice(&value.to_be_bytes());
        }
        field[0] |= 0x80;
        return;
    }
    let text = format!("{value:0digits$o}\0");
    field.copy_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::layer::tar::{MemberKind, TarReader};

    #[test]
    fn a_folder_becomes_a_tar_that_our_reader_reads() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(90));
        std::fs::create_dir_all(root.join(&long)).unwrap();
        std::fs::write(root.join(&long).join("file"), "x".repeat(700)).unwrap();
        std::fs::write(root.join("empty"), "").unwrap();
        symlink("/etc/shadow", root.join("link")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let notes = Notes::default();
        let mut bytes = Vec::new();
        FolderTar::open(root, Mounts::Enter, &notes)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes.len() % BLOCK, 0);
        let mut tar = TarReader::new(&bytes[..]);
        let mut found = Vec::new();
        while let Some(member) = tar.next().unwrap() {
            found.push((
                String::from_utf8(member.path).unwrap(),
                member.kind,
                member.stored_bytes,
            ));
        }
        assert!(!tar.lacks_end);
        assert_eq!(
            found,
            [
                ("a".repeat(90), MemberKind::Directory, 0),
                (long.clone(), MemberKind::Directory, 0),
                (format!("{long}/file"), MemberKind::Regular, 700),
                ("empty".to_owned(), MemberKind::Regular, 0),
                ("etc".to_owned(), MemberKind::Symlink, 0),
                ("link".to_owned(), MemberKind::Symlink, 0),
            ]
        );
        let notes = notes.lock().unwrap();
        assert!(matches!(notes.as_slice(), [note] if note.subject == "/socket" && note.kind == NoteKind::Hint));
    }

    #[test]
    fn numbers_beyond_octal_are_base_256() {
        let mut field = [0; 12];
        number(&mut field, 1 << 40);
        assert_eq!(field, [0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        let mut field = [0; 8];
        number(&mut field, 0o1234);
        assert_eq!(&field, b"0001234\0");
        let mut field = [0; 8];
        number(&mut field, u64::from(u32::MAX));
        assert_eq!(field, [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(
            pax_record("SCHILY.xattr.security.capability", "1"),
            b"38 SCHILY.xattr.security.capability=1\n"
        );
    }
}
