//! dpkg's database in, packages with the files that they own out (dpkg(1), deb-control(5); distroless keeps one status
//! file per package in `status.d`).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use plimsoll_model::{Note, NoteKind, Package, PackageKind, PathList, SourcePackage};

use super::{
    Catalog, Cataloger, Input, Want,
    paragraphs::{self, Paragraph},
};
use crate::purl;

/// Debian, Ubuntu and their children.
pub(super) struct Dpkg;

const STATUS: &str = "/var/lib/dpkg/status";
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d/";
const INFO_FOLDER: &str = "/var/lib/dpkg/info/";

impl Cataloger for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        if path == STATUS {
            return Some(Want::EveryVersion);
        }
        let in_folder = |folder: &str| path.strip_prefix(folder).is_some_and(|name| !name.contains('/'));
        let is_list = in_folder(INFO_FOLDER) && path.ends_with(".list");
        (is_list || in_folder(STATUS_FOLDER)).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        if let Some(content) = input.tree.content(STATUS) {
            let first_layers = first_layers(input);
            let newest = input.tree.get(STATUS).map_or(0, |entry| entry.layer);
            for paragraph in paragraphs::read(content, FIELDS) {
                let Some(stanza) = read(&paragraph, STATUS, &mut catalog.notes) else {
                    continue;
                };
                let mut package = stanza.package(input, STATUS);
                let key = key_of(&package.name, &package.version, package.architecture.as_deref());
                package.layer = first_layers.get(&key).copied().unwrap_or(newest);
                package.files = listed_files(input, &package, &mut catalog.notes);
                catalog.packages.push(package);
            }
        }
        for entry in input.tree.below(STATUS_FOLDER) {
            let Some(content) = input
                .tree
                .content(&entry.path)
                .filter(|_| !entry.path.ends_with(".md5sums"))
            else {
                continue;
            };
            for paragraph in paragraphs::read(content, FIELDS) {
                if let Some(stanza) = read(&paragraph, &entry.path, &mut catalog.notes) {
                    let mut package = stanza.package(input, &entry.path);
                    package.layer = entry.layer;
                    package.files = summed_files(input, &entry.path);
                    catalog.packages.push(package);
                }
            }
        }
        catalog
    }
}

/// One installed package as its paragraph states it.
struct Stanza<'a> {
    name: &'a str,
    version: &'a str,
    architecture: Option<&'a str>,
    source: Option<&'a str>,
    maintainer: Option<&'a str>,
}

impl Stanza<'_> {
    fn package(&self, input: &Input<'_>, evidence_path: &str) -> Package {
        let architecture = self.architecture.unwrap_or_default();
        Package {
            architecture: self.architecture.map(str::to_owned),
            source: Some(self.source_package()),
            purl: purl::of_os_package(
                "deb",
                input.os,
                "debian",
                self.name,
                self.version,
                &[("arch", architecture)],
            ),
            evidence_path: evidence_path.to_owned(),
            maintainer: self.maintainer.map(str::to_owned),
            ..Package::new(PackageKind::Dpkg, self.name, self.version)
        }
    }

    /// `Source: glibc (2.36-9)`; without the field, or without a version in it, the binary's own.
    fn source_package(&self) -> SourcePackage {
        let source = self.source.unwrap_or(self.name);
        let (name, version) = match source.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end().trim_end_matches(')').trim()),
            None => (source.trim(), self.version),
        };
        SourcePackage {
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }
}

