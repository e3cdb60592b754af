//! Scenes in, alerts out: each bad act is told once, normal work is not told at all.

use plimsoll_model::{Alert, ExeFile, LossReason, Phase};
use plimsoll_rules::RuleSet;

use super::*;
use crate::{
    capture::Item,
    images::{Images, KnownImage},
    raw::RawTask,
    scene::{BASH, BOOT_OFFSET_NS, DASH, ENTRY, HOST_MOUNTS, MILLISECOND, REDIS, Room, Scene, digest, redis_report},
};

mod guarded;
mod waiting;

const CGROUP: u64 = 50;

fn pipeline(asker: Option<Asker>) -> Pipeline {
    Pipeline::new(Setup {
        node: "node".into(),
        accounts: None,
        boot_id: "boot".to_owned(),
        boot_offset_ns: BOOT_OFFSET_NS,
        host_mount_namespace: HOST_MOUNTS,
        rules: Arc::new(RuleSet::default()),
        images_folder: "/images".to_owned(),
        asker,
        guard: None,
    })
}

fn redis_images() -> Images {
    let mut images = Images::default();
    images.add(redis_report(), ReportSource::Folder);
    images
}

/// Plays a scene as a replay does: containers are known before events.
fn play(scene: &Scene) -> (Vec<Alert>, Pipeline) {
    let images = redis_images();
    let mut pipeline = pipeline(None);
    let mut out = Vec::new();
    for container in scene.containers() {
        pipeline.answer(container.cgroup_id, answer(container, &images), &mut out);
    }
    for item in &scene.items {
        if let Item::Process(process) = item {
            pipeline.seed(process.clone(), &mut out);
        }
    }
    for item in &scene.items {
        if let Item::Event(event) = item {
            pipeline.tick(event.time_ns + BOOT_OFFSET_NS, &mut out);
            pipeline.push(event.clone(), &mut out);
        }
    }
    pipeline.finish(&mut out);
    (alerts(&out), pipeline)
}

fn answer(container: &Container, images: &Images) -> Answer {
    let image = container.image.as_ref().and_then(|image| images.find(image, &[]));
    Answer::Container {
        container: Box::new(container.clone()),
        image,
        notes: Vec::new(),
    }
}

/// Alerts as they are at the end: with follow-ups and counts.
fn alerts(out: &[Output]) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for output in out {
        match output {
            Output::Told(Told::New(alert)) => alerts.push((**alert).clone()),
            Output::Told(Told::Changed(alert)) => {
                let told = alerts.iter_mut().find(|told| told.id == alert.id);
                *told.expect("only what was told can change") = (**alert).clone();
            }
            Output::Notice(_) | Output::Identified(_) | Output::Telling(_) => {}
        }
    }
    alerts
}

/// Title and observed act of each alert.
fn titles(alerts: &[Alert]) -> Vec<(&str, &str)> {
    alerts
        .iter()
        .map(|alert| (alert.rule.as_str(), alert.observed.as_str()))
        .collect()
}

/// Redis behind its entry script, serving.
fn serving(scene: &mut Scene) -> Room {
    scene.name("redis", CGROUP, Some(digest(1)));
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY, "redis-server"]);
    let helper = scene.fork(room.first);
    scene.exec(helper, "/usr/bin/id", &["id", "-u"]);
    scene.exit(helper);
    scene.exec(room.first, REDIS, &["redis-server"]);
    room
}

#[test]
fn normal_work_is_not_told() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let saver = scene.fork(room.first);
    scene.write(saver, "/data/temp-7.rdb");
    scene.exit(saver);
    for _ in 0..3 {
        let probe = scene.enter(room, DASH, &["/bin/sh", "-c", "redis-cli ping"]);
        let client = scene.fork(probe);
        scene.exec(client, "/usr/bin/redis-cli", &["redis-cli", "ping"]);
        scene.exit(client);
        scene.exit(probe);
    }
    let (alerts, pipeline) = play(&scene);
    assert_eq!(titles(&alerts), []);
    assert_eq!((pipeline.counts().containers, pipeline.counts().known_images), (1, 1));
}

