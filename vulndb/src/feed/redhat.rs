//! Red Hat's judgement of each CVE: which source packages are affected, will not be fixed, are put off.

use plimsoll_model::FixState;
use serde::Deserialize;

use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve, is_of_module, one_line, severity_word};
use crate::cvss;

/// Red Hat's security data API, `cve/<id>.json`.
pub(super) struct RedHat;

#[derive(Deserialize)]
struct Cve {
    name: String,
    #[serde(default)]
    threat_severity: String,
    #[serde(default)]
    statement: String,
    #[serde(default)]
    public_date: String,
    cvss3: Option<Cvss>,
    #[serde(default)]
    affected_release: Vec<Release>,
    #[serde(default)]
    package_state: Vec<State>,
}

#[derive(Deserialize)]
struct Cvss {
    #[serde(default)]
    cvss3_scoring_vector: Option<String>,
}

#[derive(Deserialize)]
struct Release {
    cpe: String,
    /// `httpd-0:2.4.53-7.el9_1.1`; a module has no epoch.
    package: Option<String>,
}

#[derive(Deserialize)]
struct State {
    cpe: String,
    fix_state: String,
    /// `httpd`; `httpd:2.4/httpd` in a module.
    package_name: String,
}

impl Feed for RedHat {
    fn name(&self) -> &'static str {
        "redhat"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"\"threat_severity\"") && has(b"\"name\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let cve: Cve = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        if !is_cve(&cve.name) {
            return Err(format!("`{}` is no CVE id", one_line(&cve.name)));
        }
        let mut record = Record::new("redhat", cve.name, Vec::new());
        record.modified = cve.public_date;
        record.severity = severity_word(&cve.threat_severity);
        record.summary = one_line(&cve.statement);
        let vector = cve.cvss3.and_then(|cvss| cvss.cvss3_scoring_vector);
        record.cvss = cvss::newest(vector.as_deref().into_iter());
        for release in cve.affected_release {
            let Some(ecosystem) = ecosystem(&release.cpe) else {
                continue;
            };
            // A module's advisory names no package here; the OSV record of the erratum has its packages.
            let Some((name, version)) = release.package.as_deref().and_then(split_name) else {
                continue;
            };
            record.affected.push(Affected {
                state: FixState::Fixed,
                fixed: Some(checked("version", version)?),
                module: is_of_module(version).then(String::new),
                ..Affected::new(&ecosystem, &checked("package name", name)?)
            });
        }
        for state in cve.package_state {
            let Some(ecosystem) = ecosystem(&state.cpe) else {
                continue;
            };
            let (module, name) = match state.package_name.split_once('/') {
                Some((module, name)) if module.contains(':') => (Some(checked("module", module)?), name),
                // A container's path is no package.
                Some(_) => continue,
                None => (None, state.package_name.as_str()),
            };
            record.affected.push(Affected {
                state: fix_state(&state.fix_state),
                module,
                ..Affected::new(&ecosystem, &checked("package name", name)?)
            });
        }
        batch.records.push(record);
        Ok(())
    }
}

fn ecosystem(cpe: &str) -> Option<String> {
    release(cpe).map(|major| format!("Red Hat:{major}"))
}

/// The major release of `cpe:/o:redhat:enterprise_linux:9` and its add-ons.
pub(super) fn release(cpe: &str) -> Option<&str> {
    let release = cpe.split_once(":redhat:enterprise_linux:")?.1;
    let major = release.split([':', '.']).next()?;
    (!major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit())).then_some(major)
}

/// `kernel-0:4.18.0-80.el8` → name, version with epoch.
fn split_name(package: &str) -> Option<(&str, &str)> {
    let (before, _) = package.split_once(':')?;
    let (name, epoch) = before.rsplit_once('-')?;
    let is_number = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (name, &package[name.len() + 1..]))
}

/// The words of `package_state[].fix_state`.
fn fix_state(word: &str) -> FixState {
    match word {
        "Not affected" => FixState::NotAffected,
        "Affected" | "New" => FixState::Affected,
        "Will not fix" => FixState::WillNotFix,
        "Fix deferred" => FixState::Deferred,
        "Out of support scope" => FixState::EndOfLife,
        "Under investigation" => FixState::UnderInvestigation,
        _ => FixState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_from_versions() {
        assert_eq!(
            split_name("kernel-rt-0:4.18.0-80.el8"),
            Some(("kernel-rt", "0:4.18.0-80.el8"))
        );
        assert_eq!(split_name("httpd:2.4-8070020230131172653.bd1311ed"), None);
        assert_eq!(
            ecosystem("cpe:/a:redhat:enterprise_linux:9::nfv").as_deref(),
            Some("Red Hat:9")
        );
        assert_eq!(ecosystem("cpe:/a:redhat:openshift:4"), None);
    }
}
