//! Entries of a layer in, one after another; the same out, in that order. Between, they are as small as the cache has them:
//! an image has a hundred thousand, and all of its layers are there until the last one is read.

use std::{mem, vec};

use plimsoll_model::{Digest, ElfFacts, FileEntry, FileKind, Hardening, SymbolUse, shared_beginning};
use serde::{Deserialize, Serialize};

use super::{Kept, LayerEntry};

/// Bytes of one piece of memory: it goes as soon as its entries are taken out.
const CHUNK_BYTES: usize = 64 << 10;

/// Packed entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries {
    /// Layer that they are of.
    layer: u32,
    count: usize,
    /// Records, each after its length; none goes over the end of a chunk.
    chunks: Vec<Vec<u8>>,
    /// What was kept of files, in their order.
    contents: Vec<Kept>,
    kept_bytes: u64,
    /// Path of the last one.
    path: String,
    /// Memory for one record.
    record: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    /// Bytes that the path shares with the one before.
    shared: usize,
    /// The rest of it.
    path: &'a str,
    kind: FileKind,
    mode: u32,
    uid: u32,
    gid: u32,
    size_bytes: u64,
    digest: Option<[u8; 32]>,
    link_target: Option<&'a str>,
    #[serde(borrow)]
    elf: Option<ElfRecord<'a>>,
    shebang: Option<&'a str>,
    has_capabilities: bool,
    /// The next of the contents is its.
    has_content: bool,
    /// Target of a hard link.
    target: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct ElfRecord<'a> {
    interpreter: Option<&'a str>,
    soname: Option<&'a str>,
    #[serde(borrow)]
    needed: Vec<&'a str>,
    #[serde(borrow)]
    run_path: Vec<&'a str>,
    imports: SymbolUse,
    is_static: bool,
    is_position_independent: bool,
    is_go: bool,
    is_rust_auditable: bool,
    hardening: Option<Hardening>,
}

impl Entries {
    /// None yet, of this layer.
    pub(crate) fn of_layer(layer: u32) -> Self {
        Self {
            layer,
            ..Self::default()
        }
    }

    /// Says which layer they are of.
    pub(crate) fn number(&mut self, layer: u32) {
        self.layer = layer;
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of all contents that were kept.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Path of the last one; empty when there is none.
    pub(crate) fn last_path(&self) -> &str {
        &self.path
    }

    /// Adds one at the end.
    pub(crate) fn push(&mut self, entry: LayerEntry) {
        let (entry, content, target) = match entry {
            LayerEntry::File { entry, content } => (entry, content, None),
            LayerEntry::HardLink { entry, target } => (entry, None, Some(target)),
        };
        let shared = shared_beginning(&self.path, &entry.path);
        let record = record(&entry, shared, content.is_some(), target.as_deref());
        self.record.clear();
        self.record = postcard::to_extend(&record, mem::take(&mut self.record)).expect("memory takes any record");
        self.path.truncate(shared);
        self.path.push_str(&entry.path[shared..]);
        self.append();
        if let Some(content) = content {
            self.keep(content);
        }
    }

    /// Adds one as [`Self::packed`] gives it; `None` when it is none, which only bytes from a cache can be. Says whether a
    /// content belongs to it, which must be given to [`Self::keep`] before the entries are taken out.
    pub(crate) fn push_packed(&mut self, bytes: &[u8]) -> Option<bool> {
        let (record, rest) = postcard::take_from_bytes::<Record<'_>>(bytes).ok()?;
        if !rest.is_empty() || !self.path.is_char_boundary(record.shared) {
            return None;
        }
        self.path.truncate(record.shared);
        self.path.push_str(record.path);
        self.record.clear();
        self.record.extend_from_slice(bytes);
        let has_content = record.has_content;
        self.append();
        Some(has_content)
    }

    /// Adds the content of the last entry that says that it has one.
    pub(crate) fn keep(&mut self, content: Kept) {
        self.kept_bytes += content.size_bytes();
        self.contents.push(content);
    }

    /// Every entry in its packed form.
    pub(crate) fn packed(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().flat_map(|chunk| {
            let mut rest = chunk.as_slice();
            std::iter::from_fn(move || next_record(&mut rest))
        })
    }

    /// What was kept of files, in the order of those that have a content.
    pub(crate) fn contents(&self) -> &[Kept] {
        &self.contents
    }

    /// Takes those out for which `condition` does not hold; it is given their position, too.
    pub(crate) fn retain(&mut self, condition: impl Fn(usize, &LayerEntry) -> bool) {
        let all = mem::replace(self, Self::of_layer(self.layer));
        for (index, entry) in all.into_iter().enumerate() {
            if condition(index, &entry) {
                self.push(entry);
            }
        }
    }

    fn append(&mut self) {
        let length = u32::try_from(self.record.len()).expect("limits keep records of files short");
        let wanted = self.record.len() + LENGTH_BYTES;
        let has_room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= wanted;
        if !self.chunks.last().is_some_and(has_room) {
            self.chunks.push(Vec::with_capacity(wanted.max(CHUNK_BYTES)));
        }
        let chunk = self.chunks.last_mut().expect("there is one now");
        chunk.extend_from_slice(&length.to_le_bytes());
        chunk.extend_from_slice(&self.record);
        self.count += 1;
    }
}

const LENGTH_BYTES: usize = 4;

fn next_record<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let (record, after) = after.split_at(usize::try_from(u32::from_le_bytes(*length)).ok()?);
    *rest = after;
    Some(record)
}

