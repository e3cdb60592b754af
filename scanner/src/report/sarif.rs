//! `sarif`: SARIF 2.1.0 (OASIS), as code scanning services read it: one rule per vulnerability or check, one result per
//! place. A waived result is there, suppressed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use plimsoll_model::{Digest, Note, ScanReport, Severity};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Document, Report,
    issue::{Issue, IssueKind, issues},
    shown, words,
};

/// Results for code scanning.
pub(super) struct Sarif;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

impl Report for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }

    fn summary(&self) -> &'static str {
        "SARIF 2.1.0, for code scanning"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let report = document.report;
        let issues = issues(report);
        let mut rules: BTreeMap<&str, &Issue<'_>> = BTreeMap::new();
        for issue in &issues {
            rules.entry(&issue.id).or_insert(issue);
        }
        let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(at, id)| (*id, at)).collect();
        let log = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "Plimsoll",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules.values().map(|issue| rule(issue)).collect::<Vec<_>>(),
                }},
                "automationDetails": { "id": format!("plimsoll/{}", shown(&report.image.reference)) },
                "columnKind": "utf16CodeUnits",
                "invocations": [invocation(report)],
                "results": issues.iter().map(|issue| result(report, issue, index[issue.id.as_str()])).collect::<Vec<_>>(),
                "properties": properties(report),
            }],
        });
        serde_json::to_writer_pretty(&mut *out, &log)?;
        writeln!(out)
    }
}

fn rule(issue: &Issue<'_>) -> Value {
    let (title, description, tag) = match issue.kind {
        IssueKind::Vulnerability(found, _) => {
            let summary = shown(&found.vulnerability.summary);
            let title = format!("{} vulnerability {}", words::severity(issue.severity), issue.id);
            (title, summary, "vulnerability")
        }
        IssueKind::Finding(finding) => (finding.check.clone(), String::new(), "image"),
        IssueKind::Policy(reason) => (shown(&reason.rule), String::new(), "policy"),
    };
    let description = if description.is_empty() {
        title.clone()
    } else {
        description
    };
    let mut rule = json!({
        "id": issue.id,
        "shortDescription": { "text": title },
        "fullDescription": { "text": description },
        "defaultConfiguration": { "level": level(issue.severity) },
        "properties": {
            "tags": ["security", tag],
            "precision": "very-high",
            "security-severity": score(issue),
        },
    });
    if let Some(link) = words::link(&issue.id) {
        rule["helpUri"] = json!(link);
    }
    rule
}

fn result(report: &ScanReport, issue: &Issue<'_>, rule_index: usize) -> Value {
    let uri = match issue.path {
        Some(path) => path.trim_start_matches('/'),
        None => &report.image.reference,
    };
    let mut result = json!({
        "ruleId": issue.id,
        "ruleIndex": rule_index,
        "level": level(issue.severity),
        "message": { "text": issue.message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": encode(uri) },
                "region": { "startLine": 1 },
            },
        }],
        "partialFingerprints": { "plimsollIssue/v1": fingerprint(issue) },
    });
    if let Some(decision) = issue.decision {
        result["properties"] = json!({ "decision": decision });
    }
    if let IssueKind::Vulnerability(_, Some(package)) = issue.kind {
        result["locations"][0]["logicalLocations"] = json!([{
            "name": shown(&package.name),
            "fullyQualifiedName": shown(&package.purl),
            "kind": "package",
        }]);
    }
    if let Some(waiver) = issue.waived_by {
        let justification = format!("waiver {}", shown(waiver));
        result["suppressions"] = json!([{ "kind": "external", "justification": justification }]);
    }
    result
}

fn invocation(report: &ScanReport) -> Value {
    let missed = report.notes.iter().filter(|note| note.makes_incomplete());
    let notifications: Vec<Value> = missed
        .map(|note| {
            json!({
                "level": "warning",
                "message": { "text": format!("{}: {}", shown(&note.subject), shown(&note.detail)) },
            })
        })
        .collect();
    json!({
        "executionSuccessful": !report.notes.iter().any(Note::makes_incomplete),
        "toolExecutionNotifications": notifications,
    })
}

fn properties(report: &ScanReport) -> Value {
    let mut properties = json!({ "configDigest": report.image.config_digest });
    if let Some(digest) = &report.image.manifest_digest {
        properties["manifestDigest"] = json!(digest);
    }
    if let Some(verdict) = &report.verdict {
        properties["decision"] = json!(verdict.decision);
        properties["policy"] = json!(shown(&verdict.policy));
    }
    properties
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Negligible | Severity::Unknown => "note",
    }
}

/// A number from 0 to 10, which code scanning sorts by; the middle of a severity's band where nobody scored.
fn score(issue: &Issue<'_>) -> String {
    let scored = match issue.kind {
        IssueKind::Vulnerability(found, _) => found.vulnerability.cvss_score.filter(|score| score.is_finite()),
        _ => None,
    };
    let score = scored.unwrap_or(match issue.severity {
        Severity::Critical => 9.5,
        Severity::High => 8.0,
        Severity::Medium => 5.5,
        Severity::Low => 2.0,
        Severity::Negligible | Severity::Unknown => 0.1,
    });
    format!("{score:.1}")
}

/// The same issue keeps its fingerprint when versions change, so that a service can follow it.
fn fingerprint(issue: &Issue<'_>) -> String {
    let mut hasher = Sha256::new();
    let place = match issue.kind {
        IssueKind::Vulnerability(_, Some(package)) => package.name.as_str(),
        _ => issue.path.unwrap_or_default(),
    };
    for part in [issue.id.as_str(), place] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    Digest::from_bytes(hasher.finalize().into()).encoded()
}

/// A relative reference (RFC 3986): a colon in its first part would read as a scheme.
fn encode(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
