//! A capture on disk, replayed: the same alerts with the same ids, every time.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use plimsoll_model::Alert;
use tempfile::TempDir;

use super::*;
use crate::{
    capture::{Item, Recorded, Writer},
    scene::{BASH, DASH, ENTRY, REDIS, Scene, digest, redis_report},
};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Alert>>>);

impl Sink for Memory {
    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        self.0.lock().unwrap().push(alert.clone());
        Ok(())
    }
}

/// A sink whose disk is full.
struct Full;

impl Sink for Full {
    fn alert(&mut self, _: &Alert) -> io::Result<()> {
        Err(io::Error::other("no space left"))
    }
}

fn attacked_redis() -> Vec<Item> {
    let mut scene = Scene::new();
    let room = scene.start(50, BASH, &["bash", ENTRY]);
    // The engine's word comes late: a replay knows it from the start.
    scene.exec(room.first, REDIS, &["redis-server"]);
    scene.name("redis", 50, Some(digest(1)));
    let shell = scene.fork(room.first);
    scene.exec(shell, DASH, &["sh", "-c", "id"]);
    scene.enter(room, DASH, &["sh"]);
    scene.items
}

/// A folder with a capture of that and the report of redis' image.
fn recorded(items: &[Item]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("run.plimsoll");
    let mut writer = Writer::new(fs::File::create(&capture).unwrap()).unwrap();
    for item in items {
        writer.write(item).unwrap();
    }
    writer.flush().unwrap();
    let report = serde_json::to_vec(&redis_report()).unwrap();
    fs::write(folder.path().join("redis.json"), report).unwrap();
    (folder, capture)
}

fn options(folder: &Path, sinks: Vec<Box<dyn Sink>>, notices: &Arc<Mutex<Vec<String>>>) -> Options {
    let notices = Arc::clone(notices);
    Options {
        images: folder.to_owned(),
        pull: None,
        rules: RuleSet::default(),
        node: None,
        enforcement: None,
        record: None,
        logbook: None,
        sinks,
        outputs: None,
        notice: Box::new(move |text| notices.lock().unwrap().push(text.to_owned())),
    }
}

#[test]
fn a_capture_gives_the_same_alerts_every_time() {
    let (folder, capture) = recorded(&attacked_redis());
    fs::write(folder.path().join("broken.json"), b"{").unwrap();
    let run = || {
        let (memory, notices) = (Memory::default(), Arc::default());
        let options = options(folder.path(), vec![Box::new(memory.clone())], &notices);
        let summary = replay(options, &Recorded::new(&capture)).unwrap();
        assert_eq!(summary.undelivered, 0);
        assert_eq!(summary.counts.alerts, 2);
        let notices = notices.lock().unwrap().clone();
        assert!(notices.iter().any(|text| text.contains("broken.json")), "{notices:?}");
        memory.0.lock().unwrap().clone()
    };
    let alerts = run();
    let titles: Vec<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(titles, ["unexpected-exec", "session"]);
    assert_eq!(alerts[0].node, "node");
    assert_eq!(alerts, run());
}

/// A container that ran before the agent, on a machine whose first process the kernel does not list.
fn running_redis() -> Vec<Item> {
    let mut scene = Scene::new();
    scene.items.truncate(1);
    let conmon = scene.spawn(1);
    scene.list(conmon, "/usr/bin/conmon", &["conmon"]);
    let first = scene.spawn(conmon);
    let task = scene.task(first);
    (task.cgroup_id, task.mount_namespace, task.container_pid) = (50, 77, 1);
    scene.list(first, REDIS, &["redis-server *:6379"]);
    scene.name("redis", 50, Some(digest(1)));
    scene.connect(first, "10.77.0.1:4444");
    scene.items
}

#[test]
fn what_ran_before_the_recording_is_judged_in_a_replay_too() {
    let (folder, capture) = recorded(&running_redis());
    let (memory, notices) = (Memory::default(), Arc::default());
    let options = options(folder.path(), vec![Box::new(memory.clone())], &notices);
    replay(options, &Recorded::new(&capture)).unwrap();
    let alerts = memory.0.lock().unwrap();
    let titles: Vec<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(titles, ["unexpected-connect"]);
}

#[test]
fn what_a_sink_cannot_write_is_counted_and_said() {
    let (folder, capture) = recorded(&attacked_redis());
    let notices = Arc::default();
    let options = options(folder.path(), vec![Box::new(Full)], &notices);
    let summary = replay(options, &Recorded::new(&capture)).unwrap();
    assert_eq!((summary.counts.alerts, summary.undelivered), (2, 2));
    let notices = notices.lock().unwrap();
    assert_eq!(
        notices.iter().filter(|text| text.contains("no space left")).count(),
        1,
        "said once"
    );
}

#[test]
fn what_is_no_capture_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, "hello").unwrap();
    let notices = Arc::default();
    for (path, expected) in [
        (path.clone(), "capture"),
        (folder.path().join("missing"), "open capture"),
    ] {
        let error = replay(options(folder.path(), Vec::new(), &notices), &Recorded::new(&path))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(expected) && error.contains(&path.display().to_string()),
            "{error}"
        );
    }
}
