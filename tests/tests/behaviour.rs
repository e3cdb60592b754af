//! The agent on a real kernel with real containers: normal work is silent, bad acts are flagged once and explained.

use std::{
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use plimsoll_model::{Alert, ContainerRuntime, Phase, Reason};
use plimsoll_tests::{
    agent::Agent,
    command,
    container::{self, Container, PlainContainer},
    machine, repository,
};
use tempfile::TempDir;

/// An agent sees every container of the machine: one test at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// Scan reports and the tools of the bad acts.
struct Stage {
    folder: TempDir,
    _machine: MutexGuard<'static, ()>,
}

/// Scans one image of the demo for the agent; `None`, said loudly, where containers cannot be watched.
fn prepare(test: &str, target: &str) -> Option<Stage> {
    if let Some(reason) = machine::why_no_bpf().or_else(container::why_no_images) {
        machine::say_skipped(test, &reason);
        return None;
    }
    let guard = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (kind, name) = target.split_once(':').expect("a target names its kind");
    let image = container::demo_folder().join("images").join(name);
    let report = folder.path().join("report.json");
    let run = command::scan(
        &format!("{kind}:{}", image.display()),
        &["-o", &format!("json={}", report.display())],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    Some(Stage {
        folder,
        _machine: guard,
    })
}

impl Stage {
    fn agent(&self) -> Agent {
        Agent::start(["--images", &self.folder.path().display().to_string()]).expect("the agent starts")
    }

    /// Compiles one of the demo's bad acts; gives the folder to mount at `/acts`.
    fn acts(&self) -> String {
        let sources = repository::root().join("scripts/demo/acts");
        let folder = self.folder.path().join("acts");
        std::fs::create_dir(&folder).expect("the folder is ours");
        let build = |output: &str, source: &str, options: &[&str]| {
            let status = Command::new("cc")
                .args(options)
                .arg("-o")
                .arg(folder.join(output))
                .arg(sources.join(source))
                .status()
                .expect("cc is installed, it links this test");
            assert!(status.success());
        };
        build("shell.so", "module.c", &["-shared", "-fPIC", "-DACT_SHELL"]);
        build("drop.so", "module.c", &["-shared", "-fPIC", "-DACT_DROP"]);
        build("payload", "payload.c", &["-static"]);
        // The folder of a test is for its owner alone; the container's redis is somebody else.
        let open = |path: &Path| {
            let status = Command::new("chmod").arg("-R").arg("a+rX").arg(path).status();
            assert!(status.is_ok_and(|status| status.success()));
        };
        open(self.folder.path());
        folder.display().to_string()
    }
}

/// What every alert about a known image must say, and what this one must.
fn check(alert: &Alert, container: &Container, phase: Phase, observed: &str) {
    assert_eq!(alert.container_id.as_deref(), Some(container.id.as_str()), "{alert:#?}");
    assert_eq!(alert.runtime, Some(ContainerRuntime::Podman), "{alert:#?}");
    assert_eq!(alert.phase, Some(phase), "{alert:#?}");
    assert!(alert.observed.contains(observed), "{alert:#?}");
    assert!(
        alert.image.as_ref().is_some_and(|image| image.config_digest.is_some()),
        "{alert:#?}"
    );
    let evidence = alert.reasons.iter().find_map(|reason| match reason {
        Reason::Deviation { evidence, .. } => Some(evidence),
        Reason::Rule { .. } => None,
    });
    assert!(evidence.is_some_and(|evidence| !evidence.is_empty()), "{alert:#?}");
    let origin = alert.executable.as_ref().expect("the image was scanned");
    assert_eq!(origin.package.is_some(), origin.is_in_image, "{alert:#?}");
    assert_eq!(alert.lost_events, 0, "{alert:#?}");
}

/// Ends the agent and looks at what nobody asked for.
fn expect_no_more(agent: Agent, container: &Container) {
    let (mut left, talk) = agent.stop().expect("the agent ends when asked to");
    left.retain(|alert| alert.container_id.as_deref() == Some(container.id.as_str()));
    assert!(left.is_empty(), "{left:#?}\n{talk:#?}");
}

#[test]
fn redis_works_in_silence_and_its_bad_acts_are_flagged_once() {
    let name = "redis_works_in_silence_and_its_bad_acts_are_flagged_once";
    let Some(stage) = prepare(name, "docker-archive:redis.docker.tar") else {
        return;
    };
    let mount = format!("{}:/acts:ro", stage.acts());
    let agent = stage.agent();
    let arguments = ["redis-server", "--enable-module-command", "yes"];
    let redis = Container::start("redis", &["--volume", &mount], &arguments).unwrap();
    redis.wait_for(&["redis-cli", "PING"], "PONG").unwrap();
    redis
        .beside(&["redis-benchmark", "-q", "-n", "5000", "-t", "get,set"])
        .unwrap();
    redis.beside(&["redis-cli", "SAVE"]).unwrap();
    redis.beside(&["redis-cli", "BGSAVE"]).unwrap();
    redis
        .wait_for(&["redis-cli", "INFO", "persistence"], "rdb_bgsave_in_progress:0")
        .unwrap();
    let status = container::podman()
        .args(["healthcheck", "run", &redis.id])
        .status()
        .unwrap();
    assert!(status.success());

    redis
        .beside(&["redis-cli", "MODULE", "LOAD", "/acts/shell.so"])
        .unwrap();
    check(
        &agent.next_alert(&redis.id).unwrap(),
        &redis,
        Phase::Serving,
        "/acts/shell.so",
    );
    check(
        &agent.next_alert(&redis.id).unwrap(),
        &redis,
        Phase::Serving,
        "exec /usr/bin/dash",
    );
    redis.exec(&["sh", "-c", "id"]).unwrap();
    check(&agent.next_alert(&redis.id).unwrap(), &redis, Phase::Session, "sh");
    redis.beside(&["redis-cli", "MODULE", "LOAD", "/acts/drop.so"]).unwrap();
    check(
        &agent.next_alert(&redis.id).unwrap(),
        &redis,
        Phase::Serving,
        "/acts/drop.so",
    );
    let dropped = agent.next_alert(&redis.id).unwrap();
    check(&dropped, &redis, Phase::Serving, "/tmp/kinsing");
    expect_no_more(agent, &redis);
}

#[test]
fn postgres_works_in_silence_and_copy_from_program_is_flagged_once() {
    let name = "postgres_works_in_silence_and_copy_from_program_is_flagged_once";
    let Some(stage) = prepare(name, "oci:postgres") else {
        return;
    };
    let agent = stage.agent();
    let postgres = Container::start("postgres", &["--env", "POSTGRES_HOST_AUTH_METHOD=trust"], &[]).unwrap();
    let psql = [
        "psql",
        "--host=127.0.0.1",
        "--username=postgres",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--command",
    ];
    let sql = |text: &'static str| psql.iter().copied().chain([text]).collect::<Vec<_>>();
    postgres.wait_for(&sql("select 'up'"), "up").unwrap();
    for text in [
        "create table t as select generate_series(1, 10000) as n",
        "create index on t (n)",
        "vacuum analyze",
        "checkpoint",
    ] {
        postgres.beside(&sql(text)).unwrap();
    }
    postgres
        .beside(&sql("create temp table o (line text); copy o from program 'id'"))
        .unwrap();
    check(
        &agent.next_alert(&postgres.id).unwrap(),
        &postgres,
        Phase::Serving,
        "sh",
    );
    expect_no_more(agent, &postgres);
}

#[test]
fn nginx_works_in_silence_and_a_file_below_usr_bin_is_flagged_once() {
    let name = "nginx_works_in_silence_and_a_file_below_usr_bin_is_flagged_once";
    let Some(stage) = prepare(name, "oci:nginx") else {
        return;
    };
    let config = repository::root().join("scripts/demo/acts/nginx.conf");
    let mount = format!("{}:/etc/nginx/nginx.conf:ro", config.display());
    let agent = stage.agent();
    let nginx = Container::start("nginx", &["--volume", &mount], &[]).unwrap();
    nginx.wait_for(&["curl", "-sf", "http://127.0.0.1/"], "nginx").unwrap();
    nginx.beside(&["curl", "-s", "http://127.0.0.1/not-there"]).unwrap();
    nginx
        .beside(&["curl", "-sf", "http://127.0.0.1/trap?log=implant"])
        .unwrap();
    check(
        &agent.next_alert(&nginx.id).unwrap(),
        &nginx,
        Phase::Serving,
        "/usr/bin/implant",
    );
    expect_no_more(agent, &nginx);
}

#[test]
fn a_container_of_plain_runc_is_known_by_its_name_and_judged_by_rules() {
    let name = "a_container_of_plain_runc_is_known_by_its_name_and_judged_by_rules";
    let Some(stage) = prepare(name, "oci:nginx") else {
        return;
    };
    let agent = stage.agent();
    let plain = PlainContainer::start("nginx").unwrap();
    plain.exec(&["cat", "/etc/os-release"]).unwrap();
    plain.exec(&["sh", "-c", "id"]).unwrap();
    let alert = agent.next_alert(&plain.name).unwrap();
    assert_eq!(alert.runtime, Some(ContainerRuntime::Runc), "{alert:#?}");
    assert_eq!(alert.image, None, "{alert:#?}");
    assert_eq!(alert.phase, Some(Phase::Session), "{alert:#?}");
    assert_eq!(alert.rule, "Shell in container from outside", "{alert:#?}");
    assert!(
        alert.reasons.iter().all(|reason| matches!(reason, Reason::Rule { .. })),
        "nothing is known of its image: {alert:#?}"
    );
    let (mut left, _) = agent.stop().unwrap();
    left.retain(|alert| alert.container_id.as_deref() == Some(plain.name.as_str()));
    assert!(left.is_empty(), "{left:#?}");
}

/// A pod of podman's, removed when dropped.
struct Pod(String);

impl Pod {
    fn podman(arguments: &[&str]) -> String {
        let output = container::podman()
            .args(arguments)
            .output()
            .expect("podman is installed");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success(), "podman {arguments:?}: {output:?}");
        text
    }

    fn create() -> Self {
        let name = format!("plimsoll-test-pod-{}", std::process::id());
        Self::podman(&["pod", "create", "--infra=false", "--name", &name]);
        Self(name)
    }

    /// Makes one of its containers; gives its id.
    fn add(&self, options: &[&str], command: &[&str]) -> String {
        let start = ["create", "--pod", &self.0];
        let image = ["localhost/plimsoll-demo/redis:latest"];
        Self::podman(&[&start, options, &image, command].concat())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = container::podman().args(["pod", "rm", "--force", &self.0]).output();
    }
}

#[test]
fn an_init_container_runs_its_own_command_in_its_entrypoint_and_the_pod_then_serves() {
    let name = "an_init_container_runs_its_own_command_in_its_entrypoint_and_the_pod_then_serves";
    let Some(stage) = prepare(name, "docker-archive:redis.docker.tar") else {
        return;
    };
    let mount = format!("{}:/acts:ro", stage.acts());
    let agent = stage.agent();
    let pod = Pod::create();
    let work = "id -u; redis-cli --version; echo ready >/data/state";
    let through_the_script = pod.add(&["--init-ctr=always"], &["sh", "-c", work]);
    let replaced = pod.add(&["--init-ctr=always", "--entrypoint", "/bin/sh"], &["-c", work]);
    let drop_and_run = "cp /acts/payload /tmp/kinsing && /tmp/kinsing";
    let bad = pod.add(&["--init-ctr=always", "--volume", &mount], &["sh", "-c", drop_and_run]);
    let server = Container {
        id: pod.add(&[], &[]),
        name: "server".to_owned(),
    };
    Pod::podman(&["pod", "start", &pod.0]);
    server.wait_for(&["redis-cli", "PING"], "PONG").unwrap();

    let alert = agent.next_alert(&bad).unwrap();
    assert_eq!(alert.rule, "exec-not-in-image", "{alert:#?}");
    assert_eq!(alert.phase, Some(Phase::Entrypoint), "{alert:#?}");
    server.exec(&["sh", "-c", "id"]).unwrap();
    let session = agent.next_alert(&server.id).unwrap();
    assert_eq!(session.phase, Some(Phase::Session), "{session:#?}");
    let (mut left, _) = agent.stop().unwrap();
    left.retain(|alert| {
        let id = alert.container_id.as_deref().unwrap_or_default();
        [&through_the_script, &replaced, &bad, &server.id]
            .iter()
            .any(|known| *known == id)
    });
    assert!(left.is_empty(), "{left:#?}");
}
