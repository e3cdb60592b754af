//! What keeps bad news from looking like none: sources that shrink, age, or whose support has ended.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::{FixState, Note, NoteKind, OsRelease, Package, PackageKind, Sbom};
use plimsoll_vulndb::{DEFAULT_MAX_AGE, Database, Error, ImportOptions, ImportSummary, SourceStatus, import};

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("v.db")
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn import(&self, files: &[PathBuf], now: &str, replace: bool, allow_shrink: bool) -> (ImportSummary, Vec<Note>) {
        let options = ImportOptions {
            now: now.to_owned(),
            replace,
            allow_shrink,
        };
        import(files, &self.database(), &options).unwrap()
    }

    fn source(&self, name: &str) -> SourceStatus {
        let status = Database::open(&self.database()).unwrap().status().unwrap();
        status.sources.into_iter().find(|source| source.name == name).unwrap()
    }
}

const NOW: &str = "2026-11-22T00:00:00Z";
const LATER: &str = "2026-11-25T00:00:00Z";

fn debian(numbers: std::ops::Range<u32>, withdrawn: &str) -> String {
    let record = |number| {
        format!(
            r#"{{"id":"CVE-2024-{number:04}","modified":"2025-01-01T00:00:00Z"{withdrawn},"affected":[{{"package":{{"ecosystem":"Debian:12","name":"pdns"}}}}]}}"#
        )
    };
    numbers.map(record).collect::<Vec<_>>().join("\n")
}

fn rust(numbers: std::ops::Range<u32>) -> String {
    let record = |number| {
        format!(
            r#"{{"id":"RUSTSEC-2024-{number:04}","modified":"2025-01-01T00:00:00Z","affected":[{{"package":{{"ecosystem":"crates.io","name":"a"}}}}]}}"#
        )
    };
    numbers.map(record).collect::<Vec<_>>().join("\n")
}

fn shrunk(notes: &[Note]) -> Vec<&str> {
    let limits = notes.iter().filter(|note| note.kind == NoteKind::Limit);
    limits.map(|note| note.subject.as_str()).collect()
}

#[test]
fn a_source_that_loses_more_than_a_fifth_keeps_its_rows() {
    let case = Case::new();
    let full = case.file("a.jsonl", &debian(0..100, ""));
    case.import(&[full], NOW, false, false);
    let most = case.file("b.jsonl", &debian(0..80, ""));
    let (_, notes) = case.import(&[most], LATER, true, false);
    assert_eq!(shrunk(&notes), [""; 0]);
    assert_eq!(case.source("debian").records, 80);

    let few = case.file("c.jsonl", &debian(0..63, ""));
    let (summary, notes) = case.import(std::slice::from_ref(&few), "2026-11-26T00:00:00Z", true, false);
    assert_eq!(shrunk(&notes), ["debian"]);
    assert!(summary.sources[0].is_shrunk);
    let kept = case.source("debian");
    assert_eq!((kept.records, kept.stale, kept.imported.as_str()), (80, true, LATER));

    let (_, notes) = case.import(&[few], "2026-11-27T00:00:00Z", true, true);
    assert_eq!(shrunk(&notes), [""; 0]);
    let taken = case.source("debian");
    assert_eq!((taken.records, taken.stale), (63, false));
}

