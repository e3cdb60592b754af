//! Bad input at the command line: each ends with the exit code that it must have, a `hint:` line, and no panic.

use std::{fs, path::Path};

use plimsoll_tests::{
    command::{self, Run},
    image,
};
use serde_json::json;

/// A failed run says what failed and what to do, and is not our own bug.
fn check(run: &Run, code: i32, words: &[&str], what: &str) {
    assert_eq!(run.code, Some(code), "{what}: {run:?}");
    for word in words.iter().chain(&["hint: "]) {
        assert!(
            run.stderr.contains(word),
            "{what}: stderr does not say `{word}`: {run:?}"
        );
    }
    assert!(!run.stderr.contains("panicked"), "{what}: {run:?}");
}

#[test]
fn targets_that_are_not_there() {
    let cases: [(&[&str], i32, &[&str]); 7] = [
        (&["scan", "oci:/nonexistent/layout"], 3, &["/nonexistent/layout"]),
        (&["scan", "docker-archive:/nonexistent.tar"], 3, &["/nonexistent.tar"]),
        (&["scan", "127.0.0.1:1/nobody/there:1"], 3, &["127.0.0.1:1"]),
        (&["scan", "127.0.0.1:1/Upper/Case:1"], 2, &["Upper/Case"]),
        (&["profile", "oci:/nonexistent/layout"], 3, &["/nonexistent/layout"]),
        (
            &["agent", "--replay", "/nonexistent.plimsoll"],
            3,
            &["/nonexistent.plimsoll"],
        ),
        (&["db", "import", "/nonexistent.jsonl"], 3, &["/nonexistent.jsonl"]),
    ];
    for (arguments, code, words) in cases {
        check(&command::run(arguments), code, words, &arguments.join(" "));
    }
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for arguments in [
        &["scan"][..],
        &["scan", "--no-such-flag", "x"],
        &["no-such-command"],
        &["db", "import"],
        &[],
    ] {
        let run = command::run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("Usage"), "{arguments:?}: {run:?}");
    }
}

#[test]
fn help_and_version_go_to_stdout_and_succeed() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["scan", "--help"],
        &["agent", "--help"],
        &["db", "--help"],
    ] {
        let run = command::run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
        assert!(
            !run.stdout.is_empty() && run.stderr.is_empty(),
            "{arguments:?}: {run:?}"
        );
    }
}

/// Writes the small image, lets a test damage it, scans it.
fn scan_damaged(damage: impl FnOnce(&image::Layout)) -> Run {
    let folder = tempfile::tempdir().expect("the folder is ours");
    let files = image::debian_files();
    let layout = image::write_layout(folder.path(), &[&files], &json!({})).expect("the folder is ours");
    damage(&layout);
    command::scan(&format!("oci:{}", folder.path().display()), &[])
}

#[test]
fn an_undamaged_image_is_clean() {
    let run = scan_damaged(|_| {});
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("demo"), "{run:?}");
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_never_clean() {
    let run = scan_damaged(|layout| {
        let blob = layout.blob(&layout.layer_digests[0]);
        fs::write(blob, image::gzip(&image::archive(&[("etc/other", b"other")]))).unwrap();
    });
    check(
        &run,
        5,
        &["verify the digest", "do not run this image"],
        "another layer",
    );
}

#[test]
fn a_truncated_layer_is_never_clean() {
    let run = scan_damaged(|layout| {
        let blob = layout.blob(&layout.layer_digests[0]);
        let bytes = fs::read(&blob).unwrap();
        fs::write(blob, &bytes[..bytes.len() / 2]).unwrap();
    });
    check(&run, 5, &["digest"], "half a layer");
}

