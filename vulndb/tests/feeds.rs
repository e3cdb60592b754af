//! All real feeds of `../shared/data/advisories`: every record is read, and known facts of each distribution and
//! language come out of a match.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_model::{FixState, NoteKind, OsRelease, Package, PackageKind, Sbom, SourcePackage};
use plimsoll_vulndb::{Database, ImportOptions, import};

fn package(kind: PackageKind, name: &str, version: &str, source: Option<&str>) -> Package {
    Package {
        source: source.map(|name| SourcePackage {
            name: name.to_owned(),
            version: version.to_owned(),
        }),
        ..Package::new(kind, name, version)
    }
}

/// `<state> <fixed version>` of one vulnerability in one package, or why there is none.
fn judge(database: &Database, os: &str, package: Package, cve: &str) -> String {
    let (id, version_id) = os.split_once(' ').unwrap();
    let sbom = Sbom {
        os: Some(OsRelease {
            id: id.to_owned(),
            version_id: version_id.to_owned(),
            ..OsRelease::default()
        }),
        packages: vec![package],
    };
    let (matches, notes) = database.find_matches(&sbom).unwrap();
    let is_it = |one: &&plimsoll_model::Match| {
        one.vulnerability.id == cve || one.vulnerability.aliases.iter().any(|alias| alias == cve)
    };
    let found: Vec<_> = matches.iter().filter(is_it).collect();
    match found.as_slice() {
        [one] => match (&one.fix_state, &one.fixed_version) {
            (FixState::Fixed, Some(version)) => format!("fixed {version}"),
            (state, _) => format!("{state:?}"),
        },
        [] if notes.is_empty() => "none".to_owned(),
        [] => format!("{notes:?}"),
        more => format!("{} matches", more.len()),
    }
}

