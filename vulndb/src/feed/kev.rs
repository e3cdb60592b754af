//! CISA's catalogue of known exploited vulnerabilities: one JSON document.

use serde::Deserialize;

use super::{Batch, Enrichment, Feed, Framing, checked, is_cve};
use crate::limits::MAX_DOCUMENT_BYTES;

/// <https://www.cisa.gov/known-exploited-vulnerabilities-catalog>, `known_exploited_vulnerabilities.json`.
pub(super) struct Kev;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue {
    date_released: String,
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve_id: String,
    date_added: String,
}

impl Feed for Kev {
    fn name(&self) -> &'static str {
        "kev"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        memchr::memmem::find(head, b"\"catalogVersion\"").is_some()
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn max_document_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let catalogue: Catalogue = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        for entry in catalogue.vulnerabilities {
            if !is_cve(&entry.cve_id) {
                return Err(format!("`{}` is no CVE id", entry.cve_id));
            }
            batch.enrichments.push(Enrichment {
                cve: entry.cve_id,
                kev_added: Some(checked("dateAdded", &entry.date_added)?),
                source: "kev",
                ..Enrichment::default()
            });
        }
        batch
            .freshness
            .push(("kev", checked("dateReleased", &catalogue.date_released)?));
        Ok(())
    }
}