#[test]
fn a_shell_under_the_server_is_one_alert_with_what_it_does_as_follow_ups() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let shell = scene.fork(room.first);
    scene.exec(shell, DASH, &["sh", "-c", "id; id"]);
    for _ in 0..2 {
        let child = scene.fork(shell);
        scene.exec(child, "/usr/bin/id", &["id"]);
        scene.exit(child);
    }
    let (alerts, pipeline) = play(&scene);
    assert_eq!(titles(&alerts), [("unexpected-exec", "exec /usr/bin/dash -c 'id; id'")]);
    let alert = &alerts[0];
    assert_eq!(alert.phase, Some(Phase::Serving));
    assert_eq!(
        alert.summary,
        "redis-server started /usr/bin/dash (sh -c 'id; id') while serving"
    );
    assert_eq!(alert.expected[0].text, "redis-server starts nothing while serving");
    assert_eq!(alert.follow_ups.len(), 2);
    assert_eq!(alert.follow_ups[0].observed, "exec /usr/bin/id");
    assert_eq!(alert.follow_ups[0].rules, ["unexpected-exec"]);
    assert_eq!(alert.count, 3);
    assert_eq!(pipeline.counts().followed, 2);
    let ancestors: Vec<&str> = alert.ancestry.iter().map(|one| one.exe.as_str()).collect();
    // Up to the runtime that brought it in, of which only the name is shown.
    assert_eq!(ancestors, [REDIS, "/memfd:runc_cloned", "/usr/bin/runc"]);
    let lines: Vec<&str> = alert.ancestry.iter().map(|one| one.command_line.as_str()).collect();
    assert_eq!(lines, ["redis-server", "runc init", "runc"]);
}

#[test]
fn at_most_sixteen_ancestors_are_shown() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let mut child = room.first;
    for _ in 0..20 {
        child = scene.fork(child);
    }
    scene.exec(child, DASH, &["sh"]);
    let (alerts, _) = play(&scene);
    assert_eq!(alerts[0].ancestry.len(), 16);
    assert!(alerts[0].ancestry.iter().all(|one| one.exe == REDIS));
}

#[test]
fn coming_in_from_outside_is_a_session_and_what_follows_belongs_to_it() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let shell = scene.enter(room, DASH, &["sh"]);
    let child = scene.fork(shell);
    scene.exec(child, "/usr/bin/id", &["id"]);
    let (alerts, _) = play(&scene);
    assert_eq!(titles(&alerts), [("session", "exec /usr/bin/dash")]);
    assert_eq!(alerts[0].phase, Some(Phase::Session));
    assert_eq!(alerts[0].follow_ups.len(), 1);
}

#[test]
fn a_program_that_a_session_drops_and_runs_is_told_beside_the_session() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let shell = scene.enter(room, DASH, &["sh", "-c", "cp /bin/true /tmp/evil; /tmp/evil"]);
    scene.write(shell, "/tmp/evil");
    let evil = scene.fork(shell);
    let upper = ExeFile {
        is_upper_layer: true,
        ..ExeFile::default()
    };
    scene.exec_file(evil, "/tmp/evil", &["/tmp/evil"], "/tmp/evil", upper);
    scene.exec(evil, "/usr/bin/id", &["id"]);
    let (alerts, _) = play(&scene);
    assert_eq!(
        titles(&alerts),
        [
            ("session", "exec /usr/bin/dash -c 'cp /bin/true /tmp/evil; /tmp/evil'"),
            ("exec-not-in-image", "exec /tmp/evil")
        ]
    );
    assert!(!alerts[1].executable.as_ref().unwrap().is_in_image);
    assert_eq!(alerts[1].follow_ups.len(), 1, "what the worse act does follows from it");
}

