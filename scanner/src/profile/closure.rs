//! An ELF executable in, the libraries that the dynamic loader maps for it out, and what all of them import.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use plimsoll_model::{FileEntry, FileKind, SymbolUse};

use super::{
    limits::{MAX_INCLUDES, MAX_LIBRARIES},
    lookup::{Lookup, base_name, folder_name, normalise},
};

/// Beginnings of the names of C library files. They export `execve` and `connect` to everybody and use them for
/// themselves, so what they import says nothing of the program.
const C_LIBRARY: &[&str] = &[
    "libc.so",
    "libc.musl",
    "libc-2",
    "ld-",
    "libpthread",
    "libdl",
    "libm.so",
    "librt",
    "libresolv",
    "libnsl",
    "libutil.so",
    "libanl",
];

/// Everything that is mapped as code before `main` runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Closure {
    /// Resolved path → who needs it; the loader included.
    pub(crate) libraries: BTreeMap<String, String>,
    /// Needed and not found in the image.
    pub(crate) missing: BTreeSet<String>,
    /// What the program and its libraries, the C library left out, import.
    pub(crate) imports: SymbolUse,
    /// For each group of imports, who first imports it: `exec` → `/usr/lib/libx.so`.
    pub(crate) importers: BTreeMap<&'static str, String>,
    /// Static, not ELF, or with libraries missing or left out: absent imports prove nothing.
    pub(crate) is_complete: bool,
    /// musl is the C library: its resolver binds a port.
    pub(crate) uses_musl: bool,
}

/// The closure of one executable.
pub(crate) fn follow(lookup: &Lookup<'_>, main: &FileEntry) -> Closure {
    let mut closure = Closure::default();
    let Some(facts) = &main.elf else {
        return closure;
    };
    closure.is_complete = !facts.is_static && !facts.is_go;
    closure.import(&main.path, facts.imports);
    if let Some(loader) = &facts.interpreter {
        closure.uses_musl = base_name(loader).starts_with("ld-musl");
        match lookup.file(loader) {
            Some(file) => drop(closure.libraries.insert(file.path.clone(), main.path.clone())),
            None => drop(closure.missing.insert(loader.clone())),
        }
    }
    let system = system_folders(lookup);
    let own = run_path(main);
    let mut todo: VecDeque<(&FileEntry, String)> = VecDeque::new();
    todo.extend(facts.needed.iter().map(|name| (main, name.clone())));
    while let Some((parent, name)) = todo.pop_front() {
        if closure.libraries.len() >= MAX_LIBRARIES {
            closure.is_complete = false;
            break;
        }
        // DT_RPATH of the executable is searched for its libraries' needs too; DT_RUNPATH is not, but then a library
        // found too much does no harm.
        let folders = run_path(parent)
            .into_iter()
            .chain(own.iter().cloned())
            .chain(system.iter().cloned());
        let found = match name.contains('/') {
            true => lookup.file(&name),
            false => folders
                .filter_map(|folder| lookup.file(&format!("{folder}/{name}")))
                .find(|file| file.elf.is_some()),
        };
        let Some(file) = found else {
            closure.missing.insert(name);
            continue;
        };
        if closure.libraries.contains_key(&file.path) {
            continue;
        }
        closure.libraries.insert(file.path.clone(), parent.path.clone());
        if let Some(facts) = &file.elf {
            if !C_LIBRARY.iter().any(|prefix| base_name(&file.path).starts_with(prefix)) {
                closure.import(&file.path, facts.imports);
            }
            todo.extend(facts.needed.iter().map(|name| (file, name.clone())));
        }
    }
    closure.is_complete &= closure.missing.is_empty();
    closure
}

impl Closure {
    fn import(&mut self, path: &str, more: SymbolUse) {
        let all = &mut self.imports;
        for (group, has, have) in [
            ("exec", more.exec, &mut all.exec),
            ("connect", more.connect, &mut all.connect),
            ("listen", more.listen, &mut all.listen),
            ("dlopen", more.dlopen, &mut all.dlopen),
            ("become_user", more.become_user, &mut all.become_user),
            ("raw_syscall", more.raw_syscall, &mut all.raw_syscall),
        ] {
            if has {
                *have = true;
                self.importers.entry(group).or_insert_with(|| path.to_owned());
            }
        }
    }
}

