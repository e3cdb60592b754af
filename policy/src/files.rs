//! The files of an image that can run, as a scan listed them: list in, answers about paths out.

use std::collections::{HashMap, HashSet};

use plimsoll_model::{FileEntry, FileKind};

use crate::limits::MAX_LINKS;

/// Index over [`plimsoll_model::ScanReport::files`].
#[derive(Debug, Default)]
pub struct KnownFiles {
    by_path: HashMap<Box<str>, Known>,
    folders: HashSet<Box<str>>,
}

#[derive(Debug)]
struct Known {
    entry: usize,
    link_target: Option<Box<str>>,
    is_code: bool,
}

/// Folders in which programs and libraries are looked for by default; nothing but a package manager writes there.
const SYSTEM_FOLDERS: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
];

impl KnownFiles {
    /// Indexes a scan's list of files.
    pub fn new(files: &[FileEntry]) -> Self {
        let mut known = Self::default();
        for (entry, file) in files.iter().enumerate() {
            let is_code = file.kind == FileKind::Regular && (file.mode & 0o111 != 0 || file.elf.is_some());
            if is_code && let Some(folder) = parent_of(&file.path) {
                known.folders.insert(folder.into());
            }
            let link_target = file.link_target.as_deref().map(Box::from);
            known.by_path.insert(
                file.path.as_str().into(),
                Known {
                    entry,
                    link_target,
                    is_code,
                },
            );
        }
        known
    }

    /// Whether nothing is known: the image was not scanned, or holds nothing that can run.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// Position of the file that `path` leads to in the list that was indexed; `None` when the image has none there.
    pub fn find(&self, path: &str) -> Option<usize> {
        self.resolve(path).map(|known| known.entry)
    }

    /// Whether `path` leads to an executable file or a library of the image.
    pub fn is_code(&self, path: &str) -> bool {
        self.resolve(path).is_some_and(|known| known.is_code)
    }

    /// Whether programs or libraries live in the folder of `path` and the folder is one where only package managers
    /// write.
    pub fn is_in_code_folder(&self, path: &str) -> bool {
        let Some(folder) = parent_of(path) else { return false };
        let is_system = SYSTEM_FOLDERS
            .iter()
            .any(|system| folder == *system || is_below(folder, system));
        is_system && (SYSTEM_FOLDERS.contains(&folder) || self.folders.contains(folder))
    }

    fn resolve(&self, path: &str) -> Option<&Known> {
        let mut known = self.lookup(path)?;
        let mut folder = parent_of(path)?.to_owned();
        for _ in 0..MAX_LINKS {
            let Some(target) = &known.link_target else {
                return Some(known);
            };
            let next = join(&folder, target);
            known = self.lookup(&next)?;
            folder = parent_of(&next)?.to_owned();
        }
        None
    }

    /// Distributions that merged /usr ship /bin, /sbin and /lib as links to folders, which the list does not hold.
    fn lookup(&self, path: &str) -> Option<&Known> {
        self.by_path.get(path).or_else(|| {
            ["/bin/", "/sbin/", "/lib/", "/lib64/"]
                .iter()
                .any(|folder| path.starts_with(folder))
                .then(|| self.by_path.get(format!("/usr{path}").as_str()))?
        })
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Folder of an absolute path; `None` for `/` and for relative paths.
pub(crate) fn parent_of(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (folder, _) => Some(folder),
    }
}

/// `path` as seen from `folder`, with `.`, `..` and doubled slashes taken out. Links in the middle are not followed.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { folder };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn file(path: &str, mode: u32, link: Option<&str>) -> FileEntry {
        FileEntry {
            size_bytes: 1,
            link_target: link.map(str::to_owned),
            ..FileEntry::new(
                path,
                if link.is_some() {
                    FileKind::Symlink
                } else {
                    FileKind::Regular
                },
                mode,
            )
        }
    }

    #[test]
    fn follows_links_and_merged_usr() {
        let files = [
            file("/usr/bin/dash", 0o755, None),
            file("/usr/bin/sh", 0o777, Some("dash")),
            file("/usr/bin/a", 0o777, Some("b")),
            file("/usr/bin/b", 0o777, Some("a")),
            file("/usr/local/bin/x", 0o777, Some("../../bin/./dash")),
        ];
        let known = KnownFiles::new(&files);
        for (path, expected) in [
            ("/usr/bin/dash", Some(0)),
            ("/bin/sh", Some(0)),
            ("/usr/local/bin/x", Some(0)),
            ("/usr/bin/a", None),
            ("/tmp/dash", None),
            ("relative", None),
            ("", None),
        ] {
            assert_eq!(known.find(path), expected, "{path}");
        }
    }

    #[test]
    fn knows_where_only_package_managers_write() {
        let known = KnownFiles::new(&[
            file("/usr/bin/dash", 0o755, None),
            file("/usr/lib/git-core/git", 0o755, None),
            file("/app/run.sh", 0o755, None),
        ]);
        for (path, expected) in [
            ("/usr/bin/evil", true),
            ("/bin/evil", true),
            ("/usr/lib/git-core/evil", true),
            ("/usr/lib/nowhere/state.db", false),
            ("/app/data.db", false),
            ("/tmp/x", false),
            ("/x", false),
        ] {
            assert_eq!(known.is_in_code_folder(path), expected, "{path}");
        }
        assert!(known.is_code("/app/run.sh") && !known.is_code("/app/data.db"));
    }
}
