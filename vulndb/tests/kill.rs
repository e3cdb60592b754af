//! An import, an update or a restoration that is killed at any moment leaves the old or the new database, always whole.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use plimsoll_vulndb::{
    Database, FeedOutcome, FeedSource, ImportOptions, UpdateOptions, export, import, restore, update,
};

const TARGET: &str = "PLIMSOLL_TEST_IMPORT_TO";
const WORK: &str = "PLIMSOLL_TEST_WORK";
const RECORDS: usize = 4_000;
const ROUNDS: u64 = 50;

fn options() -> ImportOptions {
    ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    }
}

/// Debian advisories, all of one year, so that it can be told which import a database is from.
fn feed(year: u32) -> String {
    let record = |number: usize| {
        format!(
            r#"{{"id":"CVE-{year}-{number:05}","modified":"{year}-01-01T00:00:00Z","details":"fault {number}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"package{number}"}}}}]}}"#
        )
    };
    (0..RECORDS).map(record).collect::<Vec<_>>().join("\n")
}

/// The child's work: does nothing when the tests run without the variable.
#[test]
fn child_imports() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let target = Path::new(&target);
    let feed = target.with_file_name("new.jsonl");
    match std::env::var(WORK).unwrap().as_str() {
        "import" => drop(import(&[feed], target, &options()).unwrap()),
        "update" => {
            let feed = FeedSource::parse(&format!("debian={}", feed.display())).unwrap();
            let options = UpdateOptions {
                now: options().now,
                budget: Duration::from_secs(60),
                stall: Duration::from_secs(60),
                allow_shrink: false,
            };
            let (summary, _) = update(&[feed], target, &options).unwrap();
            assert!(!matches!(summary.feeds[0].1, FeedOutcome::Failed(_)));
        }
        _ => drop(restore(&target.with_file_name("new.db.zst"), None, target).unwrap()),
    }
}

/// Which import the database is from; panics unless it is whole.
fn year(path: &Path) -> String {
    let database = Database::open(path).unwrap();
    database.verify().unwrap();
    let status = database.status().unwrap();
    assert_eq!(status.sources[0].records, RECORDS as u64);
    status.sources[0].newest[..4].to_owned()
}

#[test]
fn fifty_kills_of_an_import_leave_the_old_or_the_new_database() {
    kill_often("import");
}

#[test]
fn fifty_kills_of_an_update_leave_the_old_or_the_new_database() {
    kill_often("update");
}

#[test]
fn fifty_kills_of_a_restoration_leave_the_old_or_the_new_database() {
    kill_often("restore");
}

fn kill_often(work: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.db");
    for (name, year) in [("old.jsonl", 2001), ("new.jsonl", 2002)] {
        std::fs::write(folder.path().join(name), feed(year)).unwrap();
    }
    let reset = || {
        import(&[folder.path().join("old.jsonl")], &path, &options())
            .unwrap()
            .0
            .size_bytes
    };
    let new = folder.path().join("other.db");
    import(&[folder.path().join("new.jsonl")], &new, &options()).unwrap();
    export(&new, &folder.path().join("new.db.zst")).unwrap();
    let full = reset();
    let beside = folder.path().join("v.db.new");
    let (mut old, mut new, mut unfinished) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_imports"])
            .env(TARGET, &path)
            .env(WORK, work)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment is chosen by progress, not by time: when so much of the new file is written, or the child is done.
        let wanted = full * round / ROUNDS;
        let has_enough = || std::fs::metadata(&beside).is_ok_and(|metadata| metadata.len() >= wanted);
        while child.try_wait().unwrap().is_none() && !has_enough() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += u32::from(beside.exists());
        match year(&path).as_str() {
            "2001" => old += 1,
            "2002" => {
                new += 1;
                reset();
            }
            other => panic!("neither the old nor the new database: {other}"),
        }
    }
    assert_eq!(old + new, ROUNDS);
    assert!(
        unfinished > 0,
        "{work}: no kill hit an unfinished file: the test tests nothing"
    );
    eprintln!("{work}: {old} old, {new} new, {unfinished} with an unfinished file beside");
    // And what the kills left does not hinder the next import.
    import(&[folder.path().join("new.jsonl")], &path, &options()).unwrap();
    assert_eq!(year(&path), "2002");
}
