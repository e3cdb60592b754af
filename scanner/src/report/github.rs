//! `github`: workflow commands, which GitHub Actions turns into annotations of a run. With a policy, what it objects to;
//! without one, every vulnerability and finding of at least medium severity.

use std::io::{self, Write};

use plimsoll_model::{Decision, Severity};

use super::{
    Document, Report,
    issue::{Issue, issues},
    shown,
    words::count,
};

/// Annotations.
pub(super) struct GitHub;

/// Annotations of one level that are written. GitHub shows 10 of a step; the first ones are the worst.
const MAX_ANNOTATIONS: usize = 50;

impl Report for GitHub {
    fn name(&self) -> &'static str {
        "github"
    }

    fn summary(&self) -> &'static str {
        "annotations of a GitHub Actions run"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let report = document.report;
        let has_verdict = report.verdict.is_some();
        let issues = issues(report);
        for level in ["error", "warning"] {
            let of_level: Vec<&Issue<'_>> = issues
                .iter()
                .filter(|issue| level_of(issue, has_verdict) == Some(level))
                .collect();
            for issue in of_level.iter().take(MAX_ANNOTATIONS) {
                annotate(out, level, &issue.id, &issue.message)?;
            }
            if let Some(more) = of_level.len().checked_sub(MAX_ANNOTATIONS).filter(|more| *more > 0) {
                annotate(out, level, "plimsoll", &format!("and {more} more"))?;
            }
        }
        let missed = report.notes.iter().filter(|note| note.makes_incomplete()).count();
        if missed > 0 {
            let text = format!("{} could not be looked at", count(missed, "thing"));
            annotate(out, "warning", "incomplete scan", &text)?;
        }
        let packages = count(report.sbom.packages.len(), "package");
        let text = match &report.verdict {
            Some(verdict) => format!(
                "{}: {} by policy {}, {packages}",
                report.image.reference,
                decision_word(verdict.decision),
                verdict.policy
            ),
            None => format!("{}: {packages}, no policy", report.image.reference),
        };
        annotate(out, "notice", "plimsoll", &text)
    }
}

fn level_of(issue: &Issue<'_>, has_verdict: bool) -> Option<&'static str> {
    match (issue.decision, issue.severity) {
        _ if issue.waived_by.is_some() => None,
        (Some(Decision::Stop), _) => Some("error"),
        (Some(Decision::Warn), _) => Some("warning"),
        _ if has_verdict => None,
        (_, Severity::Critical | Severity::High) => Some("error"),
        (_, Severity::Medium) => Some("warning"),
        _ => None,
    }
}

fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Stop => "stopped",
        Decision::Warn => "let go with warnings",
        Decision::Go => "let go",
    }
}

/// One command. Its data end at a line feed and `%` begins an escape; in a property `:` and `,` are special too
/// (actions/toolkit, packages/core/src/command.ts).
fn annotate(out: &mut dyn Write, level: &str, title: &str, text: &str) -> io::Result<()> {
    let text = shown(text).replace('%', "%25");
    let title = shown(title).replace('%', "%25").replace(':', "%3A").replace(',', "%2C");
    writeln!(out, "::{level} title={title}::{text}")
}