impl IntoIterator for Entries {
    type Item = LayerEntry;
    type IntoIter = Unpacked;

    fn into_iter(self) -> Unpacked {
        Unpacked {
            layer: self.layer,
            chunks: self.chunks.into_iter(),
            chunk: Vec::new(),
            at: 0,
            contents: self.contents.into_iter(),
            path: String::new(),
        }
    }
}

/// Takes entries out; memory goes with them.
#[derive(Debug)]
pub(crate) struct Unpacked {
    layer: u32,
    chunks: vec::IntoIter<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    contents: vec::IntoIter<Kept>,
    path: String,
}

impl Iterator for Unpacked {
    type Item = LayerEntry;

    fn next(&mut self) -> Option<LayerEntry> {
        if self.at == self.chunk.len() {
            self.chunk = self.chunks.next()?;
            self.at = 0;
        }
        let mut rest = &self.chunk[self.at..];
        let bytes = next_record(&mut rest)?;
        self.at = self.chunk.len() - rest.len();
        let record: Record<'_> = postcard::from_bytes(bytes).expect("a record was written here, or read once before");
        self.path.truncate(record.shared);
        self.path.push_str(record.path);
        let target = record.target.map(str::to_owned);
        let has_content = record.has_content;
        let entry = Box::new(entry(record, &self.path, self.layer));
        Some(match target {
            Some(target) => LayerEntry::HardLink { entry, target },
            None => LayerEntry::File {
                entry,
                content: if has_content { self.contents.next() } else { None },
            },
        })
    }
}

/// A field that [`FileEntry`] gains does not compile here before it is packed, too.
fn record<'a>(entry: &'a FileEntry, shared: usize, has_content: bool, target: Option<&'a str>) -> Record<'a> {
    let FileEntry {
        path,
        kind,
        mode,
        uid,
        gid,
        size_bytes,
        digest,
        // Both are the image's, and not known to a layer.
        layer: _,
        package: _,
        link_target,
        elf,
        shebang,
        has_capabilities,
    } = entry;
    Record {
        shared,
        path: &path[shared..],
        kind: *kind,
        mode: *mode,
        uid: *uid,
        gid: *gid,
        size_bytes: *size_bytes,
        digest: digest.as_ref().map(|digest| *digest.as_bytes()),
        link_target: link_target.as_deref(),
        elf: elf.as_deref().map(elf_record),
        shebang: shebang.as_deref(),
        has_capabilities: *has_capabilities,
        has_content,
        target,
    }
}

fn elf_record(facts: &ElfFacts) -> ElfRecord<'_> {
    let ElfFacts {
        interpreter,
        soname,
        needed,
        run_path,
        imports,
        is_static,
        is_position_independent,
        is_go,
        is_rust_auditable,
        hardening,
    } = facts;
    ElfRecord {
        interpreter: interpreter.as_deref(),
        soname: soname.as_deref(),
        needed: needed.iter().map(String::as_str).collect(),
        run_path: run_path.iter().map(String::as_str).collect(),
        imports: *imports,
        is_static: *is_static,
        is_position_independent: *is_position_independent,
        is_go: *is_go,
        is_rust_auditable: *is_rust_auditable,
        hardening: *hardening,
    }
}

