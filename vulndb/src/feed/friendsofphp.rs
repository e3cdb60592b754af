//! FriendsOfPHP's security advisories: one YAML file per advisory and package, with affected branches.

use std::collections::BTreeMap;

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, one_line, yaml};
use crate::ecosystem;

/// <https://github.com/FriendsOfPHP/security-advisories>.
pub(super) struct FriendsOfPhp;

#[derive(Deserialize)]
struct Advisory {
    #[serde(default)]
    title: String,
    cve: Option<String>,
    /// `composer://vendor/package`.
    reference: String,
    branches: BTreeMap<String, Branch>,
}

#[derive(Deserialize)]
struct Branch {
    time: Option<String>,
    /// All of them hold: `>=2.0`, `<2.0.5`.
    versions: Vec<String>,
}

impl Feed for FriendsOfPhp {
    fn name(&self) -> &'static str {
        "friendsofphp"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        file_name.ends_with(".yaml") && has(b"composer://") && has(b"branches:")
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let advisory: Advisory = yaml(document)?;
        let name = advisory
            .reference
            .trim()
            .strip_prefix("composer://")
            .ok_or("the reference is no composer package")?;
        let package = ecosystem::package_name("Packagist", &checked("package name", name)?);
        let title = one_line(&advisory.title);
        let cve = advisory.cve.filter(|cve| cve.starts_with("CVE-"));
        let key = cve.unwrap_or_else(|| format!("{package}: {}", title.chars().take(120).collect::<String>()));
        let mut record = Record::new("friendsofphp", checked("id", &key)?, Vec::new());
        record.summary = title;
        for branch in advisory.branches.values() {
            record.modified = record.modified.max(branch.time.clone().unwrap_or_default());
            let mut row = Affected::new("Packagist", &package);
            for requirement in &branch.versions {
                let start = requirement
                    .find(|c: char| !"<>= ".contains(c))
                    .unwrap_or(requirement.len());
                let (operator, version) = requirement.split_at(start);
                let version = Some(checked("version", version)?);
                match operator.trim() {
                    ">=" | ">" => row.introduced = version,
                    "<" => {
                        row.fixed = version;
                        row.state = FixState::Fixed;
                    }
                    "<=" | "=" | "==" | "" => row.last_affected = version,
                    other => return Err(format!("`{other}` is no comparison")),
                }
            }
            record.affected.push(row);
        }
        batch.records.push(record);
        Ok(())
    }
}
