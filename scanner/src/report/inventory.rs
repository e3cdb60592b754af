//! `inventory`: every file of the merged tree, one JSON document per line, in path order.

use std::io::{self, Write};

use super::{Document, Report};

/// All files.
pub(super) struct Inventory;

impl Report for Inventory {
    fn name(&self) -> &'static str {
        "inventory"
    }

    fn summary(&self) -> &'static str {
        "every file with owner, mode and SHA-256, one JSON document per line"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        for entry in document.tree.iter() {
            serde_json::to_writer(&mut *out, entry)?;
            writeln!(out)?;
        }
        Ok(())
    }
}
