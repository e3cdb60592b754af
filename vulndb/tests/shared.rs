//! Real advisories of `../shared/data`: what Debian's changelogs say was fixed must match before the fix, not after it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use plimsoll_model::{OsRelease, Package, PackageKind, Sbom};
use plimsoll_vulndb::{Database, ImportOptions, import};

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/advisories");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: {} is absent, so real advisories were not tested",
        folder.display()
    );
    None
}

fn options() -> ImportOptions {
    ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: false,
        allow_shrink: false,
    }
}

fn debian(data: &Path, database: &Path) -> Database {
    let files = [
        data.join("debian/debian-osv-2025-02-12.jsonl.zst"),
        data.join("debian/debian-bookworm-supplement-2026-11-20.osv.jsonl.zst"),
    ];
    let (_, notes) = import(&files, database, &options()).unwrap();
    assert_eq!(notes, []);
    Database::open(database).unwrap()
}

fn package(name: &str, version: &str) -> Package {
    Package {
        evidence_path: "/var/lib/dpkg/status".to_owned(),
        ..Package::new(PackageKind::Dpkg, name, version)
    }
}

fn bookworm(packages: Vec<Package>) -> Sbom {
    Sbom {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        packages,
    }
}

/// Package index → CVE ids.
fn matched(database: &Database, sbom: &Sbom) -> BTreeMap<u32, BTreeSet<String>> {
    let (matches, notes) = database.find_matches(sbom).unwrap();
    assert_eq!(notes, []);
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for one in matches {
        found.entry(one.package).or_default().insert(one.vulnerability.id);
    }
    found
}

struct Fix {
    source: String,
    cve: String,
    version: String,
}

/// Fixes that were made for bookworm; older ones were made in unstable, under versions of their own.
fn bookworm_fixes(data: &Path) -> Vec<Fix> {
    let file = std::fs::File::open(data.join("debian/debian-bookworm-changelog-fixes-2026-11-20.csv.zst")).unwrap();
    let mut text = String::new();
    zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|cells| cells[3].starts_with("bookworm") && cells[2].contains("deb12"))
        .map(|cells| Fix {
            source: cells[0].to_owned(),
            cve: cells[1].to_owned(),
            version: cells[2].to_owned(),
        })
        .collect()
}

#[test]
fn every_changelog_fix_matches_before_it_and_not_after_it() {
    let Some(data) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = debian(&data, &folder.path().join("v.db"));
    let fixes = bookworm_fixes(&data);
    // `~` sorts before the end of a version, so this is the last version before the fix.
    let before = fixes
        .iter()
        .map(|fix| package(&fix.source, &format!("{}~", fix.version)))
        .collect();
    let after = fixes.iter().map(|fix| package(&fix.source, &fix.version)).collect();
    let (before, after) = (
        matched(&database, &bookworm(before)),
        matched(&database, &bookworm(after)),
    );
    let has = |found: &BTreeMap<u32, BTreeSet<String>>, index: u32, cve: &str| {
        found.get(&index).is_some_and(|cves| cves.contains(cve))
    };
    let (mut agree, mut differ) = (0, Vec::new());
    for (index, fix) in (0..).zip(&fixes) {
        if (has(&before, index, &fix.cve), has(&after, index, &fix.cve)) == (true, false) {
            agree += 1;
        } else {
            // Not the matcher's doing if the tracker itself names another version than the changelog.
            let rows = database.search(&fix.cve, 100).unwrap();
            let own = rows
                .iter()
                .find(|row| row.ecosystem == "Debian:12" && row.package == fix.source)
                .unwrap();
            assert_ne!(own.range, format!("< {}", fix.version), "{} {}", fix.source, fix.cve);
            differ.push(format!(
                "{} {} {}: tracker {}",
                fix.source, fix.version, fix.cve, own.range
            ));
        }
    }
    eprintln!(
        "{agree} fixes agree, the tracker differs from the changelog on {}: {differ:#?}",
        differ.len()
    );
    assert!(agree > 2400, "{agree}");
    // Found out when the data was made (PROVENANCE): 16 later and 2 earlier than the changelog.
    assert!(differ.len() <= 18, "{}", differ.len());
}

#[test]
fn the_security_archive_ends_what_the_main_archive_has() {
    let Some(data) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = debian(&data, &folder.path().join("v.db"));
    let text = std::fs::read_to_string(data.join("debian/bookworm-main-vs-security-2026-11-20.csv")).unwrap();
    let pairs: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let fixes = bookworm_fixes(&data);
    let main = matched(
        &database,
        &bookworm(pairs.iter().map(|pair| package(pair[0], pair[1])).collect()),
    );
    let security = matched(
        &database,
        &bookworm(pairs.iter().map(|pair| package(pair[0], pair[2])).collect()),
    );
    let dpkg = plimsoll_vulndb::version::find("dpkg").unwrap();
    let empty = BTreeSet::new();
    let mut checked = 0;
    let mut faults = Vec::new();
    for (index, pair) in (0..).zip(&pairs) {
        let of_pair = fixes.iter().filter(|fix| fix.source == pair[0]);
        for fix in of_pair.filter(|fix| {
            dpkg.compare(&fix.version, pair[1]).unwrap().is_gt() && dpkg.compare(&fix.version, pair[2]).unwrap().is_le()
        }) {
            checked += 1;
            let in_main = main.get(&index).unwrap_or(&empty).contains(&fix.cve);
            let in_security = security.get(&index).unwrap_or(&empty).contains(&fix.cve);
            if (in_main, in_security) != (true, false) {
                faults.push(format!(
                    "{} {}: main {in_main}, security {in_security}",
                    pair[0], fix.cve
                ));
            }
        }
    }
    eprintln!("{checked} fixes between the archives, faults: {faults:#?}");
    assert!(checked > 500, "{checked}");
    assert_eq!(faults, [""; 0]);
}
