//! The Python Packaging Authority's advisories: OSV records written as YAML, one per file.

use super::osv::Osv;
use super::{Batch, Feed, Framing, yaml};

/// <https://github.com/pypa/advisory-database>, `vulns/**.yaml`.
pub(super) struct Pypa;

impl Feed for Pypa {
    fn name(&self) -> &'static str {
        "pypa"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        file_name.starts_with("PYSEC-")
            && file_name.ends_with(".yaml")
            && memchr::memmem::find(head, b"id: PYSEC-").is_some()
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let value: serde_json::Value = yaml(document)?;
        let json = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
        Osv.parse(&json, batch)
    }
}
