//! Rocky Linux errata: one update per document, with its binary packages as file names.

use std::collections::BTreeMap;

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{
    Affected, Batch, Feed, Framing, Record, checked, is_cve, is_of_module, module_streams, one_line, severity_word,
};
use crate::cvss;

/// <https://errata.rockylinux.org>, `api/v2/advisories`.
pub(super) struct Rocky;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Erratum {
    name: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    synopsis: String,
    #[serde(default)]
    published_at: String,
    #[serde(default)]
    cves: Vec<Cve>,
    /// Product → its packages.
    #[serde(default)]
    rpms: BTreeMap<String, Packages>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve {
    name: String,
    #[serde(default)]
    cvss3_scoring_vector: String,
}

#[derive(Deserialize)]
struct Packages {
    /// `apr-util-0:1.6.1-20.el9_2.1.aarch64.rpm`.
    #[serde(default)]
    nvras: Vec<String>,
}

impl Feed for Rocky {
    fn name(&self) -> &'static str {
        "rocky"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        memchr::memmem::find(head, b"\"affectedProducts\"").is_some()
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let erratum: Erratum = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let mut record = Record::new("rocky", checked("name", &erratum.name)?, Vec::new());
        record.modified = erratum.published_at;
        record.severity = severity_word(erratum.severity.trim_start_matches("SEVERITY_"));
        record.summary = one_line(&erratum.synopsis);
        let streams = module_streams(&erratum.synopsis);
        record.cvss = cvss::newest(erratum.cves.iter().map(|cve| cve.cvss3_scoring_vector.as_str()));
        record.fixes = erratum
            .cves
            .into_iter()
            .map(|cve| cve.name)
            .filter(|name| is_cve(name))
            .collect();
        record.fixes.sort_unstable();
        record.fixes.dedup();
        for (product, packages) in erratum.rpms {
            // Other products (SIG repositories) have no release of their own.
            let Some(release) = product.strip_prefix("Rocky Linux ") else {
                continue;
            };
            let ecosystem = format!("Rocky Linux:{}", release.split(['.', ' ']).next().unwrap_or(release));
            let names = packages.nvras.iter().filter_map(|nvra| split_nvra(nvra));
            // Each architecture is listed.
            let fixed: BTreeMap<&str, &str> = names.collect();
            for (name, version) in fixed {
                record.affected.push(Affected {
                    state: FixState::Fixed,
                    fixed: Some(checked("version", version)?),
                    module: is_of_module(version).then(|| streams.clone()),
                    ..Affected::new(&ecosystem, &checked("package name", name)?)
                });
            }
        }
        batch.records.push(record);
        Ok(())
    }
}

/// Name and version of an RPM's file name; `None` for source packages, which nobody installs.
fn split_nvra(nvra: &str) -> Option<(&str, &str)> {
    let (nvr, architecture) = nvra.strip_suffix(".rpm")?.rsplit_once('.')?;
    let (before, _) = nvr.rsplit_once('-')?;
    let (name, _) = before.rsplit_once('-')?;
    (architecture != "src").then(|| (name, &nvr[name.len() + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_split() {
        assert_eq!(
            split_nvra("apr-util-0:1.6.1-20.el9_2.1.aarch64.rpm"),
            Some(("apr-util", "0:1.6.1-20.el9_2.1"))
        );
        assert_eq!(split_nvra("apr-util-0:1.6.1-20.el9_2.1.src.rpm"), None);
        assert_eq!(split_nvra("nonsense"), None);
    }
}
