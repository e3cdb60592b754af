//! The merged tree of an image: what a container sees when it starts. Paths in, entries and kept contents out.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use plimsoll_model::{FileEntry, FileKind};

/// Symbolic links followed before a path counts as a loop (Linux: 40, path_resolution(7)).
const MAX_LINKS: usize = 40;

/// All files of an image after whiteouts and links, with the content of those few that catalogers and the profile read.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, FileEntry>,
    contents: BTreeMap<String, Arc<[u8]>>,
}

impl Tree {
    /// The entry at exactly this absolute, normalised path; links are not followed.
    pub fn get(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }

    /// The entry that a process would open: symbolic links in every component are followed, within the tree, at most 40.
    /// `None` when something on the way is missing, or on a loop.
    pub fn resolve(&self, path: &str) -> Option<&FileEntry> {
        let mut todo: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut links = 0;
        let mut found = String::new();
        while let Some(part) = todo.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => found.truncate(found.rfind('/').unwrap_or(0)),
                name => {
                    let next = format!("{found}/{name}");
                    match self.files.get(&next) {
                        Some(entry) if entry.kind == FileKind::Symlink => {
                            links += 1;
                            let target = entry.link_target.as_deref().filter(|_| links <= MAX_LINKS)?;
                            if target.starts_with('/') {
                                found.clear();
                            }
                            for part in target.rsplit('/') {
                                todo.push_front(part.to_owned());
                            }
                        }
                        _ => found = next,
                    }
                }
            }
        }
        self.files.get(&found)
    }

    /// Content of the file at exactly this path, when the scan kept it: scripts, `/etc/passwd`, `/etc/group`,
    /// `ld.so.conf`, os-release and configuration files that a plugin asked for.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path).map(AsRef::as_ref)
    }

    /// All entries in path order.
    pub fn iter(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.values()
    }

    /// All entries below a folder (not the folder itself), in path order.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a FileEntry> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let start = prefix.clone();
        self.files
            .range(start..)
            .map(|(_, entry)| entry)
            .take_while(move |entry| entry.path.starts_with(&prefix))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether the image has no file at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Puts an entry in, replacing what was at its path, with the content to keep.
    pub fn insert(&mut self, entry: FileEntry, content: Option<Arc<[u8]>>) {
        match content {
            Some(bytes) => self.contents.insert(entry.path.clone(), bytes),
            None => self.contents.remove(&entry.path),
        };
        self.files.insert(entry.path.clone(), entry);
    }
}
