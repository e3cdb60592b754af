//! Amazon Linux security advisories (ALAS): one update per document, with its binary packages.

use std::collections::BTreeSet;

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve, one_line, severity_word};

/// The `updateinfo` of Amazon's repositories, as JSON.
pub(super) struct Amazon;

#[derive(Deserialize)]
struct Update {
    /// `2023/core/…`: release and repository.
    _path: String,
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Title", default)]
    title: String,
    #[serde(rename = "Updated")]
    updated: Date,
    #[serde(rename = "Severity", default)]
    severity: String,
    #[serde(rename = "References")]
    references: References,
    #[serde(rename = "Pkglist")]
    packages: PackageList,
}

#[derive(Deserialize)]
struct Date {
    #[serde(rename = "Date")]
    date: String,
}

#[derive(Deserialize)]
struct References {
    #[serde(rename = "Reference", default)]
    list: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ID", default)]
    id: String,
}

#[derive(Deserialize)]
struct PackageList {
    #[serde(rename = "Collection")]
    collection: Collection,
}

#[derive(Deserialize)]
struct Collection {
    #[serde(rename = "Package", default)]
    packages: Option<Vec<Rpm>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rpm {
    name: String,
    epoch: String,
    version: String,
    release: String,
}

impl Feed for Amazon {
    fn name(&self) -> &'static str {
        "amazon"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"linux-security@amazon.com") && has(b"\"_path\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let update: Update = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let mut path = update._path.split('/');
        let release = checked("release", path.next().unwrap_or_default())?;
        let repository = path.next().unwrap_or_default();
        // Releases count their advisories apart: ALAS-2023-001 is another one in Amazon Linux 1, 2 and 2023.
        let key = format!("{} ({release} {repository})", checked("ID", &update.id)?);
        let mut record = Record::new("amazon", key, Vec::new());
        record.id = update.id;
        record.modified = update.updated.date.trim().replace(' ', "T");
        record.severity = severity_word(&update.severity);
        record.summary = one_line(&update.title);
        let cves: BTreeSet<String> = update
            .references
            .list
            .unwrap_or_default()
            .into_iter()
            .map(|one| one.id)
            .filter(|id| is_cve(id))
            .collect();
        record.fixes = cves.into_iter().collect();
        let ecosystem = format!("Amazon Linux:{release}");
        let mut seen = BTreeSet::new();
        for rpm in update.packages.collection.packages.unwrap_or_default() {
            let name = checked("package name", &rpm.name)?;
            let version = checked("version", &format!("{}:{}-{}", rpm.epoch, rpm.version, rpm.release))?;
            // Each architecture is listed.
            if seen.insert((name.clone(), version.clone())) {
                record.affected.push(Affected {
                    state: FixState::Fixed,
                    fixed: Some(version),
                    ..Affected::new(&ecosystem, &name)
                });
            }
        }
        batch.records.push(record);
        Ok(())
    }
}
