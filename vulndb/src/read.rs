//! Files and folders in, documents handed to their feed, what they say out; parsed on all cores.

mod archive;
mod tar;
mod unpack;
mod zip;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use plimsoll_model::{Note, NoteKind};
use rayon::prelude::*;

use self::unpack::{Limited, unpack};

use crate::Error;
use crate::feed::{self, Batch, Feed, Framing};
use crate::limits::{
    BATCH_BYTES, MAX_ARCHIVE_BYTES, MAX_ARCHIVE_RATIO, MAX_DOCUMENT_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH,
    MAX_HEAD_BYTES, MAX_NOTES, MAX_NOTES_PER_BATCH,
};

/// What one file says, or what all files of one feed in an archive say.
pub(crate) struct FileContent {
    pub(crate) path: PathBuf,
    /// `None` when no feed recognises it.
    pub(crate) feed: Option<&'static dyn Feed>,
    pub(crate) batch: Batch,
    /// Documents that were read.
    pub(crate) documents: u64,
    /// Documents that could not be read.
    pub(crate) broken: u64,
    /// Why the file could not be read to its end.
    pub(crate) failed: Option<String>,
    /// Sources that a refused file was about.
    pub(crate) feed_sources: Vec<&'static str>,
    pub(crate) notes: Vec<Note>,
}

impl FileContent {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            feed: None,
            batch: Batch::default(),
            documents: 0,
            broken: 0,
            failed: None,
            feed_sources: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// All files below the paths, sorted. A path that was named is taken whatever it is called; in folders, only files
/// that are called like data.
pub(crate) fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| io_error("read", path, source))?;
        if metadata.is_dir() {
            let first = files.len();
            walk(path, 0, &mut files)?;
            files[first..].sort();
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(|source| io_error("read folder", folder, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| io_error("read folder", folder, source))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|source| io_error("read", &path, source))?;
        if kind.is_dir() {
            if depth + 1 > MAX_FOLDER_DEPTH {
                return Err(Error::TooManyFiles {
                    path,
                    limit: MAX_FOLDER_DEPTH,
                });
            }
            walk(&path, depth + 1, files)?;
        } else if kind.is_file() && is_called_like_data(&path) {
            files.push(path);
            if files.len() > MAX_FILES {
                return Err(Error::TooManyFiles {
                    path: folder.to_owned(),
                    limit: MAX_FILES,
                });
            }
        }
    }
    Ok(())
}

/// How files of feeds are called, without the ending of their compression.
const ENDINGS: &[&str] = &[
    ".json", ".jsonl", ".ndjson", ".csv", ".yaml", ".yml", ".md", ".xml", ".zip", ".tar", ".tgz",
];

fn is_called_like_data(path: &Path) -> bool {
    let name = plain_name(path);
    let is_list = name.starts_with(feed::security_support::PREFIX);
    let is_tracked = name.starts_with(feed::ubuntu_tracker::PREFIX) && !name.contains('.');
    !name.starts_with('.') && (is_list || is_tracked || ENDINGS.iter().any(|end| name.ends_with(end)))
}

/// The file's name without the ending of its compression.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name
        .strip_suffix(".zst")
        .or_else(|| name.strip_suffix(".gz"))
        .or_else(|| name.strip_suffix(".bz2"))
        .unwrap_or(&name);
    name.to_owned()
}

/// Reads files on all cores; the results are in the files' order.
pub(crate) fn read_files(files: &[PathBuf]) -> Vec<FileContent> {
    let contents: Vec<Vec<FileContent>> = files.par_iter().map(|path| read_file(path)).collect();
    contents.into_iter().flatten().collect()
}

/// One result, or, of an archive, one for each feed in it.
fn read_file(path: &Path) -> Vec<FileContent> {
    let mut content = FileContent::new(path);
    let place = path.display().to_string();
    match read_into(path, &mut content) {
        Ok(Some(members)) => return members,
        Ok(None) if content.feed.is_some() => {}
        Ok(None) => {
            let detail = "no feed's format was recognised in it";
            content.notes.push(Note::new(NoteKind::Unsupported, place, detail));
        }
        Err(error) => {
            let detail = error.to_string();
            content.notes.push(Note::new(NoteKind::Unreadable, place, &detail));
            content.failed = Some(detail);
        }
    }
    vec![content]
}

/// Reads a file into its content, or an archive into several.
fn read_into(path: &Path, content: &mut FileContent) -> std::io::Result<Option<Vec<FileContent>>> {
    let file = File::open(path)?;
    let packed_bytes = file.metadata()?.len();
    let limit = |is_archive: bool| match is_archive {
        true => packed_bytes
            .saturating_mul(MAX_ARCHIVE_RATIO)
            .clamp(MAX_FILE_BYTES, MAX_ARCHIVE_BYTES),
        false => MAX_FILE_BYTES,
    };
    read_packed(path, BufReader::with_capacity(MAX_HEAD_BYTES, file), limit, content)
}

