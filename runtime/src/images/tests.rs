//! A folder of reports: found, refused, found later.

use std::fs;

use plimsoll_model::{ContainerImage, FileKind, Match, MatchEvidence, Package, PackageKind, Vulnerability};

use super::*;
use crate::scene::{REDIS, digest, redis_report};

fn wanted(config: Option<u8>, manifest: Option<u8>) -> ContainerImage {
    ContainerImage {
        reference: "x".to_owned(),
        manifest_digest: manifest.map(digest),
        config_digest: config.map(digest),
    }
}

#[test]
fn reads_reports_and_says_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut other = redis_report();
    other.schema = "plimsoll.scan/v9".to_owned();
    write("broken.json", b"[]");
    write("other.json", &serde_json::to_vec(&other).unwrap());
    write("readme.txt", b"not looked at");
    let (mut images, notes) = Images::open(folder.path()).unwrap();
    assert!(images.is_empty());
    let kinds: Vec<NoteKind> = notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, [NoteKind::Unreadable, NoteKind::Unreadable]);
    assert!(notes[1].detail.contains("plimsoll.scan/v9"), "{notes:?}");

    write("redis.json", &serde_json::to_vec(&redis_report()).unwrap());
    assert_eq!(
        images.refresh(std::time::Duration::ZERO).unwrap(),
        [],
        "what was refused is not said again"
    );
    assert!(images.find(&wanted(Some(1), None), &[]).is_some());
    assert!(images.find(&wanted(Some(2), None), &[]).is_none());
    assert_eq!(images.len(), 1);
}

#[test]
fn a_folder_that_is_not_there_yet_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later");
    let (mut images, notes) = Images::open(&path).unwrap();
    assert!(images.is_empty() && notes.is_empty());
    fs::create_dir(&path).unwrap();
    fs::write(path.join("redis.json"), serde_json::to_vec(&redis_report()).unwrap()).unwrap();
    images.refresh(std::time::Duration::ZERO).unwrap();
    assert_eq!(images.len(), 1);
}

#[test]
fn a_report_that_is_written_anew_takes_the_old_ones_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.json");
    let mut report = redis_report();
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    let (mut images, _) = Images::open(folder.path()).unwrap();
    let old = images.find(&wanted(Some(1), None), &[]).unwrap();

    report.image.reference = "redis, scanned again".to_owned();
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    images.refresh(Duration::ZERO).unwrap();
    let new = images.find(&wanted(Some(1), None), &[]).unwrap();
    assert_eq!(new.report.image.reference, "redis, scanned again");
    assert_eq!((images.len(), Arc::strong_count(&old)), (1, 1), "the old one is let go");

    // The same file about another image: nobody is left who knows the first.
    report.image.config_digest = digest(7);
    report.image.manifest_digest = None;
    report.image.diff_ids = vec![digest(107)];
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    images.refresh(Duration::ZERO).unwrap();
    assert!(images.find(&wanted(Some(7), None), &[]).is_some());
    assert!(images.find(&wanted(Some(1), None), &[]).is_none());
}

#[test]
fn config_digest_goes_before_manifest_digest() {
    let mut images = Images::default();
    for (config, manifest) in [(1, 11), (2, 12)] {
        let mut report = redis_report();
        report.image.config_digest = digest(config);
        report.image.manifest_digest = Some(digest(manifest));
        report.image.diff_ids = vec![digest(config + 100)];
        images.add(report, ReportSource::Folder);
    }
    let config_of = |image: ContainerImage| images.find(&image, &[]).map(|found| found.report.image.config_digest);
    assert_eq!(config_of(wanted(Some(1), Some(12))), Some(digest(1)));
    assert_eq!(config_of(wanted(Some(9), Some(12))), Some(digest(2)));
    assert_eq!(config_of(wanted(None, None)), None);
}

#[test]
fn an_origin_names_package_and_flaws_unless_the_file_was_replaced() {
    let mut report = redis_report();
    report.files[0].package = Some(0);
    assert_eq!(
        (report.files[0].path.as_str(), report.files[0].kind),
        (REDIS, FileKind::Regular)
    );
    report.sbom.packages.push(Package {
        files: vec![REDIS.to_owned()].into(),
        ..Package::new(PackageKind::Dpkg, "redis-server", "5:7.0.15")
    });
    let flaw = |id: &str, package, known_exploited| Match {
        package,
        vulnerability: Vulnerability {
            id: id.to_owned(),
            aliases: Vec::new(),
            severity: Severity::High,
            cvss_score: None,
            known_exploited,
            epss: None,
            summary: String::new(),
        },
        fix_state: plimsoll_model::FixState::Unknown,
        fixed_version: None,
        evidence: MatchEvidence {
            advisory: String::new(),
            source: String::new(),
            ecosystem: String::new(),
            compared_name: String::new(),
            compared_version: String::new(),
            range: String::new(),
        },
        reach: None,
    };
    report.matches = Some(vec![
        flaw("CVE-1", 0, false),
        flaw("CVE-2", 0, true),
        flaw("CVE-3", 1, false),
    ]);
    let image = KnownImage::new(report, ReportSource::Folder);
    let origin = image.make_origin(REDIS, ExeFile::default());
    assert_eq!(origin.package.as_deref(), Some("redis-server 5:7.0.15"));
    assert_eq!((origin.vulnerability_count, origin.known_exploited), (2, true));
    let upper = ExeFile {
        is_upper_layer: true,
        ..ExeFile::default()
    };
    let replaced = image.make_origin(REDIS, upper);
    assert_eq!(
        (replaced.is_in_image, replaced.is_modified, replaced.package),
        (true, true, None)
    );
    assert!(!image.make_origin("/tmp/x", upper).is_in_image);
}
