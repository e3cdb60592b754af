//! The merged tree of an image: what a container sees when it starts. Paths in, entries and kept contents out.

use std::{
    borrow::{Borrow, Cow},
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

use plimsoll_model::{FileEntry, FileKind};

use crate::{
    layer::{
        Kept,
        watch::{Sighted, Sighting, Sightings},
    },
    limits::MAX_LINKS,
};

/// All files of an image after whiteouts and links, with the content of those few that catalogers and the profile read.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeSet<ByPath>,
    contents: BTreeMap<Arc<str>, Kept>,
    sightings: Sightings,
}

/// An entry in a set that is looked up by path: no path is stored twice, and moving one moves a pointer.
#[derive(Debug)]
struct ByPath(Box<FileEntry>);

impl Borrow<str> for ByPath {
    fn borrow(&self) -> &str {
        &self.0.path
    }
}

impl Ord for ByPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.path.cmp(&other.0.path)
    }
}

impl PartialOrd for ByPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.path == other.0.path
    }
}

impl Eq for ByPath {}

impl Tree {
    /// The entry at exactly this absolute, normalised path; links are not followed.
    pub fn get(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path).map(|found| &*found.0)
    }

    /// The entry that a process would open: symbolic links in every component are followed, within the tree, at most 40.
    /// `None` when something on the way is missing, or on a loop.
    pub fn resolve(&self, path: &str) -> Option<&FileEntry> {
        self.get(&self.resolve_path(path)?)
    }

    /// The path that [`Self::resolve`] ends at, whether something is there or not. `None` on a loop.
    pub(crate) fn resolve_path(&self, path: &str) -> Option<String> {
        let mut todo: VecDeque<&str> = path.split('/').collect();
        let mut links = 0;
        let mut found = String::with_capacity(path.len());
        while let Some(part) = todo.pop_front() {
            match part {
                "" | "." => {}
                ".." => found.truncate(found.rfind('/').unwrap_or(0)),
                name => {
                    let parent = found.len();
                    found.push('/');
                    found.push_str(name);
                    if let Some(target) = self.link_at(&found) {
                        links += 1;
                        if links > MAX_LINKS {
                            return None;
                        }
                        found.truncate(if target.starts_with('/') { 0 } else { parent });
                        for part in target.rsplit('/') {
                            todo.push_front(part);
                        }
                    }
                }
            }
        }
        Some(found)
    }

    fn link_at(&self, path: &str) -> Option<&str> {
        let entry = self.get(path).filter(|entry| entry.kind == FileKind::Symlink)?;
        entry.link_target.as_deref()
    }

    /// Content of the file at exactly this path, when the scan kept it: scripts, `/etc/passwd`, `/etc/group`,
    /// `ld.so.conf`, os-release and configuration files that a plugin asked for.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path)?.plain().map(AsRef::as_ref)
    }

    /// The same for files of which there are so many that they are kept packed: dpkg's lists.
    pub(crate) fn unpacked(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        self.contents.get(path)?.unpacked()
    }

    /// All entries whose content the scan kept, in path order; without those that [`Self::unpacked`] gives.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&FileEntry, &[u8])> {
        let kept = self.contents.iter();
        kept.filter_map(|(path, content)| Some((self.get(path)?, content.plain()?.as_ref())))
    }

    /// What watchers saw in a file's content while it streamed.
    pub(crate) fn sightings(&self, entry: &FileEntry) -> &[Sighting] {
        entry.digest.as_ref().map_or(&[], |digest| self.sightings.of(digest))
    }

    /// What watchers saw in all layers, files included that are hidden now.
    pub(crate) fn all_sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// Remembers what watchers saw in a file of a layer.
    pub(crate) fn see(&mut self, sighted: Sighted) {
        self.sightings.insert(sighted);
    }

    /// All entries in path order.
    pub fn iter(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().map(|found| &*found.0)
    }

    /// All entries below a folder (not the folder itself), in path order.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a FileEntry> {
        let prefix = prefix_of(folder);
        self.files
            .range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded))
            .map(|found| &*found.0)
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
        self.insert_boxed(Box::new(entry), content.map(Kept::Plain));
    }

    /// The same; gives back what was there.
    pub(crate) fn insert_boxed(&mut self, entry: Box<FileEntry>, content: Option<Kept>) -> Option<Box<FileEntry>> {
        let new = content.map(|content| self.contents.insert(entry.path.as_str().into(), content));
        let old = self.files.replace(ByPath(entry));
        if let (None, Some(old)) = (new, &old) {
            self.contents.remove(old.0.path.as_str());
        }
        old.map(|old| old.0)
    }

    /// What was kept of the file at this path, to be shared with another path: a hard link.
    pub(crate) fn kept(&self, path: &str) -> Option<Kept> {
        self.contents.get(path).cloned()
    }

    /// The same, as [`Self::content`] gives it, for another tree.
    pub(crate) fn shared_content(&self, path: &str) -> Option<Arc<[u8]>> {
        self.contents.get(path)?.plain().cloned()
    }

    /// Takes the entry at this path out if `condition` holds for it.
    pub(crate) fn remove_if(&mut self, path: &str, condition: impl Fn(&FileEntry) -> bool) {
        if self.get(path).is_some_and(condition) {
            self.files.remove(path);
            self.contents.remove(path);
        }
    }

    /// Takes all entries below a folder out for which `condition` holds.
    pub(crate) fn remove_below(&mut self, folder: &str, condition: impl Fn(&FileEntry) -> bool) {
        let prefix = prefix_of(folder);
        // The first character after `/` in byte order ends the range of paths that begin with the prefix.
        let end = format!("{}0", &prefix[..prefix.len() - 1]);
        let range = (Bound::Excluded(prefix.as_str()), Bound::Excluded(end.as_str()));
        let doomed: Vec<String> = self
            .files
            .range::<str, _>(range)
            .filter(|found| condition(&found.0))
            .map(|found| found.0.path.clone())
            .collect();
        for path in &doomed {
            self.files.remove(path.as_str());
            self.contents.remove(path.as_str());
        }
    }

    /// Says which packages own which files; of several, the one with the smallest index. Claims come in the order of paths,
    /// about `count` of them. Gives back those whose path is not in the tree. One walk over all files costs less than looking
    /// up each, unless there are few.
    pub(crate) fn own(&mut self, claims: impl Iterator<Item = (String, u32)>, count: usize) -> Vec<(String, u32)> {
        if count < self.files.len() / FILES_WALKED_FOR_ONE {
            return claims.filter(|(path, package)| !self.own_one(path, *package)).collect();
        }
        let mut claims = claims.peekable();
        let mut unknown = Vec::new();
        let own = |mut file: ByPath| {
            while let Some((path, package)) = claims.next_if(|(path, _)| *path <= file.0.path) {
                if path == file.0.path {
                    let owner = file.0.package.get_or_insert(package);
                    *owner = package.min(*owner);
                } else {
                    unknown.push((path, package));
                }
            }
            file
        };
        // In order already: putting it together anew looks nothing up.
        self.files = std::mem::take(&mut self.files).into_iter().map(own).collect();
        unknown.extend(claims);
        unknown
    }

    /// False when there is no such file.
    fn own_one(&mut self, path: &str, package: u32) -> bool {
        let Some(mut file) = self.files.take(path) else {
            return false;
        };
        let owner = file.0.package.get_or_insert(package);
        *owner = package.min(*owner);
        self.files.insert(file)
    }

    /// Forgets contents that nobody reads any more.
    pub(crate) fn retain_contents(&mut self, keep: impl Fn(&str) -> bool) {
        self.contents.retain(|path, _| keep(path));
    }
}

/// Files that a walk over all goes past in the time that taking one out and putting it back takes.
const FILES_WALKED_FOR_ONE: usize = 8;

fn prefix_of(folder: &str) -> String {
    format!("{}/", folder.trim_end_matches('/'))
}
