//! RustSec's advisories: Markdown with a TOML head, one per file, with the versions that are *not* affected.

use serde::Deserialize;

use super::requirement::{Operators, affected_outside};
use super::{Affected, Batch, Feed, Framing, Record, checked, one_line};
use crate::cvss;
use crate::version::Semver;

/// <https://github.com/rustsec/advisory-db>, `crates/**.md`.
pub(super) struct RustSec;

#[derive(Deserialize)]
struct Document {
    advisory: Advisory,
    versions: Versions,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    package: String,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
    date: String,
    withdrawn: Option<String>,
    /// `unmaintained`, `notice`, `unsound`: no vulnerability of its own but for the last.
    informational: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

const HEAD: &str = "```toml";

impl Feed for RustSec {
    fn name(&self) -> &'static str {
        "rustsec"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        file_name.ends_with(".md")
            && head.starts_with(HEAD.as_bytes())
            && memchr::memmem::find(head, b"[advisory]").is_some()
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let (head, prose) = text
            .strip_prefix(HEAD)
            .and_then(|rest| rest.split_once("\n```"))
            .ok_or("the TOML at the start does not end")?;
        let Document { advisory, versions } = toml::from_str(head).map_err(|error| error.message().to_owned())?;
        if matches!(advisory.informational.as_deref(), Some("unmaintained" | "notice")) {
            return Ok(());
        }
        let mut record = Record::new("rustsec", checked("id", &advisory.id)?, advisory.aliases);
        let title = prose
            .lines()
            .find_map(|line| line.strip_prefix("# "))
            .unwrap_or_default();
        record.summary = one_line(title);
        record.modified = advisory.date;
        record.withdrawn = advisory.withdrawn.is_some();
        record.cvss = cvss::newest(advisory.cvss.as_deref().into_iter());
        let template = Affected::new("crates.io", &checked("package", &advisory.package)?);
        let fine: Vec<String> = versions.patched.into_iter().chain(versions.unaffected).collect();
        record.affected = affected_outside(&fine, &Semver, Operators::Cargo, &template)?;
        batch.records.push(record);
        Ok(())
    }
}