#[test]
fn writing_a_program_and_running_it_at_once_is_one_act() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let upper = ExeFile {
        is_upper_layer: true,
        ..ExeFile::default()
    };
    scene.write(room.first, "/tmp/kinsing");
    let child = scene.fork(room.first);
    scene.exec_file(child, "/tmp/kinsing", &["kinsing"], "/tmp/kinsing", upper);
    let (alerts, _) = play(&scene);
    assert_eq!(titles(&alerts), [("exec-not-in-image", "exec /tmp/kinsing")]);
    assert_eq!((alerts[0].reasons.len(), alerts[0].count), (2, 2));
}

#[test]
fn a_write_that_nothing_runs_is_told_and_more_in_the_same_folder_are_counted() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.write(room.first, "/etc/cron.d/a");
    scene.write(room.first, "/etc/cron.d/b");
    scene.wait(200);
    scene.write(room.first, "/etc/cron.d/c");
    scene.write(room.first, "/usr/bin/implant");
    let (alerts, _) = play(&scene);
    assert_eq!(
        titles(&alerts),
        [
            ("unexpected-write", "create /etc/cron.d/a"),
            ("write-to-executable-path", "create /usr/bin/implant")
        ]
    );
    assert_eq!(alerts[0].count, 3);
}

#[test]
fn dialling_out_is_told_once_per_peer_and_a_storm_is_lumped() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    for _ in 0..3 {
        scene.connect(room.first, "10.77.0.1:4444");
    }
    let (alerts, _) = play(&scene);
    assert_eq!(titles(&alerts), [("unexpected-connect", "connect tcp 10.77.0.1:4444")]);
    assert_eq!(alerts[0].count, 3);
    for port in 5000..5100 {
        scene.connect(room.first, &format!("10.77.0.1:{port}"));
    }
    let (alerts, _) = play(&scene);
    assert_eq!(alerts.len(), crate::limits::MAX_OPEN_PER_TITLE);
    assert_eq!(
        alerts.iter().map(|alert| alert.count).sum::<u64>(),
        103,
        "every event is counted somewhere"
    );
}

#[test]
fn an_alert_says_how_many_events_were_lost_before_it() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.items.push(Item::Event(RawEvent {
        time_ns: scene.now_ns,
        cpu: 0,
        task: RawTask::nobody(),
        kind: RawKind::Lost {
            count: 42,
            reason: LossReason::RingBuffer,
        },
    }));
    scene.connect(room.first, "10.77.0.1:4444");
    scene.wait(120_000);
    scene.connect(room.first, "10.77.0.1:4445");
    let (alerts, pipeline) = play(&scene);
    assert_eq!(
        alerts.iter().map(|alert| alert.lost_events).collect::<Vec<_>>(),
        [42, 0]
    );
    assert_eq!(pipeline.counts().lost_in_ring, 42);
}

#[test]
fn the_same_event_has_the_same_id_in_every_run() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.enter(room, DASH, &["sh"]);
    scene.connect(room.first, "10.77.0.1:4444");
    let ids = |alerts: Vec<Alert>| alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>();
    let (first, second) = (ids(play(&scene).0), ids(play(&scene).0));
    assert_eq!(first, second);
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
}

#[test]
fn who_enters_the_namespaces_but_not_the_cgroup_is_a_session_too() {
    for forks in [false, true] {
        let mut scene = Scene::new();
        let room = serving(&mut scene);
        let nsenter = scene.fork(1);
        scene.exec(nsenter, "/usr/bin/nsenter", &["nsenter", "-t", "7", "-m"]);
        scene.task(nsenter).mount_namespace = room.mounts;
        // With a pid namespace to enter, it must fork.
        let shell = if forks { scene.fork(nsenter) } else { nsenter };
        scene.exec(shell, DASH, &["sh"]);
        let child = scene.fork(shell);
        scene.exec(child, "/usr/bin/id", &["id"]);
        let (alerts, _) = play(&scene);
        assert_eq!(titles(&alerts), [("session", "exec /usr/bin/dash")], "forks: {forks}");
        assert_eq!(alerts[0].container_name.as_deref(), Some("redis"));
        assert_eq!(alerts[0].follow_ups.len(), 1);
    }
}

