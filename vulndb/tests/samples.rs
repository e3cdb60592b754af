//! Whole real documents of publishers, as other projects keep them for their tests (`../shared/data/advisories/samples`): each is
//! read without a note, and known facts come out of a match.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_model::{FixState, OsRelease, Package, PackageKind, Sbom};
use plimsoll_vulndb::{Database, ImportOptions, import};

/// Archive and documents of it.
const SAMPLES: &[(&str, &[&str])] = &[
    (
        "vunnel-provider-fixtures",
        &[
            "tests/unit/providers/rhel/test-fixtures/csaf/advisories/rhsa-2023_3821.json",
            "tests/unit/providers/rhel/test-fixtures/csaf/advisories/rhsa-2024_0811.json",
            "tests/unit/providers/rhel/test-fixtures/csaf/advisories/rhsa-2024_1431.json",
            "tests/unit/providers/rhel/test-fixtures/csaf/advisories/2025/rhsa-2025_23414.json",
            "tests/unit/providers/oracle/test-fixtures/mock_data",
            "tests/unit/providers/oracle/test-fixtures/mock_ksplice_data",
        ],
    ),
    (
        "vulnerablecode-testdata",
        &[
            "vulnerabilities/tests/test_data/vulnrichment/vulnrichment-data1.json",
            "vulnerabilities/tests/test_data/github_osv/github_osv_test_1.json",
        ],
    ),
    (
        "vuls-debian-alpine-ubuntu-fixtures",
        &["pkg/fetch/ubuntu/tracker/testdata/fixtures/ubuntu-cve-tracker/data/active/CVE-2022-36879"],
    ),
];

fn samples(folder: &Path) -> Option<Vec<PathBuf>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/advisories/samples");
    if !data.is_dir() {
        eprintln!(
            "SKIPPED: {} is absent, so whole documents were not read",
            data.display()
        );
        return None;
    }
    let mut paths = Vec::new();
    for (archive, members) in SAMPLES {
        let unpacked = Command::new("tar")
            .arg("--zstd")
            .arg("-xf")
            .arg(data.join(format!("{archive}.tar.zst")))
            .arg("-C")
            .arg(folder)
            .args(*members)
            .status();
        assert!(unpacked.unwrap().success(), "{archive}");
        paths.extend(members.iter().map(|member| folder.join(member)));
    }
    Some(paths)
}

/// Ids of the vulnerabilities of one package, with the state and the fix.
fn judge(database: &Database, os: (&str, &str), kind: PackageKind, name: &str, version: &str) -> Vec<String> {
    let sbom = Sbom {
        os: Some(OsRelease {
            id: os.0.to_owned(),
            version_id: os.1.to_owned(),
            ..OsRelease::default()
        }),
        packages: vec![Package {
            purl: match version.contains(".module") {
                true => format!("pkg:rpm/redhat/{name}@1?rpmmod=ruby:3.1:8090020240311122605:a75119d5"),
                false => String::new(),
            },
            ..Package::new(kind, name, version)
        }],
    };
    let (matches, notes) = database.find_matches(&sbom).unwrap();
    assert_eq!(notes, [], "{name}");
    let mut found: Vec<String> = matches
        .iter()
        .map(|one| match (&one.fix_state, &one.fixed_version) {
            (FixState::Fixed, Some(fixed)) => format!("{} {fixed}", one.vulnerability.id),
            (state, _) => format!("{} {state:?}", one.vulnerability.id),
        })
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn whole_documents_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some(paths) = samples(folder.path()) else { return };
    let path = folder.path().join("v.db");
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let (summary, notes) = import(&paths, &path, &options).unwrap();
    assert_eq!(notes, []);
    let sources: Vec<&str> = summary.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(sources, ["ghsa", "oracle", "redhat", "ssvc", "ubuntu"]);
    let database = Database::open(&path).unwrap();
    database.verify().unwrap();
    let ruby = "3.1.4-142.module+el8.9.0+21471+7d1e4a35";
    let of_ruby = judge(
        &database,
        ("rhel", "8.9"),
        PackageKind::Rpm,
        "ruby-libs",
        "3.1.2-1.module+el8.9.0",
    );
    assert!(of_ruby.contains(&format!("CVE-2021-33621 {ruby}")), "{of_ruby:?}");
    // The other streams' errata name higher releases of the same package, and are not meant.
    assert_eq!(
        judge(&database, ("rhel", "8.9"), PackageKind::Rpm, "ruby-libs", ruby),
        [""; 0]
    );
    let of_bind = judge(
        &database,
        ("ol", "5.11"),
        PackageKind::Rpm,
        "bind-libs",
        "30:9.3.3-7.el5",
    );
    assert_eq!(
        of_bind,
        ["CVE-2007-0493 30:9.3.3-8.el5", "CVE-2007-0494 30:9.3.3-8.el5"]
    );
    assert_eq!(
        judge(
            &database,
            ("ol", "5.11"),
            PackageKind::Rpm,
            "bind-libs",
            "30:9.3.3-8.el5"
        ),
        [""; 0]
    );
    let of_linux = judge(&database, ("ubuntu", "22.04"), PackageKind::Dpkg, "linux", "5.15.0-1");
    assert_eq!(of_linux, ["CVE-2022-36879 UnderInvestigation"]);
    let of_ms = judge(&database, ("debian", "12"), PackageKind::Npm, "ms", "0.7.0");
    assert_eq!(of_ms, ["CVE-2015-8315 0.7.1"]);
}
