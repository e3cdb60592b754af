//! `openvex`: OpenVEX 0.2.0 (<https://github.com/openvex/spec>). What is said of each match, and of those that statements
//! took away.

use std::io::{self, Write};

use plimsoll_vulndb::{has_openvex_statement, vex_claims, write_openvex};

use super::{Document, Report, identity};

/// Statements on exploitability.
pub(super) struct OpenVex;

impl Report for OpenVex {
    fn name(&self) -> &'static str {
        "openvex"
    }

    fn summary(&self) -> &'static str {
        "OpenVEX 0.2.0 statements on what was found and what statements took away"
    }

    /// The schema asks for one statement at least (`minItems` of `statements`).
    fn is_silent(&self, document: &Document<'_>) -> bool {
        let matches = document.report.matches.as_deref().unwrap_or_default();
        !has_openvex_statement(&vex_claims(matches, document.suppressed), &document.report.sbom)
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        identity::with_claims(document, |claims, header| {
            let Some(said) = write_openvex(claims, &document.report.sbom, header) else {
                return Ok(());
            };
            serde_json::to_writer_pretty(&mut *out, &said)?;
            writeln!(out)
        })
    }
}
