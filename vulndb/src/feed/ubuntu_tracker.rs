//! Ubuntu's CVE tracker as its people write it (<https://git.launchpad.net/ubuntu-cve-tracker>, `active/CVE-…`): one file
//! of fields per CVE. What its statuses mean is said in [`super::ubuntu`], which reads the same as JSON.

use std::collections::BTreeMap;

use super::ubuntu::{Status, add_packages};
use super::{Batch, Feed, Framing, Record, is_cve, one_line, severity_word};
use crate::cvss;

/// How the tracker's files are called.
pub(crate) const PREFIX: &str = "CVE-";

/// The tracker's own text.
pub(super) struct UbuntuTracker;

impl Feed for UbuntuTracker {
    fn name(&self) -> &'static str {
        "ubuntu_tracker"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let starts = |line: &[u8]| line.starts_with(b"Candidate: CVE-");
        is_cve(file_name) && head.split(|&byte| byte == b'\n').any(starts)
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let fields = fields(text)?;
        let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
        let cve = field("Candidate");
        if !is_cve(cve) {
            return Err(format!("`{}` is no CVE id", one_line(cve)));
        }
        let mut record = Record::new("ubuntu", cve.to_owned(), Vec::new());
        let time = [field("CRD"), field("PublicDateAtUSN"), field("PublicDate")];
        record.modified = time.into_iter().find_map(moment).unwrap_or_default();
        // A reason may follow on the next lines.
        record.severity = severity_word(field("Priority").lines().next().unwrap_or_default());
        record.summary = one_line(field("Description"));
        // ` nvd: CVSS:3.1/AV:L/… [5.5 MEDIUM]`
        let vectors = field("CVSS")
            .split_whitespace()
            .filter(|word| word.starts_with("CVSS:"));
        record.cvss = cvss::newest(vectors);
        let mut packages: BTreeMap<String, BTreeMap<String, Status>> = BTreeMap::new();
        for (name, value) in &fields {
            // `jammy_linux: needed`, `esm-infra/xenial_linux: released (1.2-3)`; fields of the record have no such line.
            let Some((release, package)) = name.split_once('_') else {
                continue;
            };
            if !is_release(release) {
                continue;
            }
            let (status, note) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            let note = note.trim().trim_start_matches('(').trim_end_matches(')');
            let status = Status {
                status: status.to_owned(),
                note: note.to_owned(),
            };
            packages
                .entry(release.to_owned())
                .or_default()
                .insert(package.to_owned(), status);
        }
        add_packages(&packages, &mut record)?;
        batch.records.push(record);
        Ok(())
    }
}

/// Releases are written in lower case, what is said of the whole record or package is not (`Patches_linux`).
fn is_release(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text != "upstream"
}

/// `Name: value`, with what is indented below belonging to it.
fn fields(text: &str) -> Result<BTreeMap<&str, String>, String> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut open = None;
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let Some(name) = open else {
                return Err(format!("line {} belongs to no field", number + 1));
            };
            let value: &mut String = fields.entry(name).or_default();
            value.push('\n');
            value.push_str(line.trim());
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(format!("line {} is no field", number + 1));
        };
        open = Some(name);
        value.trim().clone_into(fields.entry(name).or_default());
    }
    Ok(fields)
}

/// `2022-07-27 04:15:00 UTC` or `2005-02-04` as RFC 3339; `None` for `unknown`.
fn moment(text: &str) -> Option<String> {
    let text = text.trim_end_matches(" UTC");
    match text.split_once(' ') {
        Some((day, time)) if super::is_day(day) => Some(format!("{day}T{time}Z")),
        None if super::is_day(text) => Some(format!("{text}T00:00:00Z")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FixState;

    use super::*;

    /// Of `active/CVE-2022-36879`, with fewer packages, and one status that has a version.
    const CVE: &str = "Candidate: CVE-2022-36879
PublicDate: 2022-07-27 04:15:00 UTC
References:
 https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2022-36879
Description:
 An issue was discovered in the Linux kernel through 5.18.14.
 xfrm_expand_policies in net/xfrm/xfrm_policy.c can cause a refcount to be
 dropped twice.
Ubuntu-Description:
Notes:
 somebody> jammy_linux: this is prose
Priority: medium
 It needs a local user
CVSS:
 nvd: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H [5.5 MEDIUM]

Patches_linux:
 break-fix: 80c802f3073e84c956846e921e8a0b02dfa3755f f85daf0e725358be78dfd208dea5fd665d8cb901
Tags_linux: not-ue
upstream_linux: needs-triage
trusty_linux: ignored (out of standard support)
trusty/esm_linux: needs-triage
xenial_linux: ignored (end of standard support)
esm-infra/xenial_linux: needs-triage
bionic_linux: needs-triage
focal_linux: released (5.4.0-128.144)
jammy_linux: deferred (2022-08-01)
devel_linux: needs-triage

Patches_linux-riscv:
jammy_linux-riscv: DNE
focal_linux-riscv: ignored (superseded by linux-riscv-5.8)
";

    fn read(text: &str) -> Result<Record, String> {
        let mut batch = Batch::default();
        UbuntuTracker.parse(text.as_bytes(), &mut batch)?;
        Ok(batch.records.remove(0))
    }

    #[test]
    fn each_release_says_what_it_says() {
        assert!(UbuntuTracker.recognises("CVE-2022-36879", CVE.as_bytes()));
        assert!(!UbuntuTracker.recognises("CVE-2022-36879.json", CVE.as_bytes()));
        let record = read(CVE).unwrap();
        assert_eq!(record.modified, "2022-07-27T04:15:00Z");
        assert_eq!(record.severity, plimsoll_model::Severity::Medium);
        assert_eq!(record.cvss.as_ref().map(|(score, _)| *score), Some(5.5));
        assert!(record.summary.starts_with("An issue was") && record.summary.ends_with("dropped twice."));
        let mut said: Vec<_> = record
            .affected
            .iter()
            .map(|one| {
                (
                    one.ecosystem.as_str(),
                    one.package.as_str(),
                    one.range().describe(),
                    one.state,
                )
            })
            .collect();
        said.sort_by_key(|row| (row.0, row.1));
        let any = || "any version".to_owned();
        assert_eq!(
            said,
            [
                ("Ubuntu:14.04", "linux", any(), FixState::WillNotFix),
                ("Ubuntu:16.04", "linux", any(), FixState::EndOfLife),
                ("Ubuntu:18.04", "linux", any(), FixState::UnderInvestigation),
                ("Ubuntu:20.04", "linux", "< 5.4.0-128.144".to_owned(), FixState::Fixed),
                ("Ubuntu:20.04", "linux-riscv", any(), FixState::WillNotFix),
                ("Ubuntu:22.04", "linux", any(), FixState::Deferred),
            ]
        );
    }

    #[test]
    fn older_and_broken_files() {
        let old = "PublicDate: 2005-02-04\nCandidate: CVE-1999-1572\nPriority: untriaged\n\nBugs:\ndapper_cpio: released (2.6-10)\n";
        let record = read(old).unwrap();
        assert_eq!(record.modified, "2005-02-04T00:00:00Z");
        assert!(record.affected.is_empty());
        for (from, to) in [
            ("Candidate: CVE-1999-1572", "Candidate: none"),
            ("Bugs:", "Bugs"),
            ("PublicDate: 2005-02-04\n", " indented\n"),
        ] {
            assert!(read(&old.replace(from, to)).is_err(), "{to}");
        }
    }
}
