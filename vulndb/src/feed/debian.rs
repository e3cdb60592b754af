//! Debian's security tracker: one document, source package → CVE → release → status; knows what OSV does not: `no-dsa`,
//! `postponed`, `ignored`.

use std::collections::BTreeMap;

use plimsoll_model::{FixState, Severity};
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, one_line, severity_word};
use crate::ecosystem;
use crate::limits::MAX_DOCUMENT_BYTES;

/// <https://security-tracker.debian.org/tracker/data/json>.
pub(super) struct Debian;

type Document = BTreeMap<String, BTreeMap<String, Issue>>;

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    description: String,
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    /// `resolved`, `open` or `undetermined`.
    status: String,
    #[serde(default)]
    urgency: String,
    fixed_version: Option<String>,
    /// Set when there will be no advisory of its own; the word is in `nodsa_reason`.
    nodsa: Option<String>,
    /// `postponed`, `ignored`, or empty.
    nodsa_reason: Option<String>,
}

impl Feed for Debian {
    fn name(&self) -> &'static str {
        "debian"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"\"releases\"") && has(b"\"repositories\"") && has(b"\"urgency\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn max_document_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let document: Document = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for (package, issues) in document {
            let package = checked("package name", &package)?;
            for (id, issue) in issues {
                let id = checked("id", &id)?;
                let record = records
                    .entry(id.clone())
                    .or_insert_with(|| Record::new("debian", id, Vec::new()));
                if record.summary.is_empty() {
                    record.summary = one_line(&issue.description);
                }
                for (codename, release) in &issue.releases {
                    let Some(number) = ecosystem::debian_number(codename) else {
                        continue;
                    };
                    let template = Affected::new(&format!("Debian:{number}"), &package);
                    record.affected.extend(affected(template, release)?);
                }
            }
        }
        batch.records.extend(records.into_values());
        Ok(())
    }
}

fn affected(template: Affected, release: &Release) -> Result<Option<Affected>, String> {
    let severity = match release.urgency.as_str() {
        "end-of-life" => Severity::Unknown,
        word => severity_word(word),
    };
    let template = Affected { severity, ..template };
    let open = |state| {
        Ok(Some(Affected {
            state,
            ..template.clone()
        }))
    };
    match (release.status.as_str(), &release.fixed_version) {
        ("resolved", Some(version)) if version == "0" => open(FixState::NotAffected),
        ("resolved", Some(version)) => {
            let fixed = Some(checked("fixed version", version)?);
            Ok(Some(Affected {
                fixed,
                state: FixState::Fixed,
                ..template.clone()
            }))
        }
        _ if release.urgency == "end-of-life" => open(FixState::EndOfLife),
        ("undetermined", _) => open(FixState::UnderInvestigation),
        _ => open(match (release.nodsa_reason.as_deref(), &release.nodsa) {
            (Some("ignored"), _) => FixState::WillNotFix,
            (Some(_), _) | (None, Some(_)) => FixState::Deferred,
            (None, None) => FixState::Affected,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trackers_words_become_states() {
        let document = br#"{"zlib":{"CVE-2023-45853":{"description":"MiniZip","scope":"local","releases":{
            "bookworm":{"status":"open","repositories":{"bookworm":"1:1.2.13.dfsg-1"},"urgency":"unimportant"},
            "bullseye":{"status":"open","repositories":{},"urgency":"low","nodsa":"Minor issue","nodsa_reason":""},
            "buster":{"status":"open","repositories":{},"urgency":"end-of-life"},
            "trixie":{"status":"resolved","repositories":{},"fixed_version":"1:1.3.dfsg-2","urgency":"low"},
            "forky":{"status":"resolved","repositories":{},"fixed_version":"0","urgency":"low"},
            "stretch":{"status":"open","repositories":{},"urgency":"medium","nodsa":"x","nodsa_reason":"ignored"},
            "sid":{"status":"undetermined","repositories":{},"urgency":"low"}}}}}"#;
        assert!(Debian.recognises("json", document));
        let mut batch = Batch::default();
        Debian.parse(document, &mut batch).unwrap();
        let rows = &batch.records[0].affected;
        let state = |ecosystem: &str| {
            rows.iter()
                .find(|row| row.ecosystem == ecosystem)
                .map(|row| (row.state, row.severity))
        };
        assert_eq!(state("Debian:12"), Some((FixState::Affected, Severity::Negligible)));
        assert_eq!(state("Debian:11"), Some((FixState::Deferred, Severity::Low)));
        assert_eq!(state("Debian:10"), Some((FixState::EndOfLife, Severity::Unknown)));
        assert_eq!(state("Debian:13"), Some((FixState::Fixed, Severity::Low)));
        assert_eq!(state("Debian:14"), Some((FixState::NotAffected, Severity::Low)));
        assert_eq!(state("Debian:9"), Some((FixState::WillNotFix, Severity::Medium)));
        // unstable is no release that images name by number.
        assert_eq!(rows.len(), 6);
    }
}
