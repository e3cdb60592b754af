//! Images that engines of this machine have, folders, and running containers, against the real engines: the same image is
//! the same report, wherever it comes from.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command};

use plimsoll_model::{FileEntry, NoteKind, ScanReport};
use plimsoll_tests::{
    command,
    container::{self, Container},
    engine::{self, Engine, run},
    image::{self, Layout},
    machine,
};
use serde_json::json;
use tempfile::TempDir;

struct Made {
    folder: TempDir,
    layout: Layout,
    archive: String,
}

/// The small image as an OCI layout and as a docker-archive, by skopeo.
fn made() -> Made {
    let folder = tempfile::tempdir().unwrap();
    let files = image::debian_files();
    // The same layer twice: engines send it once.
    let again: &[(&str, &[u8])] = &[("srv/again", b"x")];
    let layers = [&files[..2], again, &files[2..], again];
    let config = json!({ "Entrypoint": ["/usr/bin/demo"], "ExposedPorts": { "80/tcp": {} } });
    let layout = image::write_layout(&folder.path().join("layout"), &layers, &config).unwrap();
    let archive = folder.path().join("demo.tar").display().to_string();
    run(Command::new("skopeo")
        .args(["copy", "--quiet", "--insecure-policy"])
        .arg(format!("oci:{}:latest", layout.folder.display()))
        .arg(format!("docker-archive:{archive}:registry.example/team/demo:1")))
    .unwrap();
    Made {
        folder,
        layout,
        archive,
    }
}

fn scan(made: &Made, target: &str, arguments: &[&str]) -> ScanReport {
    let out = made.folder.path().join("report.json");
    let run = command::scan(
        target,
        &[arguments, &["-o", &format!("json={}", out.display())]].concat(),
    );
    assert_eq!(run.code, Some(0), "{target}: {run:?}");
    serde_json::from_slice(&fs::read(&out).unwrap()).unwrap()
}

