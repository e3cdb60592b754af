//! CVSS vectors of CVEs beside advisories: NVD's (in VulnerableCode's export) and CISA's (vulnrichment, with its decision
//! points), as CSV.

use super::{Batch, Enrichment, Feed, Framing, is_cve, ssvc};
use crate::cvss;

/// `cve,system,score,vector,source` or `cve,cvss31_vector,…` lines.
pub(super) struct Cvss;

impl Feed for Cvss {
    fn name(&self) -> &'static str {
        "cvss"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        head.starts_with(b"cve,system,score,vector,source") || head.starts_with(b"cve,cvss31_vector,")
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let line = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let cells: Vec<&str> = line.split(',').collect();
        let (Some(&cve), Some(&second)) = (cells.first(), cells.get(1)) else {
            return Err("fewer than two columns".to_owned());
        };
        if cve == "cve" {
            return Ok(());
        }
        if !is_cve(cve) {
            return Err("the first column is no CVE id".to_owned());
        }
        let (vector, ssvc) = match cells.get(4) {
            // NVD judges the fault itself; others judge it in their product.
            Some(&"nvd") => (cells[3], None),
            Some(impact) if second.is_empty() || second.starts_with("CVSS:") => {
                (second, ssvc::answers(cells[2], cells[3], impact))
            }
            _ => return Ok(()),
        };
        if let Some(ssvc) = ssvc {
            batch.enrichments.push(Enrichment {
                cve: cve.to_owned(),
                ssvc: Some(ssvc),
                source: "ssvc",
                ..Enrichment::default()
            });
        }
        if let Some(score) = cvss::score(vector) {
            batch.enrichments.push(Enrichment {
                cve: cve.to_owned(),
                cvss: Some((score, vector.to_owned())),
                source: "cvss",
                ..Enrichment::default()
            });
        }
        Ok(())
    }
}