/// Reads what may be compressed or an archive; `limit` is what it may unpack to.
fn read_packed(
    path: &Path,
    packed: impl BufRead + Send,
    limit: impl Fn(bool) -> u64,
    content: &mut FileContent,
) -> std::io::Result<Option<Vec<FileContent>>> {
    let mut reader = unpack(packed)?;
    let head = fill_head(&mut reader)?;
    let (is_zip, is_tar) = (zip::is_zip(&head), tar::is_tar(&head));
    let left = AtomicU64::new(limit(is_zip || is_tar));
    let inner = std::io::Cursor::new(head).chain(reader);
    if is_zip {
        return Ok(Some(zip::read(path, inner, &left)));
    }
    let limited = BufReader::with_capacity(MAX_HEAD_BYTES, Limited { inner, left: &left });
    if is_tar {
        return Ok(Some(tar::read(path, limited, &left)));
    }
    read_plain(limited, content).map(|()| None)
}

/// Reads bytes as a file that somebody published under a name, for the fuzzer: it may unpack to little, so that a bomb
/// is told at once.
pub(crate) fn read_bytes(name: &str, bytes: &[u8]) -> std::io::Result<()> {
    const LIMIT: u64 = 8 << 20;
    let path = Path::new(name);
    read_packed(path, bytes, |_| LIMIT, &mut FileContent::new(path)).map(drop)
}

/// Reads what is no archive: the feed that recognises its name and its first bytes.
fn read_plain(mut reader: impl BufRead + Send, content: &mut FileContent) -> std::io::Result<()> {
    let head = fill_head(&mut reader)?;
    let name = plain_name(&content.path);
    let Some(feed) = feed::ALL.iter().copied().find(|feed| feed.recognises(&name, &head)) else {
        return Ok(());
    };
    content.feed = Some(feed);
    let is_lines = match feed.framing() {
        Framing::Json => starts_with_whole_line(&head),
        Framing::Lines => true,
        Framing::Whole => false,
    };
    let reader = std::io::Cursor::new(head).chain(reader);
    match is_lines {
        true => read_lines(feed, reader, content),
        false => read_document(feed, reader, content),
    }
}