fn entry(record: Record<'_>, path: &str, layer: u32) -> FileEntry {
    FileEntry {
        uid: record.uid,
        gid: record.gid,
        size_bytes: record.size_bytes,
        digest: record.digest.map(Digest::from_bytes),
        layer,
        link_target: record.link_target.map(str::to_owned),
        elf: record.elf.map(|elf| Box::new(facts(elf))),
        shebang: record.shebang.map(str::to_owned),
        has_capabilities: record.has_capabilities,
        ..FileEntry::new(path, record.kind, record.mode)
    }
}

fn facts(record: ElfRecord<'_>) -> ElfFacts {
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    ElfFacts {
        interpreter: record.interpreter.map(str::to_owned),
        soname: record.soname.map(str::to_owned),
        needed: owned(record.needed),
        run_path: owned(record.run_path),
        imports: record.imports,
        is_static: record.is_static,
        is_position_independent: record.is_position_independent,
        is_go: record.is_go,
        is_rust_auditable: record.is_rust_auditable,
        hardening: record.hardening,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: Option<&[u8]>) -> LayerEntry {
        LayerEntry::File {
            entry: Box::new(FileEntry {
                layer: 7,
                size_bytes: content.map_or(0, |content| content.len() as u64),
                digest: Some(Digest::from_bytes([5; 32])),
                ..FileEntry::new(path, FileKind::Regular, 0o644)
            }),
            content: content.map(|content| Kept::new(path, content.to_vec())),
        }
    }

    fn entries() -> Vec<LayerEntry> {
        let many = (0..5000).map(|n| file(&format!("/srv/data/{n}"), (n % 9 == 0).then_some(&b"kept"[..])));
        let link = LayerEntry::HardLink {
            entry: Box::new(FileEntry {
                layer: 7,
                ..FileEntry::new("/srv/data/link", FileKind::Regular, 0o600)
            }),
            target: "/srv/data/1".to_owned(),
        };
        many.chain([link, file("/\u{e9}", None), file("/\u{e8}", Some(b"x"))])
            .collect()
    }

    fn shown(entries: impl IntoIterator<Item = LayerEntry>) -> Vec<String> {
        entries.into_iter().map(|entry| format!("{entry:?}")).collect()
    }

    #[test]
    fn entries_come_back_in_their_order() {
        let mut packed = Entries::of_layer(7);
        entries().into_iter().for_each(|entry| packed.push(entry));
        assert!(packed.chunks.len() > 2, "several chunks");
        assert_eq!((packed.len(), packed.last_path()), (5003, "/\u{e8}"));
        assert_eq!(packed.kept_bytes(), 556 * 4 + 1);
        let mut again = Entries::of_layer(7);
        let mut contents = packed.contents().iter().cloned();
        for record in packed.packed() {
            if again.push_packed(record).unwrap() {
                again.keep(contents.next().unwrap());
            }
        }
        assert!(contents.next().is_none());
        assert_eq!(shown(again), shown(entries()));
        packed.retain(|index, _| index % 2 == 0);
        assert_eq!(shown(packed), shown(entries().into_iter().step_by(2)));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let mut packed = Entries::default();
        packed.push(file("/\u{e9}t\u{e9}", None));
        let whole: Vec<u8> = packed.packed().next().unwrap().to_vec();
        for cut in 0..whole.len() {
            assert_eq!(Entries::default().push_packed(&whole[..cut]), None, "{cut}");
        }
        let mut long = whole.clone();
        long.push(0);
        assert_eq!(Entries::default().push_packed(&long), None);
        // It begins as a path that is not there, or within a character of the one that is.
        let mut shared = whole.clone();
        for length in [1, 2, 200] {
            shared[0] = length;
            assert_eq!(Entries::default().push_packed(&shared), None, "{length}");
        }
        assert_eq!(packed.push_packed(&[&[2], &whole[1..]].concat()), None);
        assert_eq!(packed.push_packed(&[&[3], &whole[1..]].concat()), Some(false));
    }
}
