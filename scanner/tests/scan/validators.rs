//! Every format that has an official schema against the validator that its makers publish, on reports of all kinds:
//! ordinary, empty, real, and one in which every text is hostile.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use plimsoll_model::{
    Decision, Digest, Finding, FixState, LayerInfo, Match, MatchEvidence, Note, NoteKind, OsRelease, Package,
    PackageKind, ScanReport, Severity, SourcePackage, Verdict, VerdictReason, Vulnerability,
};
use plimsoll_scanner::{Tree, report};

use crate::{
    builder::{Blob, Layer, oci, scan_target},
    reports::{assembled, written_of},
};

/// Formats with an official schema, and the file that their validator needs besides its Python package.
const FORMATS: &[(&str, &str)] = &[
    ("cyclonedx", ""),
    ("cyclonedx-xml", ""),
    ("spdx", ""),
    ("spdx-tag-value", ""),
    ("sarif", "schemas/sarif.json"),
    ("junit", "schemas/junit.xsd"),
    ("cyclonedx-vex", ""),
    ("csaf-vex", "node"),
    ("openvex", ""),
];

/// What is in a format's document that its schema does not allow in any other spelling.
const KEYWORDS: &[(&str, &str)] = &[
    ("cyclonedx", "\"library\""),
    ("cyclonedx-xml", "type=\"library\""),
    ("spdx", "\"NOASSERTION\""),
    ("spdx-tag-value", "\nFilesAnalyzed: false"),
    ("sarif", "\"utf16CodeUnits\""),
    ("junit", "<testsuite "),
    ("cyclonedx-vex", "\"exploitable\""),
    ("csaf-vex", "\"publisher\""),
    ("openvex", "\"vulnerability\""),
];

fn validators() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/validators")
}

/// `None` when the validator is not there, which is said.
fn validate(format: &str, text: &str) -> Option<Result<(), String>> {
    let (_, file) = FORMATS.iter().find(|(name, _)| *name == format).unwrap();
    let python = validators().join("venv/bin/python");
    if !python.exists() || !validators().join(file).exists() {
        eprintln!("SKIPPED: {format}: no validator; scripts/validators.sh installs it");
        return None;
    }
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/validate.py"))
        .arg(format)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Some(if out.status.success() { Ok(()) } else { Err(said) })
}

fn check(what: &str, report: &ScanReport, tree: &Tree) {
    for (format, _) in FORMATS {
        let text = written_of(format, report, tree, false);
        // OpenVEX has no document without a statement.
        let is_silent = *format == "openvex" && report.matches.as_deref().unwrap_or_default().is_empty();
        assert_eq!(text.is_empty(), is_silent, "{format} of {what}");
        if is_silent {
            continue;
        }
        if let Some(result) = validate(format, &text) {
            assert_eq!(result, Ok(()), "{format} of {what}");
        }
    }
}

#[test]
fn an_ordinary_report_is_valid() {
    let (report, tree) = assembled();
    check("an ordinary image", &report, &tree);
}

#[test]
fn the_validators_do_look() {
    let (report, tree) = assembled();
    for (format, keyword) in KEYWORDS {
        let text = written_of(format, &report, &tree, false);
        assert!(text.contains(keyword), "{format}: {text}");
        let wrong = text.replace(keyword, &keyword.replace(['i', 'A', 'u'], "x"));
        if let Some(result) = validate(format, &wrong) {
            assert!(result.is_err(), "{format}");
        }
    }
}

#[test]
fn an_empty_image_gives_valid_reports() {
    for matches in [None, Some(Vec::new())] {
        let scan = oci(&[Blob::gzip(&Layer::new().tar())]).scan().unwrap();
        let (report, tree) = report::assemble(scan, matches, Vec::new(), plimsoll_rules::packs::shipped());
        check("an image with nothing in it", &report, &tree);
    }
}

#[test]
fn a_real_image_gives_valid_reports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo/images");
    let mut seen = 0;
    for name in ["redis"] {
        let image = folder.join(name);
        if !image.join("index.json").exists() {
            continue;
        }
        let scan = scan_target(image.to_str().unwrap()).unwrap();
        let matches = (0..40).map(|index| matched(index, "CVE-2024-0001")).collect();
        let packs = plimsoll_rules::packs::shipped();
        let (report, tree) = report::assemble(scan, Some(matches), Vec::new(), packs);
        check(name, &report, &tree);
        seen += 1;
    }
    if seen == 0 {
        eprintln!("SKIPPED: no images in target/demo/images (make demo builds them)");
    }
}

