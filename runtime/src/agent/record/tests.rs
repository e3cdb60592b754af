//! A recording holds what a replay needs, and nothing that the host keeps to itself.

use std::{fs, sync::Arc};

use plimsoll_model::Alert;
use plimsoll_rules::RuleSet;

use super::*;
use crate::{
    alert::Told,
    capture::Reader,
    identity::Answer,
    images::{Images, ReportSource},
    pipeline::{Output, Setup},
    scene::{BASH, BOOT_OFFSET_NS, DASH, ENTRY, HOST_MOUNTS, REDIS, Scene, digest, redis_report},
};

/// Judges items as a replay does, and records them besides.
fn play(items: &[Item], record: Option<&Path>) -> Vec<Alert> {
    let mut images = Images::default();
    images.add(redis_report(), ReportSource::Folder);
    let mut pipeline = Pipeline::new(Setup {
        node: "node".into(),
        accounts: None,
        boot_id: "boot".to_owned(),
        boot_offset_ns: BOOT_OFFSET_NS,
        host_mount_namespace: HOST_MOUNTS,
        rules: Arc::new(RuleSet::default()),
        images_folder: String::new(),
        asker: None,
        guard: None,
    });
    let mut out = Vec::new();
    let mut recorder = record.map(|path| Recorder::create(path, "boot", BOOT_OFFSET_NS, "node").unwrap());
    for item in items {
        if let Item::Container(container) = item {
            let image = container.image.as_ref().and_then(|image| images.find(image, &[]));
            let answer = Answer::Container {
                container: Box::new(container.clone()),
                image,
                notes: Vec::new(),
            };
            pipeline.answer(container.cgroup_id, answer, &mut out);
            recorder
                .iter_mut()
                .for_each(|recorder| recorder.container(container.clone()).unwrap());
        }
    }
    for item in items {
        match item {
            Item::Process(process) => {
                recorder.iter_mut().for_each(|recorder| recorder.process(process));
                pipeline.seed(process.clone(), &mut out);
            }
            Item::Event(event) => {
                recorder.iter_mut().for_each(|recorder| recorder.event(event));
                pipeline.tick(event.time_ns + BOOT_OFFSET_NS, &mut out);
                pipeline.push(event.clone(), &mut out);
            }
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
        }
        recorder
            .iter_mut()
            .for_each(|recorder| recorder.settle(&pipeline).unwrap());
    }
    pipeline.finish(&mut out);
    if let Some(recorder) = recorder {
        recorder.finish(&pipeline).unwrap();
    }
    out.into_iter()
        .filter_map(|output| match output {
            Output::Told(Told::New(alert)) => Some(*alert),
            _ => None,
        })
        .collect()
}

fn read(path: &Path) -> Vec<Item> {
    let mut reader = Reader::new(fs::File::open(path).unwrap()).unwrap();
    std::iter::from_fn(|| reader.next_item().unwrap()).collect()
}

/// Redis, an attack and a session; around them a busy host with secrets in its command lines.
fn busy_host() -> Scene {
    let mut scene = Scene::new();
    let shell = scene.fork(1);
    scene.exec(shell, BASH, &["bash", "--password=hunter2"]);
    let backup = scene.fork(shell);
    scene.exec(backup, "/usr/bin/backup-hunter2", &["backup", "--key", "hunter2"]);
    scene.write(backup, "/root/hunter2");
    scene.connect(backup, "192.0.2.9:443");
    scene.exit(backup);
    scene.name("redis", 50, Some(digest(1)));
    let room = scene.start(50, BASH, &["bash", ENTRY]);
    scene.exec(room.first, REDIS, &["redis-server", "--requirepass", "inside"]);
    let child = scene.fork(room.first);
    scene.exec(child, DASH, &["sh", "-c", "id"]);
    scene.exec(shell, BASH, &["bash", "hunter2"]);
    scene.enter(room, DASH, &["sh"]);
    scene.exit(shell);
    scene
}

#[test]
fn gives_the_same_alerts_and_says_nothing_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    let scene = busy_host();
    let live = play(&scene.items, Some(&path));
    let items = read(&path);
    let text = format!("{items:?}");
    assert!(text.contains("requirepass"), "containers are recorded whole");
    for secret in ["hunter2", "192.0.2.9", "\"create\""] {
        assert!(!text.contains(secret), "`{secret}` of the host was recorded");
    }
    assert!(items.len() * 3 < scene.items.len() * 4);
    let replayed = play(&items, None);
    let titles: Vec<&str> = live.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(titles, ["unexpected-exec", "session"]);
    assert_eq!(replayed, live);
}

#[test]
fn what_ran_before_is_recorded_with_who_brought_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    let mut scene = Scene::new();
    let conmon = scene.spawn(1);
    scene.list(conmon, "/usr/bin/conmon", &["conmon", "--secret", "hunter2"]);
    let other = scene.spawn(1);
    scene.list(other, "/usr/bin/other", &["other"]);
    let first = scene.spawn(conmon);
    let task = scene.task(first);
    (task.cgroup_id, task.mount_namespace, task.container_pid) = (50, 77, 1);
    scene.list(first, REDIS, &["redis-server *:6379"]);
    scene.name("redis", 50, Some(digest(1)));
    scene.connect(first, "10.77.0.1:4444");
    let live = play(&scene.items, Some(&path));
    let items = read(&path);
    let text = format!("{items:?}");
    assert!(
        text.contains("/usr/bin/conmon") && !text.contains("hunter2") && !text.contains("/usr/bin/other"),
        "{text}"
    );
    assert_eq!(live.len(), 1);
    assert_eq!(play(&items, None), live);
}
