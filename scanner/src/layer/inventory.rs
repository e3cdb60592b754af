//! Tar members in, entries with digest, ELF facts, shebang and kept content out.

use std::sync::atomic::Ordering;

use plimsoll_model::{Digest, FileEntry, FileKind, Note, NoteKind};

use super::{
    Entries, Kept, LayerEntry, Shared, Whiteout,
    digests::Digests,
    entry,
    inflate::{Chunks, Content},
    tar::{Member, MemberKind, TarError, TarReader},
    watch::{self, Seen, Sighted, Watch},
};
use crate::{
    cataloger::{self, Want},
    check, elf,
    limits::{MAX_KEPT_DATABASE_BYTES, MAX_KEPT_FILE_BYTES, MAX_NOTES, MAX_SPARSE_BYTES},
    profile,
};

/// Bytes of a file that are looked at before it is decided what becomes of the rest.
const HEAD_BYTES: usize = 4096;
/// Longest first line of a script that is recorded (Linux reads 255 bytes, execve(2)).
const MAX_SHEBANG_BYTES: usize = 255;
const ZEROS: &[u8] = &[0; 64 << 10];

/// Reads one layer's members.
pub(crate) struct Inventory<'a> {
    layer: u32,
    name: &'a str,
    shared: &'a Shared<'a>,
    pub(crate) entries: Entries,
    pub(crate) whiteouts: Vec<Whiteout>,
    pub(crate) sighted: Vec<Sighted>,
    pub(crate) notes: Vec<Note>,
    /// Memory for the beginning of an ELF file.
    elf_buffer: Vec<u8>,
}

impl<'a> Inventory<'a> {
    pub(crate) fn new(layer: u32, name: &'a str, shared: &'a Shared<'a>) -> Self {
        Self {
            layer,
            name,
            shared,
            entries: Entries::of_layer(layer),
            whiteouts: Vec::new(),
            sighted: Vec::new(),
            notes: Vec::new(),
            elf_buffer: Vec::new(),
        }
    }

    /// Reads to the end, whatever is on the way.
    pub(crate) fn read(&mut self, chunks: Chunks) -> Content {
        let mut tar = TarReader::new(chunks);
        if let Err(error) = self.members(&mut tar)
            && !matches!(error, TarError::Read(_))
        {
            // `Read` is the inflater's error, which has its own note.
            let kind = match error {
                TarError::HeaderLimit => NoteKind::Limit,
                _ => NoteKind::Unreadable,
            };
            self.note(kind, self.name.to_owned(), error.to_string());
        }
        if tar.lacks_end {
            let detail = "tar has no end marker: it may have been cut between two members".to_owned();
            self.note(NoteKind::Hint, self.name.to_owned(), detail);
        }
        let content = tar.into_input().finish();
        if content.error.is_none() && content.size_bytes == 0 {
            self.note(NoteKind::Unreadable, self.name.to_owned(), "layer is empty".to_owned());
        }
        content
    }