/// What must not depend on where an image comes from.
fn assert_same(made: &Made, found: &ScanReport) {
    let expected = scan(made, &format!("docker-archive:{}", made.archive), &[]);
    assert_eq!(found.files, expected.files);
    assert_eq!(found.sbom, expected.sbom);
    assert_eq!(found.image.diff_ids, expected.image.diff_ids);
    assert_eq!(found.config, expected.config);
    assert_eq!(found.notes, expected.notes);
    let lines = |report: &ScanReport| {
        report
            .layers
            .iter()
            .map(|layer| layer.created_by.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(found), lines(&expected));
}

#[test]
fn an_image_of_dockerd() {
    if let Some(reason) = engine::why_not(&["dockerd", "docker", "skopeo"]) {
        machine::say_skipped("an_image_of_dockerd", &reason);
        return;
    }
    let made = made();
    let docker = Engine::docker().unwrap();
    let host = format!("unix://{}", docker.socket.display());
    run(Command::new("docker").args(["-H", &host, "load", "--quiet", "--input", &made.archive])).unwrap();
    let arguments = ["--docker-host", &host];
    let found = scan(&made, "docker:registry.example/team/demo:1", &arguments);
    assert_same(&made, &found);
    let cache = made.folder.path().join("cache").display().to_string();
    let cached = ["--docker-host", &host, "--cache-dir", &cache];
    for _ in 0..2 {
        assert_eq!(scan(&made, "docker:registry.example/team/demo:1", &cached), found);
    }
    let nothing = command::scan("docker:registry.example/team/other:1", &arguments);
    assert_eq!(nothing.code, Some(3), "{nothing:?}");
    assert!(nothing.stderr.contains("it has no image"), "{nothing:?}");
    let nobody = command::scan("docker:x", &["--docker-host", "unix:///nonexistent"]);
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert!(nobody.stderr.contains("there is no socket"), "{nobody:?}");
}

#[test]
fn an_image_of_podman() {
    if let Some(reason) = engine::why_not(&["podman", "skopeo"]) {
        machine::say_skipped("an_image_of_podman", &reason);
        return;
    }
    let made = made();
    let podman = Engine::podman(None).unwrap();
    run(podman
        .podman_command()
        .args(["load", "--quiet", "--input", &made.archive]))
    .unwrap();
    let host = format!("unix://{}", podman.socket.display());
    let found = scan(&made, "podman:registry.example/team/demo:1", &["--podman-host", &host]);
    assert_same(&made, &found);
}

#[test]
fn an_image_of_containerd() {
    if let Some(reason) = engine::why_not(&["containerd", "ctr", "skopeo"]) {
        machine::say_skipped("an_image_of_containerd", &reason);
        return;
    }
    let made = made();
    let containerd = Engine::containerd().unwrap();
    let address = containerd.socket.display().to_string();
    run(Command::new("ctr").args(["--address", &address, "-n", "team", "images", "import", &made.archive])).unwrap();
    let arguments = ["--containerd-address", &address, "--containerd-namespace", "team"];
    let found = scan(&made, "containerd:registry.example/team/demo:1", &arguments);
    assert_eq!(found.image.config_digest.to_string(), made.layout.config_digest);
    assert_same(&made, &found);
    let other = command::scan("containerd:registry.example/team/demo:1", &arguments[..2]);
    assert_eq!(other.code, Some(3), "{other:?}");
    assert!(other.stderr.contains("namespace default has no image"), "{other:?}");
}

/// Files as they would be in a container, and things that are no files.
fn write_system(root: &Path) {
    for (path, content) in image::debian_files() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    std::os::unix::fs::symlink("/etc/shadow", root.join("etc/outside")).unwrap();
    std::os::unix::fs::symlink("..", root.join("usr/loop")).unwrap();
}

#[test]
fn a_folder_is_read_without_leaving_it() {
    let folder = tempfile::tempdir().unwrap();
    write_system(folder.path());
    let pipe = folder.path().join("pipe");
    run(Command::new("mkfifo").arg(&pipe)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let inventory = tempfile::NamedTempFile::new().unwrap();
    let mut digests = Vec::new();
    let path = folder.path().display().to_string();
    for target in [format!("rootfs:{path}"), path.clone(), format!("dir:{path}")] {
        let outputs = [
            format!("json={}", out.path().display()),
            format!("inventory={}", inventory.path().display()),
        ];
        let run = command::scan(&target, &["-o", &outputs[0], "-o", &outputs[1]]);
        assert_eq!(run.code, Some(0), "{target}: {run:?}");
        let report: ScanReport = serde_json::from_slice(&fs::read(out.path()).unwrap()).unwrap();
        let names: Vec<_> = report
            .sbom
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(names, ["demo"], "{target}");
        let files: Vec<FileEntry> = fs::read_to_string(inventory.path())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let outside = files.iter().find(|file| file.path == "/etc/outside").unwrap();
        assert_eq!(outside.link_target.as_deref(), Some("/etc/shadow"));
        assert_eq!(outside.digest, None);
        assert!(!files.iter().any(|file| file.path.contains("loop/")), "{files:?}");
        assert!(
            report.notes.iter().all(|note| note.kind == NoteKind::Hint),
            "{:?}",
            report.notes
        );
        assert!(
            report.notes.iter().any(|note| note.subject == "/socket"),
            "{:?}",
            report.notes
        );
        digests.push(report.image.config_digest);
    }
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "one content, one digest: {digests:?}"
    );
    let missing = command::scan("dir:/nonexistent", &[]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
}

#[test]
fn a_running_container_by_pid_and_by_name() {
    let reason = engine::why_not(&["podman", "runc"]).or_else(container::why_no_images);
    if let Some(reason) = reason {
        machine::say_skipped("a_running_container_by_pid_and_by_name", &reason);
        return;
    }
    let container = Container::start("redis", &[], &[]).unwrap();
    let service = Engine::podman(Some(container::podman())).unwrap();
    let host = format!("unix://{}", service.socket.display());
    container
        .exec(&["sh", "-c", "echo new >/srv/new; chmod 755 /srv/new"])
        .unwrap();
    let pid = run(container::podman().args(["inspect", "--format", "{{.State.Pid}}", &container.id])).unwrap();
    let image = run(container::podman().args(["inspect", "--format", "{{.Image}}", &container.id])).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    for target in [&container.name, &container.id, &pid] {
        let options = ["--podman-host", &host, "--docker-host", "unix:///nonexistent"];
        let target = format!("container:{target}");
        let output = format!("json={}", out.path().display());
        let run = command::scan(&target, &[&options[..], &["-o", &output]].concat());
        assert_eq!(run.code, Some(0), "{target}: {run:?}");
        let report: ScanReport = serde_json::from_slice(&fs::read(out.path()).unwrap()).unwrap();
        assert_eq!(
            report.image.config_digest.encoded(),
            image.trim_start_matches("sha256:"),
            "{target}"
        );
        assert!(
            report
                .sbom
                .packages
                .iter()
                .any(|package| package.name == "redis-server")
        );
        assert!(report.files.iter().any(|file| file.path == "/srv/new"));
        assert!(
            !report.files.iter().any(|file| file.path.starts_with("/proc/")),
            "{target}"
        );
        assert!(!report.config.entrypoint.is_empty() || !report.config.cmd.is_empty());
    }
}
