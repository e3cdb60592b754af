//! Build info of Go programs in, the modules that they were built from out, and the standard library of their toolchain.

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Go modules.
pub(super) struct Go;

impl Cataloger for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    /// Build info is taken from every ELF file that has it, wherever it is.
    fn wants(&self, _path: &str) -> Option<Want> {
        None
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for entry in input
            .tree
            .iter()
            .filter(|entry| entry.elf.as_ref().is_some_and(|elf| elf.is_go))
        {
            match input.tree.content(&entry.path) {
                Some(info) => {
                    let (found, is_damaged) = modules(entry, &String::from_utf8_lossy(info));
                    catalog.packages.extend(found);
                    if is_damaged {
                        let detail = "build info of a Go program has names or versions that Go does not write";
                        catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                    }
                }
                None => {
                    let detail =
                        "Go program without build info that can be read: built before Go 1.18, or without modules";
                    catalog
                        .notes
                        .push(Note::new(NoteKind::Unsupported, &entry.path, detail));
                }
            }
        }
        catalog
    }
}

/// `dep` lines, each replaced by the `=>` line after it; `mod` where the main module has a version. And whether something was
/// left out that cannot be a name or a version: lengths that lie make a text of what lies beside it.
fn modules(entry: &FileEntry, info: &str) -> (Vec<Package>, bool) {
    let mut lines = info.lines();
    let toolchain = lines.next().unwrap_or_default();
    let mut found: Vec<(&str, &str)> = Vec::new();
    // `go1.22.1 X:experiment`
    if let Some(version) = toolchain.split(' ').next().and_then(|text| text.strip_prefix("go")) {
        found.push(("stdlib", version));
    }
    for line in lines {
        let mut parts = line.split('\t');
        let (Some(word), Some(path), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        match word {
            "mod" if version.starts_with('v') => found.push((path, version)),
            "dep" => found.push((path, version)),
            "=>" => {
                found.pop();
                found.push((path, version));
            }
            _ => {}
        }
    }
    let package = |(path, version): (&str, &str)| {
        let folders: Vec<&str> = path.split('/').collect();
        let (name, namespace) = folders.split_last().expect("a text has at least one part");
        let purl = purl::of_library("golang", namespace, name, version);
        language::package(PackageKind::Go, path, version, purl, entry)
    };
    // A replacement by a folder has no version.
    found.retain(|(_, version)| !version.is_empty());
    let total = found.len();
    found.retain(|(path, version)| is_plain(path) && is_plain(version) && (*path != "stdlib" || is_go(version)));
    // Flags of the build may hold any bytes; they are not read.
    let mut lines = info.lines().filter(|line| !line.starts_with("build\t"));
    let is_damaged = found.len() < total || lines.any(|line| line.contains(['\0', char::REPLACEMENT_CHARACTER]));
    (found.into_iter().map(package).collect(), is_damaged)
}

/// Paths and versions of modules are printable ASCII (golang.org/x/mod/module, `CheckPath`; semver).
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `1.22.1`, `1.23rc1`, `1.22.1-custom` (go.dev/doc/toolchain#version).
fn is_go(version: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_~".contains(&byte);
    version.starts_with(|first: char| first.is_ascii_digit())
        && !version.ends_with('.')
        && version.bytes().all(is_known)
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FileKind;

    use super::*;

    #[test]
    fn replacements_count_and_folders_do_not() {
        let entry = FileEntry::new("/bin/app", FileKind::Regular, 0o755);
        let info = "go1.22.1 X:boringcrypto\npath\ta\nmod\ta\t(devel)\t\ndep\tgithub.com/x/y/v2\tv2.0.1\th1:a=\n\
                    dep\told\tv1.0.0\n=>\tnew\tv1.0.1\th1:b=\ndep\tlocal\tv1.0.0\n=>\t./local\t\t\nbuild\tGOOS=linux\n";
        let (found, is_damaged) = modules(&entry, info);
        assert!(!is_damaged);
        let purls: Vec<&str> = found.iter().map(|package| package.purl.as_str()).collect();
        assert_eq!(
            purls,
            [
                "pkg:golang/stdlib@1.22.1",
                "pkg:golang/github.com/x/y/v2@v2.0.1",
                "pkg:golang/new@v1.0.1"
            ]
        );
    }

    #[test]
    fn what_go_does_not_write_is_no_version() {
        let entry = FileEntry::new("/bin/app", FileKind::Regular, 0o755);
        for (info, expected) in [
            ("go1.26.\0\ndep\ta\tv1.0.0\n", "v1.0.0"),
            ("go1.26.\ndep\ta\tv1.0.0\n", "v1.0.0"),
            ("go1.26\ndep\ta\u{fffd}\tv1.0.0\n", "1.26"),
            ("go1.26\ndep\ta\tv1.0.\u{1}\n", "1.26"),
            ("go1.26\ndep\t\tv1.0.0\n", "1.26"),
        ] {
            let (found, is_damaged) = modules(&entry, info);
            let versions: Vec<&str> = found.iter().map(|package| package.version.as_str()).collect();
            assert_eq!(
                (versions.as_slice(), is_damaged),
                ([expected].as_slice(), true),
                "{info:?}"
            );
        }
    }
}
