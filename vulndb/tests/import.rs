//! Feed files of all shapes, whole and broken, to a database; what an import leaves when it is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use plimsoll_model::{FixState, Note, NoteKind, OsRelease, Package, PackageKind, Sbom, Severity, SourcePackage};
use plimsoll_vulndb::{Database, Error, ImportOptions, ImportSummary, import};

fn options() -> ImportOptions {
    ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: false,
        allow_shrink: false,
    }
}

/// An OSV record of Debian 12's redis.
fn redis(cve: &str, modified: &str, event: &str, urgency: &str) -> String {
    format!(
        r#"{{"schema_version":"1.6.0","id":"{cve}","modified":"{modified}","details":"A fault in redis.\n\nMore.","affected":[{{"package":{{"ecosystem":"Debian:12","name":"redis"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}{event}]}}],"ecosystem_specific":{{"urgency":"{urgency}"}}}}]}}"#
    )
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn database(&self) -> PathBuf {
        self.path("v.db")
    }

    fn import(&self, paths: &[PathBuf]) -> (ImportSummary, Vec<Note>) {
        import(paths, &self.database(), &options()).unwrap()
    }

    /// `<cve> <state> <fixed version>` of redis-server at a source version.
    fn matches(&self, version: &str) -> Vec<String> {
        let (matches, notes) = Database::open(&self.database())
            .unwrap()
            .find_matches(&sbom(version))
            .unwrap();
        assert_eq!(notes, []);
        matches
            .iter()
            .map(|one| {
                let fixed = one.fixed_version.as_deref().unwrap_or("-");
                format!("{} {:?} {fixed}", one.vulnerability.id, one.fix_state)
            })
            .collect()
    }
}

fn sbom(version: &str) -> Sbom {
    Sbom {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        packages: vec![Package {
            source: Some(SourcePackage {
                name: "redis".to_owned(),
                version: version.to_owned(),
            }),
            ..Package::new(PackageKind::Dpkg, "redis-server", version)
        }],
    }
}

const FIXED: &str = r#",{"fixed":"5:7.0.15-1~deb12u2"}"#;