#[test]
fn every_real_feed_is_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/advisories");
    if !data.is_dir() {
        eprintln!("SKIPPED: {} is absent, so real feeds were not tested", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = ["alpine", "rpm", "ubuntu", "lang", "recent-osv"]
        .iter()
        .map(|name| data.join(name))
        .collect();
    paths.extend(
        [
            "epss-2026-01-vcio.csv.zst",
            "cisa-kev-2026-08-07.json.zst",
            "cisa-vulnrichment-2024-10-24.csv.zst",
        ]
        .iter()
        .map(|name| data.join("enrich").join(name)),
    );
    for name in [
        "friendsofphp-2026-08-06",
        "pypa-advisory-database-2024-10-10",
        "ruby-advisory-db-2026-08-22",
        "rustsec-advisory-db-2026-08-21",
    ] {
        let target = folder.path().join(name);
        std::fs::create_dir(&target).unwrap();
        let archive = data.join(format!("lang/{name}.tar.zst"));
        let unpacked = Command::new("tar")
            .arg("--zstd")
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(&target)
            .status()
            .unwrap();
        assert!(unpacked.success());
        paths.push(target);
    }
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let path = folder.path().join("v.db");
    let (summary, notes) = import(&paths, &path, &options).unwrap();
    let unreadable: Vec<_> = notes.iter().filter(|note| note.kind != NoteKind::Unsupported).collect();
    assert!(unreadable.is_empty(), "{unreadable:#?}");
    assert_eq!(
        summary.sources.iter().map(|source| source.refused_files).sum::<u64>(),
        0
    );
    let read: u64 = summary.sources.iter().map(|source| source.records).sum();
    eprintln!("{read} records, {} bytes", summary.size_bytes);
    let database = Database::open(&path).unwrap();
    database.verify().unwrap();
    known_facts(&database);
}

type Fact = (
    &'static str,
    PackageKind,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
);

/// System, kind, name, version, source package, vulnerability, and what must come out. Each can be looked up at its
/// distribution or project.
const FACTS: &[Fact] = &[
    (
        "alpine 3.19.0",
        PackageKind::Apk,
        "libssl3",
        "3.1.4-r3",
        Some("openssl"),
        "CVE-2023-6237",
        "fixed 3.1.4-r4",
    ),
    (
        "alpine 3.19.0",
        PackageKind::Apk,
        "libssl3",
        "3.1.4-r4",
        Some("openssl"),
        "CVE-2023-6237",
        "none",
    ),
    (
        "almalinux 9.3",
        PackageKind::Rpm,
        "openssh-server",
        "8.7p1-38.el9_4",
        Some("openssh"),
        "CVE-2024-6387",
        "fixed 8.7p1-38.el9_4.1",
    ),
    (
        "almalinux 9.3",
        PackageKind::Rpm,
        "openssh-server",
        "8.7p1-38.el9_4.1",
        Some("openssh"),
        "CVE-2024-6387",
        "none",
    ),
    (
        "ubuntu 22.04",
        PackageKind::Dpkg,
        "openssh-server",
        "1:8.9p1-3ubuntu0.6",
        Some("openssh"),
        "CVE-2024-6387",
        "fixed 1:8.9p1-3ubuntu0.10",
    ),
    (
        "ubuntu 22.04",
        PackageKind::Dpkg,
        "openssh-server",
        "1:8.9p1-3ubuntu0.10",
        Some("openssh"),
        "CVE-2024-6387",
        "none",
    ),
    (
        "sles 15.6",
        PackageKind::Rpm,
        "openssh-server",
        "9.6p1-150600.4.1",
        Some("openssh"),
        "CVE-2024-6387",
        "fixed 9.6p1-150600.6.3.1",
    ),
    (
        "rhel 9.4",
        PackageKind::Rpm,
        "openssh-server",
        "8.7p1-38.el9",
        Some("openssh"),
        "CVE-2024-6387",
        "fixed 0:8.7p1-38.el9_4.1",
    ),
    (
        "rhel 8.9",
        PackageKind::Rpm,
        "audiofile",
        "1:0.3.6-24.el8",
        None,
        "CVE-2018-13440",
        "WillNotFix",
    ),
    (
        "rocky 9.2",
        PackageKind::Rpm,
        "apr-util",
        "1.6.1-20.el9",
        Some("apr-util"),
        "CVE-2022-25147",
        "fixed 0:1.6.1-20.el9_2.1",
    ),
    (
        "amzn 2018.03",
        PackageKind::Rpm,
        "file",
        "5.30-11.33.amzn1",
        Some("file"),
        "CVE-2017-1000249",
        "fixed 0:5.30-11.34.amzn1",
    ),
    (
        "debian 12",
        PackageKind::Python,
        "Django",
        "4.2.1",
        None,
        "CVE-2023-31047",
        "none",
    ),
    (
        "debian 12",
        PackageKind::Python,
        "Django",
        "4.2.0",
        None,
        "CVE-2023-31047",
        "fixed 4.2.1",
    ),
    (
        "debian 12",
        PackageKind::Npm,
        "lodash",
        "4.17.20",
        None,
        "CVE-2021-23337",
        "fixed 4.17.21",
    ),
    (
        "debian 12",
        PackageKind::Npm,
        "lodash",
        "4.17.21",
        None,
        "CVE-2021-23337",
        "none",
    ),
    (
        "debian 12",
        PackageKind::Maven,
        "org.apache.logging.log4j:log4j-core",
        "2.14.1",
        None,
        "CVE-2021-44228",
        "fixed 2.15.0",
    ),
    (
        "debian 12",
        PackageKind::Maven,
        "org.apache.logging.log4j:log4j-core",
        "2.17.1",
        None,
        "CVE-2021-44228",
        "none",
    ),
    (
        "debian 12",
        PackageKind::Gem,
        "RedCloth",
        "4.2.9",
        None,
        "CVE-2012-6684",
        "fixed 4.3.0",
    ),
    (
        "debian 12",
        PackageKind::Cargo,
        "abi_stable",
        "0.9.0",
        None,
        "RUSTSEC-2020-0105",
        "fixed 0.9.1",
    ),
    (
        "debian 12",
        PackageKind::Composer,
        "adodb/adodb-php",
        "5.20.5",
        None,
        "CVE-2016-4855",
        "fixed 5.20.6",
    ),
    (
        "debian 12",
        PackageKind::Go,
        "stdlib",
        "go1.21.7",
        None,
        "CVE-2023-45288",
        "fixed 1.21.9",
    ),
    (
        "debian 12",
        PackageKind::Go,
        "golang.org/x/net",
        "v0.22.0",
        None,
        "CVE-2023-45288",
        "fixed 0.23.0",
    ),
    (
        "debian 12",
        PackageKind::Go,
        "golang.org/x/net",
        "v0.23.0",
        None,
        "CVE-2023-45288",
        "none",
    ),
];

fn known_facts(database: &Database) {
    let mut wrong = Vec::new();
    for (os, kind, name, version, source, cve, expected) in FACTS {
        let found = judge(database, os, package(*kind, name, version, *source), cve);
        if found != *expected {
            wrong.push(format!("{os}: {name} {version} {cve}: {found} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