    fn members(&mut self, tar: &mut TarReader<Chunks>) -> Result<(), TarError> {
        while let Some(member) = tar.next()? {
            let most = self.shared.max_entries;
            if self.shared.entries.fetch_add(1, Ordering::Relaxed) >= most {
                let detail = format!(
                    "image has more than {most} files, folders and links: the rest was not read (--max-entries)"
                );
                self.note(NoteKind::Limit, self.name.to_owned(), detail);
                return Ok(());
            }
            self.member(&member, tar)?;
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, tar: &mut TarReader<Chunks>) -> Result<(), TarError> {
        let Some(clean) = entry::clean(&member.path) else {
            let start = String::from_utf8_lossy(&member.path[..member.path.len().min(120)]).into_owned();
            self.note(NoteKind::Limit, start, "path is too long or too deep".to_owned());
            return Ok(());
        };
        if let Some(oddity) = clean.oddity {
            self.note(NoteKind::Hint, clean.path.clone(), oddity.to_owned());
        }
        if clean.path.is_empty() || self.take_whiteout(&clean.path) {
            return Ok(());
        }
        let mut entry = Box::new(FileEntry {
            path: clean.path,
            kind: FileKind::Regular,
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            size_bytes: 0,
            digest: None,
            layer: self.layer,
            link_target: None,
            elf: None,
            shebang: None,
            has_capabilities: member.has_capabilities,
            package: None,
        });
        match member.kind {
            MemberKind::Regular => {
                let content = self.file(&mut entry, member, tar)?;
                self.entries.push(LayerEntry::File { entry, content });
                return Ok(());
            }
            MemberKind::HardLink => {
                let target = entry::clean(&member.link).map(|clean| clean.path).unwrap_or_default();
                self.entries.push(LayerEntry::HardLink { entry, target });
                return Ok(());
            }
            MemberKind::Symlink => {
                entry.kind = FileKind::Symlink;
                let target = &member.link[..member.link.len().min(crate::limits::MAX_PATH_BYTES)];
                entry.link_target = Some(entry::text(target).into_owned());
            }
            MemberKind::Directory => entry.kind = FileKind::Directory,
            MemberKind::Device => entry.kind = FileKind::Device,
            MemberKind::Fifo => entry.kind = FileKind::Fifo,
            MemberKind::Unknown(flag) => {
                let detail = format!("tar member of unknown type {:?}", char::from(flag));
                self.note(NoteKind::Unsupported, entry.path, detail);
                return Ok(());
            }
        }
        self.entries.push(LayerEntry::File { entry, content: None });
        Ok(())
    }

    fn take_whiteout(&mut self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(hidden) = name.strip_prefix(".wh.") else {
            return false;
        };
        match hidden {
            ".wh..opq" => self.whiteouts.push(Whiteout::Opaque(folder.to_owned())),
            // AUFS keeps its own books under such names; engines ignore them.
            _ if hidden.starts_with(".wh.") => {}
            "" | "." | ".." => {
                let detail = "whiteout without a name was ignored".to_owned();
                self.note(NoteKind::Hint, path.to_owned(), detail);
            }
            _ => self.whiteouts.push(Whiteout::Path(format!("{folder}/{hidden}"))),
        }
        true
    }

    /// A regular file's body: hashed, looked into, kept if somebody wants it.
    fn file(
        &mut self,
        entry: &mut FileEntry,
        member: &Member,
        tar: &mut TarReader<Chunks>,
    ) -> Result<Option<Kept>, TarError> {
        entry.size_bytes = member
            .extents
            .as_ref()
            .map_or(member.stored_bytes, |extents| extents.real_size);
        if let Some(extents) = &member.extents {
            if !extents.are_sound(member.stored_bytes) {
                self.note(
                    NoteKind::Unreadable,
                    entry.path.clone(),
                    "sparse map is damaged".to_owned(),
                );
                return Ok(None);
            }
            if extents.real_size > MAX_SPARSE_BYTES {
                let detail = format!("sparse file of more than {MAX_SPARSE_BYTES} bytes was not read");
                self.note(NoteKind::Limit, entry.path.clone(), detail);
                return Ok(None);
            }
        }
        let mut body = Body::new(entry);
        match &member.extents {
            None => body.copy(tar, member.stored_bytes, self)?,
            Some(extents) => {
                let mut at = 0;
                for &(offset, length) in &extents.list {
                    body.zeros(offset - at, self);
                    body.copy(tar, length, self)?;
                    at = offset + length;
                }
                body.zeros(extents.real_size - at, self);
            }
        }
        Ok(body.finish(self))
    }

    /// Whether somebody wants this file's content and there is room for it.
    fn keeps(&mut self, entry: &FileEntry, head: &[u8]) -> bool {
        let size = entry.size_bytes;
        // What sources declare is read where there are sources.
        let wanted =
            cataloger::wants(&entry.path).filter(|want| *want != Want::OfSources || self.shared.is_source_tree);
        if wanted.is_none()
            && !profile::wants_content(&entry.path, entry.mode, size, head)
            && !check::wants(&entry.path)
        {
            return false;
        }
        // Only databases are wanted in every version.
        let most = match wanted {
            Some(Want::EveryVersion) => MAX_KEPT_DATABASE_BYTES,
            _ => MAX_KEPT_FILE_BYTES,
        };
        if size > most {
            let detail = format!("file of more than {most} bytes was not looked into");
            self.note(NoteKind::Limit, entry.path.clone(), detail);
            return false;
        }
        self.has_room(entry, size)
    }

    fn has_room(&mut self, entry: &FileEntry, size: u64) -> bool {
        let limit = self.shared.kept_limit;
        if self.shared.kept_bytes.fetch_add(size, Ordering::Relaxed) + size > limit {
            let detail = format!("not looked into: files to look into exceed {limit} bytes (--memory)");
            self.note(NoteKind::Limit, entry.path.clone(), detail);
            return false;
        }
        true
    }

    fn see(&mut self, entry: &FileEntry, digest: Digest, mut seen: Seen) {
        for note in seen.notes {
            self.note(note.kind, note.subject, note.detail);
        }
        if !seen.sightings.is_empty() {
            // One is the rule, and they stay until the image is scanned.
            seen.sightings.shrink_to_fit();
            self.sighted.push(Sighted {
                path: entry.path.clone(),
                layer: self.layer,
                digest,
                sightings: seen.sightings,
            });
        }
    }

    fn note(&mut self, kind: NoteKind, subject: String, detail: String) {
        if self.notes.len() <= MAX_NOTES {
            self.notes.push(Note { kind, subject, detail });
        }
    }
}

/// What is collected while a body passes.
struct Body<'e> {
    entry: &'e mut FileEntry,
    digests: Digests,
    head: Vec<u8>,
    is_started: bool,
    kept: Option<Vec<u8>>,
    elf: Option<elf::Capture>,
    go: Option<elf::BuildInfo>,
    watches: Vec<Box<dyn Watch>>,
}

