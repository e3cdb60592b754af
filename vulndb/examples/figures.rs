//! Builds a database from feed files and prints how long that takes, how large it is, and how fast it answers:
//! `cargo run --release -p plimsoll-vulndb --example figures -- FILE|DIR…`

#![allow(clippy::unwrap_used, reason = "an example may panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use plimsoll_model::{OsRelease, Package, PackageKind, Sbom};
use plimsoll_vulndb::{Database, ImportOptions, import};

fn main() {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.db");
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            import(&paths, &path, &options).unwrap();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (summary, notes) = import(&paths, &path, &options).unwrap();
    for source in &summary.sources {
        println!("{source:?}");
    }
    for note in notes.iter().take(20) {
        println!("{note:?}");
    }
    let database = Database::open(&path).unwrap();
    let status = database.status().unwrap();
    println!(
        "build: median {:.2} s, best {:.2} s; {} advisories, {:.1} MB, {} notes",
        seconds[2],
        seconds[0],
        status.advisories,
        summary.size_bytes as f64 / 1e6,
        notes.len(),
    );
    match_installed(&path);
}

/// The packages of this machine, or of a list that `PLIMSOLL_DPKG_STATUS` names, as an image would have them, judged cold (a new connection) and warm.
fn match_installed(path: &std::path::Path) {
    // The machine's own list changes with each package that somebody installs: compare figures of one kept copy.
    let list = std::env::var_os("PLIMSOLL_DPKG_STATUS").unwrap_or_else(|| "/var/lib/dpkg/status".into());
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let mut packages = Vec::new();
    for block in text.split("\n\n") {
        let fields: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once(": ")).collect();
        let (Some(name), Some(version)) = (fields.get("Package"), fields.get("Version")) else {
            continue;
        };
        packages.push(Package {
            source: fields.get("Source").map(|source| {
                let (name, rest) = source.split_once(' ').unwrap_or((source, ""));
                let version = rest.trim_matches(['(', ')']);
                plimsoll_model::SourcePackage {
                    name: name.to_owned(),
                    version: if version.is_empty() {
                        fields["Version"].to_owned()
                    } else {
                        version.to_owned()
                    },
                }
            }),
            ..Package::new(PackageKind::Dpkg, *name, *version)
        });
    }
    packages.truncate(400);
    let sbom = Sbom {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        packages,
    };
    for round in ["cold", "warm"] {
        let start = Instant::now();
        let database = Database::open(path).unwrap();
        let opened = start.elapsed();
        let (matches, notes) = database.find_matches(&sbom).unwrap();
        println!(
            "{round}: opened in {opened:?}, {} packages → {} matches, {} notes in {:?}",
            sbom.packages.len(),
            matches.len(),
            notes.len(),
            start.elapsed(),
        );
    }
}
