//! Alpine's secdb (also Wolfi's and Chainguard's): per branch and repository, source packages with the versions that
//! fixed something. Fixed in `0` means that the package never had it.

use std::collections::BTreeMap;

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve};
use crate::limits::MAX_DOCUMENT_BYTES;

/// <https://secdb.alpinelinux.org/>, `<branch>/<repository>.json`.
pub(super) struct Secdb;

#[derive(Deserialize)]
struct Document {
    /// `v3.19`, `edge`; Wolfi and Chainguard have none.
    #[serde(default)]
    distroversion: String,
    #[serde(default)]
    urlprefix: String,
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Fixes,
}

#[derive(Deserialize)]
struct Fixes {
    name: String,
    /// Fixed version → ids, each with other names of the same after it.
    #[serde(default)]
    secfixes: Option<BTreeMap<String, Option<Vec<String>>>>,
}

impl Feed for Secdb {
    fn name(&self) -> &'static str {
        "secdb"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"\"apkurl\"") && has(b"\"urlprefix\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn max_document_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let document: Document = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let (source, ecosystem) = if document.urlprefix.contains("wolfi") {
            ("chainguard", "Wolfi".to_owned())
        } else if document.urlprefix.contains("chainguard") {
            ("chainguard", "Chainguard".to_owned())
        } else {
            (
                "alpine",
                format!("Alpine:{}", checked("distroversion", &document.distroversion)?),
            )
        };
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for Entry { pkg } in document.packages {
            let package = checked("package name", &pkg.name)?;
            for (version, ids) in pkg.secfixes.unwrap_or_default() {
                for id in ids.unwrap_or_default() {
                    add(&mut records, source, &ecosystem, &package, &version, &id)?;
                }
            }
        }
        batch.records.extend(records.into_values());
        Ok(())
    }
}

fn add(
    records: &mut BTreeMap<String, Record>,
    source: &'static str,
    ecosystem: &str,
    package: &str,
    version: &str,
    id: &str,
) -> Result<(), String> {
    let mut names = id.split_whitespace();
    let key = checked("id", names.next().unwrap_or_default())?;
    // Other names follow; what is no name is a remark.
    let is_name = |name: &&str| is_cve(name) || name.starts_with("XSA-") || name.starts_with("GHSA-");
    let aliases = names.filter(is_name).map(str::to_owned).collect();
    let version = checked("fixed version", version)?;
    let never = version == "0";
    let record = records
        .entry(key.clone())
        .or_insert_with(|| Record::new(source, key, aliases));
    record.affected.push(Affected {
        state: if never { FixState::NotAffected } else { FixState::Fixed },
        fixed: (!never).then_some(version),
        ..Affected::new(ecosystem, package)
    });
    Ok(())
}