fn run_path(entry: &FileEntry) -> Vec<String> {
    let folder = folder_name(&entry.path);
    let paths = entry.elf.iter().flat_map(|facts| &facts.run_path);
    paths
        .map(|path| normalise(&path.replace("${ORIGIN}", folder).replace("$ORIGIN", folder), "/"))
        .collect()
}

/// `LD_LIBRARY_PATH`, `/etc/ld.so.conf` with its includes, and the folders that the loaders know by themselves.
fn system_folders(lookup: &Lookup<'_>) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    if let Some(path) = lookup.environment.get("LD_LIBRARY_PATH") {
        folders.extend(
            path.split([':', ';'])
                .filter(|folder| !folder.is_empty())
                .map(str::to_owned),
        );
    }
    read_configuration(lookup, "/etc/ld.so.conf", 0, &mut folders);
    let known = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"];
    folders.extend(known.iter().map(|folder| (*folder).to_owned()));
    // Debian's loader has its own architecture's folder built in: the first that is there.
    let multiarch = lookup.tree.below("/usr/lib").filter(|entry| {
        entry.kind == FileKind::Directory && folder_name(&entry.path) == "/usr/lib" && entry.path.contains("-linux-")
    });
    folders.extend(multiarch.map(|entry| entry.path.clone()));
    folders
}

fn read_configuration(lookup: &Lookup<'_>, path: &str, depth: u32, folders: &mut Vec<String>) {
    let Some(content) = lookup.content(path).filter(|_| depth < MAX_INCLUDES) else {
        return;
    };
    for line in String::from_utf8_lossy(content).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.split_once(char::is_whitespace) {
            Some(("include", patterns)) => {
                for pattern in patterns.split_whitespace() {
                    for file in lookup.matching(pattern) {
                        read_configuration(lookup, &file, depth + 1, folders);
                    }
                }
            }
            _ if line.starts_with('/') => folders.push(line.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::Image;

    fn library(image: Image, path: &str, needed: &[&str], change: impl FnOnce(&mut SymbolUse)) -> Image {
        image.binary(path, |facts| {
            facts.needed = needed.iter().map(|name| (*name).to_owned()).collect();
            change(&mut facts.imports);
        })
    }

    #[test]
    fn follows_run_paths_configuration_and_default_folders() {
        let image = Image::new()
            .link("/lib", "usr/lib")
            .folder("/usr/lib/x86_64-linux-gnu", 0o755, 0)
            .file(
                "/etc/ld.so.conf",
                0o644,
                "include ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf.d/*.conf\n",
            )
            .file("/etc/ld.so.conf.d/x.conf", 0o644, "# comment\n/opt/x/lib\n")
            .link("/opt/x/lib/libx.so.1", "libx.so.1.2");
        let image = library(image, "/opt/x/lib/libx.so.1.2", &["libc.so.6", "libgone.so"], |_| {});
        let image = library(image, "/opt/app/lib/libown.so", &["libx.so.1"], |imports| {
            imports.exec = true
        });
        let image = library(image, "/usr/lib/x86_64-linux-gnu/libc.so.6", &[], |imports| {
            imports.connect = true
        });
        let image = image.binary("/opt/app/bin/app", |facts| {
            facts.needed = vec!["libown.so".to_owned(), "libc.so.6".to_owned()];
            facts.run_path = vec!["$ORIGIN/../lib".to_owned()];
        });
        let lookup = Lookup::new(&image.tree, &image.config);
        let closure = follow(&lookup, image.tree.get("/opt/app/bin/app").unwrap());
        let found: Vec<&str> = closure.libraries.keys().map(String::as_str).collect();
        assert_eq!(
            found,
            [
                "/opt/app/lib/libown.so",
                "/opt/x/lib/libx.so.1.2",
                "/usr/lib/x86_64-linux-gnu/libc.so.6"
            ]
        );
        assert_eq!(closure.missing.iter().collect::<Vec<_>>(), ["libgone.so"]);
        assert!(!closure.is_complete && closure.imports.exec && !closure.imports.connect);
        assert_eq!(closure.importers["exec"], "/opt/app/lib/libown.so");
    }
}
