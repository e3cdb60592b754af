//! Containers that start, load, are lost sight of and end, in; what the logbook says of them out.

use plimsoll_model::{ExeFile, FileEntry, FileKind, Package, PackageKind};
use plimsoll_rules::RuleSet;

use super::*;
use crate::{
    capture::Item,
    identity::Answer,
    images::ReportSource,
    pipeline::{Output, Pipeline, Setup},
    raw::RawKind,
    scene::{BASH, ENTRY, REDIS, Room, Scene, digest, redis_report},
};

const LIBRARY: &str = "/usr/lib/libssl.so.3";
const SECOND_NS: u64 = 1_000_000_000;

fn image() -> Arc<KnownImage> {
    let mut report = redis_report();
    for (name, path) in [("redis", REDIS), ("libssl3", LIBRARY), ("idle", "/usr/bin/id")] {
        let index = u32::try_from(report.sbom.packages.len()).unwrap();
        report.sbom.packages.push(Package {
            purl: format!("pkg:deb/debian/{name}@1"),
            ..Package::new(PackageKind::Dpkg, name, "1")
        });
        match report.files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.package = Some(index),
            None => report.files.push(FileEntry {
                package: Some(index),
                ..FileEntry::new(path, FileKind::Regular, 0o755)
            }),
        }
    }
    Arc::new(KnownImage::new(report, ReportSource::Folder))
}

fn pipeline(image: &Arc<KnownImage>, scene: &Scene, is_learning: bool) -> Pipeline {
    let mut pipeline = Pipeline::new(Setup {
        node: "n".into(),
        accounts: None,
        boot_id: String::new(),
        boot_offset_ns: 0,
        host_mount_namespace: 1,
        rules: Arc::new(RuleSet::default()),
        images_folder: String::new(),
        asker: None,
        guard: None,
    });
    pipeline.logbook = Some(Logbook::new("n", is_learning, None, None));
    let mut out = Vec::new();
    for container in scene.containers() {
        let answer = Answer::Container {
            container: Box::new(container.clone()),
            image: Some(Arc::clone(image)),
            notes: Vec::new(),
        };
        pipeline.answer(container.cgroup_id, answer, &mut out);
    }
    pipeline
}

fn play(pipeline: &mut Pipeline, items: Vec<Item>) -> (u64, Vec<String>) {
    let (mut out, mut last_ns) = (Vec::new(), 0);
    for item in items {
        match item {
            Item::Process(process) => pipeline.seed(process, &mut out),
            Item::Event(event) => {
                last_ns = event.time_ns;
                pipeline.push(event, &mut out);
            }
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
        }
    }
    let notices = out.into_iter().filter_map(|output| match output {
        Output::Notice(text) => Some(text),
        _ => None,
    });
    (last_ns, notices.collect())
}

fn load(scene: &mut Scene, pid: i32, path: &str) {
    let kind = RawKind::Load {
        path: path.to_owned(),
        file: ExeFile::default(),
    };
    scene.push(pid, kind);
}

fn redis(scene: &mut Scene, cgroup_id: u64) -> Room {
    let room = scene.start(cgroup_id, BASH, &["bash", ENTRY]);
    scene.exec(room.first, REDIS, &["redis-server"]);
    load(scene, room.first, LIBRARY);
    scene.name(&format!("redis{cgroup_id}"), cgroup_id, Some(digest(1)));
    room
}

fn usage(pipeline: &Pipeline) -> ImageUsage {
    pipeline.logbook.as_ref().unwrap().usage().images.remove(0)
}

#[test]
fn use_and_the_time_without_it_are_written_down() {
    let (image, mut scene) = (image(), Scene::new());
    redis(&mut scene, 50);
    redis(&mut scene, 51);
    let mut pipeline = pipeline(&image, &scene, false);
    let (last_ns, _) = play(&mut pipeline, scene.items);
    for second in 0..11 {
        pipeline.tick(last_ns + second * SECOND_NS, &mut Vec::new());
    }
    let found = usage(&pipeline);
    assert_eq!(
        (
            found.window.containers,
            found.window.joined,
            found.window.container_seconds
        ),
        (2, 0, 20)
    );
    let packages: Vec<(&str, u64, u64)> = found
        .packages()
        .iter()
        .map(|(purl, used)| (*purl, used.executed, used.loaded))
        .collect();
    assert_eq!(
        packages,
        [("pkg:deb/debian/libssl3@1", 0, 2), ("pkg:deb/debian/redis@1", 2, 0)]
    );
}

