//! `markdown`: a summary for a merge request's comment or a job's page.

use std::io::{self, Write};

use plimsoll_model::{Decision, ScanReport, Verdict};

use super::{
    Document, Report,
    group::{Group, group},
    shown,
    words::{self, count},
};

/// For comments.
pub(super) struct Markdown;

/// Rows of a table; the rest is counted, since comments have a largest size.
const MAX_ROWS: usize = 200;

impl Report for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn summary(&self) -> &'static str {
        "a summary for comments"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let report = document.report;
        writeln!(out, "## {}\n", text(&report.image.reference))?;
        writeln!(out, "| | |\n|---|---|")?;
        if let Some(verdict) = &report.verdict {
            let policy = text(&verdict.policy);
            writeln!(
                out,
                "| Verdict | **{}** by policy {policy} |",
                decision(verdict.decision)
            )?;
        }
        if let Some(digest) = &report.image.manifest_digest {
            writeln!(out, "| Digest | `{digest}` |")?;
        }
        writeln!(out, "| Config | `{}` |", report.image.config_digest)?;
        if let Some(os) = &report.sbom.os {
            let name = if os.pretty_name.is_empty() {
                &os.id
            } else {
                &os.pretty_name
            };
            writeln!(out, "| System | {} |", text(name))?;
        }
        writeln!(out, "| Packages | {} |", report.sbom.packages.len())?;
        let missed = report.notes.iter().filter(|note| note.makes_incomplete()).count();
        if missed > 0 {
            let things = count(missed, "thing");
            writeln!(out, "| Incomplete | {things} could not be looked at |")?;
        }
        if let Some(verdict) = &report.verdict {
            reasons(verdict, out)?;
        }
        vulnerabilities(report, out)?;
        findings(report, out)
    }
}

fn reasons(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    if !verdict.reasons.is_empty() {
        writeln!(out, "\n### Policy\n\n| | Rule | Reason | Waiver |\n|---|---|---|---|")?;
    }
    for reason in verdict.reasons.iter().take(MAX_ROWS) {
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            decision(reason.decision),
            text(&reason.rule),
            text(&reason.message),
            text(reason.waived_by.as_deref().unwrap_or_default()),
        )?;
    }
    more(verdict.reasons.len(), out)?;
    if !verdict.unused_waivers.is_empty() {
        let ids: Vec<String> = verdict.unused_waivers.iter().map(|id| text(id)).collect();
        writeln!(out, "\nWaivers that were not used: {}", ids.join(", "))?;
    }
    Ok(())
}

fn vulnerabilities(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    let Some(matches) = &report.matches else {
        return writeln!(out, "\nVulnerabilities were not looked for.");
    };
    if matches.is_empty() {
        return writeln!(out, "\nNo vulnerability is known.");
    }
    let groups = group(report, matches);
    writeln!(
        out,
        "\n### {}\n\n| Severity | Id | Packages | Installed | Fix |\n|---|---|---|---|---|",
        match groups.len() {
            1 => "1 vulnerability".to_owned(),
            number => format!("{number} vulnerabilities"),
        }
    )?;
    for row in groups.iter().take(MAX_ROWS) {
        vulnerability(row, out)?;
    }
    more(groups.len(), out)
}

fn vulnerability(row: &Group<'_>, out: &mut dyn Write) -> io::Result<()> {
    let details = &row.first.vulnerability;
    let id = match words::link(&details.id) {
        Some(link) => format!("[{}]({link})", details.id),
        None => text(&details.id),
    };
    let names: Vec<String> = row.packages.iter().map(|package| text(&package.name)).collect();
    let version = row
        .packages
        .first()
        .map(|package| text(&package.version))
        .unwrap_or_default();
    writeln!(
        out,
        "| {}{} | {id} | {} | {version} | {} |",
        words::severity(details.severity),
        if details.known_exploited { ", **exploited**" } else { "" },
        names.join(", "),
        text(&words::fix(row.first)),
    )
}

fn findings(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### Findings\n\n| Severity | Check | Finding |\n|---|---|---|")?;
    for finding in report.findings.iter().take(MAX_ROWS) {
        writeln!(
            out,
            "| {} | {} | {} |",
            words::severity(finding.severity),
            text(&finding.check),
            text(&finding.message)
        )?;
    }
    more(report.findings.len(), out)
}

fn more(all: usize, out: &mut dyn Write) -> io::Result<()> {
    match all.checked_sub(MAX_ROWS) {
        None | Some(0) => Ok(()),
        Some(number) => writeln!(out, "\nand {number} more"),
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Stop => "stop",
        Decision::Warn => "warn",
        Decision::Go => "go",
    }
}

/// Text that stays text: neither markup nor HTML, nor a new cell, link or mention.
fn text(text: &str) -> String {
    let mut safe = String::new();
    for char in shown(text).chars() {
        match char {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '@' => safe.push_str("&#64;"),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' | '~' | '!' | '$' => safe.extend(['\\', char]),
            char => safe.push(char),
        }
    }
    safe
}
