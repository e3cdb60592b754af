//! `junit`: JUnit XML, as CI systems show test results. With a policy, what it stops is a failure, what a waiver covers is
//! skipped, and the rest passes; without one, every vulnerability and finding is a failure.

use std::io::{self, Write};

use plimsoll_model::{Decision, Note};

use super::{
    Document, Report,
    issue::{Issue, IssueKind, issues},
    xml::xml,
};

/// Test results.
pub(super) struct JUnit;

impl Report for JUnit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn summary(&self) -> &'static str {
        "JUnit XML, for test reports"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let report = document.report;
        let issues = issues(report);
        let outcome = |issue: &Issue<'_>| Outcome::of(issue, report.verdict.is_some());
        let count = |wanted: Outcome| issues.iter().filter(|issue| outcome(issue) == wanted).count();
        let missed: Vec<&Note> = report.notes.iter().filter(|note| note.makes_incomplete()).collect();
        let (failures, skipped, errors) = (
            count(Outcome::Failed),
            count(Outcome::Waived),
            usize::from(!missed.is_empty()),
        );
        let tests = issues.len() + 1;
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
        let name = xml(&report.image.reference);
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(out, "<testsuites name=\"plimsoll\" {counts}>")?;
        writeln!(out, "  <testsuite name=\"{name}\" {counts} skipped=\"{skipped}\">")?;
        write!(
            out,
            "    <testcase classname=\"scan\" name=\"everything could be read\""
        )?;
        if missed.is_empty() {
            writeln!(out, "/>")?;
        } else {
            writeln!(
                out,
                ">\n      <error message=\"{} could not be looked at\">",
                missed.len()
            )?;
            for note in missed {
                writeln!(out, "{}", xml(&format!("{}: {}", note.subject, note.detail)))?;
            }
            writeln!(out, "      </error>\n    </testcase>")?;
        }
        for issue in &issues {
            let class = match issue.kind {
                IssueKind::Vulnerability(..) => "vulnerability",
                IssueKind::Finding(_) => "finding",
                IssueKind::Policy(_) => "policy",
            };
            let name = xml(&format!("{} {}", issue.id, issue.subject));
            writeln!(out, "    <testcase classname=\"{class}\" name=\"{name}\">")?;
            let message = xml(&issue.message);
            match outcome(issue) {
                Outcome::Failed => writeln!(out, "      <failure message=\"{message}\"/>")?,
                Outcome::Waived => {
                    let waiver = xml(issue.waived_by.unwrap_or_default());
                    writeln!(out, "      <skipped>waiver {waiver}</skipped>")?;
                }
                Outcome::Passed => writeln!(out, "      <system-out>{message}</system-out>")?,
            }
            writeln!(out, "    </testcase>")?;
        }
        writeln!(out, "  </testsuite>\n</testsuites>")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Waived,
    Passed,
}

impl Outcome {
    fn of(issue: &Issue<'_>, has_verdict: bool) -> Self {
        match issue.decision {
            _ if issue.waived_by.is_some() => Self::Waived,
            Some(Decision::Stop) => Self::Failed,
            None if !has_verdict => Self::Failed,
            _ => Self::Passed,
        }
    }
}