#[test]
fn after_a_loss_time_does_not_count_for_those_who_ran() {
    let (image, mut scene) = (image(), Scene::new());
    redis(&mut scene, 50);
    let mut pipeline = pipeline(&image, &scene, false);
    let (last_ns, _) = play(&mut pipeline, scene.items);
    let tick = |seconds: u64, pipeline: &mut Pipeline| pipeline.tick(last_ns + seconds * SECOND_NS, &mut Vec::new());
    tick(0, &mut pipeline);
    tick(5, &mut pipeline);
    pipeline.logbook.as_mut().unwrap().lost(7);
    tick(6, &mut pipeline);
    tick(60, &mut pipeline);
    let window = usage(&pipeline).window;
    assert_eq!((window.container_seconds, window.lost_events), (5, 7));
}

#[test]
fn what_ran_before_the_agent_says_nothing_of_what_it_did_not_use() {
    let (image, mut scene) = (image(), Scene::new());
    redis(&mut scene, 50);
    let mut pipeline = pipeline(&image, &scene, false);
    let (last_ns, _) = play(&mut pipeline, scene.items);
    let sandbox_is_joined = |is_joined| {
        let mut logbook = Logbook::new("n", false, None, None);
        let id: Arc<str> = "redis".into();
        for second in [1, 11] {
            let running = Running {
                id: &id,
                image: &image,
                is_joined,
            };
            logbook.tick(last_ns + second * SECOND_NS, std::iter::once(running));
        }
        let window = logbook.usage().images[0].window;
        (window.containers, window.joined, window.container_seconds)
    };
    assert_eq!(sandbox_is_joined(false), (1, 0, 10));
    assert_eq!(sandbox_is_joined(true), (0, 1, 0));
}

#[test]
fn the_first_use_of_what_counted_as_unused_is_said_once() {
    let (image, mut scene) = (image(), Scene::new());
    let room = redis(&mut scene, 50);
    redis(&mut scene, 51);
    let mut pipeline = pipeline(&image, &scene, false);
    let before = std::mem::take(&mut scene.items);
    let child = scene.fork(room.first);
    scene.exec(child, "/usr/bin/id", &["id"]);
    let other = scene.fork(room.first);
    scene.exec(other, "/usr/bin/id", &["id"]);
    let after = std::mem::take(&mut scene.items);
    let (last_ns, notices) = play(&mut pipeline, before);
    assert!(!notices.iter().any(|text| text.contains("in use now")), "{notices:?}");
    pipeline.tick(last_ns, &mut Vec::new());
    pipeline.tick(last_ns + 12 * 3600 * SECOND_NS, &mut Vec::new());
    let (_, notices) = play(&mut pipeline, after);
    let said: Vec<&String> = notices.iter().filter(|text| text.contains("in use now")).collect();
    assert_eq!(said.len(), 1, "{notices:?}");
    assert!(
        said[0].contains("pkg:deb/debian/idle@1 is in use now: /usr/bin/id runs"),
        "{said:?}"
    );
    assert!(said[0].contains("24.0 hours of containers"), "{said:?}");
    let logbook = pipeline.logbook.as_mut().unwrap();
    assert_eq!([logbook.take_urgency(), logbook.take_urgency()], [true, false]);
}

#[test]
fn files_are_gone_on_with_and_damaged_ones_are_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogbookOptions {
        usage: Some(folder.path().join("usage.json")),
        learn: Some(folder.path().join("observed.json")),
    };
    let (image, mut scene) = (image(), Scene::new());
    let room = redis(&mut scene, 50);
    scene.push(
        room.first,
        RawKind::Bind {
            address: crate::scene::socket("0.0.0.0:7777"),
            transport: plimsoll_model::Transport::Tcp,
        },
    );
    let mut pipeline = pipeline(&image, &scene, true);
    play(&mut pipeline, scene.items);
    let (saver, _, notices) = Saver::open(options.clone(), "n", true);
    assert_eq!(notices, Vec::<String>::new());
    let logbook = pipeline.logbook.as_ref().unwrap();
    assert_eq!(saver.finish(logbook), Vec::<String>::new());
    let (_, again, notices) = Saver::open(options.clone(), "n", true);
    assert_eq!(
        (again.usage(), again.observed(), notices.len()),
        (logbook.usage(), logbook.observed(), 0)
    );
    let (_, fresh, _) = Saver::open(options.clone(), "n", false);
    assert_eq!(fresh.usage().images.len(), 0);

    std::fs::write(folder.path().join("usage.json"), "{\"schema\": 1").unwrap();
    let (_, again, notices) = Saver::open(options, "n", true);
    assert_eq!(
        (again.usage().images.len(), again.observed().images.len(), notices.len()),
        (0, 1, 1)
    );
    assert!(
        notices[0].contains("kept as") && folder.path().join("usage.json.unreadable").exists(),
        "{notices:?}"
    );
}
