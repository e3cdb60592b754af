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
    fault_proxy::{Act, FaultProxy},
    machine,
    registry::Registry,
    repository,
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
        let run = command::run(["db", "build", "--db", text(&database), text(&feed)]);
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

/// A proxy that breaks the connection within a large blob, as often as `script` says by how many times it was asked for.
fn breaking(scene: &Scene, script: impl Fn(usize) -> bool + Send + Sync + 'static) -> FaultProxy {
    FaultProxy::start(&scene.registry.address, move |asked| {
        let is_blob = asked.method == "GET" && asked.path.contains("/blobs/sha256:");
        match is_blob && script(asked.before) {
            true => Act::Cut(CUT_BYTES),
            false => Act::Pass,
        }
    })
    .expect("a proxy on loopback starts")
}

/// Bytes of an answer, its head included, that go through before a connection breaks: in the midst of the database.
const CUT_BYTES: usize = 20_000;

/// The ranges that were asked for.
fn ranges(proxy: &FaultProxy) -> Vec<String> {
    let asked = proxy.asked();
    let ranges = asked.iter().filter_map(|asked| asked.header("range"));
    ranges.map(str::to_owned).collect()
}

#[test]
fn a_broken_download_goes_on_where_it_was_and_in_a_later_run_too() {
    let Some(scene) = Scene::start("a_broken_download_goes_on_where_it_was_and_in_a_later_run_too") else {
        return;
    };
    let (old, new) = (scene.build("old.db", 10), scene.build("new.db", 3000));
    assert_eq!(scene.push(&new, "1", &[]).code, Some(0));
    let largest = fs::metadata(largest_blob(&scene)).unwrap().len();
    assert!(
        largest > 2 * CUT_BYTES as u64,
        "{largest} bytes are too few to be broken twice"
    );
    let copy = scene.path("copy.db");
    fs::copy(&old, &copy).unwrap();
    let pull = |proxy: &FaultProxy| {
        let reference = format!("{}/team/database:1", proxy.address);
        command::run(["db", "pull", &reference, "--db", text(&copy)])
    };
    // Broken every time: the old database stays, and what came is kept for the next run, which needs only the rest.
    let always = breaking(&scene, |_| true);
    let run = pull(&always);
    if run.code == Some(0) {
        // So many attempts were made in one run that they were enough together.
        assert!(ranges(&always).len() > 1, "{:?}", ranges(&always));
    } else {
        assert_eq!(run.code, Some(4), "{run:?}");
        is_one_of(&copy, &[&old]);
        let never = breaking(&scene, |_| false);
        let run = pull(&never);
        assert_eq!(run.code, Some(0), "{run:?}");
        let asked = ranges(&never);
        assert!(
            !asked.is_empty() && !asked.iter().any(|range| range.starts_with("bytes=0-")),
            "{asked:?}"
        );
    }
    is_one_of(&copy, &[&new]);
    // Broken once: the same run goes on.
    fs::copy(&old, &copy).unwrap();
    let once = breaking(&scene, |before| before == 0);
    let run = pull(&once);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(ranges(&once).len(), 1, "{:?}", ranges(&once));
    is_one_of(&copy, &[&new]);
}

#[test]
fn a_budget_that_is_up_leaves_the_old_database() {
    let Some(scene) = Scene::start("a_budget_that_is_up_leaves_the_old_database") else {
        return;
    };
    let (old, new) = (scene.build("old.db", 10), scene.build("new.db", 3000));
    assert_eq!(scene.push(&new, "1", &[]).code, Some(0));
    let copy = scene.path("copy.db");
    fs::copy(&old, &copy).unwrap();
    let run = scene.pull(&copy, "1", &["--budget", "0"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    is_one_of(&copy, &[&old]);
    // The budget is for all references together: the second one has no time of its own.
    let reference = scene.reference("1");
    let run = command::run([
        "db",
        "pull",
        &reference,
        &reference,
        "--db",
        text(&copy),
        "--budget",
        "0",
    ]);
    assert_eq!(run.code, Some(4), "{run:?}");
    is_one_of(&copy, &[&old]);
}

/// Debian's advisories as they were in February 2025, and as they are with those that came later.
fn real(scene: &Scene) -> Option<(PathBuf, PathBuf)> {
    let debian = repository::root().join("../shared/data/advisories/debian");
    let first = debian.join("debian-osv-2025-02-12.jsonl.zst");
    if !first.exists() {
        machine::say_skipped("a_delta_of_real_advisories", &format!("{} is absent", first.display()));
        return None;
    }
    let later = debian.join("debian-bookworm-supplement-2026-11-20.osv.jsonl.zst");
    let import = |name: &str, feeds: &[&Path]| {
        let database = scene.path(name);
        let arguments = ["db", "build", "--db", text(&database)];
        let run = command::run(arguments.into_iter().chain(feeds.iter().map(|feed| text(feed))));
        assert_eq!(run.code, Some(0), "{run:?}");
        database
    };
    Some((
        import("real-old.db", &[&first]),
        import("real-new.db", &[&first, &later]),
    ))
}

#[test]
fn a_delta_of_real_advisories_is_small_and_the_whole_one_takes_its_place() {
    let name = "a_delta_of_real_advisories_is_small_and_the_whole_one_takes_its_place";
    let Some(scene) = Scene::start(name) else { return };
    let Some((old, new)) = real(&scene) else { return };
    let run = scene.push(&new, "1", &["--delta-from", text(&old)]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let copy = scene.path("copy.db");
    fs::copy(&old, &copy).unwrap();
    let run = scene.pull(&copy, "1", &[]);
    assert!(run.code == Some(0) && run.stdout.contains("delta"), "{run:?}");
    is_one_of(&copy, &[&new]);
    // The delta lies beside the whole database, and is the second largest blob by far.
    let all = blobs(&scene);
    let [.., (delta, file), (whole, _)] = all.as_slice() else {
        panic!("{all:?}")
    };
    eprintln!("real advisories: whole {whole} bytes, delta {delta} bytes");
    assert!(delta * 3 < *whole, "{all:?}");
    // A delta that is damaged where it lies: the whole database is taken instead.
    fs::copy(&old, &copy).unwrap();
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
    let run = scene.pull(&copy, "1", &[]);
    assert!(run.code == Some(0) && !run.stdout.contains("delta"), "{run:?}");
    assert!(
        run.stderr.contains("the whole database is downloaded instead"),
        "{run:?}"
    );
    is_one_of(&copy, &[&new]);
}

/// All blobs with their sizes, smallest first.
fn blobs(scene: &Scene) -> Vec<(u64, PathBuf)> {
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
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let mut blobs: Vec<(u64, PathBuf)> = lines
        .map(|(size, path)| (size.parse().unwrap(), PathBuf::from(path)))
        .collect();
    blobs.sort_unstable();
    blobs
}

/// The file of the largest blob that the registry has.
fn largest_blob(scene: &Scene) -> PathBuf {
    blobs(scene).pop().unwrap().1
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
