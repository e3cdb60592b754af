//! pacman's database in, packages with the files that they own out (libalpm, be_local.c: one folder a package, whose files hold
//! blocks of a `%NAME%` line, values one a line, and an empty line).

use std::collections::BTreeMap;

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind, PathList, SourcePackage};

use super::{Catalog, Cataloger, Input, Want};
use crate::purl;

/// Arch Linux and its children.
pub(super) struct Pacman;

const FOLDER: &str = "/var/lib/pacman/local/";

impl Cataloger for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        let (_, name) = path.strip_prefix(FOLDER)?.split_once('/')?;
        matches!(name, "desc" | "files").then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for entry in input.tree.below(FOLDER).filter(|entry| entry.path.ends_with("/desc")) {
            let Some(content) = input.tree.content(&entry.path) else {
                continue;
            };
            match read(entry, content, input) {
                Some(mut package) => {
                    package.files = files(entry, input, &mut catalog.notes).into();
                    catalog.packages.push(package);
                }
                None => {
                    let detail = "has no name or version";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                }
            }
        }
        catalog
    }
}

type Blocks = BTreeMap<String, Vec<String>>;

fn blocks(content: &[u8]) -> Blocks {
    let mut blocks = Blocks::new();
    let mut name: Option<String> = None;
    for line in String::from_utf8_lossy(content).lines() {
        let is_name = |line: &str| line.len() > 2 && line.starts_with('%') && line.ends_with('%');
        if line.is_empty() {
            name = None;
        } else if let Some(name) = &name {
            blocks.entry(name.clone()).or_default().push(line.to_owned());
        } else if is_name(line) {
            name = Some(line.trim_matches('%').to_owned());
        }
    }
    blocks
}

/// A package's folder is written whole when it is installed or upgraded, so its layer is the package's.
fn read(entry: &FileEntry, content: &[u8], input: &Input<'_>) -> Option<Package> {
    let mut blocks = blocks(content);
    let mut first = |name: &str| Some(blocks.remove(name)?.swap_remove(0));
    let (name, version) = (first("NAME")?, first("VERSION")?);
    let (architecture, base, packager) = (first("ARCH"), first("BASE"), first("PACKAGER"));
    let purl = purl::of_os_package(
        "alpm",
        input.os,
        "arch",
        &name,
        &version,
        &[("arch", architecture.as_deref().unwrap_or_default())],
    );
    Some(Package {
        kind: PackageKind::Pacman,
        // Advisories of Arch Linux name binary packages; the source is that of split packages.
        source: base.filter(|base| *base != name).map(|base| SourcePackage {
            name: base,
            version: version.clone(),
        }),
        name,
        version,
        architecture,
        purl,
        layer: entry.layer,
        evidence_path: entry.path.clone(),
        files: PathList::default(),
        licences: blocks.remove("LICENSE").unwrap_or_default(),
        maintainer: packager.filter(|name| name != "Unknown Packager"),
        owner: None,
        cpes: Vec::new(),
    })
}

/// Paths without a leading slash; those of folders end with one.
fn files(entry: &FileEntry, input: &Input<'_>, notes: &mut Vec<Note>) -> Vec<String> {
    let path = entry.path.replace("/desc", "/files");
    let Some(content) = input.tree.content(&path) else {
        notes.push(Note::new(
            NoteKind::Hint,
            path,
            "no list of files: its files have no owner",
        ));
        return Vec::new();
    };
    let listed = blocks(content).remove("FILES").unwrap_or_default();
    let mut files: Vec<String> = listed
        .iter()
        .map(|path| format!("/{}", path.trim_matches('/')))
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_at_empty_lines() {
        let found = blocks(b"%NAME%\nglibc\n\n%LICENSE%\nGPL\nLGPL\n\nstray\n%FILES%\n%odd%\nb\n");
        assert_eq!(found["NAME"], ["glibc"]);
        assert_eq!(found["LICENSE"], ["GPL", "LGPL"]);
        assert_eq!(found["FILES"], ["%odd%", "b"]);
        assert!(blocks(b"%\n%%\n\xff\xfe").is_empty());
    }
}
