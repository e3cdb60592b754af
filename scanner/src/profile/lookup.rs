//! Names as commands are called in, files of the tree and programs as the kernel reports them out.

use std::collections::BTreeMap;

use plimsoll_model::{Applet, FileEntry, FileKind, ImageConfig, PathPattern, Program};

use crate::Tree;

/// What a process finds when it was given no `PATH` (runc and most shells agree).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Executables that act by the name that they are called by, whatever their own is.
const MULTI_CALL: &[&str] = &["busybox", "toybox", "coreutils", "uutils"];

/// Programs that read commands of the shell language.
pub(crate) const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];

/// Finds programs in a tree as a process of the image would.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    /// Files.
    pub(crate) tree: &'a Tree,
    /// Environment as the image declares it.
    pub(crate) environment: BTreeMap<&'a str, &'a str>,
    /// `WORKDIR`, absolute.
    pub(crate) working_dir: String,
}

/// A file that was found under a name.
#[derive(Debug, Clone)]
pub(crate) struct Located<'a> {
    /// Absolute path that it is executed by; symbolic links not resolved.
    pub(crate) invoked: String,
    /// The file itself.
    pub(crate) entry: &'a FileEntry,
}

impl<'a> Lookup<'a> {
    /// A lookup in the image's own environment.
    pub(crate) fn new(tree: &'a Tree, config: &'a ImageConfig) -> Self {
        let environment = config.env.iter().filter_map(|line| line.split_once('=')).collect();
        let working_dir = match config.working_dir.as_str() {
            "" => "/".to_owned(),
            path => normalise(path, "/"),
        };
        Self {
            tree,
            environment,
            working_dir,
        }
    }

    /// The executable that `name` starts: a path, or a name that is looked up in `extra` folders, then in `PATH`.
    pub(crate) fn find(&self, name: &str, extra: &[String]) -> Option<Located<'a>> {
        if name.is_empty() {
            return None;
        }
        if name.contains('/') {
            return self.executable(normalise(name, &self.working_dir));
        }
        let path = self.environment.get("PATH").copied().unwrap_or(DEFAULT_PATH);
        extra
            .iter()
            .map(String::as_str)
            .chain(path.split(':'))
            .filter(|folder| folder.starts_with('/'))
            .find_map(|folder| self.executable(normalise(name, folder)))
    }

    fn executable(&self, invoked: String) -> Option<Located<'a>> {
        let entry = self.tree.resolve(&invoked).filter(|entry| entry.is_executable())?;
        Some(Located { invoked, entry })
    }

    /// The regular file at a path, for reading.
    pub(crate) fn file(&self, path: &str) -> Option<&'a FileEntry> {
        let entry = self.tree.resolve(&normalise(path, &self.working_dir))?;
        (entry.kind == FileKind::Regular).then_some(entry)
    }

    /// Content of the file at a path, links followed.
    pub(crate) fn content(&self, path: &str) -> Option<&'a [u8]> {
        self.tree.content(&self.file(path)?.path)
    }

    /// The program that a binary is when it is called `argv0`.
    pub(crate) fn program(&self, located: &Located<'_>, argv0: &str) -> Program {
        let own = base_name(&located.entry.path);
        let called = base_name(argv0).trim_start_matches('-');
        // `python3` for `python3.11` and `sh` for `dash` are one thing under two names; `redis-server` for
        // `redis-check-rdb` is two things in one file.
        let is_same = own == called || own.starts_with(called) || SHELLS.contains(&own);
        let needs_name = MULTI_CALL.contains(&own) || !is_same;
        Program {
            path: PathPattern(located.entry.path.clone()),
            applet: needs_name.then(|| Applet::Name(called.to_owned())),
        }
    }

    /// Paths of the files that match a pattern with `*` in its last components, in path order; links are not resolved.
    pub(crate) fn matching(&self, pattern: &str) -> Vec<String> {
        let pattern = normalise(pattern, &self.working_dir);
        let Some((start, _)) = pattern.split_once(['*', '?', '[']) else {
            return self
                .tree
                .resolve(&pattern)
                .map(|_| pattern.clone())
                .into_iter()
                .collect();
        };
        let set = PathPattern(pattern.replace('?', "*"));
        let folder = start.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.tree
            .below(folder)
            .filter(|entry| entry.kind != FileKind::Directory && set.matches(&entry.path))
            .map(|entry| entry.path.clone())
            .collect()
    }

    /// A path with the links of all parts that exist resolved; what does not exist is taken as it is written. Patterns
    /// are resolved up to their first `*`.
    pub(crate) fn resolve(&self, path: &str) -> String {
        let mut found = String::new();
        let normal = normalise(path, &self.working_dir);
        for part in normal.split('/').filter(|part| !part.is_empty()) {
            let next = format!("{found}/{part}");
            found = match self.tree.resolve(&next) {
                Some(entry) => entry.path.clone(),
                // A link to what only a running container has, such as /dev/stdout.
                None => match self.tree.get(&next).and_then(|entry| entry.link_target.as_deref()) {
                    Some(target) => normalise(target, if found.is_empty() { "/" } else { &found }),
                    None => next,
                },
            };
        }
        match found.is_empty() {
            true => "/".to_owned(),
            false => found,
        }
    }
}

/// Last component of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// All but the last component of an absolute path.
pub(crate) fn folder_name(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// An absolute path without `.`, `..`, empty components and a final slash; a relative one starts at `base`.
pub(crate) fn normalise(path: &str, base: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::Image;

    #[test]
    fn paths_are_normalised() {
        for (path, base, expected) in [
            ("a/../b//c/.", "/x", "/x/b/c"),
            ("/a/../../b/", "/x", "/b"),
            ("", "/", "/"),
            ("..", "/x/y", "/x"),
        ] {
            assert_eq!(normalise(path, base), expected);
        }
    }

    #[test]
    fn programs_are_named_as_the_kernel_reports_them() {
        let image = Image::new()
            .binary("/usr/bin/dash", |_| {})
            .link("/usr/bin/sh", "dash")
            .link("/bin", "usr/bin")
            .binary("/usr/bin/redis-check-rdb", |_| {})
            .link("/usr/bin/redis-server", "redis-check-rdb")
            .binary("/usr/bin/python3.11", |_| {})
            .link("/usr/bin/python3", "python3.11")
            .binary("/usr/bin/busybox", |_| {})
            .link("/usr/bin/ls", "/bin/busybox")
            .link("/var/run", "/run")
            .link("/var/log/access.log", "/dev/stdout");
        let lookup = Lookup::new(&image.tree, &image.config);
        for (name, expected) in [
            ("/bin/sh", "/usr/bin/dash"),
            ("redis-server", "/usr/bin/redis-check-rdb as redis-server"),
            ("python3", "/usr/bin/python3.11"),
            ("ls", "/usr/bin/busybox as ls"),
        ] {
            let located = lookup.find(name, &[]).unwrap();
            let program = lookup.program(&located, name);
            let shown = match &program.applet {
                Some(Applet::Name(applet)) => format!("{} as {applet}", program.path),
                _ => program.path.0.clone(),
            };
            assert_eq!(shown, expected);
        }
        assert_eq!(lookup.resolve("/var/run/x/*"), "/run/x/*");
        assert_eq!(lookup.resolve("/var/log/access.log"), "/dev/stdout");
        assert!(lookup.find("nothing", &[]).is_none());
    }
}
