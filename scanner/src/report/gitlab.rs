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
/// Longest values that the schema allows.
const MAX_NAME_CHARS: usize = 255;

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
        let system = report.sbom.os.as_ref().map_or("unknown".to_owned(), |os| {
            shown(format!("{} {}", os.id, os.version_id).trim_end())
        });
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
    let mut identifiers = vec![identifier(&id)];
    identifiers.extend(details.aliases.iter().map(|alias| identifier(&shown(alias))));
    let solution = match &found.fixed_version {
        Some(version) => format!("Upgrade {} to {}", shown(&package.name), shown(version)),
        None => words::fix(found),
    };
    let mut value = json!({
        "id": unique_id(found, package),
        "name": name.chars().take(MAX_NAME_CHARS).collect::<String>(),
        "description": description,
        "severity": severity(details.severity),
        "solution": solution,
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
