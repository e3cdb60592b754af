//! Layers in, base first; the merged tree out: whiteouts, then entries, links resolved as container engines do.

use std::{collections::BTreeMap, sync::Arc};

use plimsoll_model::{FileEntry, FileKind, Note, NoteKind};

use crate::{
    Tree,
    cataloger::{self, Want},
    layer::{Kept, Layer, LayerEntry, Whiteout},
};

/// Layers applied so far.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    pub(crate) tree: Tree,
    pub(crate) versions: Versions,
    pub(crate) notes: Vec<Note>,
    /// The folder of the entry before: archives have one folder's entries together.
    folder: Option<Folder>,
    /// Some entry's folder is in no layer: what has no entry may have something below it all the same.
    has_gaps: bool,
}

/// Where a folder of a layer is in the tree.
#[derive(Debug, Clone)]
struct Folder {
    /// As the layer has it.
    written: String,
    /// With all links followed.
    real: String,
    /// There is a folder at that path.
    is_there: bool,
}

/// Every layer's version of the files that tell when a package came, base first.
pub(crate) type Versions = BTreeMap<String, Vec<(u32, Arc<[u8]>)>>;

impl Merge {
    /// Puts a layer on top. A layer's whiteouts see only what is below it, in whatever order its archive has them
    /// (image-spec, layer.md#whiteouts).
    pub(crate) fn apply(&mut self, layer: Layer) {
        for whiteout in &layer.whiteouts {
            // What the one before took away may have been a link, or the folder itself.
            self.folder = None;
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
        self.folder = None;
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
        let folder = self.folder(folder, path)?;
        Some(if name == "." {
            folder.real.clone()
        } else {
            format!("{}/{name}", folder.real)
        })
    }

    /// The folder that a path of a layer is in.
    fn folder(&mut self, written: &str, path: &str) -> Option<&Folder> {
        if self.folder.as_ref().is_none_or(|last| last.written != written) {
            let Some(real) = self.tree.resolve_path(written) else {
                let detail = "links of its folder form a loop: left out".to_owned();
                self.notes.push(Note::new(NoteKind::Unreadable, path, detail));
                return None;
            };
            let found = self.tree.get(&real);
            self.folder = Some(Folder {
                written: written.to_owned(),
                is_there: real.is_empty() || found.is_some_and(|found| found.kind == FileKind::Directory),
                real,
            });
        }
        self.folder.as_ref()
    }

    fn put(&mut self, mut entry: Box<FileEntry>, content: Option<Kept>) {
        let Some((written, name)) = entry.path.rsplit_once('/') else {
            return;
        };
        let is_there = match written.is_empty() {
            true => true,
            false => {
                let Some(folder) = self.folder(written, &entry.path) else {
                    return;
                };
                let is_there = folder.is_there;
                if folder.real != written {
                    entry.path = format!("{}/{name}", folder.real);
                }
                is_there
            }
        };
        self.put_at(entry, content, is_there);
    }

    /// Puts an entry where its path says; `is_in_folder`: its parent is known to be a folder.
    fn put_at(&mut self, entry: Box<FileEntry>, content: Option<Kept>, is_in_folder: bool) {
        if let Some(bytes) = content.as_ref().and_then(Kept::plain)
            && cataloger::wants(&entry.path) == Some(Want::EveryVersion)
        {
            let versions = self.versions.entry(entry.path.clone()).or_default();
            versions.push((entry.layer, Arc::clone(bytes)));
        }
        if !is_in_folder {
            self.clear_parents(&entry);
        }
        let (kind, gap) = (entry.kind, self.has_gaps.then(|| entry.path.clone()));
        let last = self.folder.as_ref();
        let is_on_its_way = last.is_some_and(|last| is_within(&last.written, &entry.path));
        let has_links = last.is_some_and(|last| last.written != last.real);
        let old = self.tree.insert_boxed(entry, content);
        // What cannot be below it goes.
        let below = match &old {
            Some(old) if old.kind == FileKind::Directory => Some(old.path.as_str()),
            Some(_) => None,
            None => gap.as_deref(),
        };
        if let Some(path) = below.filter(|_| kind != FileKind::Directory) {
            self.tree.remove_below(path, |_| true);
            self.folder = None;
        }
        let is_link = kind == FileKind::Symlink || old.is_some_and(|old| old.kind == FileKind::Symlink);
        if is_on_its_way || (has_links && is_link) {
            self.folder = None;
        }
    }

    /// A parent that is no folder goes.
    fn clear_parents(&mut self, entry: &FileEntry) {
        let mut parent = entry.path.as_str();
        while let Some(at) = parent.rfind('/').filter(|&at| at > 0) {
            parent = &parent[..at];
            match self.tree.get(parent) {
                Some(found) if found.kind != FileKind::Directory => {
                    let detail = "a file stands where this path needs a folder: the file was dropped".to_owned();
                    self.notes.push(Note::new(NoteKind::Hint, &entry.path, detail));
                    self.tree.remove_if(parent, |_| true);
                    self.has_gaps = true;
                    self.folder = None;
                }
                Some(_) => break,
                None => self.has_gaps = true,
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
        let content = self.tree.kept(source.as_deref().unwrap_or_default());
        entry.path = path;
        self.put_at(entry, content, false);
    }
}

/// Whether a path is a folder's or that of something below it.
fn is_within(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
