//! RPM's database in, packages with the files that they own out. Three formats hold the same headers: SQLite (since RPM 4.16),
//! ndb (SUSE), Berkeley DB hash (before).

mod bdb;
pub(crate) mod header;
mod ndb;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Note, NoteKind, Package, PackageKind, SourcePackage};

use self::header::{FileDigest, Header};
use super::{Catalog, Cataloger, Input, Want};
use crate::{Tree, purl};

/// Red Hat's, SUSE's and Amazon's distributions and their children.
pub(super) struct Rpm;

/// Where distributions keep it; on many, some of these are links to another.
const FOLDERS: &[&str] = &["/var/lib/rpm/", "/usr/lib/sysimage/rpm/", "/usr/share/rpm/"];

/// Takes a database apart into header blobs; the error says what does not follow the format.
type Reader = fn(&[u8]) -> Result<Vec<Vec<u8>>, &'static str>;

const FILES: &[(&str, Reader)] = &[
    ("rpmdb.sqlite", sqlite::packages),
    ("Packages.db", ndb::packages),
    ("Packages", bdb::packages),
];

fn reader(path: &str) -> Option<Reader> {
    let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder))?;
    FILES.iter().find(|(file, _)| *file == name).map(|(_, reader)| *reader)
}

impl Cataloger for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        reader(path).map(|_| Want::EveryVersion)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for folder in FOLDERS {
            for (name, reader) in FILES {
                let path = format!("{folder}{name}");
                let (Some(content), Some(entry)) = (input.tree.content(&path), input.tree.get(&path)) else {
                    continue;
                };
                let first_layers = first_layers(input, &path, *reader);
                for header in headers(content, &path, *reader, &mut catalog.notes) {
                    let layer = first_layers.get(&header.key()).copied().unwrap_or(entry.layer);
                    catalog.packages.push(package(header, input, &path, layer));
                }
                let wal = format!("{path}-wal");
                if input.tree.get(&wal).is_some_and(|wal| wal.size_bytes > 0) {
                    let detail = "holds changes that are not in the database yet".to_owned();
                    catalog.notes.push(Note::new(NoteKind::Unsupported, wal, detail));
                }
            }
        }
        catalog
    }
}

/// What the databases state of files' contents: the package's name, and a file. What cannot be read was noted when it was cataloged.
pub(crate) fn digests(tree: &Tree) -> Vec<(String, FileDigest)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for (name, reader) in FILES {
            let content = tree.content(&format!("{folder}{name}")).unwrap_or_default();
            for blob in reader(content).unwrap_or_default() {
                let Ok(header) = header::parse(&blob) else {
                    continue;
                };
                let files = header::digests(&blob).into_iter();
                found.extend(files.map(|file| (header.name.clone(), file)));
            }
        }
    }
    found
}

/// All packages but public keys, which RPM keeps as if they were packages.
fn headers(content: &[u8], path: &str, reader: Reader, notes: &mut Vec<Note>) -> Vec<Header> {
    let mut headers = Vec::new();
    match reader(content) {
        Ok(blobs) => {
            for blob in blobs {
                match header::parse(&blob) {
                    Ok(header) if header.name == "gpg-pubkey" => {}
                    Ok(header) => headers.push(header),
                    Err(problem) => notes.push(Note::new(NoteKind::Unreadable, path, problem)),
                }
            }
        }
        Err(problem) => notes.push(Note::new(NoteKind::Unreadable, path, problem)),
    }
    headers
}

fn first_layers(input: &Input<'_>, path: &str, reader: Reader) -> BTreeMap<String, u32> {
    let mut first = BTreeMap::new();
    let versions = input.versions.get(path).map(Vec::as_slice).unwrap_or_default();
    if versions.len() < 2 {
        return first;
    }
    for (layer, content) in versions {
        let found = headers(content, path, reader, &mut Vec::new());
        let present: BTreeSet<String> = found.iter().map(Header::key).collect();
        first.retain(|key, _| present.contains(key));
        for key in present {
            first.entry(key).or_insert(*layer);
        }
    }
    first
}

fn package(header: Header, input: &Input<'_>, path: &str, layer: u32) -> Package {
    let version = format!("{}-{}", header.version, header.release);
    let epoch = header.epoch.map(|epoch| epoch.to_string());
    let source = header.source_rpm.as_deref().and_then(|name| source(name, header.epoch));
    let qualifiers = [
        ("arch", header.architecture.as_deref().unwrap_or_default()),
        ("epoch", epoch.as_deref().unwrap_or_default()),
        ("rpmmod", header.module.as_deref().unwrap_or_default()),
        ("upstream", header.source_rpm.as_deref().unwrap_or_default()),
    ];
    Package {
        kind: PackageKind::Rpm,
        purl: purl::of_os_package("rpm", input.os, "rpm", &header.name, &version, &qualifiers),
        version: with_epoch(&version, header.epoch),
        name: header.name,
        architecture: header.architecture,
        source,
        layer,
        evidence_path: path.to_owned(),
        files: header.files.into(),
        licences: header.licence.into_iter().collect(),
        maintainer: header.vendor,
        owner: None,
        cpes: Vec::new(),
    }
}

fn with_epoch(version: &str, epoch: Option<u32>) -> String {
    match epoch {
        None | Some(0) => version.to_owned(),
        Some(epoch) => format!("{epoch}:{version}"),
    }
}

/// `bash-5.1.8-6.el9.src.rpm`. The name does not say the epoch: the binary's is taken, as they are nearly always equal.
fn source(file: &str, epoch: Option<u32>) -> Option<SourcePackage> {
    let stem = file
        .strip_suffix(".src.rpm")
        .or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage {
        name: name.to_owned(),
        version: with_epoch(&format!("{version}-{release}"), epoch),
    })
}

#[cfg(test)]
mod tests;
