//! Every row of a real image's ranked table can be explained: what was compared, with what, by whose record.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use plimsoll_model::{Match, ScanReport};
use plimsoll_tests::{command, machine, repository};
use plimsoll_vulndb::{Database, compare_evidence};

/// Real advisories of what the demo's images are made of; an error says what is missing.
fn ground() -> Result<(PathBuf, Vec<PathBuf>), String> {
    let advisories = repository::root().join("../shared/data/advisories");
    let images = repository::root().join("target/demo/images");
    let built = ["redis", "postgres"].map(|name| images.join(name));
    let built: Vec<PathBuf> = built
        .into_iter()
        .filter(|path| path.join("index.json").exists())
        .collect();
    match (advisories.is_dir(), built.is_empty()) {
        (false, _) => Err(format!("{} is absent", advisories.display())),
        (_, true) => Err(format!("no image of the demo is in {}", images.display())),
        _ => Ok((advisories, built)),
    }
}

fn import(advisories: &Path, database: &Path) {
    let files = [
        "debian/debian-osv-2025-02-12.jsonl.zst",
        "debian/debian-bookworm-supplement-2026-11-20.osv.jsonl.zst",
        "lang/golang-vulndb-osv-2026-08-21.jsonl.zst",
        "enrich/cisa-kev-2026-08-07.json.zst",
        "enrich/epss-2026-01-vcio.csv.zst",
        "enrich/cvss-2026-01-vcio.csv.zst",
    ];
    let mut command = command::plimsoll();
    command.args(["db", "import", "--db"]).arg(database);
    let run = command::finish({
        command.args(files.map(|file| advisories.join(file)));
        command
    });
    // One line of the real CVSS table is no CVE, which is a note.
    assert!(matches!(run.code, Some(0 | 5)), "{run:?}");
}

/// What a row lacks to be explained; `None` when nothing.
fn lacks(one: &Match, database: &Database) -> Option<String> {
    let comparisons = match compare_evidence(&one.evidence) {
        Err(error) => return Some(error.to_string()),
        Ok(comparisons) => comparisons,
    };
    if comparisons.is_empty() && one.evidence.range != "any version" {
        return Some(format!("nothing was compared with `{}`", one.evidence.range));
    }
    if comparisons.iter().any(|one| !one.holds) {
        return Some(format!("{comparisons:?}"));
    }
    match database.explain(one).unwrap() {
        None => Some("the database does not have its record".to_owned()),
        Some(background) if background.imported.is_empty() => {
            Some("nobody knows when its source was imported".to_owned())
        }
        Some(background) if one.vulnerability.known_exploited != background.kev_added.is_some() => {
            Some("whether it is exploited is not what the catalogue says".to_owned())
        }
        Some(_) => None,
    }
}

#[test]
fn every_row_of_the_demo_images_is_explained() {
    let (advisories, images) = match ground() {
        Ok(ground) => ground,
        Err(reason) => return machine::say_skipped("every_row_of_the_demo_images_is_explained", &reason),
    };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("v.db");
    import(&advisories, &database);
    let opened = Database::open(&database).unwrap();
    for image in images {
        let report_file = folder.path().join("report.json");
        let mut command = command::plimsoll();
        command
            .args(["scan", &format!("oci:{}", image.display()), "--db"])
            .arg(&database);
        command.args(["-o", &format!("json={}", report_file.display()), "-o", "table"]);
        let run = command::finish(command);
        assert!(matches!(run.code, Some(0 | 5)), "{run:?}");
        let report: ScanReport = serde_json::from_slice(&fs::read(&report_file).unwrap()).unwrap();
        let matches = report.matches.as_ref().expect("vulnerabilities were looked for");
        assert!(matches.len() > 50, "{} matches say little", matches.len());
        let unexplained: Vec<String> = matches
            .iter()
            .filter_map(|one| Some(format!("{}: {}", one.vulnerability.id, lacks(one, &opened)?)))
            .collect();
        assert_eq!(unexplained, [""; 0], "{} of {}", unexplained.len(), matches.len());
        eprintln!("{}: {} rows explained", image.display(), matches.len());
        // What a person types about the first, a middle and the last row.
        for one in [&matches[0], &matches[matches.len() / 2], &matches[matches.len() - 1]] {
            let id = &one.vulnerability.id;
            assert!(run.stdout.contains(id.as_str()), "{id} is not in the table");
            let mut command = command::plimsoll();
            command
                .args(["explain", id, "--report"])
                .arg(&report_file)
                .arg("--db")
                .arg(&database);
            let run = command::finish(command);
            assert_eq!(run.code, Some(0), "{run:?}");
            for word in [
                "judged as",
                "because",
                "fix",
                "severity",
                "layer",
                one.evidence.compared_version.as_str(),
            ] {
                assert!(run.stdout.contains(word), "{id}: no `{word}` in {}", run.stdout);
            }
            assert!(!run.stdout.contains("NOT in the range"), "{}", run.stdout);
        }
    }
}
