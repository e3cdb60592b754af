//! `cyclonedx`: CycloneDX 1.6 JSON (ECMA-424), written field by field while it is made: no second copy of the packages.

pub(super) mod bom;

use std::io::{self, Write};

use super::{Document, Report};

/// A bill of materials for other tools.
pub(super) struct CycloneDx;

impl Report for CycloneDx {
    fn name(&self) -> &'static str {
        "cyclonedx"
    }

    fn summary(&self) -> &'static str {
        "CycloneDX 1.6 JSON"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &bom::bom(document.report))?;
        writeln!(out)
    }
}
