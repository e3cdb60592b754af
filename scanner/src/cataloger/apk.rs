//! Alpine's database of installed packages in, packages with the files that they own out (apk-tools,
//! doc/apk-package.5 and the Alpine wiki page "Apk spec": one letter, a colon, a value).

use std::collections::BTreeMap;

use plimsoll_model::{Note, NoteKind, Package, PackageKind, SourcePackage};

use super::{Catalog, Cataloger, Input, Want};
use crate::purl;

/// Alpine and its children.
pub(super) struct Apk;

/// The second path is where apk-tools 3 keeps it.
const PATHS: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

impl Cataloger for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        PATHS.contains(&path).then_some(Want::EveryVersion)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for path in PATHS {
            let (Some(content), Some(entry)) = (input.tree.content(path), input.tree.get(path)) else {
                continue;
            };
            let first_layers = first_layers(input, path);
            for record in records(content) {
                match record.package(input, path) {
                    Some(mut package) => {
                        let key = (package.name.clone(), package.version.clone());
                        package.layer = first_layers.get(&key).copied().unwrap_or(entry.layer);
                        catalog.packages.push(package);
                    }
                    None => {
                        let detail = format!("{}: no version", record.name);
                        catalog.notes.push(Note::new(NoteKind::Unreadable, *path, detail));
                    }
                }
            }
        }
        catalog
    }
}

#[derive(Debug, Default)]
struct Record {
    name: String,
    version: String,
    architecture: String,
    origin: String,
    licence: String,
    maintainer: String,
    files: Vec<String>,
}

impl Record {
    fn package(&self, input: &Input<'_>, evidence_path: &str) -> Option<Package> {
        if self.name.is_empty() || self.version.is_empty() {
            return None;
        }
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let mut files: Vec<&String> = self.files.iter().collect();
        files.sort_unstable();
        Some(Package {
            kind: PackageKind::Apk,
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: some(&self.architecture),
            source: some(&self.origin).map(|name| SourcePackage {
                name,
                version: self.version.clone(),
            }),
            purl: purl::of_os_package(
                "apk",
                input.os,
                "alpine",
                &self.name,
                &self.version,
                &[("arch", &self.architecture)],
            ),
            layer: 0,
            evidence_path: evidence_path.to_owned(),
            files: files.into(),
            licences: some(&self.licence).into_iter().collect(),
            maintainer: some(&self.maintainer),
            owner: None,
            cpes: Vec::new(),
        })
    }
}

fn records(content: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let (mut record, mut folder) = (Record::default(), String::new());
    for line in String::from_utf8_lossy(content).lines() {
        let Some((key, value)) = line.split_once(':') else {
            if line.trim().is_empty() && !record.name.is_empty() {
                records.push(std::mem::take(&mut record));
                folder.clear();
            }
            continue;
        };
        let value = value.trim().to_owned();
        match key {
            "P" => record.name = value,
            "V" => record.version = value,
            "A" => record.architecture = value,
            "o" => record.origin = value,
            "L" => record.licence = value,
            "m" => record.maintainer = value,
            "F" => folder = value,
            "R" if folder.is_empty() => record.files.push(format!("/{value}")),
            "R" => record.files.push(format!("/{folder}/{value}")),
            _ => {}
        }
    }
    if !record.name.is_empty() {
        records.push(record);
    }
    records
}

fn first_layers(input: &Input<'_>, path: &str) -> BTreeMap<(String, String), u32> {
    let mut first = BTreeMap::new();
    for (layer, content) in input.versions.get(path).map(Vec::as_slice).unwrap_or_default() {
        let present: Vec<_> = records(content)
            .into_iter()
            .map(|record| (record.name, record.version))
            .collect();
        first.retain(|key, _| present.contains(key));
        for key in present {
            first.entry(key).or_insert(*layer);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_files_and_origin() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nm:A B <a@b>\nF:lib\nR:ld-musl-x86_64.so.1\n\
                    a:0:0:755\nZ:Q1x=\n\nP:busybox\nV:1.36.1-r29\no:busybox\nF:\nR:top\n";
        let found = records(text.as_bytes());
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].name.as_str(), found[0].version.as_str()),
            ("musl", "1.2.5-r0")
        );
        assert_eq!(found[0].files, ["/lib/ld-musl-x86_64.so.1"]);
        assert_eq!(found[1].files, ["/top"]);
        assert!(records(b"\n\n:\nP:").is_empty());
    }
}
