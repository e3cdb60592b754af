//! `html`: one page that needs nothing else: no script, no font, no picture, no connection; light and dark.

use std::io::{self, Write};

use minijinja::{Environment, Value, escape_formatter, value::Serde};
use plimsoll_model::{Decision, ImageIdentity, Match, NoteKind, Package, ScanReport, Severity};
use serde::Serialize;

use super::{
    Document, Report,
    group::{Group, group},
    shown, template, words,
};

/// A page for a browser.
pub(super) struct Html;

impl Report for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn summary(&self) -> &'static str {
        "one self-contained page"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut environment = Environment::new();
        environment.set_syntax(template::syntax());
        // Control characters and tricks with the direction of text are shown; then `.html` has the rest escaped.
        environment.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if !value.is_safe() => escape_formatter(out, state, &Value::from(shown(text))),
            _ => escape_formatter(out, state, value),
        });
        environment
            .add_template("page.html", include_str!("html/page.html"))
            .expect("the page is part of the program, and a test writes it");
        let template = environment.get_template("page.html").map_err(io::Error::other)?;
        let page = Value::from(Serde(page(document.report)));
        template.render_captured_to(page, out).map_err(io::Error::other)?;
        Ok(())
    }
}

#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    version: &'static str,
    image: &'a ImageIdentity,
    user: &'a str,
    file_count: u64,
    policy: Option<&'a str>,
    platform: String,
    system: Option<&'a str>,
    bytes: String,
    /// `None` when no vulnerability database was used.
    counts: Option<Vec<Count>>,
    with_fix: usize,
    vulnerabilities: Vec<Row<'a>>,
    reasons: Vec<Reason<'a>>,
    decision: Option<&'static str>,
    findings: Vec<Finding<'a>>,
    missed: Vec<Note<'a>>,
    hints: Vec<Note<'a>>,
    packages: Vec<Listed<'a>>,
    layers: Vec<Layer<'a>>,
}

#[derive(Serialize)]
struct Count {
    severity: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    link: Option<String>,
    severity: &'static str,
    is_exploited: bool,
    score: Option<String>,
    epss: Option<String>,
    packages: Vec<&'a str>,
    version: &'a str,
    fix: String,
    is_fixed: bool,
    summary: &'a str,
    compared: String,
}

#[derive(Serialize)]
struct Reason<'a> {
    decision: &'static str,
    rule: &'a str,
    message: &'a str,
    waived_by: Option<&'a str>,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: &'static str,
    check: &'a str,
    message: &'a str,
    path: Option<&'a str>,
}

#[derive(Serialize)]
struct Note<'a> {
    subject: &'a str,
    detail: &'a str,
}

#[derive(Serialize)]
struct Listed<'a> {
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    layer: u32,
    licences: String,
    evidence: &'a str,
}

#[derive(Serialize)]
struct Layer<'a> {
    diff_id: String,
    size: String,
    created_by: Option<&'a str>,
    packages: usize,
}

fn page(report: &ScanReport) -> Page<'_> {
    let matches = report.matches.as_deref().unwrap_or_default();
    let groups = group(report, matches);
    let is_hint = |kind: NoteKind| kind == NoteKind::Hint;
    let notes = |hints: bool| {
        let chosen = report.notes.iter().filter(|note| is_hint(note.kind) == hints);
        chosen
            .map(|note| Note {
                subject: &note.subject,
                detail: &note.detail,
            })
            .collect()
    };
    Page {
        style: include_str!("html/page.css"),
        version: env!("CARGO_PKG_VERSION"),
        platform: crate::oci::show_platform(&report.image.platform),
        system: report.sbom.os.as_ref().map(|os| match os.pretty_name.as_str() {
            "" => os.id.as_str(),
            name => name,
        }),
        bytes: size(report.layers.iter().map(|layer| layer.size_bytes).sum()),
        counts: report.matches.as_ref().map(|_| counts(&groups)),
        with_fix: groups
            .iter()
            .filter(|group| group.first.fixed_version.is_some())
            .count(),
        vulnerabilities: groups.iter().map(row).collect(),
        reasons: reasons(report),
        decision: report.verdict.as_ref().map(|verdict| decision(verdict.decision)),
        findings: report
            .findings
            .iter()
            .map(|finding| Finding {
                severity: words::severity(finding.severity),
                check: &finding.check,
                message: &finding.message,
                path: finding.path.as_deref(),
            })
            .collect(),
        missed: notes(false),
        hints: notes(true),
        packages: report.sbom.packages.iter().map(listed).collect(),
        layers: layers(report),
        image: &report.image,
        user: &report.config.user,
        file_count: report.file_count,
        policy: report.verdict.as_ref().map(|verdict| verdict.policy.as_str()),
    }
}

