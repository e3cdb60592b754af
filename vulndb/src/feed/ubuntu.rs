//! Ubuntu's CVE tracker: per CVE, release and source package a status.

use std::collections::BTreeMap;

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, one_line, severity_word};
use crate::cvss;

/// The tracker's records as JSON.
pub(super) struct Ubuntu;

#[derive(Deserialize)]
struct Candidate {
    candidate: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    public_date: String,
    #[serde(default)]
    cvss: BTreeMap<String, String>,
    /// Release → package → status.
    packages: BTreeMap<String, BTreeMap<String, Status>>,
}

/// What the tracker says of a package in a release.
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) status: String,
    #[serde(default)]
    pub(super) note: String,
}

impl Feed for Ubuntu {
    fn name(&self) -> &'static str {
        "ubuntu"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"\"candidate\"") && has(b"\"packages\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let candidate: Candidate = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let mut record = Record::new("ubuntu", checked("candidate", &candidate.candidate)?, Vec::new());
        record.modified = candidate.public_date.trim_end_matches(" UTC").replace(' ', "T");
        record.severity = severity_word(&candidate.priority);
        record.summary = one_line(&candidate.description);
        // ` CVSS:3.0/AV:N/… [8.8 HIGH]`
        let vectors = candidate
            .cvss
            .values()
            .filter_map(|text| text.split_whitespace().next());
        record.cvss = cvss::newest(vectors);
        add_packages(&candidate.packages, &mut record)?;
        batch.records.push(record);
        Ok(())
    }
}

/// Adds what all statuses say, by release and package.
pub(super) fn add_packages(
    all: &BTreeMap<String, BTreeMap<String, Status>>,
    record: &mut Record,
) -> Result<(), String> {
    for (release, packages) in all {
        // FIPS builds are packages of their own.
        if release.starts_with("fips") {
            continue;
        }
        // `esm-infra/xenial`; `trusty/esm` is how the first of them was written.
        let (pro, codename) = match release.split_once('/') {
            Some((codename, "esm")) => (true, codename),
            Some((_, codename)) => (true, codename),
            None => (false, release.as_str()),
        };
        let Some(number) = release_number(codename) else {
            continue;
        };
        for (name, status) in packages {
            // Ubuntu Pro's word counts only where the release itself has none.
            let is_judged = all.get(codename).is_some_and(|own| own.contains_key(name));
            if pro && is_judged {
                continue;
            }
            record
                .affected
                .extend(affected(&format!("Ubuntu:{number}"), name, status)?);
        }
    }
    Ok(())
}

/// What a status says; `None` for packages that a release does not have or that never had the fault.
fn affected(ecosystem: &str, name: &str, status: &Status) -> Result<Option<Affected>, String> {
    let template = Affected::new(ecosystem, &checked("package name", name)?);
    let state = match status.status.as_str() {
        "released" if !status.note.trim().is_empty() => {
            let version = status.note.split(',').next().unwrap_or_default();
            let fixed = Some(checked("version", version)?);
            return Ok(Some(Affected {
                fixed,
                state: FixState::Fixed,
                ..template
            }));
        }
        "needed" | "active" | "pending" | "released" => FixState::Affected,
        "needs-triage" => FixState::UnderInvestigation,
        "deferred" => FixState::Deferred,
        "ignored" if status.note.contains("end of") => FixState::EndOfLife,
        "ignored" => FixState::WillNotFix,
        _ => return Ok(None),
    };
    Ok(Some(Affected { state, ..template }))
}

/// Releases that images are made of.
fn release_number(codename: &str) -> Option<&'static str> {
    Some(match codename {
        "trusty" => "14.04",
        "xenial" => "16.04",
        "bionic" => "18.04",
        "focal" => "20.04",
        "jammy" => "22.04",
        "noble" => "24.04",
        "plucky" => "25.04",
        "questing" => "25.10",
        _ => return None,
    })
}
