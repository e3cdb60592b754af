//! Layers in, base first; the merged tree out: whiteouts, then entries, links resolved as container engines do.

use std::{collections::BTreeMap, sync::Arc};

use plimsoll_model::{FileEntry, FileKind, Note, NoteKind};

use crate::{
    Tree,
    cataloger::{self, Want},
    layer::{Layer, LayerEntry, Whiteout},
};

/// Layers applied so far.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    pub(crate) tree: Tree,
    pub(crate) versions: Versions,
    pub(crate) notes: Vec<Note>,
}

/// Every layer's version of the files that tell when a package came, base first.
pub(crate) type Versions = BTreeMap<String, Vec<(u32, Arc<[u8]>)>>;

impl Merge {
    /// Puts a layer on top. A layer's whiteouts see only what is below it, in whatever order its archive has them
    /// (image-spec, layer.md#whiteouts).
    pub(crate) fn apply(&mut self, layer: Layer) {
        for whiteout in &layer.whiteouts {
            match whiteout {
                Whiteout::Opaque(folder) => {
                    if let Some(folder) = self.place(&format!("{folder}/.")) {
                        self.tree.remove_below(&folder, |_| true);
                    }
                }
                Whiteout::Path(path) => {
                    if let Some(path) = self.place(path) {
                        self.tree.remove_if(&path, |_| true);
                        self.tree.remove_below(&path, |_| true);
                    }
                }
            }
        }
        for entry in layer.entries {
            match entry {
                LayerEntry::File { entry, content } => self.put(entry, content),
                LayerEntry::HardLink { entry, target } => self.link(entry, &target),
            }
        }
        for mut sighted in layer.sighted {
            // Below a folder that is a link, the file is where the link leads.
            if let Some(path) = self.place(&sighted.path) {
                sighted.path = path;
                self.tree.see(sighted);
            }
        }
        self.notes.extend(layer.notes);
    }

    /// Where a path of a layer ends up: links in its parents are followed, its last component is not (containerd does
    /// so when it applies a layer, archive/tar.go). `None` on a loop.
    fn place(&mut self, path: &str) -> Option<String> {
        let (folder, name) = path.rsplit_once('/')?;
        if folder.is_empty() && name != "." {
            return Some(path.to_owned());
        }
        let Some(folder) = self.tree.resolve_path(folder) else {
            let detail = "links of its folder form a loop: left out".to_owned();
            self.notes.push(Note::new(NoteKind::Unreadable, path, detail));
            return None;
        };
        Some(if name == "." {
            folder
        } else {
            format!("{folder}/{name}")
        })
    }

    fn put(&mut self, entry: Box<FileEntry>, content: Option<Arc<[u8]>>) {
        if let Some(path) = self.place(&entry.path) {
            self.put_at(path, entry, content);
        }
    }

    fn put_at(&mut self, path: String, mut entry: Box<FileEntry>, content: Option<Arc<[u8]>>) {
        if path != entry.path {
            entry.path = path;
        }
        if let Some(bytes) = &content
            && cataloger::wants(&entry.path) == Some(Want::EveryVersion)
        {
            let versions = self.versions.entry(entry.path.clone()).or_default();
            versions.push((entry.layer, Arc::clone(bytes)));
        }
        self.clear_way(&entry);
        self.tree.insert_boxed(entry, content);
    }

    /// What cannot exist beside the entry goes: all below it if it is no folder, and a parent that is no folder.
    fn clear_way(&mut self, entry: &FileEntry) {
        if entry.kind != FileKind::Directory
            && self
                .tree
                .get(&entry.path)
                .is_none_or(|old| old.kind == FileKind::Directory)
        {
            self.tree.remove_below(&entry.path, |_| true);
        }
        let mut parent = entry.path.as_str();
        while let Some(at) = parent.rfind('/').filter(|&at| at > 0) {
            parent = &parent[..at];
            match self.tree.get(parent) {
                Some(found) if found.kind != FileKind::Directory => {
                    let detail = "a file stands where this path needs a folder: the file was dropped".to_owned();
                    self.notes.push(Note::new(NoteKind::Hint, &entry.path, detail));
                    self.tree.remove_if(parent, |_| true);
                }
                Some(_) => break,
                None => {}
            }
        }
    }

    fn link(&mut self, mut entry: Box<FileEntry>, target: &str) {
        let Some(path) = self.place(&entry.path) else {
            return;
        };
        let source = self.place(target).filter(|source| *source != path);
        let found = source.as_deref().and_then(|source| self.tree.get(source));
        let Some(found) = found.filter(|found| found.kind != FileKind::Directory) else {
            let detail = "hard link to a file that is not there".to_owned();
            self.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
            return;
        };
        entry.kind = found.kind;
        entry.size_bytes = found.size_bytes;
        entry.digest = found.digest;
        entry.link_target.clone_from(&found.link_target);
        entry.elf.clone_from(&found.elf);
        entry.shebang.clone_from(&found.shebang);
        entry.has_capabilities |= found.has_capabilities;
        let content = self.tree.shared_content(source.as_deref().unwrap_or_default());
        self.put_at(path, entry, content);
    }
}
