//! Lineage: which phase each process of a scene is in.

use plimsoll_model::{Action, Confidence, ContainerRuntime, Fact, PortSpec, Subject, Transport};

use super::*;
use crate::{
    capture::Item,
    identity::unknown_container,
    scene::{BASH, DASH, ENTRY, HOST_MOUNTS, REDIS, Scene, program, redis_report},
    state::ProcessTree,
};

const CGROUP: u64 = 50;
const SUPERVISOR: &str = "/usr/local/bin/supervise";

/// Phases of the acts in a container, in order, as `program: phase`.
fn phases(scene: &Scene) -> Vec<String> {
    let container = Arc::new(unknown_container(CGROUP, "", "c"));
    assert_eq!(container.runtime, ContainerRuntime::Unknown);
    let mut report = redis_report();
    report.profile.entrypoint.push(program(SUPERVISOR));
    report.profile.probes = vec![["/usr/bin/redis-cli", "-p", "6379", "ping"].map(str::to_owned).to_vec()];
    report.profile.facts.push(Fact {
        subject: Subject::Any,
        action: Action::Listen(PortSpec {
            transport: Transport::Tcp,
            first: 6379,
            last: 6379,
        }),
        phases: vec![Phase::Serving],
        parent: None,
        evidence: Vec::new(),
        confidence: Confidence::A,
    });
    let image = Arc::new(KnownImage::new(report, crate::images::ReportSource::Folder));
    let mut sandbox = Sandbox::new(container, Some(image), HOST_MOUNTS);
    let mut tree = ProcessTree::new(0);
    let mut lines = Vec::new();
    for item in &scene.items {
        let seen = match item {
            Item::Process(process) => Some(tree.adopt(process.clone())),
            Item::Event(event) => tree.apply(event.clone()),
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => None,
        };
        let Some(seen) = seen.filter(|seen| seen.event.process.cgroup_id == CGROUP) else {
            continue;
        };
        if seen.event.sequence == 0 {
            sandbox.seed(&seen);
            continue;
        }
        let placed = sandbox.advance(&seen);
        if !matches!(seen.event.kind, EventKind::Fork { .. } | EventKind::Exit { .. }) {
            lines.push(format!("{}: {:?}", seen.event.process.name(), placed.phase.unwrap()));
        }
    }
    lines
}

#[test]
fn the_entrypoint_ends_when_the_first_process_executes_the_main_program() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    let helper = scene.fork(room.first);
    scene.exec(helper, "/usr/bin/id", &["id"]);
    scene.exec(room.first, REDIS, &["redis-server"]);
    scene.write(helper, "/x");
    let shell = scene.fork(room.first);
    scene.exec(shell, DASH, &["sh"]);
    assert_eq!(
        phases(&scene),
        [
            "memfd:runc_cloned: Init",
            "memfd:runc_cloned: Init",
            "bash: Entrypoint",
            "id: Entrypoint",
            "redis-server: Entrypoint",
            "id: Entrypoint",
            "dash: Serving",
        ]
    );
}

#[test]
fn a_server_that_the_entry_script_starts_for_a_moment_is_not_serving() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    let temporary = scene.fork(room.first);
    scene.exec(temporary, REDIS, &["redis-server", "--port", "0"]);
    scene.write(temporary, "/x");
    scene.exec(room.first, REDIS, &["redis-server"]);
    scene.write(room.first, "/x");
    assert_eq!(
        phases(&scene)[3..],
        [
            "redis-server: Entrypoint",
            "redis-server: Entrypoint",
            "redis-server: Entrypoint",
            "redis-server: Serving"
        ]
    );
}

