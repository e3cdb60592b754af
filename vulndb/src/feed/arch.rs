//! Arch Linux's security tracker (<https://security.archlinux.org/issues/all.json>): one list of groups (AVG), each with
//! the packages of one source, the affected and the fixed version.

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve, severity_word};
use crate::limits::MAX_ALIASES;

const ECOSYSTEM: &str = "Arch Linux";

/// Arch Linux.
pub(super) struct Arch;

#[derive(Deserialize)]
struct Group {
    name: String,
    packages: Vec<String>,
    status: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    affected: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    issues: Vec<String>,
}

impl Feed for Arch {
    fn name(&self) -> &'static str {
        "arch"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        file_name.ends_with(".json") && has(b"\"AVG-") && has(b"\"issues\"") && has(b"\"packages\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let group: Group = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let id = checked("name", &group.name)?;
        if group.issues.len() > MAX_ALIASES || group.packages.len() > MAX_ALIASES {
            return Err(format!("more than {MAX_ALIASES} issues or packages"));
        }
        let state = match group.status.as_str() {
            "Not affected" => FixState::NotAffected,
            "Fixed" | "Testing" => FixState::Fixed,
            "Unknown" => FixState::UnderInvestigation,
            "Vulnerable" => FixState::Affected,
            other => return Err(format!("`{}` is no status", other.escape_debug())),
        };
        let text = |version: &Option<String>, what| version.as_deref().map(|text| checked(what, text)).transpose();
        let (fixed, last_affected) = (text(&group.fixed, "fixed")?, text(&group.affected, "affected")?);
        let mut record = Record::new("arch", id, Vec::new());
        record.severity = severity_word(&group.severity);
        record.fixes = group.issues.iter().filter(|issue| is_cve(issue)).cloned().collect();
        for package in &group.packages {
            record.affected.push(Affected {
                // A group that is not fixed yet holds for every later version too.
                last_affected: if state == FixState::Fixed && fixed.is_none() {
                    last_affected.clone()
                } else {
                    None
                },
                fixed: fixed.clone(),
                state,
                ..Affected::new(ECOSYSTEM, &checked("package", package)?)
            });
        }
        batch.records.push(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_range_of_each_of_its_packages() {
        let document = br#"{"name":"AVG-1","packages":["ruby","ruby-docs"],"status":"Fixed","severity":"High",
            "type":"multiple issues","affected":"2.6.4-1","fixed":"2.6.5-1","issues":["CVE-2019-16255","CVE-2019-16254"]}"#;
        assert!(Arch.recognises("all.json", document));
        let mut batch = Batch::default();
        Arch.parse(document, &mut batch).unwrap();
        let [record] = batch.records.as_slice() else {
            panic!("{batch:?}")
        };
        assert_eq!(record.fixes, ["CVE-2019-16255", "CVE-2019-16254"]);
        assert_eq!(record.severity, plimsoll_model::Severity::High);
        let packages: Vec<_> = record
            .affected
            .iter()
            .map(|one| (one.package.as_str(), one.range().describe()))
            .collect();
        assert_eq!(
            packages,
            [("ruby", "< 2.6.5-1".to_owned()), ("ruby-docs", "< 2.6.5-1".to_owned())]
        );
        for bad in [
            &b"{}"[..],
            br#"{"name":"AVG-1","packages":[],"status":"Odd","issues":[]}"#,
        ] {
            assert!(Arch.parse(bad, &mut batch).is_err());
        }
    }
}