#[test]
fn a_port_that_is_served_on_two_address_families_is_one_alert() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.listen(room.first, "0.0.0.0:7391");
    scene.listen(room.first, "[::]:7391");
    scene.listen(room.first, "0.0.0.0:7392");
    let (alerts, _) = play(&scene);
    assert_eq!(
        titles(&alerts),
        [
            ("unexpected-listen", "listen tcp 0.0.0.0:7391"),
            ("unexpected-listen", "listen tcp 0.0.0.0:7392")
        ]
    );
}

#[test]
fn who_becomes_root_without_a_program_that_gives_it_is_told_at_his_next_act() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let drop_rights = |scene: &mut Scene| {
        let credentials = &mut scene.task(room.first).credentials;
        (credentials.uid, credentials.euid, credentials.permitted_capabilities) = (999, 999, Some(0));
    };
    drop_rights(&mut scene);
    scene.write(room.first, "/data/dump.rdb");
    let credentials = &mut scene.task(room.first).credentials;
    (credentials.uid, credentials.euid, credentials.permitted_capabilities) = (0, 0, Some(u64::MAX));
    scene.write(room.first, "/data/dump.rdb");
    scene.write(room.first, "/data/dump.rdb");
    drop_rights(&mut scene);
    scene.write(room.first, "/data/dump.rdb");
    let (alerts, _) = play(&scene);
    assert_eq!(titles(&alerts), [("identity-change", "create /data/dump.rdb")]);
    assert_eq!(alerts[0].priority, "critical", "{alerts:#?}");
}

#[test]
fn an_engines_socket_is_told_and_another_is_not() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    for path in ["/run/postgresql/.s.PGSQL.5432", "/run/docker.sock"] {
        let path = path.to_owned();
        scene.push(room.first, RawKind::ConnectLocal { path });
    }
    let (alerts, _) = play(&scene);
    assert_eq!(titles(&alerts), [("unexpected-connect", "connect /run/docker.sock")]);
    assert_eq!(alerts[0].priority, "error", "{alerts:#?}");
}

#[test]
fn a_container_that_ran_before_the_agent_is_judged_from_then_on() {
    let mut scene = Scene::new();
    scene.name("redis", CGROUP, Some(digest(1)));
    let conmon = scene.spawn(1);
    scene.list(conmon, "/usr/bin/conmon", &["conmon"]);
    let first = scene.spawn(conmon);
    let task = scene.task(first);
    (task.cgroup_id, task.mount_namespace, task.container_pid) = (CGROUP, 77, 1);
    scene.list(first, REDIS, &["redis-server *:6379"]);
    let visitor = scene.spawn(conmon);
    let task = scene.task(visitor);
    (task.cgroup_id, task.mount_namespace) = (CGROUP, 77);
    scene.list(visitor, DASH, &["sh"]);
    let shell = scene.fork(first);
    scene.exec(shell, DASH, &["sh", "-c", "id"]);
    let child = scene.fork(visitor);
    scene.exec(child, "/usr/bin/id", &["id"]);
    let (alerts, _) = play(&scene);
    assert_eq!(
        titles(&alerts),
        [
            ("unexpected-exec", "exec /usr/bin/dash -c id"),
            ("session", "exec /usr/bin/id")
        ]
    );
}

#[test]
fn the_namespace_of_an_ended_container_may_be_used_by_anybody() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.exit(room.first);
    let service = scene.fork(1);
    scene.task(service).mount_namespace = room.mounts;
    scene.exec(service, DASH, &["sh"]);
    let (alerts, pipeline) = play(&scene);
    assert_eq!(titles(&alerts), []);
    assert!(pipeline.by_mount_namespace.is_empty());
}