#[test]
fn an_init_or_a_shell_form_command_hands_the_lead_to_its_child() {
    for (exe, args) in [
        ("/usr/bin/tini", &["tini", "--", "redis-server"][..]),
        ("/usr/bin/dumb-init", &["dumb-init", "redis-server"]),
        ("/dev/init", &["/dev/init", "--", "redis-server"]),
        // Nobody's init, but the image's entrypoint begins with it.
        (SUPERVISOR, &["supervise", "redis-server"]),
        (DASH, &["/bin/sh", "-c", "redis-server; exit"]),
    ] {
        let mut scene = Scene::new();
        let room = scene.start(CGROUP, exe, args);
        let child = scene.fork(room.first);
        scene.exec(child, REDIS, &["redis-server"]);
        let grandchild = scene.fork(child);
        scene.exec(grandchild, REDIS, &["redis-server"]);
        let phases = phases(&scene);
        assert_eq!(
            phases[3..],
            ["redis-server: Entrypoint", "redis-server: Serving"],
            "{exe}"
        );
    }
}

#[test]
fn from_outside_is_a_session_or_the_health_check_and_so_are_its_children() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, REDIS, &["redis-server"]);
    let session = scene.enter(room, DASH, &["sh"]);
    let child = scene.fork(session);
    scene.exec(child, REDIS, &["redis-server"]);
    let probe = scene.enter(room, DASH, &["/bin/sh", "-c", "redis-cli ping"]);
    let client = scene.fork(probe);
    scene.exec(client, "/usr/bin/redis-cli", &["redis-cli", "ping"]);
    assert_eq!(
        phases(&scene)[2..],
        [
            "redis-server: Entrypoint",
            "dash: Session",
            "redis-server: Session",
            "dash: Probe",
            "redis-cli: Probe",
        ]
    );
}

#[test]
fn a_probe_of_the_pod_is_told_from_a_session_by_its_arguments() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, REDIS, &["redis-server"]);
    scene.enter(room, "/usr/bin/redis-cli", &["redis-cli", "-p", "6379", "ping"]);
    scene.enter(room, "/usr/bin/redis-cli", &["redis-cli", "-p", "6379", "flushall"]);
    assert_eq!(phases(&scene)[3..], ["redis-cli: Probe", "redis-cli: Session"]);
}

#[test]
fn a_service_below_a_chain_of_supervisors_serves_and_so_does_its_neighbour() {
    for chain in [["s6-svscan", "s6-supervise"], ["runsvdir", "runsv"]] {
        let path = |name: &str| format!("/usr/bin/{name}");
        let mut scene = Scene::new();
        let room = scene.start(CGROUP, &path(chain[0]), &[chain[0], "/services"]);
        for service in ["redis", "other"] {
            let supervisor = scene.fork(room.first);
            scene.exec(supervisor, &path(chain[1]), &[chain[1], service]);
            let child = scene.fork(supervisor);
            scene.exec(child, DASH, &["/bin/sh", "./run"]);
            scene.exec(child, REDIS, &["redis-server"]);
            scene.write(child, "/data/x");
        }
        let phases = phases(&scene);
        let serving: Vec<&str> = phases
            .iter()
            .filter(|line| line.ends_with(": Serving"))
            .map(String::as_str)
            .collect();
        assert_eq!(serving, ["redis-server: Serving"; 2], "{phases:?}");
        assert!(!phases.iter().any(|line| line.ends_with(": Session")), "{phases:?}");
    }
}

#[test]
fn a_container_that_starts_again_begins_with_its_entrypoint() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    scene.exec(room.first, REDIS, &["redis-server"]);
    scene.exit(room.first);
    scene.start(CGROUP, BASH, &["bash", ENTRY]);
    assert_eq!(phases(&scene).last().unwrap(), "bash: Entrypoint");
}

#[test]
fn a_process_whose_making_was_lost_takes_the_phase_of_its_ancestor_or_none() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    scene.exec(room.first, REDIS, &["redis-server"]);
    let unseen = scene.spawn(room.first);
    scene.exec(unseen, DASH, &["sh"]);
    assert_eq!(phases(&scene).last().unwrap(), "dash: Serving");
}