#[test]
fn an_image_of_more_files_than_are_read_is_never_clean() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..2_000).map(|number| format!("srv/{number}")).collect();
    let tiny: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    image::write_layout(folder.path(), &[&image::debian_files(), &tiny], &json!({})).unwrap();
    let target = format!("oci:{}", folder.path().display());
    let run = command::scan(&target, &["--max-entries", "1000", "-o", "json"]);
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.stdout.contains("more than 1000 files"), "{run:?}");
    let run = command::scan(&target, &["--max-entries", "2004"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn a_missing_layer_is_never_clean() {
    let run = scan_damaged(|layout| fs::remove_file(layout.blob(&layout.layer_digests[0])).unwrap());
    assert!(matches!(run.code, Some(3 | 5)), "{run:?}");
}

#[test]
fn an_unknown_layer_type_is_never_clean() {
    let folder = tempfile::tempdir().unwrap();
    let files = image::debian_files();
    let layout = image::write_layout(folder.path(), &[&files], &json!({})).unwrap();
    let manifest = fs::read_to_string(layout.blob(&layout.manifest_digest)).unwrap();
    let changed = manifest.replace("layer.v1.tar+gzip", "layer.v1.tar+lzip");
    replace_manifest(&layout, changed.as_bytes());
    let run = command::scan(&format!("oci:{}", folder.path().display()), &[]);
    assert_eq!(run.code, Some(5), "{run:?}");
}

fn replace_manifest(layout: &image::Layout, manifest: &[u8]) {
    let digest = image::digest(manifest);
    fs::write(layout.blob(&digest), manifest).expect("the folder is ours");
    let index = layout.folder.join("index.json");
    let mut document: serde_json::Value =
        serde_json::from_slice(&fs::read(&index).expect("we wrote it")).expect("we wrote it");
    document["manifests"][0]["digest"] = json!(digest);
    document["manifests"][0]["size"] = json!(manifest.len());
    fs::write(&index, document.to_string()).expect("the folder is ours");
}

#[test]
fn files_that_are_no_image_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8]); 4] = [
        ("empty.tar", b""),
        ("text.tar", b"this is no archive"),
        ("zeros.tar", &[0; 4096]),
        ("other.tar", &image::archive(&[("readme", b"hello")])),
    ];
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let run = command::scan(&format!("docker-archive:{}", path.display()), &[]);
        assert!(matches!(run.code, Some(3 | 5)), "{name}: {run:?}");
        assert!(run.stderr.contains("hint: "), "{name}: {run:?}");
    }
}

#[test]
fn without_vulnerability_data_there_is_no_clean_bill() {
    let folder = tempfile::tempdir().unwrap();
    let files = image::debian_files();
    image::write_layout(folder.path(), &[&files], &json!({})).unwrap();
    let target = format!("oci:{}", folder.path().display());
    check(
        &command::run(["scan", &target]),
        4,
        &["plimsoll db import"],
        "no database",
    );
    let missing = ["scan", &target, "--db", "/nonexistent.db"];
    check(
        &command::run(missing),
        4,
        &["/nonexistent.db"],
        "a database that is not there",
    );
    let broken = folder.path().join("broken.db");
    fs::write(&broken, "no database").unwrap();
    let run = command::run(["scan", &target, "--db", &broken.display().to_string()]);
    check(&run, 4, &["broken.db"], "a database that is none");
}

#[test]
fn control_characters_of_an_image_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = image::debian_files();
    files[1].1 =
        b"Package: demo\x1b[31m\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\x1b]0;x\x07\n\n";
    image::write_layout(folder.path(), &[&files], &json!({ "User": "\u{1b}[2J" })).unwrap();
    let target = format!("oci:{}", folder.path().display());
    for command in ["scan", "profile"] {
        let run = command::run([command, &target]);
        assert!(
            !(run.stdout + &run.stderr).contains('\u{1b}'),
            "{command} prints an escape"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let files = image::debian_files();
    image::write_layout(folder.path(), &[&files], &json!({})).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell
        .args([
            "-c",
            "\"$1\" scan --skip-vulnerabilities \"oci:$2\" -o json | head -c 1 >/dev/null",
            "sh",
        ])
        .arg(command::binary())
        .arg(Path::new(folder.path()));
    let run = command::finish(shell);
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}