#[test]
fn withdrawing_everything_is_not_believed_either() {
    let case = Case::new();
    let full = case.file("a.jsonl", &debian(0..10, ""));
    case.import(&[full], NOW, false, false);
    let gone = case.file("b.jsonl", &debian(0..10, r#","withdrawn":"2026-01-01T00:00:00Z""#));
    let (_, notes) = case.import(&[gone], LATER, false, false);
    assert_eq!(shrunk(&notes), ["debian"]);
    assert_eq!(case.source("debian").records, 10);
    let some = case.file("c.jsonl", &debian(0..2, r#","withdrawn":"2026-01-01T00:00:00Z""#));
    let (_, notes) = case.import(&[some], LATER, false, false);
    assert_eq!(shrunk(&notes), [""; 0]);
    assert_eq!(case.source("debian").records, 8);
}

#[test]
fn a_source_that_is_missing_from_a_replacement_stays() {
    let case = Case::new();
    let files = [
        case.file("a.jsonl", &debian(0..10, "")),
        case.file("b.jsonl", &rust(0..10)),
    ];
    let kev = case.file(
        "kev.json",
        r#"{"catalogVersion":"1","dateReleased":"2026-01-01","vulnerabilities":[{"cveID":"CVE-2024-0001","dateAdded":"2026-01-01"}]}"#,
    );
    case.import(&[files[0].clone(), files[1].clone(), kev], NOW, false, false);
    let (_, notes) = case.import(&files[..1], LATER, true, false);
    assert_eq!(shrunk(&notes), ["rustsec", "kev"]);
    assert_eq!(case.source("rustsec").records, 10);
    assert!(case.source("kev").stale && !case.source("debian").stale);
    case.import(&files[..1], LATER, true, true);
    let status = Database::open(&case.database()).unwrap().status().unwrap();
    let names: Vec<&str> = status.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["debian"]);
}

#[test]
fn the_age_is_that_of_the_oldest_source_that_the_image_needs() {
    let case = Case::new();
    let (debian, rust) = (
        case.file("a.jsonl", &debian(0..10, "")),
        case.file("b.jsonl", &rust(0..10)),
    );
    case.import(&[rust], "2026-01-01T00:00:00Z", false, false);
    case.import(&[debian], NOW, false, false);
    let database = Database::open(&case.database()).unwrap();
    let now = "2026-11-24T00:00:00Z".parse().unwrap();
    let error = database.check_age(now, DEFAULT_MAX_AGE).unwrap_err();
    assert!(
        matches!(&error, Error::TooOld { source_name, .. } if source_name == "rustsec"),
        "{error}"
    );
    database.check_age(now, Duration::from_secs(400 * 86_400)).unwrap();
    database
        .check_age_for(&bookworm("pdns", "1", PackageKind::Dpkg), now, DEFAULT_MAX_AGE)
        .unwrap();
    let with_a_crate = bookworm("a", "1", PackageKind::Cargo);
    assert!(database.check_age_for(&with_a_crate, now, DEFAULT_MAX_AGE).is_err());
    // What a policy judges is the same source's age.
    let days = |sbom: &Sbom, now| {
        let oldest = database.oldest_for(sbom, now).unwrap().unwrap();
        (oldest.source, oldest.age_s / 86_400)
    };
    let day = |text: &str| text.parse().unwrap();
    let bookworm_only = bookworm("pdns", "1", PackageKind::Dpkg);
    assert_eq!(
        days(&bookworm_only, day("2026-11-24T00:00:00Z")),
        ("debian".to_owned(), 2)
    );
    assert_eq!(
        days(&with_a_crate, day("2026-11-24T00:00:00Z")),
        ("rustsec".to_owned(), 327)
    );
    // Nothing that the database speaks of: all of its sources count.
    let empty = Sbom {
        os: None,
        packages: Vec::new(),
    };
    assert_eq!(days(&empty, day("2026-11-24T00:00:00Z")), ("rustsec".to_owned(), 327));
    assert!(database.check_age_for(&empty, now, DEFAULT_MAX_AGE).is_err());
}

#[test]
fn a_database_of_the_future_is_too_old_whatever_the_limit() {
    let case = Case::new();
    let debian = case.file("a.jsonl", &debian(0..10, ""));
    case.import(&[debian], NOW, false, false);
    let database = Database::open(&case.database()).unwrap();
    let sbom = bookworm("pdns", "1", PackageKind::Dpkg);
    let check = |now: &str, days: u64| {
        let limit = Duration::from_secs(days * 86_400);
        database.check_age_for(&sbom, now.parse().unwrap(), limit)
    };
    // Half a day ahead of this machine is a clock; a year is no proof of youth.
    check("2026-11-21T12:00:00Z", 5).unwrap();
    let error = check("2025-11-22T00:00:00Z", 100_000).unwrap_err();
    assert!(matches!(&error, Error::TooOld { .. }), "{error}");
    assert!(error.to_string().contains("2026-11-22"), "{error}");
}

fn bookworm(name: &str, version: &str, kind: PackageKind) -> Sbom {
    Sbom {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        packages: vec![Package::new(kind, name, version)],
    }
}

#[test]
fn ended_support_is_told_and_marks_what_nobody_will_fix() {
    let case = Case::new();
    let lists = [
        case.file("a.jsonl", &debian(0..1, "")),
        case.file("security-support-ended.deb12", "pdns 4.7.3-2 2025-10-01 No support upstream\nother 1 2099-01-01\n"),
        case.file("security-support-limited", "golang.* see the notes\n"),
        case.file("debian.csv", "version,codename,series,created,release,eol,eol-lts,eol-elts\n12,B,b,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n"),
    ];
    let check = |now: &str, name: &str, version: &str, expected: (Option<FixState>, &[(NoteKind, &str)])| {
        case.import(&lists, now, true, false);
        let sbom = bookworm(name, version, PackageKind::Dpkg);
        let (matches, notes) = Database::open(&case.database()).unwrap().find_matches(&sbom).unwrap();
        let told: Vec<(NoteKind, &str)> = notes.iter().map(|note| (note.kind, note.subject.as_str())).collect();
        let state = matches.first().map(|one| one.fix_state);
        assert_eq!((state, told.as_slice()), expected, "{name} {version} on {now}");
    };
    let before = "2025-09-30T00:00:00Z";
    check(before, "pdns", "4.7.3-2", (Some(FixState::Affected), &[]));
    let ended = (NoteKind::Hint, "pdns 4.7.3-2");
    let release = (NoteKind::Hint, "Debian:12");
    check(
        "2025-10-01T00:00:00Z",
        "pdns",
        "4.7.3-2",
        (Some(FixState::EndOfLife), &[ended]),
    );
    check(NOW, "pdns", "4.7.3-2", (Some(FixState::EndOfLife), &[release, ended]));
    // Made by somebody after Debian stopped.
    check(NOW, "pdns", "4.9.1-1~bpo12+1", (Some(FixState::Affected), &[release]));
    check(
        NOW,
        "golang-1.19",
        "1.19.8-2",
        (None, &[(NoteKind::Hint, "golang-1.19 1.19.8-2"), release]),
    );
    let dead = (NoteKind::Unsupported, "Debian:12");
    check(
        "2028-07-01T00:00:00Z",
        "pdns",
        "4.9.1-1~bpo12+1",
        (Some(FixState::EndOfLife), &[dead]),
    );
}

#[test]
fn the_real_lists_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/advisories/debian/security-support");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: {} is absent, so Debian's real lists were not read",
            folder.display()
        );
        return;
    }
    let case = Case::new();
    let (summary, notes) = case.import(&[folder], NOW, false, false);
    assert_eq!(notes, []);
    let read: Vec<(&str, bool)> = summary
        .sources
        .iter()
        .map(|source| (source.name.as_str(), source.records > 20))
        .collect();
    assert_eq!(read, [("debian-support", true), ("distro-info", true)]);
}
