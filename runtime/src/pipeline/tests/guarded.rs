//! What the kernel side is told, and acts that it has refused.

use plimsoll_model::Confidence;
use plimsoll_rules::WritePaths;

use super::*;
use crate::{
    enforce::{Enforcement, Guard, Instead, Mode, Paths},
    pipeline::Telling,
    raw::Verdict,
};

fn judged(kind: RawKind, verdict: Verdict) -> RawKind {
    RawKind::Judged {
        verdict,
        act: Box::new(kind),
    }
}

fn shell() -> RawKind {
    RawKind::Exec {
        filename: "/bin/sh".to_owned(),
        exe: DASH.to_owned(),
        args: Vec::new(),
        cwd: "/".to_owned(),
        exe_file: ExeFile::default(),
    }
}

#[test]
fn a_refused_exec_is_told_and_changes_nobody() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.push(room.first, judged(shell(), Verdict::Refused));
    scene.write(room.first, "/data/dump.rdb");
    scene.write(room.first, "/etc/cron.d/x");
    let (alerts, _) = play(&scene);
    let summaries: Vec<&str> = alerts.iter().map(|alert| alert.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "redis-server started /usr/bin/dash (/bin/sh) while serving (refused)",
            // Still redis-server, still serving, and no follow-up of what has not happened.
            "redis-server wrote /etc/cron.d/x while serving",
        ]
    );
}

#[test]
fn what_was_killed_and_what_would_have_been_is_said() {
    for (verdict, end) in [
        (Verdict::Signalled, "(stopped before it ran)"),
        (Verdict::WouldRefuse, "(would have been refused)"),
    ] {
        let mut scene = Scene::new();
        let room = serving(&mut scene);
        let child = scene.fork(room.first);
        scene.push(child, judged(shell(), verdict));
        let (alerts, _) = play(&scene);
        assert_eq!(alerts.len(), 1);
        assert!(alerts[0].summary.ends_with(end), "{}", alerts[0].summary);
    }
}

/// What is told to the kernel side while a scene plays, by process.
fn tellings(scene: &Scene, guard: Guard) -> Vec<Telling> {
    let images = redis_images();
    let mut pipeline = pipeline(None);
    pipeline.setup.guard = Some(guard);
    let mut out = Vec::new();
    for container in scene.containers() {
        pipeline.answer(container.cgroup_id, answer(container, &images), &mut out);
    }
    for item in &scene.items {
        match item {
            Item::Process(process) => pipeline.seed(process.clone(), &mut out),
            Item::Event(event) => pipeline.push(event.clone(), &mut out),
            _ => {}
        }
    }
    let tellings = out.into_iter().filter_map(|output| match output {
        Output::Telling(telling) => Some(telling),
        _ => None,
    });
    tellings.collect()
}

#[test]
fn the_kernel_learns_what_each_process_is_expected_to_write() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let saver = scene.fork(room.first);
    scene.exit(saver);
    let session = scene.enter(room, DASH, &["sh"]);
    let guard = Guard::new(Some(WritePaths::default()), None);
    let policies: Vec<(i32, Option<Paths>)> = tellings(&scene, guard)
        .into_iter()
        .map(|telling| match telling {
            Telling::Process(key, _, policy) => (key.pid, policy.map(|policy| policy.expected_writes.clone())),
            other @ Telling::Container(..) => panic!("nothing is refused: {other:?}"),
        })
        .collect();
    let data = || Some(Paths::These(vec!["/data/**".into()]));
    assert!(policies.contains(&(room.first, data())), "{policies:?}");
    assert!(
        policies.contains(&(saver, data())) && policies.contains(&(saver, None)),
        "{policies:?}"
    );
    assert!(
        policies.iter().all(|(pid, policy)| *pid != session || policy.is_none()),
        "{policies:?}"
    );
}

#[test]
fn a_container_gets_a_policy_once_it_is_there_and_loses_it_at_its_end() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    scene.exit(room.first);
    let enforcement = Enforcement {
        mode: Some(Mode::Enforce),
        images: Vec::new(),
        confidence: Confidence::A,
        instead: Instead::Kill,
        outlives_agent: false,
    };
    let containers: Vec<(u32, Option<bool>)> = tellings(&scene, Guard::new(None, Some(enforcement)))
        .into_iter()
        .filter_map(|telling| match telling {
            Telling::Container(CGROUP, namespace, policy) => {
                Some((namespace, policy.map(|policy| policy.drift.is_some())))
            }
            _ => None,
        })
        .collect();
    assert_eq!(containers, [(room.mounts, Some(true)), (0, None)]);
}