fn matched(package: u32, id: &str) -> Match {
    Match {
        package,
        vulnerability: Vulnerability {
            id: id.to_owned(),
            aliases: vec![id.to_owned()],
            severity: Severity::High,
            cvss_score: Some(9.8),
            known_exploited: true,
            epss: Some(0.5),
            summary: id.to_owned(),
        },
        fix_state: FixState::Fixed,
        fixed_version: Some(id.to_owned()),
        evidence: MatchEvidence {
            advisory: id.to_owned(),
            source: id.to_owned(),
            ecosystem: id.to_owned(),
            compared_name: id.to_owned(),
            compared_version: id.to_owned(),
            range: id.to_owned(),
        },
        reach: None,
    }
}

/// A report in which every text that an image or a feed can choose is this one.
pub(crate) fn hostile(text: &str) -> ScanReport {
    let (mut report, _) = assembled();
    let owned = || text.to_owned();
    report.image.reference = owned();
    report.config.created = Some(owned());
    report.config.user = owned();
    report.sbom.os = Some(OsRelease {
        id: owned(),
        version_id: owned(),
        version_codename: owned(),
        id_like: vec![owned()],
        pretty_name: owned(),
    });
    let package = |owner| Package {
        kind: PackageKind::Npm,
        name: owned(),
        version: owned(),
        architecture: Some(owned()),
        source: Some(SourcePackage {
            name: owned(),
            version: owned(),
        }),
        purl: "pkg:npm/hostile@1".to_owned(),
        layer: 7,
        evidence_path: owned(),
        files: vec![owned(), owned()].into(),
        licences: vec![owned(), "MIT".to_owned(), "LicenseRef-x".to_owned()],
        maintainer: Some(owned()),
        owner,
        cpes: vec![owned(), "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*".to_owned()],
    };
    report.sbom.packages = vec![package(None), package(Some(0)), package(Some(99))];
    report.layers.push(LayerInfo {
        diff_id: Digest::from_bytes([7; 32]),
        blob_digest: None,
        media_type: owned(),
        blob_size_bytes: 0,
        size_bytes: u64::MAX / 4,
        created_by: Some(owned()),
    });
    let mut odd = matched(1, text);
    odd.vulnerability.cvss_score = Some(f32::NAN);
    report.matches = Some(vec![matched(0, text), odd, matched(99, text)]);
    report.notes = [NoteKind::Unreadable, NoteKind::Hint]
        .map(|kind| Note::new(kind, text, text))
        .into();
    report.findings = vec![Finding {
        check: owned(),
        severity: Severity::Low,
        message: owned(),
        path: Some(owned()),
        layer: Some(7),
        hint: Some(owned()),
        benchmark: Some(owned()),
    }];
    report.verdict = Some(Verdict {
        decision: Decision::Warn,
        policy: owned(),
        reasons: vec![VerdictReason {
            decision: Decision::Stop,
            rule: owned(),
            subject: owned(),
            message: owned(),
            waived_by: Some(owned()),
        }],
        unused_waivers: vec![owned()],
    });
    report
}

/// Texts that break out of what they stand in, or out of every bound.
pub(crate) fn hostile_texts() -> Vec<String> {
    let odd = "\u{1b}[31m\0\u{7f}\u{85}\r\n\t ]]> --> \"'&amp;<script>alert(1)</script> </text><text> \u{202e}\u{fffe}\u{feff} {{7*7}}{%x%} =1+1 %zz é🦀";
    vec![
        odd.to_owned(),
        "x".repeat(100_000),
        "\u{202e}\n".to_owned(),
        " ".to_owned(),
        String::new(),
    ]
}

#[test]
fn no_text_of_an_image_makes_a_report_invalid() {
    let (_, tree) = assembled();
    for text in hostile_texts() {
        let report = hostile(&text);
        check(
            &format!("{:?}…", text.chars().take(40).collect::<String>()),
            &report,
            &tree,
        );
    }
}