#[test]
fn debians_states_are_told_apart() {
    let case = Case::new();
    let records = [
        redis("CVE-2024-0001", "2025-01-01T00:00:00Z", FIXED, "not yet assigned"),
        redis("CVE-2024-0002", "2025-01-01T00:00:00Z", "", "unimportant"),
        redis("CVE-2024-0003", "2025-01-01T00:00:00Z", r#",{"fixed":"0"}"#, "low"),
        redis("CVE-2024-0004", "2025-01-01T00:00:00Z", "", "end-of-life"),
        redis("CVE-2024-0005", "2025-01-01T00:00:00Z", "", "high"),
    ];
    case.import(&[case.file("d.jsonl", records.join("\n"))]);
    let before = [
        "CVE-2024-0005 Affected -",
        "CVE-2024-0001 Fixed 5:7.0.15-1~deb12u2",
        "CVE-2024-0004 EndOfLife -",
        // The vendor dismisses it.
        "CVE-2024-0002 Affected -",
    ];
    assert_eq!(case.matches("5:7.0.15-1~deb12u1"), before);
    assert_eq!(
        case.matches("5:7.0.15-1~deb12u2"),
        [
            "CVE-2024-0005 Affected -",
            "CVE-2024-0004 EndOfLife -",
            "CVE-2024-0002 Affected -"
        ]
    );
    let (matches, _) = Database::open(&case.database())
        .unwrap()
        .find_matches(&sbom("5:7.0.15-1~deb12u1"))
        .unwrap();
    let severities: Vec<Severity> = matches.iter().map(|one| one.vulnerability.severity).collect();
    assert_eq!(
        severities,
        [
            Severity::High,
            Severity::Unknown,
            Severity::Unknown,
            Severity::Negligible
        ]
    );
    assert_eq!(matches[1].fix_state, FixState::Fixed);
    assert_eq!(matches[1].vulnerability.summary, "A fault in redis. More.");
    assert_eq!(matches[1].evidence.range, "< 5:7.0.15-1~deb12u2");
    assert_eq!(matches[1].evidence.compared_name, "redis");
}

#[test]
fn all_framings_and_compressions_say_the_same() {
    let one = redis("CVE-2024-0001", "2025-01-01T00:00:00Z", FIXED, "low");
    let two = redis("CVE-2024-0002", "2025-01-01T00:00:00Z", FIXED, "low");
    let lines = format!("{one}\n{two}\n");
    let pretty =
        |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(lines.as_bytes()).unwrap();
    let shapes: Vec<Vec<(&str, Vec<u8>)>> = vec![
        vec![("a.jsonl", lines.clone().into())],
        vec![("a.json", format!("[{one},{two}]").into())],
        vec![("a.json", pretty(&format!("[{one},{two}]")).into())],
        vec![
            ("d/a.json", pretty(&one).into()),
            ("d/e/b.json", two.clone().into()),
            ("d/README", "no".into()),
        ],
        vec![("a.jsonl.gz", gzip.finish().unwrap())],
        vec![("a.jsonl.zst", zstd::encode_all(lines.as_bytes(), 3).unwrap())],
    ];
    for shape in shapes {
        let case = Case::new();
        for (name, bytes) in &shape {
            case.file(name, bytes);
        }
        let top = shape[0].0.split('/').next().unwrap();
        let (summary, notes) = case.import(&[case.path(top)]);
        assert_eq!(notes, [], "{top}");
        assert_eq!(summary.sources[0].records, 2, "{top}");
        assert_eq!(case.matches("1").len(), 2, "{top}");
    }
}

#[test]
fn a_later_record_overrides_by_package_and_cve_across_imports() {
    let case = Case::new();
    let fixed = redis("DEBIAN-CVE-2024-0001", "2026-01-01T00:00:00Z", FIXED, "low");
    case.import(&[case.file("a.jsonl", redis("CVE-2024-0001", "2025-01-01T00:00:00Z", "", "low"))]);
    assert_eq!(case.matches("5:7.0.15-1"), ["CVE-2024-0001 Affected -"]);
    case.import(&[case.file("b.jsonl", &fixed)]);
    assert_eq!(case.matches("5:7.0.15-1~"), ["CVE-2024-0001 Fixed 5:7.0.15-1~deb12u2"]);
    assert!(case.matches("5:7.0.15-1").is_empty());
    // Older news changes nothing.
    case.import(&[case.path("a.jsonl")]);
    assert!(case.matches("5:7.0.15-1").is_empty());
}

#[test]
fn broken_records_are_notes_and_too_many_refuse_the_file() {
    let case = Case::new();
    let good = |number: usize| redis(&format!("CVE-2024-{number:04}"), "2025-01-01T00:00:00Z", "", "low");
    let mut lines: Vec<String> = (0..300).map(good).collect();
    lines[7] = "{\"id\": \"CVE-2024-0007\", \"affected\": ".to_owned();
    lines[8] = "[".repeat(100_000);
    let (summary, notes) = case.import(&[case.file("a.jsonl", lines.join("\n"))]);
    assert_eq!(summary.sources[0].records, 298);
    let places: Vec<&str> = notes
        .iter()
        .map(|note| note.subject.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(places, ["a.jsonl:8", "a.jsonl:9"]);
    assert!(notes.iter().all(|note| note.kind == NoteKind::Unreadable));
    assert_eq!(case.matches("1").len(), 298);

    lines[0] = good(5000);
    for line in &mut lines[10..20] {
        line.truncate(20);
    }
    let (summary, notes) = case.import(&[case.file("a.jsonl", lines.join("\n"))]);
    assert_eq!((summary.sources[0].records, summary.sources[0].refused_files), (0, 1));
    assert!(
        notes[0].detail.contains("12 of 300 records cannot be read"),
        "{}",
        notes[0].detail
    );
    assert_eq!(case.matches("1").len(), 298, "the old rows stay");
    let status = Database::open(&case.database()).unwrap().status().unwrap();
    assert!(status.sources[0].stale);
    // A good import heals it.
    case.import(&[case.file("a.jsonl", good(5000))]);
    let status = Database::open(&case.database()).unwrap().status().unwrap();
    assert!(!status.sources[0].stale);
    assert_eq!(status.sources[0].records, 299);
}

#[test]
fn a_file_that_ends_early_is_refused() {
    let case = Case::new();
    let lines: Vec<String> = (0..3000)
        .map(|number| {
            redis(
                &format!("CVE-2024-{number:04}"),
                &format!("2025-01-01T00:{number}"),
                "",
                "low",
            )
        })
        .collect();
    let packed = zstd::encode_all(lines.join("\n").as_bytes(), 1).unwrap();
    let (summary, notes) = case.import(&[case.file("a.jsonl.zst", &packed[..packed.len() / 2])]);
    assert_eq!(summary.sources[0].records, 0);
    assert_eq!(summary.sources[0].refused_files, 1);
    assert!(!notes.is_empty());
}

#[test]
fn what_is_no_feed_is_a_note() {
    let case = Case::new();
    let (summary, notes) = case.import(&[case.file("a.json", "{\"hello\": \"world\"}")]);
    assert!(summary.sources.is_empty());
    assert_eq!(notes[0].kind, NoteKind::Unsupported);
    let missing = import(&[case.path("absent.json")], &case.database(), &options());
    assert!(matches!(missing, Err(Error::Io { .. })));
}

#[test]
fn known_exploited_and_epss_lead_the_ranking() {
    let case = Case::new();
    let records = ["CVE-2024-0001", "CVE-2024-0002", "CVE-2024-0003"];
    let lines: Vec<String> = records
        .iter()
        .map(|cve| redis(cve, "2025-01-01T00:00:00Z", "", "low"))
        .collect();
    let kev = r#"{"title":"x","catalogVersion":"2026.08.07","dateReleased":"2026-08-07T16:45:47Z","count":1,
        "vulnerabilities":[{"cveID":"CVE-2024-0003","dateAdded":"2026-08-07"}]}"#;
    let epss = "#model_version:v2025,score_date:2026-01-11T12:55:00+0000\ncve,epss,percentile\nCVE-2024-0002,0.5,0.9\n";
    case.import(&[
        case.file("a.jsonl", lines.join("\n")),
        case.file("kev.json", kev),
        case.file("epss.csv", epss),
    ]);
    let database = Database::open(&case.database()).unwrap();
    let (matches, _) = database.find_matches(&sbom("1")).unwrap();
    let ranked: Vec<(&str, bool, Option<f32>)> = matches
        .iter()
        .map(|one| &one.vulnerability)
        .map(|one| (one.id.as_str(), one.known_exploited, one.epss))
        .collect();
    let expected = [
        ("CVE-2024-0003", true, None),
        ("CVE-2024-0002", false, Some(0.5)),
        ("CVE-2024-0001", false, None),
    ];
    assert_eq!(ranked, expected);
    let names: Vec<(String, u64, String)> = database
        .status()
        .unwrap()
        .sources
        .into_iter()
        .map(|source| (source.name, source.records, source.newest))
        .collect();
    let source = |name: &str, records: u64, newest: &str| (name.to_owned(), records, newest.to_owned());
    assert_eq!(
        names,
        [
            source("debian", 3, "2025-01-01T00:00:00Z"),
            source("epss", 1, "2026-01-11T12:55:00+0000"),
            source("kev", 1, "2026-08-07T16:45:47Z"),
        ]
    );
}

#[test]
fn an_operating_system_without_advisories_is_a_note() {
    let case = Case::new();
    case.import(&[case.file("a.jsonl", redis("CVE-2024-0001", "2025-01-01T00:00:00Z", "", "low"))]);
    let mut sbom = sbom("1");
    sbom.os.as_mut().unwrap().version_id = "11".to_owned();
    let (matches, notes) = Database::open(&case.database()).unwrap().find_matches(&sbom).unwrap();
    assert!(matches.is_empty());
    assert_eq!(
        (notes[0].kind, notes[0].subject.as_str()),
        (NoteKind::Unsupported, "Debian:11")
    );
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let case = Case::new();
    let lines: Vec<String> = (0..500)
        .map(|number| {
            redis(
                &format!("CVE-2024-{number:04}"),
                &format!("2025-01-01T00:{number}"),
                FIXED,
                "low",
            )
        })
        .collect();
    let file = case.file("a.jsonl", lines.join("\n"));
    let bytes = |name: &str| {
        import(std::slice::from_ref(&file), &case.path(name), &options()).unwrap();
        fs::read(case.path(name)).unwrap()
    };
    let first = bytes("1.db");
    assert_eq!(first, bytes("2.db"));
    assert_eq!(first, bytes("2.db"), "importing the same again changes nothing");
}

fn damaged(case: &Case, damage: impl FnOnce(&Path)) -> Error {
    case.import(&[case.file("a.jsonl", redis("CVE-2024-0001", "2025-01-01T00:00:00Z", "", "low"))]);
    damage(&case.database());
    match Database::open(&case.database()) {
        Ok(database) => database.verify().unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn a_foreign_a_newer_and_a_damaged_database_are_told_apart() {
    let newer = damaged(&Case::new(), |path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
    });
    assert!(matches!(newer, Error::NewerSchema { found: 999, .. }), "{newer}");
    let foreign = damaged(&Case::new(), |path| {
        fs::remove_file(path).unwrap();
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE a (b)")
            .unwrap();
    });
    assert!(matches!(foreign, Error::Corrupt { .. }), "{foreign}");
    let text = damaged(&Case::new(), |path| {
        fs::write(path, "no database".repeat(1000)).unwrap()
    });
    assert!(matches!(text, Error::Sqlite { .. }), "{text}");
    let cut = damaged(&Case::new(), |path| {
        let size = fs::metadata(path).unwrap().len();
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(size / 2)
            .unwrap();
    });
    assert!(matches!(cut, Error::Sqlite { .. } | Error::Corrupt { .. }), "{cut}");
    let orphan = damaged(&Case::new(), |path| {
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch("DELETE FROM advisory")
            .unwrap();
    });
    assert!(orphan.to_string().contains("without its advisory"), "{orphan}");
}

#[test]
fn search_finds_by_id_and_by_package() {
    let case = Case::new();
    case.import(&[case.file(
        "a.jsonl",
        redis("DEBIAN-CVE-2024-0001", "2025-01-01T00:00:00Z", FIXED, "low"),
    )]);
    let database = Database::open(&case.database()).unwrap();
    for name in ["CVE-2024-0001", "cve-2024-0001", "DEBIAN-CVE-2024-0001", "redis"] {
        let rows = database.search(name, 10).unwrap();
        assert_eq!(rows.len(), 1, "{name}");
        assert_eq!(rows[0].vulnerabilities, ["CVE-2024-0001"]);
        assert_eq!(rows[0].range, "< 5:7.0.15-1~deb12u2");
        assert_eq!(rows[0].severity, Severity::Low);
    }
    assert!(database.search("redis-server", 10).unwrap().is_empty());
}
