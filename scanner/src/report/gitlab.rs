//! `gitlab`: GitLab's container scanning report (security-report-schemas, version 15), which merge requests show.

use std::io::{self, Write};

use plimsoll_model::{Digest, ImageRef, Match, Package, Severity};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Document, Report, identity::built, shown, words};

/// Container scanning for merge requests.
pub(super) struct GitLab;

/// Of the schema that this follows.
const SCHEMA_VERSION: &str = "15.0.7";
/// Longest values that the schema allows (`name`, `solution` and `description` of `vulnerabilities`).
const MAX_NAME_CHARS: usize = 255;
const MAX_SOLUTION_CHARS: usize = 7000;
const MAX_DESCRIPTION_CHARS: usize = 1 << 20;
/// For texts that it wants and that nobody states.
const UNKNOWN: &str = "unknown";

impl Report for GitLab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn summary(&self) -> &'static str {
        "GitLab container scanning report"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let report = document.report;
        // GitLab wants times; that of the build keeps equal input and equal bytes together.
        let time = built(report).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let scanner = json!({
            "id": "plimsoll",
            "name": "Plimsoll",
            "vendor": { "name": "Plimsoll" },
            "version": env!("CARGO_PKG_VERSION"),
        });
        let image = image_name(&report.image.reference);
        let system = report
            .sbom
            .os
            .as_ref()
            .map(|os| shown(format!("{} {}", os.id, os.version_id).trim()))
            .filter(|system| !system.is_empty())
            .unwrap_or_else(|| UNKNOWN.to_owned());
        let vulnerabilities: Vec<Value> = report
            .matches
            .iter()
            .flatten()
            .filter_map(|found| {
                let package = report.sbom.packages.get(found.package as usize)?;
                Some(vulnerability(found, package, &image, &system))
            })
            .collect();
        let log = json!({
            "version": SCHEMA_VERSION,
            "scan": {
                "analyzer": scanner,
                "scanner": scanner,
                "type": "container_scanning",
                "start_time": time,
                "end_time": time,
                "status": "success",
            },
            "vulnerabilities": vulnerabilities,
        });
        serde_json::to_writer_pretty(&mut *out, &log)?;
        writeln!(out)
    }
}

fn vulnerability(found: &Match, package: &Package, image: &str, system: &str) -> Value {
    let details = &found.vulnerability;
    let id = shown(&details.id);
    let name = format!("{id} in {}", shown(&package.name));
    let description = match shown(&details.summary) {
        empty if empty.is_empty() => name.clone(),
        summary => summary,
    };
    let aliases = details.aliases.iter().map(|alias| shown(alias));
    let ids = std::iter::once(id.clone()).chain(aliases).filter(|id| !id.is_empty());
    let mut identifiers: Vec<Value> = ids.map(|id| identifier(&id)).collect();
    if identifiers.is_empty() {
        identifiers.push(identifier(UNKNOWN));
    }
    let solution = match &found.fixed_version {
        Some(version) => format!("Upgrade {} to {}", shown(&package.name), shown(version)),
        None => words::fix(found),
    };
    let mut value = json!({
        "id": unique_id(found, package),
        "name": cut(&name, MAX_NAME_CHARS),
        "description": cut(&description, MAX_DESCRIPTION_CHARS),
        "severity": severity(details.severity),
        "solution": cut(&solution, MAX_SOLUTION_CHARS),
        "location": {
            "dependency": {
                "package": { "name": shown(&package.name) },
                "version": shown(&package.version),
            },
            "operating_system": system,
            "image": image,
        },
        "identifiers": identifiers,
    });
    if let Some(link) = words::link(&id) {
        value["links"] = json!([{ "url": link }]);
    }
    value
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn identifier(id: &str) -> Value {
    let kind = id.split('-').next().unwrap_or("other").to_lowercase();
    let kind = if kind.is_empty() { "other".to_owned() } else { kind };
    let mut value = json!({ "type": kind, "name": id, "value": id });
    if let Some(link) = words::link(id) {
        value["url"] = json!(link);
    }
    value
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Negligible => "Info",
        Severity::Unknown => "Unknown",
    }
}

/// A stable id: the same vulnerability in the same package of the same version.
fn unique_id(found: &Match, package: &Package) -> String {
    let mut hasher = Sha256::new();
    for part in [&found.vulnerability.id, &package.purl, &package.evidence_path] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    Digest::from_bytes(hasher.finalize().into()).encoded()
}

/// `NAME:TAG` as the schema's pattern wants it, with colons nowhere else but before a port.
fn image_name(reference: &str) -> String {
    let is_file = crate::source::ALL.iter().any(|source| {
        let rest = reference.strip_prefix(source.scheme());
        source.scheme() != "registry" && rest.is_some_and(|rest| rest.starts_with(':'))
    });
    let name = reference.strip_prefix("registry:").unwrap_or(reference);
    let normal = match name.parse::<ImageRef>() {
        Ok(reference) if !is_file => reference.to_string(),
        _ => shown(reference),
    };
    let (name, tag) = normal.rsplit_once(':').unwrap_or((normal.as_str(), "latest"));
    let name = match name.split_once(':') {
        Some((host, rest)) if rest.starts_with(|char: char| char.is_ascii_digit()) => {
            format!("{host}:{}", rest.replace(':', "/"))
        }
        _ => name.replace(':', "/"),
    };
    format!("{name}:{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema's `minLength`, `maxLength` and `minItems`, as its version 15.0.6 has them.
    #[test]
    fn texts_of_any_length_stay_within_the_schemas_bounds() {
        for text in ["", " ", "\n", &"x".repeat(2 << 20)] {
            let found = serde_json::json!({
                "package": 0,
                "vulnerability": {
                    "id": text, "aliases": [text], "severity": "high", "cvss_score": null, "known_exploited": false,
                    "epss": null, "summary": text,
                },
                "fix_state": "fixed",
                "fixed_version": text,
                "evidence": {
                    "advisory": text, "source": text, "ecosystem": text, "compared_name": text, "compared_version": text,
                    "range": text,
                },
            });
            let package = Package::new(plimsoll_model::PackageKind::Npm, text, text);
            let value = vulnerability(
                &serde_json::from_value(found).unwrap(),
                &package,
                "image:1",
                "debian 12",
            );
            let chars = |key: &str| value[key].as_str().unwrap().chars().count();
            assert!(chars("name") <= 255 && chars("solution") <= 7000 && chars("description") <= 1_048_576);
            let identifiers = value["identifiers"].as_array().unwrap();
            assert!(!identifiers.is_empty());
            for (identifier, key) in identifiers
                .iter()
                .flat_map(|one| ["type", "name", "value"].map(|key| (one, key)))
            {
                assert_ne!(identifier[key], "", "{key} of {:?}", text.get(..1));
            }
        }
    }

    #[test]
    fn image_names_fit_the_pattern_of_the_schema() {
        for (reference, expected) in [
            ("redis", "docker.io/library/redis:latest"),
            ("127.0.0.1:5000/team/redis:1", "127.0.0.1:5000/team/redis:1"),
            ("docker-archive:image.tar", "docker-archive:image.tar"),
            ("oci:folder:tag", "oci/folder:tag"),
        ] {
            assert_eq!(image_name(reference), expected);
        }
    }
}
