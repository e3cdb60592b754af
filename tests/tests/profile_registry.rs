//! Profiles on a real registry: attached to an image, signed, found again by the image's digest; and an agent with an empty
//! folder of reports and no server, which finds the profile of a container's image there and judges by it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_model::{Phase, Reason, ScanReport};
use plimsoll_tests::{
    agent::Agent,
    command::{self, Run},
    container::{self, podman},
    machine,
    registry::Registry,
    repository,
};

struct Scene {
    registry: Registry,
    folder: tempfile::TempDir,
    /// Of the image's manifest.
    digest: String,
}

impl Scene {
    /// The demo's redis on a registry, and two pairs of keys; `None`, said loudly, where something is missing.
    fn start(test: &str) -> Option<Self> {
        let missing = ["docker-registry", "openssl", "skopeo"]
            .into_iter()
            .find(|tool| !machine::has(tool))
            .map(|tool| format!("{tool} is not installed"));
        if let Some(reason) = missing.or_else(container::why_no_images) {
            machine::say_skipped(test, &reason);
            return None;
        }
        let registry = Registry::start().expect("docker-registry starts");
        let layout = container::demo_folder().join("images/redis");
        let digest = registry.push(&layout, "team/redis:1").expect("the image is pushed");
        let scene = Self {
            registry,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            digest,
        };
        for name in ["own", "other"] {
            let (key, public) = (scene.path(&format!("{name}.key")), scene.path(&format!("{name}.pub")));
            openssl(&[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                text(&key),
            ]);
            openssl(&["pkey", "-pubout", "-in", text(&key), "-out", text(&public)]);
        }
        Some(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn reference(&self) -> String {
        format!("{}/team/redis:1", self.registry.address)
    }

    fn by_digest(&self) -> String {
        format!("{}/team/redis@{}", self.registry.address, self.digest)
    }

    fn pull(&self, reference: &str, more: &[&str]) -> Run {
        command::run(["profile", "pull", reference].iter().chain(more))
    }
}

fn openssl(arguments: &[&str]) {
    let status = Command::new("openssl")
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders are called by letters")
}

fn read(path: &Path) -> ScanReport {
    serde_json::from_slice(&std::fs::read(path).expect("it was written")).expect("it is a report")
}

#[test]
fn a_profile_is_found_by_the_images_digest_and_only_the_right_key_will_do() {
    let Some(scene) = Scene::start("a_profile_is_found_by_the_images_digest_and_only_the_right_key_will_do") else {
        return;
    };
    let (key, public, other) = (scene.path("own.key"), scene.path("own.pub"), scene.path("other.pub"));
    let (report, copy) = (scene.path("report.json"), scene.path("copy.json"));
    let run = command::scan(
        &format!("registry:{}", scene.reference()),
        &["-o", &format!("json={}", text(&report))],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = scene.pull(&scene.by_digest(), &["--output", text(&copy)]);
    assert_eq!(run.code, Some(3), "nothing is attached yet: {run:?}");
    assert!(run.stderr.contains("plimsoll profile push"), "{run:?}");

    let run = command::run(["profile", "push", &scene.reference(), "--report", text(&report)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains(&scene.digest), "{run:?}");
    let pull = |given: &Path| {
        scene.pull(
            &scene.by_digest(),
            &["--output", text(&copy), "--public-key", text(given)],
        )
    };
    let run = pull(&public);
    assert!(
        run.code == Some(4) && run.stderr.contains("signature"),
        "not signed: {run:?}"
    );
    let run = command::run(["profile", "sign", &scene.reference(), "--key", text(&key)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = pull(&other);
    assert_eq!(run.code, Some(4), "signed by somebody else: {run:?}");
    assert!(!copy.exists());
    let run = pull(&public);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(read(&copy), read(&report));

    let none = format!("sha256:{}", "0".repeat(64));
    let run = scene.pull(&scene.by_digest(), &["--config-digest", &none]);
    assert_eq!(run.code, Some(4), "another image: {run:?}");
    assert!(run.stdout.is_empty(), "{run:?}");
}

#[test]
fn a_profile_of_another_image_is_neither_attached_nor_taken() {
    let Some(scene) = Scene::start("a_profile_of_another_image_is_neither_attached_nor_taken") else {
        return;
    };
    let nginx = container::demo_folder().join("images/nginx");
    let (report, forged) = (scene.path("nginx.json"), scene.path("forged.json"));
    let run = command::scan(
        &format!("oci:{}", nginx.display()),
        &["-o", &format!("json={}", text(&report))],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    let push = |path: &Path| command::run(["profile", "push", &scene.reference(), "--report", text(path)]);
    let run = push(&report);
    assert!(run.code == Some(4) && run.stderr.contains("it is of image"), "{run:?}");
    // What a report says of its image is not what it says of its profile's.
    let mut other = read(&report);
    other.image.config_digest = read_config_digest(&scene);
    std::fs::write(
        &forged,
        serde_json::to_vec(&other).expect("the test's own set-up works"),
    )
    .expect("the test's own set-up works");
    assert_eq!(push(&forged).code, Some(4));
}

fn read_config_digest(scene: &Scene) -> plimsoll_model::Digest {
    let blob = scene.registry.blob(&scene.digest);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(blob).expect("the test's own set-up works"))
            .expect("the test's own set-up works");
    manifest["config"]["digest"]
        .as_str()
        .expect("the test's own set-up works")
        .parse()
        .expect("the test's own set-up works")
}

/// A container of an image that podman pulled from the registry; removed, with the image, when dropped.
struct Redis {
    id: String,
    reference: String,
}

impl Redis {
    fn start(reference: &str, acts: &Path) -> Self {
        let say = |output: std::process::Output| {
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout)
                .expect("the test's own set-up works")
                .trim()
                .to_owned()
        };
        say(podman()
            .args(["pull", "--quiet", "--tls-verify=false", reference])
            .output()
            .expect("the test's own set-up works"));
        let run = podman()
            .args(["run", "--detach", "--pull=never", "--volume"])
            .arg(format!("{}:/acts:ro", acts.display()))
            .args([reference, "redis-server", "--enable-module-command", "yes"])
            .output();
        Self {
            id: say(run.expect("the test's own set-up works")),
            reference: reference.to_owned(),
        }
    }

    fn cli(&self, arguments: &[&str]) -> std::process::Output {
        let inspect = podman()
            .args(["inspect", "--format", "{{.State.Pid}}", &self.id])
            .output();
        let pid = String::from_utf8(inspect.expect("the test's own set-up works").stdout)
            .expect("the test's own set-up works");
        Command::new("nsenter")
            .args(["--net", "--target", pid.trim(), "redis-cli"])
            .args(arguments)
            .output()
            .expect("the test's own set-up works")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What is left of a failed removal is below target/.
        let _ = podman().args(["rm", "--force", "--time", "1", &self.id]).output();
        let _ = podman().args(["rmi", "--force", &self.reference]).output();
    }
}

#[test]
fn an_agent_without_server_takes_the_profile_from_the_registry() {
    let name = "an_agent_without_server_takes_the_profile_from_the_registry";
    if let Some(reason) = machine::why_no_bpf() {
        return machine::say_skipped(name, &reason);
    }
    let Some(scene) = Scene::start(name) else {
        return;
    };
    let (key, public) = (scene.path("own.key"), scene.path("own.pub"));
    let run = command::run(["profile", "push", &scene.reference(), "--key", text(&key)]);
    assert_eq!(run.code, Some(0), "{run:?}");

    let (images, state, acts) = (scene.path("images"), scene.path("state"), scene.path("acts"));
    for folder in [&images, &acts] {
        std::fs::create_dir(folder).expect("the test's own set-up works");
    }
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-DACT_SHELL", "-o"])
        .arg(acts.join("shell.so"))
        .arg(repository::root().join("scripts/demo/acts/module.c"))
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    let status = Command::new("chmod")
        .args(["-R", "a+rX"])
        .arg(scene.folder.path())
        .status();
    assert!(status.is_ok_and(|status| status.success()));

    let from = format!("--profiles-from-registry={}", scene.registry.address);
    let arguments = [
        "--images",
        text(&images),
        "--state",
        text(&state),
        &from,
        "--profile-key",
        text(&public),
    ];
    let agent = Agent::start(arguments).expect("the agent starts");
    let redis = Redis::start(&scene.reference(), &acts);
    agent
        .wait_for_talk("its profile judges it")
        .expect("the profile comes from the registry");
    assert_eq!(
        std::fs::read_dir(&images).expect("the test's own set-up works").count(),
        0,
        "nobody wrote there"
    );
    assert!(redis.cli(&["MODULE", "LOAD", "/acts/shell.so"]).status.success());
    let alert = agent
        .find_alert(|alert| alert.container_id.as_deref() == Some(&redis.id) && alert.observed.starts_with("exec "))
        .expect("the shell is told");
    let explained = alert.reasons.iter().any(|reason| match reason {
        Reason::Deviation { evidence, .. } => evidence
            .iter()
            .any(|one| one.detail.contains("redis-server starts no program")),
        Reason::Rule { .. } => false,
    });
    assert!(explained, "{alert:#?}");
    assert_eq!(alert.phase, Some(Phase::Serving), "{alert:#?}");
    let (_, talk) = agent.stop().expect("the test's own set-up works");
    assert!(talk.iter().any(|line| line.contains("with a scan report")), "{talk:?}");
}