#[test]
fn an_init_that_hands_over_through_an_entry_script_ends_in_serving() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, "/usr/bin/tini", &["tini", "--", ENTRY]);
    let script = scene.fork(room.first);
    scene.exec(script, BASH, &["bash", ENTRY]);
    let helper = scene.fork(script);
    scene.exec(helper, REDIS, &["redis-server", "--port", "0"]);
    scene.exec(script, REDIS, &["redis-server"]);
    scene.write(script, "/x");
    assert_eq!(
        phases(&scene)[3..],
        [
            "bash: Entrypoint",
            "redis-server: Entrypoint",
            "redis-server: Entrypoint",
            "redis-server: Serving"
        ]
    );
}

#[test]
fn a_server_behind_an_init_that_ran_before_the_agent_serves() {
    let mut scene = Scene::new();
    let conmon = scene.spawn(1);
    scene.list(conmon, "/usr/bin/conmon", &["conmon"]);
    let init = scene.spawn(conmon);
    let task = scene.task(init);
    (task.cgroup_id, task.mount_namespace, task.container_pid) = (CGROUP, 77, 1);
    scene.list(init, "/usr/bin/tini", &["tini", "--", "redis-server"]);
    let server = scene.spawn(init);
    scene.list(server, REDIS, &["redis-server"]);
    scene.write(server, "/x");
    let shell = scene.fork(server);
    scene.exec(shell, DASH, &["sh"]);
    assert_eq!(phases(&scene), ["redis-server: Serving", "dash: Serving"]);
}

#[test]
fn a_scan_that_comes_late_puts_everybody_in_the_place_that_they_would_have() {
    let container = Arc::new(unknown_container(CGROUP, "", "c"));
    let mut sandbox = Sandbox::new(container, None, HOST_MOUNTS);
    let mut tree = ProcessTree::new(0);
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    let helper = scene.fork(room.first);
    scene.exec(helper, "/usr/bin/id", &["id"]);
    scene.exec(room.first, REDIS, &["redis-server"]);
    let worker = scene.fork(room.first);
    let probe = scene.enter(room, DASH, &["/bin/sh", "-c", "redis-cli ping"]);
    let session = scene.enter(room, DASH, &["sh"]);
    for item in &scene.items {
        let seen = match item {
            Item::Process(process) => Some(tree.adopt(process.clone())),
            Item::Event(event) => tree.apply(event.clone()),
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => None,
        };
        if let Some(seen) = seen.filter(|seen| seen.event.process.cgroup_id == CGROUP) {
            sandbox.advance(&seen);
        }
    }
    let image = KnownImage::new(redis_report(), crate::images::ReportSource::Server);
    sandbox.learn(Arc::new(image), |key| tree.process(key));
    let mut phase = |pid: i32| {
        let key = crate::state::key_of(scene.task(pid));
        sandbox.roles[&key].phase
    };
    assert_eq!(phase(room.first), Phase::Serving);
    assert_eq!(phase(worker), Phase::Serving);
    assert_eq!(phase(helper), Phase::Entrypoint);
    assert_eq!(phase(probe), Phase::Probe);
    assert_eq!(phase(session), Phase::Session);
}

#[test]
fn a_server_that_takes_its_port_serves_though_its_entry_script_stays() {
    let mut scene = Scene::new();
    let room = scene.start(CGROUP, BASH, &["bash", ENTRY]);
    let server = scene.fork(room.first);
    scene.exec(server, REDIS, &["redis-server"]);
    scene.listen(server, "127.0.0.1:7000");
    scene.listen(server, "0.0.0.0:6379");
    let shell = scene.fork(server);
    scene.exec(shell, DASH, &["sh"]);
    let helper = scene.fork(room.first);
    scene.exec(helper, "/usr/bin/id", &["id"]);
    let all = phases(&scene);
    assert_eq!(
        all[all.len() - 5..],
        [
            "redis-server: Entrypoint",
            "redis-server: Entrypoint",
            "redis-server: Serving",
            "dash: Serving",
            "id: Entrypoint",
        ]
    );
}
