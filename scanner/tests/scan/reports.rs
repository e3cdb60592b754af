//! Reports of one scan: the same bytes each time, readable, and safe to show.

use plimsoll_model::{FixState, Match, MatchEvidence, Note, NoteKind, ScanReport, Severity, Vulnerability};
use plimsoll_scanner::{
    Tree,
    report::{self, Document, Template},
};

use crate::builder::{Blob, Image, Layer, oci};

pub(crate) fn image() -> Image {
    let layer = Layer::new()
        .file(
            "etc/os-release",
            "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian \x1b[31mred\"\n",
        )
        .program("bin/app", 0o755, "#!/bin/sh\n")
        .file("data", "1")
        .file(
            "var/lib/dpkg/status",
            "Package: app\nStatus: install ok installed\nMaintainer: A <a@b>\nVersion: 1:2\nArchitecture: amd64\n",
        )
        .file("var/lib/dpkg/info/app.list", "/bin/app\n");
    oci(&[Blob::gzip(&layer.tar())])
}

fn found(id: &str, severity: Severity, known_exploited: bool, fix: Option<&str>) -> Match {
    Match {
        package: 0,
        vulnerability: Vulnerability {
            id: id.to_owned(),
            aliases: Vec::new(),
            severity,
            cvss_score: Some(7.5),
            known_exploited,
            epss: None,
            summary: "Something\nbad".to_owned(),
        },
        fix_state: if fix.is_some() {
            FixState::Fixed
        } else {
            FixState::Affected
        },
        fixed_version: fix.map(str::to_owned),
        evidence: MatchEvidence {
            advisory: id.to_owned(),
            source: "debian".to_owned(),
            ecosystem: "Debian:12".to_owned(),
            compared_name: "app".to_owned(),
            compared_version: "1:2".to_owned(),
            range: "any version".to_owned(),
        },
        reach: None,
    }
}

pub(crate) fn assembled() -> (ScanReport, Tree) {
    let mut scan = image().scan().unwrap();
    "test:image".clone_into(&mut scan.image.reference);
    let matches = vec![
        found("CVE-2024-0002", Severity::Low, false, None),
        found("CVE-2024-0001", Severity::Critical, false, Some("1:2.1")),
        found("CVE-2024-0003", Severity::Medium, true, None),
    ];
    let notes = vec![Note::new(NoteKind::Limit, "/x\u{1b}[0m", "too big")];
    report::assemble(scan, Some(matches), notes, plimsoll_rules::packs::shipped())
}

pub(crate) fn written(format: &str, colour: bool) -> String {
    let (report, tree) = assembled();
    written_of(format, &report, &tree, colour)
}

/// The document of a report; `template` is filled with the shipped list of vulnerabilities.
pub(crate) fn written_of(format: &str, report: &ScanReport, tree: &Tree, colour: bool) -> String {
    let template = Template::shipped("vulnerabilities.csv").unwrap();
    let document = Document {
        report,
        tree,
        colour,
        suppressed: &[],
        template: Some(&template),
    };
    let format = report::ALL.iter().find(|found| found.name() == format).unwrap();
    let mut out = Vec::new();
    format.write(&document, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_format_is_deterministic() {
    for format in report::ALL {
        assert_eq!(
            written(format.name(), false),
            written(format.name(), false),
            "{}",
            format.name()
        );
        assert!(!format.summary().is_empty());
    }
}

#[test]
fn the_table_ranks_fits_and_shows_no_control_characters() {
    let text = written("table", false);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("CVE-")).collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0].starts_with("KEV") && rows[0].contains("CVE-2024-0003"),
        "{text}"
    );
    assert!(rows[1].contains("CVE-2024-0001") && rows[1].contains("1:2.1"), "{text}");
    assert!(text.contains("1 critical · 1 medium · 1 low"), "{text}");
    assert!(text.contains("Incomplete: 1 thing"), "{text}");
    assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(written("table", true).contains("\u{1b}[1;31m"));
}

#[test]
fn what_the_vendor_dismisses_comes_last_unless_it_is_exploited() {
    let with_epss = |id: &str, severity, epss, known_exploited| {
        let mut found = found(id, severity, known_exploited, None);
        found.vulnerability.epss = Some(epss);
        found
    };
    let matches = vec![
        with_epss("CVE-1", Severity::Negligible, 0.9, false),
        with_epss("CVE-2", Severity::Low, 0.0, false),
        with_epss("CVE-3", Severity::Negligible, 0.0, true),
        with_epss("CVE-4", Severity::Unknown, 0.1, false),
    ];
    let (report, _) = report::assemble(image().scan().unwrap(), Some(matches), Vec::new(), &[]);
    let ids: Vec<&str> = report
        .matches
        .iter()
        .flatten()
        .map(|found| found.vulnerability.id.as_str())
        .collect();
    assert_eq!(ids, ["CVE-3", "CVE-4", "CVE-2", "CVE-1"]);
}

#[test]
fn binaries_of_one_source_package_share_a_row_of_the_table() {
    let layer = Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=12\n").file(
        "var/lib/dpkg/status",
        ["perl-base", "perl", "libperl5.36", "other"]
            .map(|name| {
                let source = if name == "other" { "other" } else { "perl" };
                format!("Package: {name}\nStatus: install ok installed\nSource: {source}\nVersion: 5.36\n")
            })
            .join("\n"),
    );
    let scan = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    let matches = (0..4)
        .map(|package| Match {
            package,
            ..found("CVE-2024-0001", Severity::High, false, None)
        })
        .collect();
    let (report, tree) = report::assemble(scan, Some(matches), Vec::new(), &[]);
    let mut out = Vec::new();
    let document = Document {
        report: &report,
        tree: &tree,
        colour: false,
        suppressed: &[],
        template: None,
    };
    report::ALL[0].write(&document, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("CVE-")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(
        rows.iter().any(|row| row.contains(" libperl5.36, perl, perl-base ")),
        "{text}"
    );
    assert!(rows.iter().any(|row| row.contains(" other ")), "{text}");
    assert!(text.contains("1 high   (in 4 packages, 0 with a fix)"), "{text}");
    assert_eq!(report.matches.map(|matches| matches.len()), Some(4));
}

#[test]
fn json_reads_back_and_holds_what_can_run() {
    let (report, _) = assembled();
    let read: ScanReport = serde_json::from_str(&written("json", false)).unwrap();
    assert_eq!(read, report);
    let files: Vec<&str> = read.files.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(files, ["/bin/app"]);
    assert_eq!(read.file_count, 5);
    assert_eq!(written("inventory", false).lines().count(), 5);
}