fn fill_head(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(MAX_HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether the file is one document per line: its first line starts one, and ends it or is not a bare brace.
fn starts_with_whole_line(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', head);
    let line = head[..end.unwrap_or(head.len())].trim_ascii();
    // Indented documents have nothing but the opening brace or one member on their first line.
    line.starts_with(b"{") && (end.is_none() || line.ends_with(b"}"))
}

/// Hands batches of whole lines to all cores.
fn read_lines(feed: &'static dyn Feed, reader: impl BufRead + Send, content: &mut FileContent) -> std::io::Result<()> {
    let mut lines = LineBatches {
        reader,
        line: 1,
        limit: feed.max_document_bytes(),
        failed: None,
    };
    let mut parts: Vec<(u64, Part)> = lines
        .by_ref()
        .par_bridge()
        .map(|batch| (batch.first_line, parse_lines(feed, &batch)))
        .collect();
    parts.sort_by_key(|(line, _)| *line);
    let place = content.path.display().to_string();
    for (_, part) in parts {
        part.add_to(content, &place);
    }
    lines.failed.map_or(Ok(()), Err)
}

struct LineBatch {
    bytes: Vec<u8>,
    first_line: u64,
    /// Lines that were skipped because they are longer than the limit.
    too_long: Vec<u64>,
}

struct LineBatches<R> {
    reader: R,
    line: u64,
    limit: usize,
    failed: Option<std::io::Error>,
}

impl<R: BufRead> Iterator for LineBatches<R> {
    type Item = LineBatch;

    fn next(&mut self) -> Option<LineBatch> {
        let mut batch = LineBatch {
            bytes: Vec::with_capacity(BATCH_BYTES + (BATCH_BYTES >> 3)),
            first_line: self.line,
            too_long: Vec::new(),
        };
        while self.failed.is_none() && batch.bytes.len() < BATCH_BYTES {
            let start = batch.bytes.len();
            let limit = self.limit as u64 + 1;
            match (&mut self.reader).take(limit).read_until(b'\n', &mut batch.bytes) {
                Ok(0) => break,
                Ok(read) if read as u64 == limit && batch.bytes.last() != Some(&b'\n') => {
                    batch.bytes.truncate(start);
                    batch.bytes.push(b'\n');
                    batch.too_long.push(self.line);
                    if let Err(error) = skip_line(&mut self.reader) {
                        self.failed = Some(error);
                    }
                    self.line += 1;
                }
                Ok(_) => self.line += 1,
                Err(error) => {
                    // What was decompressed before the fault stays; half a line does not.
                    batch.bytes.truncate(start);
                    self.failed = Some(error);
                }
            }
        }
        (batch.first_line != self.line).then_some(batch)
    }
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (used, done) = match memchr::memchr(b'\n', buffer) {
            Some(end) => (end + 1, true),
            None => (buffer.len(), false),
        };
        reader.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// What one batch of documents says.
#[derive(Default)]
struct Part {
    batch: Batch,
    documents: u64,
    broken: u64,
    /// The first of the broken ones: kind, line and reason.
    reasons: Vec<(NoteKind, u64, String)>,
}

impl Part {
    fn parse(&mut self, feed: &dyn Feed, document: &[u8], number: u64) {
        let result = feed.parse(document, &mut self.batch);
        self.count(result, number);
    }

    fn count(&mut self, result: Result<(), String>, number: u64) {
        match result {
            Ok(()) => self.documents += 1,
            Err(reason) => self.add_broken(NoteKind::Unreadable, number, reason),
        }
    }

    fn add_broken(&mut self, kind: NoteKind, number: u64, reason: String) {
        self.broken += 1;
        if self.reasons.len() < MAX_NOTES_PER_BATCH {
            self.reasons.push((kind, number, reason));
        }
    }

    fn add_to(mut self, content: &mut FileContent, place: &str) {
        content.documents += self.documents;
        content.broken += self.broken;
        content.batch.append(&mut self.batch);
        let room = MAX_NOTES.saturating_sub(content.notes.len());
        let notes = self.reasons.into_iter().take(room);
        content
            .notes
            .extend(notes.map(|(kind, number, reason)| Note::new(kind, format!("{place}:{number}"), reason)));
    }
}

fn parse_lines(feed: &dyn Feed, batch: &LineBatch) -> Part {
    let mut part = Part::default();
    for line in &batch.too_long {
        part.add_broken(NoteKind::Limit, *line, "the record is too long".to_owned());
    }
    let lines = batch.bytes.split_inclusive(|&byte| byte == b'\n');
    for (number, line) in (batch.first_line..).zip(lines) {
        let line = line.trim_ascii();
        if !line.is_empty() {
            part.parse(feed, line, number);
        }
    }
    part
}

/// One document, or a list of them.
fn read_document(feed: &'static dyn Feed, reader: impl Read, content: &mut FileContent) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    reader.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let place = content.path.display().to_string();
    if bytes.len() > MAX_DOCUMENT_BYTES {
        content.broken += 1;
        content
            .notes
            .push(Note::new(NoteKind::Limit, place, "the document is too long"));
        return Ok(());
    }
    let text = bytes.trim_ascii();
    let mut part = Part::default();
    if text.starts_with(b"[") && feed.framing() == Framing::Json {
        let elements = elements(text);
        let parts: Vec<Part> = elements
            .par_chunks(256)
            .enumerate()
            .map(|(index, chunk)| {
                let mut part = Part::default();
                for (offset, element) in chunk.iter().enumerate() {
                    part.parse(feed, element, (index * 256 + offset + 1) as u64);
                }
                part
            })
            .collect();
        for part in parts {
            part.add_to(content, &place);
        }
        return Ok(());
    }
    let result = feed.parse_named(&plain_name(&content.path), text, &mut part.batch);
    part.count(result, 1);
    part.add_to(content, &place);
    Ok(())
}

/// The elements of a JSON list, found by brackets and strings alone, so that one broken element breaks only itself.
fn elements(list: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let (mut depth, mut in_string, mut escaped, mut start) = (0_usize, false, false, 1);
    for (index, &byte) in list.iter().enumerate().skip(1) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b']' if depth == 0 => {
                found.push(list[start..index].trim_ascii());
                start = index + 1;
                if byte == b']' {
                    break;
                }
            }
            _ => {}
        }
    }
    // A list that was cut off has a last element without an end: it is kept, to be reported as broken.
    let rest = list.get(start..).unwrap_or_default().trim_ascii();
    if depth > 0 || in_string {
        found.push(rest);
    }
    found.retain(|element| !element.is_empty());
    found
}

pub(crate) fn io_error(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_list_at_its_own_commas_only() {
        let list = br#"[ {"a":"x,]\"}"}, {"b":[1,{"c":2}]} ,3]"#;
        let expected: [&[u8]; 3] = [br#"{"a":"x,]\"}"}"#, br#"{"b":[1,{"c":2}]}"#, b"3"];
        assert_eq!(elements(list), expected);
        let cut_off: [&[u8]; 2] = [b"{}", br#"{"a":"#];
        assert_eq!(elements(br#"[{},{"a":"#), cut_off);
        assert!(elements(b"[]").is_empty());
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_and_counted() {
        let text = [b"short\n".as_slice(), &[b'x'; 100], b"\nlast"].concat();
        let mut lines = LineBatches {
            reader: text.as_slice(),
            line: 1,
            limit: 10,
            failed: None,
        };
        let batch = lines.next().unwrap();
        assert_eq!(batch.bytes, b"short\n\nlast");
        assert_eq!(batch.too_long, [2]);
        assert!(lines.next().is_none());
    }
}