impl<'e> Body<'e> {
    fn new(entry: &'e mut FileEntry) -> Self {
        Self {
            entry,
            digests: Digests::default(),
            head: Vec::new(),
            is_started: false,
            kept: None,
            elf: None,
            go: None,
            watches: Vec::new(),
        }
    }

    fn copy(
        &mut self,
        tar: &mut TarReader<Chunks>,
        mut bytes: u64,
        inventory: &mut Inventory<'_>,
    ) -> Result<(), TarError> {
        while bytes > 0 {
            let there = tar.body()?;
            if there.is_empty() {
                return Err(TarError::Truncated);
            }
            let step = there.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.push(&there[..step], inventory);
            tar.consume(step);
            bytes -= step as u64;
        }
        Ok(())
    }

    fn zeros(&mut self, mut bytes: u64, inventory: &mut Inventory<'_>) {
        while bytes > 0 {
            let step = ZEROS.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.push(&ZEROS[..step], inventory);
            bytes -= step as u64;
        }
    }

    fn push(&mut self, bytes: &[u8], inventory: &mut Inventory<'_>) {
        if self.is_started {
            self.pass(bytes);
            return;
        }
        let wanted = HEAD_BYTES.min(usize::try_from(self.entry.size_bytes).unwrap_or(usize::MAX));
        if self.head.is_empty() && bytes.len() >= wanted {
            self.start(bytes, inventory);
            return;
        }
        // A file that begins at the end of a chunk: its first bytes come in two pieces.
        self.head.extend_from_slice(bytes);
        if self.head.len() >= wanted {
            let head = std::mem::take(&mut self.head);
            self.start(&head, inventory);
        }
    }

    /// Called once, with at least the first [`HEAD_BYTES`] or all of the file.
    fn start(&mut self, bytes: &[u8], inventory: &mut Inventory<'_>) {
        self.is_started = true;
        let head = &bytes[..bytes.len().min(HEAD_BYTES)];
        self.digests = Digests::new(self.entry, head);
        self.entry.shebang = shebang(head);
        self.elf = elf::Capture::new(head, self.entry.size_bytes, &mut inventory.elf_buffer);
        self.go = self.elf.is_some().then(elf::BuildInfo::new);
        if inventory.keeps(self.entry, head) {
            self.kept = Some(Vec::with_capacity(usize::try_from(self.entry.size_bytes).unwrap_or(0)));
        }
        self.watches = watch::ALL
            .iter()
            .filter_map(|watcher| watcher.wants(self.entry, head))
            .collect();
        self.pass(bytes);
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.digests.update(bytes);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        if let Some(elf) = &mut self.elf {
            elf.push(bytes);
        }
        if let Some(go) = &mut self.go {
            go.push(bytes);
        }
        for watch in &mut self.watches {
            watch.feed(bytes);
        }
    }

    fn finish(mut self, inventory: &mut Inventory<'_>) -> Option<Kept> {
        if !self.is_started {
            self.start(&[], inventory);
        }
        let mut seen = Seen::default();
        let digest = self.digests.finish(&mut seen);
        self.entry.digest = Some(digest);
        if let Some(elf) = self.elf {
            self.entry.elf = elf.finish(&mut inventory.elf_buffer).map(Box::new);
            if self.entry.elf.is_none() && self.entry.is_executable() {
                let detail = "ELF headers make no sense".to_owned();
                inventory.note(NoteKind::Hint, self.entry.path.clone(), detail);
            }
        }
        // Of a Go program, what it is made of is all that anybody reads.
        if let Some(info) = self.go.and_then(elf::BuildInfo::finish)
            && self.kept.is_none()
            && inventory.has_room(self.entry, info.len() as u64)
        {
            self.kept = Some(info);
        }
        for watch in self.watches {
            watch.finish(self.entry, &mut seen);
        }
        inventory.see(self.entry, digest, seen);
        self.kept.map(|content| Kept::new(&self.entry.path, content))
    }
}

fn shebang(head: &[u8]) -> Option<String> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|&byte| byte == b'\n').next().unwrap_or(rest);
    let line = &line[..line.len().min(MAX_SHEBANG_BYTES)];
    Some(String::from_utf8_lossy(line).trim().to_owned())
}
