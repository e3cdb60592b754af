//! `spdx`: SPDX 2.3 JSON (ISO/IEC 5962's successor): packages, licences as stated, layers as annotations.

pub(super) mod document;

use std::io::{self, Write};

use super::{Document, Report};

/// A bill of materials for licence and compliance tools.
pub(super) struct Spdx;

impl Report for Spdx {
    fn name(&self) -> &'static str {
        "spdx"
    }

    fn summary(&self) -> &'static str {
        "SPDX 2.3 JSON"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &document::document(document.report))?;
        writeln!(out)
    }
}