/// Worst first; severities that nothing has are left out.
fn counts(groups: &[Group<'_>]) -> Vec<Count> {
    use Severity::{Critical, High, Low, Medium, Negligible, Unknown};
    let count = |severity| {
        let of = |group: &&Group<'_>| group.first.vulnerability.severity == severity;
        Count {
            severity: words::severity(severity),
            count: groups.iter().filter(of).count(),
        }
    };
    [Critical, High, Medium, Low, Negligible, Unknown]
        .into_iter()
        .map(count)
        .filter(|count| count.count > 0)
        .collect()
}

fn row<'a>(group: &Group<'a>) -> Row<'a> {
    let found: &Match = group.first;
    let vulnerability = &found.vulnerability;
    Row {
        id: &vulnerability.id,
        link: words::link(&vulnerability.id),
        severity: words::severity(vulnerability.severity),
        is_exploited: vulnerability.known_exploited,
        score: vulnerability.cvss_score.map(|score| format!("{score:.1}")),
        epss: vulnerability.epss.map(|epss| format!("{:.1} %", epss * 100.0)),
        packages: group.packages.iter().map(|package| package.name.as_str()).collect(),
        version: group.packages.first().map_or("", |package| package.version.as_str()),
        fix: words::fix(found),
        is_fixed: found.fixed_version.is_some(),
        summary: &vulnerability.summary,
        compared: format!(
            "{}: {} {} is in {} ({})",
            found.evidence.advisory,
            found.evidence.compared_name,
            found.evidence.compared_version,
            found.evidence.range,
            found.evidence.ecosystem
        ),
    }
}

fn reasons(report: &ScanReport) -> Vec<Reason<'_>> {
    let reasons = report.verdict.iter().flat_map(|verdict| &verdict.reasons);
    reasons
        .map(|reason| Reason {
            decision: match reason.waived_by {
                Some(_) => "waived",
                None => decision(reason.decision),
            },
            rule: &reason.rule,
            message: &reason.message,
            waived_by: reason.waived_by.as_deref(),
        })
        .collect()
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Go => "go",
        Decision::Warn => "warn",
        Decision::Stop => "stop",
    }
}

fn listed(package: &Package) -> Listed<'_> {
    Listed {
        kind: package.kind.name(),
        name: &package.name,
        version: &package.version,
        layer: package.layer,
        licences: package.licences.join(", "),
        evidence: &package.evidence_path,
    }
}

fn layers(report: &ScanReport) -> Vec<Layer<'_>> {
    let mut packages = vec![0; report.layers.len()];
    for package in &report.sbom.packages {
        if let Some(count) = packages.get_mut(package.layer as usize) {
            *count += 1;
        }
    }
    let layers = report.layers.iter().zip(packages);
    layers
        .map(|(layer, packages)| Layer {
            diff_id: layer.diff_id.short(),
            size: size(layer.size_bytes),
            created_by: layer.created_by.as_deref(),
            packages,
        })
        .collect()
}

/// `38.2 MiB`.
fn size(bytes: u64) -> String {
    let mut rest = bytes;
    let mut part = 0;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while rest >= 1024 {
        let Some(next) = units.next() else { break };
        (part, rest, unit) = (rest % 1024 * 10 / 1024, rest / 1024, next);
    }
    match unit {
        "B" => format!("{rest} B"),
        _ => format!("{rest}.{part} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_read_as_people_say_them() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (40_000_000, "38.1 MiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