/// `None` for packages that are not installed; they may have left configuration files behind.
fn read<'a>(paragraph: &'a Paragraph, evidence: &str, notes: &mut Vec<Note>) -> Option<Stanza<'a>> {
    let field = |name: &str| paragraph.get(name).map(String::as_str);
    // Want, error flag, state. Distroless files have no such field: what they list is there.
    let state = field("Status").map_or("installed", |status| status.rsplit(' ').next().unwrap_or(status));
    if matches!(state, "not-installed" | "config-files") {
        return None;
    }
    let (Some(name), Some(version)) = (field("Package"), field("Version")) else {
        let shown = field("Package").unwrap_or("a paragraph").to_owned();
        let detail = format!("{shown}: no Package or Version field");
        notes.push(Note::new(NoteKind::Unreadable, evidence, detail));
        return None;
    };
    Some(Stanza {
        name,
        version,
        architecture: field("Architecture"),
        source: field("Source"),
        maintainer: field("Maintainer"),
    })
}

/// Fields that are read; the others may be long.
const FIELDS: &[&str] = &["Package", "Status", "Version", "Architecture", "Source", "Maintainer"];

type Key = (String, String, String);

fn key_of(name: &str, version: &str, architecture: Option<&str>) -> Key {
    (
        name.to_owned(),
        version.to_owned(),
        architecture.unwrap_or_default().to_owned(),
    )
}

/// The layer that first brought each version of each package. One that a layer removed and a later one brought back
/// belongs to the later one.
fn first_layers(input: &Input<'_>) -> BTreeMap<Key, u32> {
    let mut first = BTreeMap::new();
    let versions = input.versions.get(STATUS).map(Vec::as_slice).unwrap_or_default();
    for (layer, content) in versions {
        let mut present = BTreeSet::new();
        for paragraph in paragraphs::read(content, FIELDS) {
            if let Some(stanza) = read(&paragraph, STATUS, &mut Vec::new()) {
                present.insert(key_of(stanza.name, stanza.version, stanza.architecture));
            }
        }
        first.retain(|key, _| present.contains(key));
        for key in present {
            first.entry(key).or_insert(*layer);
        }
    }
    first
}

/// `NAME.list`, or `NAME:ARCH.list` for packages that can be installed for several architectures at once.
fn listed_files(input: &Input<'_>, package: &Package, notes: &mut Vec<Note>) -> PathList {
    let architecture = package.architecture.as_deref().unwrap_or_default();
    let name = &package.name;
    let candidates = [
        format!("{INFO_FOLDER}{name}:{architecture}.list"),
        format!("{INFO_FOLDER}{name}.list"),
    ];
    let Some(content) = candidates.iter().find_map(|path| input.tree.unpacked(path)) else {
        let detail = format!("no list of files for {name}: its files have no owner");
        notes.push(Note::new(NoteKind::Hint, INFO_FOLDER, detail));
        return PathList::default();
    };
    let paths = content
        .split(|&byte| byte == b'\n')
        .filter(|line| line.starts_with(b"/"));
    sorted(paths.filter(|path| *path != b"/.").map(String::from_utf8_lossy))
}

/// `status.d/NAME.md5sums` beside `status.d/NAME`: a digest, two blanks, a path without leading slash.
fn summed_files(input: &Input<'_>, status_path: &str) -> PathList {
    let content = input
        .tree
        .content(&format!("{status_path}.md5sums"))
        .unwrap_or_default();
    let paths = content.split(|&byte| byte == b'\n').filter_map(|line| {
        let blank = memchr::memchr(b' ', line)?;
        let path = String::from_utf8_lossy(line[blank..].trim_ascii()).into_owned();
        (!path.is_empty()).then(|| Cow::Owned(format!("/{}", path.trim_start_matches("./").trim_start_matches('/'))))
    });
    sorted(paths)
}

