//! `json`: [`plimsoll_model::ScanReport`] as it is, for programs; the agent and the server read it.

use std::io::{self, Write};

use super::{Document, Report};

/// The whole report.
pub(super) struct Json;

impl Report for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn summary(&self) -> &'static str {
        "everything, for programs (plimsoll.scan/v1)"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, document.report)?;
        writeln!(out)
    }
}
