//! `cyclonedx-vex`: CycloneDX 1.6 JSON without the list of all packages. What is said of each match, and of those that
//! statements took away.

use std::io::{self, Write};

use plimsoll_vulndb::write_cyclonedx_vex;

use super::{Document, Report, identity};

/// Statements on exploitability.
pub(super) struct CycloneDxVex;

impl Report for CycloneDxVex {
    fn name(&self) -> &'static str {
        "cyclonedx-vex"
    }

    fn summary(&self) -> &'static str {
        "CycloneDX 1.6 JSON, analyses of vulnerabilities only"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        identity::with_claims(document, |claims, header| {
            let said = write_cyclonedx_vex(claims, &document.report.sbom, header);
            serde_json::to_writer_pretty(&mut *out, &said)?;
            writeln!(out)
        })
    }
}