fn sorted<'a>(paths: impl Iterator<Item = Cow<'a, str>>) -> PathList {
    let mut paths: Vec<Cow<'a, str>> = paths.collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plimsoll_model::{FileEntry, FileKind, OsRelease};

    use super::*;
    use crate::{Tree, merge::Versions};

    fn tree(files: &[(&str, u32, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, layer, content) in files {
            let entry = FileEntry {
                size_bytes: content.len() as u64,
                layer: *layer,
                ..FileEntry::new(*path, FileKind::Regular, 0o644)
            };
            tree.insert(entry, Some(Arc::from(content.as_bytes())));
        }
        tree
    }

    fn catalog(tree: &Tree, versions: &[(u32, &str)]) -> Catalog {
        let versions = versions
            .iter()
            .map(|(layer, text)| (*layer, Arc::from(text.as_bytes())))
            .collect();
        let versions: Versions = [(STATUS.to_owned(), versions)].into();
        let os = OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        };
        Dpkg.catalog(&Input {
            tree,
            versions: &versions,
            is_source_tree: false,
            os: Some(&os),
        })
    }

    const LIBC: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\n\
                        Source: glibc\nVersion: 2.36-9+deb12u10\nDescription: GNU C Library\n Package: not a field\n";
    const REDIS: &str = "Package: redis-server\nStatus: install ok installed\nArchitecture: amd64\n\
                         Source: redis (5:7.0.15-1~deb12u5)\nVersion: 5:7.0.15-1~deb12u5+b1\n";
    const GONE: &str = "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n";

    #[test]
    fn reads_installed_packages_with_source_files_and_layer() {
        let old = format!("{LIBC}\n{GONE}");
        let new = format!("{LIBC}\n{REDIS}\n{GONE}\n");
        let tree = tree(&[
            (STATUS, 2, &new),
            ("/var/lib/dpkg/info/libc6:amd64.list", 0, "/.\n/lib\n/lib/libc.so.6\n"),
            ("/var/lib/dpkg/info/redis-server.list", 2, "/.\n/usr/bin/redis-server\n"),
        ]);
        let found = catalog(&tree, &[(0, &old), (2, &new)]);
        assert_eq!(found.notes, []);
        let [libc, redis] = &found.packages[..] else {
            panic!("{:?}", found.packages);
        };
        assert_eq!(
            libc.purl,
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12"
        );
        assert_eq!(libc.layer, 0);
        assert_eq!(libc.files, ["/lib", "/lib/libc.so.6"]);
        let source = libc.source.as_ref().unwrap();
        assert_eq!(
            (source.name.as_str(), source.version.as_str()),
            ("glibc", "2.36-9+deb12u10")
        );
        let source = redis.source.as_ref().unwrap();
        assert_eq!(
            (source.name.as_str(), source.version.as_str()),
            ("redis", "5:7.0.15-1~deb12u5")
        );
        assert_eq!(redis.layer, 2);
        assert_eq!(
            redis.purl,
            "pkg:deb/debian/redis-server@5:7.0.15-1~deb12u5%2Bb1?arch=amd64&distro=debian-12"
        );
    }

    #[test]
    fn a_package_that_was_away_for_a_layer_belongs_to_the_one_that_brought_it_back() {
        let both = format!("{LIBC}\n{REDIS}");
        let tree = tree(&[(STATUS, 2, &both)]);
        let found = catalog(&tree, &[(0, &both), (1, LIBC), (2, &both)]);
        let layers: Vec<u32> = found.packages.iter().map(|package| package.layer).collect();
        assert_eq!(layers, [0, 2]);
    }

    #[test]
    fn reads_distroless_status_files() {
        let tree = tree(&[
            (
                "/var/lib/dpkg/status.d/tzdata",
                1,
                "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n",
            ),
            (
                "/var/lib/dpkg/status.d/tzdata.md5sums",
                1,
                "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n",
            ),
        ]);
        let found = catalog(&tree, &[]);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.packages[0].files, ["/usr/share/zoneinfo/UTC"]);
        assert_eq!(found.packages[0].layer, 1);
    }

    #[test]
    fn a_paragraph_without_version_is_a_note() {
        let tree = tree(&[(
            STATUS,
            0,
            "Package: broken\nStatus: install ok installed\n\n\n\nnonsense\n",
        )]);
        let found = catalog(&tree, &[]);
        assert!(found.packages.is_empty());
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].makes_incomplete());
    }
}
