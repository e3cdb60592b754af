//! Records come back in order, once settled never again, and never half; what is dropped is counted.

use std::io::{Seek as _, SeekFrom};

use plimsoll_model::{ProcessSummary, schema};

use super::*;

/// An alert with little in it.
pub(crate) fn sample(id: &str) -> Alert {
    Alert {
        schema: schema::ALERT.to_owned(),
        id: id.to_owned(),
        time_ns: 1,
        priority: "warning".to_owned(),
        rule: "unexpected-exec".to_owned(),
        summary: "sh was started".to_owned(),
        reasons: Vec::new(),
        node: "node".to_owned(),
        container_id: None,
        container_name: None,
        runtime: None,
        image: None,
        pod: None,
        phase: None,
        process: Some(ProcessSummary {
            pid: 7,
            exe: "/usr/bin/dash".to_owned(),
            command_line: "sh".to_owned(),
            euid: 0,
        }),
        ancestry: Vec::new(),
        observed: "exec /usr/bin/dash".to_owned(),
        expected: Vec::new(),
        executable: None,
        techniques: Vec::new(),
        lost_events: 0,
        allow: None,
        follow_ups: Vec::new(),
        count: 1,
    }
}

const NAMES: &[&str] = &["one", "two"];

fn open(folder: &Path, pace: Pace) -> Spool {
    Spool::open(folder, pace, NAMES).unwrap().0
}

fn small() -> Pace {
    Pace {
        spool_bytes: 20_000,
        segment_bytes: 4_000,
        ..Pace::NORMAL
    }
}

fn append(spool: &mut Spool, range: std::ops::Range<u64>) {
    for number in range {
        spool.append(Kind::New, &sample(&number.to_string())).unwrap();
    }
}

/// Ids of all that an output would read.
fn ids(spool: &Spool, output: usize) -> Vec<String> {
    let mut reader = Reader::new(spool.shared(), output);
    let records = reader.read(100_000, usize::MAX).unwrap();
    records.iter().map(|record| record.alert().unwrap().id).collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn newest_file(folder: &Path) -> PathBuf {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    paths.sort();
    paths.pop().unwrap()
}

#[test]
fn each_output_goes_on_where_it_was_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(
        folder.path(),
        Pace {
            spool_bytes: 1 << 20,
            ..small()
        },
    );
    append(&mut spool, 0..30);
    let shared = spool.shared();
    shared.settle(0, 11, 10, 0).unwrap();
    drop((spool, shared));
    let mut spool = open(folder.path(), small());
    assert_eq!(ids(&spool, 0), numbers(10..30));
    assert_eq!(ids(&spool, 1), numbers(0..30));
    append(&mut spool, 30..33);
    assert_eq!(ids(&spool, 0), numbers(10..33));
    assert_eq!(spool.shared().summary(0).waiting, 23);
}

#[test]
fn two_agents_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _spool = open(folder.path(), small());
    let error = Spool::open(folder.path(), small(), NAMES).unwrap_err().to_string();
    assert!(error.contains("another agent"), "{error}");
}

#[test]
fn a_torn_end_is_cut_wherever_it_was_torn() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path(), small()), 0..5);
    let path = newest_file(folder.path());
    let whole = fs::read(&path).unwrap();
    let record = whole.len() / 5;
    for cut in [1, 4, 9, record - 1] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (mut spool, notes) = Spool::open(folder.path(), small(), NAMES).unwrap();
        assert_eq!(notes.len(), 1, "cut by {cut}: {notes:?}");
        assert_eq!(ids(&spool, 0), numbers(0..4), "cut by {cut}");
        append(&mut spool, 9..10);
        assert_eq!(ids(&spool, 1), ["0", "1", "2", "3", "9"], "cut by {cut}");
    }
}

#[test]
fn damage_in_the_middle_costs_what_is_behind_it_in_that_file_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path(), small()), 0..20);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    paths.sort();
    assert!(paths.len() > 1, "{paths:?}");
    let mut file = OpenOptions::new().write(true).open(&paths[0]).unwrap();
    let record = encode(Kind::New, &fit(&sample("0"))).len() as u64;
    file.seek(SeekFrom::Start(2 * record + 20)).unwrap();
    file.write_all(b"#").unwrap();
    let spool = open(folder.path(), small());
    let found = ids(&spool, 0);
    assert_eq!(found[..2], numbers(0..2));
    let lost = spool.shared().summary(0).lost;
    assert!(lost > 0);
    assert_eq!(found.len() as u64 + lost, 20);
    assert_eq!(found.last().unwrap(), "19");
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_it_for_who_had_not_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), small());
    append(&mut spool, 0..5);
    spool.shared().settle(1, 6, 5, 0).unwrap();
    append(&mut spool, 5..200);
    let found = ids(&spool, 0);
    let shared = spool.shared();
    assert_eq!(found.last().unwrap(), "199");
    assert_eq!(shared.summary(0).lost + found.len() as u64, 200);
    assert_eq!(shared.summary(1).lost + 5 + found.len() as u64, 200);
    let bytes: u64 = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= small().spool_bytes + small().segment_bytes, "{bytes}");
}

#[test]
fn what_everybody_has_is_removed_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), small());
    append(&mut spool, 0..20);
    let shared = spool.shared();
    shared.settle(0, 21, 20, 0).unwrap();
    shared.settle(1, 21, 20, 0).unwrap();
    let files = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|extension| extension == EXTENSION)
    });
    assert_eq!(files.count(), 1);
    assert_eq!(ids(&spool, 0), Vec::<String>::new());
}

#[test]
fn a_new_output_begins_now_and_a_damaged_cursor_at_the_oldest_record() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path(), small()), 0..3);
    fs::write(folder.path().join("two.cursor"), "?").unwrap();
    let (spool, notes) = Spool::open(folder.path(), small(), &["new", "two"]).unwrap();
    assert_eq!(ids(&spool, 0), Vec::<String>::new());
    assert_eq!(ids(&spool, 1), numbers(0..3));
    assert!(notes[0].contains("two.cursor"), "{notes:?}");
}

#[test]
fn an_alert_that_a_container_made_huge_still_fits() {
    let mut alert = sample("a");
    alert.process.as_mut().unwrap().command_line = "\u{1b}".repeat(100_000);
    alert.summary = "ü".repeat(300_000);
    let json = fit(&alert);
    assert!(json.len() <= crate::limits::MAX_SENT_ALERT_BYTES);
    let fitted: Alert = serde_json::from_slice(&json).unwrap();
    assert_eq!((fitted.id.as_str(), fitted.rule.as_str()), ("a", "unexpected-exec"));
    assert!(fitted.summary.ends_with('…'));
    assert_eq!(
        serde_json::from_slice::<Alert>(&fit(&sample("b"))).unwrap(),
        sample("b")
    );
}
