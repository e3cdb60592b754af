//! The database on a real registry: pushed, signed, pulled whole and as a delta; damaged, cut, unsigned, killed and dead
//! mirrors leave the old database or the new one, always whole.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use plimsoll_tests::{
    command::{self, Run},
    machine,
    registry::Registry,
};

/// Kills during a pull.
const KILLS: u32 = 20;

struct Scene {
    registry: Registry,
    folder: tempfile::TempDir,
}

impl Scene {
    /// `None`, said loudly, where the tools are missing.
    fn start(test: &str) -> Option<Self> {
        if let Some(tool) = ["docker-registry", "openssl"]
            .into_iter()
            .find(|tool| !machine::has(tool))
        {
            machine::say_skipped(test, &format!("{tool} is not installed"));
            return None;
        }
        let scene = Self {
            registry: Registry::start().expect("docker-registry starts"),
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        for name in ["own", "other"] {
            let (key, public) = (scene.path(&format!("{name}.key")), scene.path(&format!("{name}.pub")));
            let made = Command::new("openssl")
                .args([
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-out",
                ])
                .arg(&key)
                .status();
            assert!(made.is_ok_and(|status| status.success()));
            let made = Command::new("openssl")
                .args(["pkey", "-pubout", "-in"])
                .arg(&key)
                .arg("-out")
                .arg(public)
                .status();
            assert!(made.is_ok_and(|status| status.success()));
        }
        Some(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn reference(&self, tag: &str) -> String {
        format!("{}/team/database:{tag}", self.registry.address)
    }

    /// A database of so many Debian advisories.
    fn build(&self, name: &str, count: usize) -> PathBuf {
        let record = |number| {
            format!(
                r#"{{"id":"CVE-2024-{number:05}","modified":"2025-01-01T00:00:00Z","details":"fault {} of {number}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"package{number}"}}}}]}}"#,
                number * 7919 % 10_007
            )
        };
        let feed = self.path(&format!("{name}.jsonl"));
        fs::write(&feed, (0..count).map(record).collect::<Vec<_>>().join("\n")).unwrap();
        let database = self.path(name);
        let run = command::run(["db", "import", "--replace", "--db", text(&database), text(&feed)]);
        assert_eq!(run.code, Some(0), "{run:?}");
        database
    }

    fn push(&self, database: &Path, tag: &str, more: &[&str]) -> Run {
        let reference = self.reference(tag);
        let arguments = ["db", "push", &reference, "--db", text(database)];
        command::run(arguments.iter().chain(more))
    }

    fn pull(&self, database: &Path, tag: &str, more: &[&str]) -> Run {
        let reference = self.reference(tag);
        let arguments = ["db", "pull", &reference, "--db", text(database)];
        command::run(arguments.iter().chain(more))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders are called by letters")
}

/// Panics unless the database is whole and byte for byte one of these.
fn is_one_of(database: &Path, expected: &[&Path]) {
    let run = command::run(["db", "verify", "--db", text(database)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let bytes = fs::read(database).unwrap();
    assert!(expected.iter().any(|path| fs::read(path).unwrap() == bytes));
}

#[test]
fn it_is_pulled_whole_and_then_as_a_delta() {
    let Some(scene) = Scene::start("it_is_pulled_whole_and_then_as_a_delta") else {
        return;
    };
    let (old, new) = (scene.build("old.db", 3000), scene.build("new.db", 3030));
    let copy = scene.path("copy.db");
    assert_eq!(scene.pull(&copy, "1", &[]).code, Some(4), "there is nothing yet");
    let run = scene.push(&old, "1", &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = scene.pull(&copy, "1", &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    is_one_of(&copy, &[&old]);
    let run = scene.pull(&copy, "1", &[]);
    assert!(run.code == Some(0) && run.stdout.contains("unchanged"), "{run:?}");
    let run = scene.push(&new, "1", &["--delta-from", text(&old)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = scene.pull(&copy, "1", &[]);
    assert!(run.code == Some(0) && run.stdout.contains("delta"), "{run:?}");
    is_one_of(&copy, &[&new]);
    // Another database is no base: the whole one comes.
    let other = scene.build("third.db", 10);
    let run = scene.pull(&other, "1", &[]);
    assert!(run.code == Some(0) && !run.stdout.contains("delta"), "{run:?}");
    is_one_of(&other, &[&new]);
}

#[test]
fn only_the_right_key_will_do_and_openssl_agrees() {
    let Some(scene) = Scene::start("only_the_right_key_will_do_and_openssl_agrees") else {
        return;
    };
    let database = scene.build("v.db", 50);
    let (key, public, other) = (scene.path("own.key"), scene.path("own.pub"), scene.path("other.pub"));
    let copy = scene.path("copy.db");
    assert_eq!(scene.push(&database, "unsigned", &[]).code, Some(0));
    for (tag, given) in [("unsigned", &public), ("signed", &other)] {
        if tag == "signed" {
            let run = scene.push(&database, tag, &["--key", text(&key)]);
            assert_eq!(run.code, Some(0), "{run:?}");
        }
        // Two pushes of one database made in the same way are one manifest: another one must not be vouched for.
        let run = scene.pull(&copy, tag, &["--public-key", text(given)]);
        assert_eq!(run.code, Some(4), "{tag}: {run:?}");
        assert!(
            run.stderr.contains("signature") && run.stderr.contains("hint: "),
            "{tag}: {run:?}"
        );
        assert!(!copy.exists(), "{tag}");
    }
    let run = scene.pull(
        &copy,
        "signed",
        &["--public-key", text(&other), "--public-key", text(&public)],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    is_one_of(&copy, &[&database]);
    // No key of ours, no key at all.
    for bad in [&key, &database] {
        assert_eq!(scene.pull(&copy, "signed", &["--public-key", text(bad)]).code, Some(2));
    }
    signature_is_cosigns(&scene, &public);
}

/// What `cosign verify --key` does: the payload under the tag made of the digest, its signature in an annotation.
fn signature_is_cosigns(scene: &Scene, public: &Path) {
    let get = |place: &str| {
        let output = Command::new("curl")
            .args(["-sf", "-H", "Accept: application/vnd.oci.image.manifest.v1+json"])
            .arg(format!("http://{}/v2/team/database/{place}", scene.registry.address))
            .output()
            .unwrap();
        assert!(output.status.success(), "{place}: {output:?}");
        output.stdout
    };
    let digest = plimsoll_tests::image::digest(&get("manifests/signed"));
    let manifest = get(&format!("manifests/{}.sig", digest.replace(':', "-")));
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.dev.cosign.simplesigning.v1+json");
    let payload = get(&format!("blobs/{}", layer["digest"].as_str().unwrap()));
    let (file, encoded, signature) = (scene.path("payload"), scene.path("sig64"), scene.path("sig"));
    fs::write(&file, &payload).unwrap();
    fs::write(
        &encoded,
        layer["annotations"]["dev.cosignproject.cosign/signature"]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    let decoded = Command::new("openssl")
        .args(["base64", "-d", "-A", "-in"])
        .arg(&encoded)
        .arg("-out")
        .arg(&signature)
        .status();
    assert!(decoded.unwrap().success());
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-verify"])
        .arg(public)
        .arg("-signature")
        .arg(&signature)
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["critical"]["image"]["docker-manifest-digest"], digest.as_str());
}

#[test]
fn damaged_blobs_and_dead_registries_leave_the_old_database() {
    let Some(scene) = Scene::start("damaged_blobs_and_dead_registries_leave_the_old_database") else {
        return;
    };
    let (old, new) = (scene.build("old.db", 300), scene.build("new.db", 320));
    let copy = scene.path("copy.db");
    fs::copy(&old, &copy).unwrap();
    assert_eq!(scene.push(&new, "1", &[]).code, Some(0));
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("{dead}/team/database:1");
    let run = command::run(["db", "pull", &nobody, "--db", text(&copy)]);
    assert_eq!(run.code, Some(4), "{run:?}");
    is_one_of(&copy, &[&old]);
    // The first reference is dead, the second answers.
    let run = command::run(["db", "pull", &nobody, &scene.reference("1"), "--db", text(&copy)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    is_one_of(&copy, &[&new]);
    fs::copy(&old, &copy).unwrap();
    // A dead mirror before the registry, and the registry itself.
    let mirror = format!("{}={dead}", scene.registry.address);
    let run = scene.pull(&copy, "1", &["--registry-mirror", &mirror]);
    assert_eq!(run.code, Some(0), "{run:?}");
    is_one_of(&copy, &[&new]);
    fs::copy(&old, &copy).unwrap();
    let largest = largest_blob(&scene);
    let whole = fs::read(&largest).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (what, bytes) in [
        ("flipped", flipped.as_slice()),
        ("cut", &whole[..whole.len() / 2]),
        ("empty", &[]),
    ] {
        fs::write(&largest, bytes).unwrap();
        let run = scene.pull(&copy, "1", &[]);
        assert_eq!(run.code, Some(4), "{what}: {run:?}");
        is_one_of(&copy, &[&old]);
    }
    fs::write(&largest, &whole).unwrap();
    let run = scene.pull(&copy, "1", &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    is_one_of(&copy, &[&new]);
}

/// The file of the largest blob that the registry has.
fn largest_blob(scene: &Scene) -> PathBuf {
    let any = scene.registry.blob(&format!("sha256:{}", "0".repeat(64)));
    let blobs = any
        .ancestors()
        .nth(3)
        .expect("blobs lie four levels below the registry's folder");
    let output = Command::new("find")
        .arg(blobs)
        .args(["-type", "f", "-name", "data", "-printf", "%s %p\n"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let largest = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .max_by_key(|(size, _)| size.parse::<u64>().unwrap());
    PathBuf::from(largest.unwrap().1)
}

#[test]
fn a_pull_that_is_killed_leaves_the_old_or_the_new_database() {
    let Some(scene) = Scene::start("a_pull_that_is_killed_leaves_the_old_or_the_new_database") else {
        return;
    };
    let (old, new) = (scene.build("old.db", 3000), scene.build("new.db", 3030));
    assert_eq!(scene.push(&new, "1", &["--delta-from", text(&old)]).code, Some(0));
    let copy = scene.path("copy.db");
    fs::copy(&old, &copy).unwrap();
    let start = Instant::now();
    assert_eq!(scene.pull(&copy, "1", &[]).code, Some(0));
    let whole = start.elapsed();
    for round in 0..KILLS {
        fs::copy(&old, &copy).unwrap();
        let mut child = command::plimsoll()
            .args(["db", "pull", &scene.reference("1"), "--db", text(&copy)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + whole * round / KILLS;
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        is_one_of(&copy, &[&old, &new]);
    }
    assert_eq!(scene.pull(&copy, "1", &[]).code, Some(0));
    is_one_of(&copy, &[&new]);
}
