//! `table`: what a person wants to see first, at most 110 columns wide.

mod verdict;
mod vulnerabilities;

use std::io::{self, Write};

use plimsoll_model::{NoteKind, ScanReport, Severity};

use super::{
    Document, Report, shown,
    words::{self, count},
};

/// For people.
pub(super) struct Table;

/// Widest line.
const WIDTH: usize = 110;
/// Notes of one kind that are listed; the rest is counted.
const MAX_SHOWN_NOTES: usize = 12;
/// Findings that are listed.
const MAX_SHOWN_FINDINGS: usize = 50;
impl Report for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn summary(&self) -> &'static str {
        "for people"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let paint = Paint(document.colour);
        header(document, &paint, out)?;
        match &document.report.matches {
            None => packages(document.report, &paint, out)?,
            Some(matches) => vulnerabilities::write(document.report, matches, &paint, out)?,
        }
        findings(document.report, &paint, out)?;
        notes(document.report, &paint, out)?;
        match &document.report.verdict {
            None => Ok(()),
            Some(verdict) => verdict::write(verdict, &paint, out),
        }
    }
}

/// Colours, or none.
struct Paint(bool);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Critical => self.with("1;31", text),
            Severity::High => self.with("31", text),
            Severity::Medium => self.with("33", text),
            _ => text.to_owned(),
        }
    }
}

fn header(document: &Document<'_>, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let report = document.report;
    let image = &report.image;
    let mut line = |name: &str, value: &str| {
        let name = paint.with("2", &format!("{name:<12}"));
        writeln!(out, "{name} {}", cut(value, WIDTH - 13))
    };
    line("Image", &shown(&image.reference))?;
    if let Some(digest) = &image.manifest_digest {
        line("Digest", &digest.to_string())?;
    }
    line("Config", &image.config_digest.to_string())?;
    let system = report.sbom.os.as_ref().map_or("not recognised".to_owned(), |os| {
        let name = if os.pretty_name.is_empty() {
            &os.id
        } else {
            &os.pretty_name
        };
        shown(name)
    });
    line(
        "System",
        &format!("{system}, {}", shown(&crate::oci::show_platform(&image.platform))),
    )?;
    let compressed: u64 = report.layers.iter().map(|layer| layer.blob_size_bytes).sum();
    let plain: u64 = report.layers.iter().map(|layer| layer.size_bytes).sum();
    let stored = match compressed == plain {
        true => String::new(),
        false => format!(" ({} as stored)", bytes(compressed)),
    };
    let layers = count(report.layers.len(), "layer");
    line(
        "Content",
        &format!(
            "{layers}, {}{stored}, {}",
            bytes(plain),
            count(document.tree.len(), "file")
        ),
    )?;
    if let Some(base) = &report.base {
        let name = if base.reference.is_empty() {
            "unnamed"
        } else {
            &base.reference
        };
        let of = format!("{} of {layers}", base.layer_count);
        line("Base", &format!("{}, {of} ({})", shown(name), shown(&base.evidence)))?;
    }
    line("Packages", &report.sbom.packages.len().to_string())
}

/// Without a database, what the image is made of is all that there is to say.
fn packages(report: &ScanReport, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nVulnerabilities  not looked for: no vulnerability database was used"
    )?;
    if report.sbom.packages.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = report
        .sbom
        .packages
        .iter()
        .map(|package| shown(&package.name))
        .collect();
    let widest = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(7, 44);
    let title = format!("{:<widest$} {:<40} LAYER", "PACKAGE", "INSTALLED");
    writeln!(out, "\n{}", paint.with("2", &title))?;
    for (package, name) in report.sbom.packages.iter().zip(&names) {
        let version = shown(&package.version);
        let layer = package.layer + 1;
        writeln!(out, "{:<widest$} {:<40} {layer}", cut(name, widest), cut(&version, 40))?;
    }
    Ok(())
}

fn findings(report: &ScanReport, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let title = format!("{:<5}{:<10} {:<24} FINDING", "", "SEVERITY", "CHECK");
    writeln!(out, "\n{}", paint.with("2", &title))?;
    for finding in report.findings.iter().take(MAX_SHOWN_FINDINGS) {
        let severity = format!("{:<10}", words::severity(finding.severity));
        let severity = paint.severity(finding.severity, &severity);
        let (check, message) = (cut(&shown(&finding.check), 24), shown(&finding.message));
        writeln!(out, "     {severity} {check:<24} {}", cut(&message, WIDTH - 41))?;
    }
    if let Some(more) = report
        .findings
        .len()
        .checked_sub(MAX_SHOWN_FINDINGS)
        .filter(|more| *more > 0)
    {
        writeln!(out, "     and {more} more (-o json has all)")?;
    }
    Ok(())
}

fn notes(report: &ScanReport, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let missed = report.notes.iter().filter(|note| note.makes_incomplete()).count();
    if missed > 0 {
        let text = format!("Incomplete: {} could not be looked at", count(missed, "thing"));
        writeln!(out, "\n{}", paint.with("1;33", &text))?;
    }
    for kind in [
        NoteKind::Unreadable,
        NoteKind::Limit,
        NoteKind::Unsupported,
        NoteKind::Unrecognised,
        NoteKind::Hint,
    ] {
        let of_kind: Vec<_> = report.notes.iter().filter(|note| note.kind == kind).collect();
        if kind == NoteKind::Hint && !of_kind.is_empty() {
            writeln!(out, "\nHints")?;
        }
        for note in of_kind.iter().take(MAX_SHOWN_NOTES) {
            let line = format!(
                "  {:<12} {}: {}",
                note_word(kind),
                shown(&note.subject),
                shown(&note.detail)
            );
            writeln!(out, "{}", cut(&line, WIDTH))?;
        }
        if of_kind.len() > MAX_SHOWN_NOTES {
            writeln!(
                out,
                "  {:<12} and {} more (-o json has all)",
                note_word(kind),
                of_kind.len() - MAX_SHOWN_NOTES
            )?;
        }
    }
    Ok(())
}

fn note_word(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Unreadable => "unreadable",
        NoteKind::Limit => "limit",
        NoteKind::Unsupported => "unsupported",
        NoteKind::Unrecognised => "unrecognised",
        NoteKind::Hint => "hint",
    }
}

/// `28.1 MiB`.
fn bytes(number: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| number >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(number) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// At most so many characters; the last one says if there were more.
fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_cuts() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3_980_000_000), "3.7 GiB");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(shown("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
    }
}
