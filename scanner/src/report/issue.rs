//! A report in, the list of what is wrong out: vulnerabilities, findings, and what else the policy objects to, each with
//! the policy's decision. The formats for CI systems are made from it.

use std::collections::BTreeMap;

use plimsoll_model::{Decision, Finding, Match, Package, ScanReport, Severity, VerdictReason};

use super::{shown, words};

/// One thing that is wrong with an image.
#[derive(Debug)]
pub(super) struct Issue<'a> {
    /// Stable: a vulnerability's or a check's id, or a policy rule's name in kebab case after `policy/`.
    pub(super) id: String,
    /// What it is.
    pub(super) kind: IssueKind<'a>,
    /// `CVE-2024-1 in openssl 3.0.11-1`, as a verdict names it.
    pub(super) subject: String,
    /// One sentence.
    pub(super) message: String,
    /// Path in the image that shows it; `None` when it is about the image as a whole.
    pub(super) path: Option<&'a str>,
    /// How bad.
    pub(super) severity: Severity,
    /// The worst decision about it that is not waived; `None` when the policy says nothing of it.
    pub(super) decision: Option<Decision>,
    /// The waiver that covers all that the policy says of it.
    pub(super) waived_by: Option<&'a str>,
}

/// What an issue is.
#[derive(Debug, Clone, Copy)]
pub(super) enum IssueKind<'a> {
    /// A vulnerability of a package; the package is `None` only when the match points nowhere.
    Vulnerability(&'a Match, Option<&'a Package>),
    /// What an image check found.
    Finding(&'a Finding),
    /// Only the policy objects to it.
    Policy(&'a VerdictReason),
}

type Reasons<'a> = BTreeMap<&'a str, Vec<&'a VerdictReason>>;

/// All issues: vulnerabilities, findings, then the policy's own, each in the report's order.
pub(super) fn issues(report: &ScanReport) -> Vec<Issue<'_>> {
    let mut reasons = Reasons::new();
    for reason in report.verdict.iter().flat_map(|verdict| &verdict.reasons) {
        reasons.entry(reason.subject.as_str()).or_default().push(reason);
    }
    let mut issues: Vec<Issue<'_>> = Vec::new();
    for found in report.matches.iter().flatten() {
        issues.push(vulnerability(report, found));
    }
    issues.extend(report.findings.iter().map(finding));
    let mut judged = Vec::new();
    for issue in &mut issues {
        if let Some((subject, about)) = reasons.get_key_value(issue.subject.as_str()) {
            (issue.decision, issue.waived_by) = sum_up(about);
            judged.push(*subject);
        }
    }
    // Two architectures of one package have one subject.
    for subject in judged {
        reasons.remove(subject);
    }
    let left = report.verdict.iter().flat_map(|verdict| &verdict.reasons);
    issues.extend(
        left.filter(|reason| reasons.contains_key(reason.subject.as_str()))
            .map(policy),
    );
    issues
}

/// The worst decision that counts, and a waiver when none does.
fn sum_up<'a>(reasons: &[&'a VerdictReason]) -> (Option<Decision>, Option<&'a str>) {
    let counting = reasons.iter().filter(|reason| reason.waived_by.is_none());
    match counting.map(|reason| reason.decision).max() {
        Some(decision) => (Some(decision), None),
        None => (None, reasons.iter().find_map(|reason| reason.waived_by.as_deref())),
    }
}

fn vulnerability<'a>(report: &'a ScanReport, found: &'a Match) -> Issue<'a> {
    let package = report.sbom.packages.get(found.package as usize);
    let id = &found.vulnerability.id;
    let subject = match package {
        Some(package) => format!("{id} in {} {}", package.name, package.version),
        None => id.clone(),
    };
    let known = if found.vulnerability.known_exploited {
        ", known to be exploited"
    } else {
        ""
    };
    let fix = match &found.fixed_version {
        Some(version) => format!("fixed in {}", shown(version)),
        None => words::fix(found),
    };
    let severity = found.vulnerability.severity;
    Issue {
        id: shown(id),
        kind: IssueKind::Vulnerability(found, package),
        message: format!("{} ({}{known}): {fix}", shown(&subject), words::severity(severity)),
        subject,
        path: package.map(|package| package.evidence_path.as_str()),
        severity,
        decision: None,
        waived_by: None,
    }
}

fn finding(finding: &Finding) -> Issue<'_> {
    Issue {
        id: shown(&finding.check),
        kind: IssueKind::Finding(finding),
        subject: match &finding.path {
            Some(path) => format!("{} in {path}", finding.check),
            None => finding.check.clone(),
        },
        message: shown(&finding.message),
        path: finding.path.as_deref(),
        severity: finding.severity,
        decision: None,
        waived_by: None,
    }
}

fn policy(reason: &VerdictReason) -> Issue<'_> {
    let (decision, waived_by) = sum_up(&[reason]);
    let name: String = reason
        .rule
        .chars()
        .map(|char| {
            if char.is_alphanumeric() {
                char.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    Issue {
        id: format!("policy/{}", shown(&name)),
        kind: IssueKind::Policy(reason),
        subject: reason.subject.clone(),
        message: shown(&reason.message),
        path: reason.subject.starts_with('/').then_some(reason.subject.as_str()),
        severity: match reason.decision {
            Decision::Stop => Severity::High,
            Decision::Warn => Severity::Medium,
            Decision::Go => Severity::Negligible,
        },
        decision,
        waived_by,
    }
}
