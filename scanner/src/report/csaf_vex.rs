//! `csaf-vex`: CSAF 2.0, profile VEX. What is said of each match, and of those that statements took away.

use std::io::{self, Write};

use plimsoll_vulndb::write_csaf_vex;

use super::{Document, Report, identity};

/// Statements on exploitability.
pub(super) struct CsafVex;

impl Report for CsafVex {
    fn name(&self) -> &'static str {
        "csaf-vex"
    }

    fn summary(&self) -> &'static str {
        "CSAF 2.0 document, profile VEX"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        identity::with_claims(document, |claims, header| {
            let said = write_csaf_vex(claims, &document.report.sbom, header);
            serde_json::to_writer_pretty(&mut *out, &said)?;
            writeln!(out)
        })
    }
}
