//! `plimsoll diff` and `plimsoll explain` at the command line: two images in, what is different and the exit code out; a file or a
//! package in, where it comes from out; and what is said when either cannot be had.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use plimsoll_tests::{
    command::{self, Run},
    image,
};
use serde_json::{Value, json};

/// Two versions of an image. The second has a newer package, one more program and one more port, and runs as root.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let old = image::debian_files();
        let config = json!({ "User": "1000", "Entrypoint": ["/usr/bin/demo"] });
        image::write_layout(&folder.path().join("old"), &[&old], &config).unwrap();
        let status = old.iter().find(|(path, _)| *path == "var/lib/dpkg/status").unwrap().1;
        let newer = String::from_utf8_lossy(status).replace("1.0-1", "1.1-1");
        let added: &[(&str, &[u8])] = &[
            ("var/lib/dpkg/status", newer.as_bytes()),
            ("usr/bin/other", b"#!/bin/sh\n"),
        ];
        let config = json!({ "User": "0", "Entrypoint": ["/usr/bin/demo"], "ExposedPorts": { "8080/tcp": {} } });
        image::write_layout(&folder.path().join("new"), &[&old, added], &config).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn target(&self, name: &str) -> String {
        format!("oci:{}", self.path(name))
    }

    fn diff(&self, from: &str, to: &str, options: &[&str]) -> Run {
        let (from, to) = (self.target(from), self.target(to));
        command::run([&["diff", &from, &to], options].concat())
    }

    /// What `plimsoll scan -o json` writes of an image.
    fn report(&self, name: &str) -> String {
        let report = self.path(&format!("{name}.json"));
        let run = command::scan(&self.target(name), &["--output", &format!("json={report}")]);
        assert_eq!(run.code, Some(0), "{run:?}");
        report
    }
}

fn check(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for word in words {
        assert!(
            run.stdout.contains(word) || run.stderr.contains(word),
            "nothing says `{word}`: {run:?}"
        );
    }
    assert!(!run.stderr.contains("panicked"), "{run:?}");
    let is_told_what_to_do = ["hint: ", "--help"].iter().any(|word| run.stderr.contains(word));
    assert!(matches!(code, 0 | 1 | 5) || is_told_what_to_do, "{run:?}");
}

#[test]
fn an_image_does_not_differ_from_itself() {
    let scene = Scene::new();
    for options in [&[][..], &["--exit-code"]] {
        check(
            &scene.diff("old", "old", options),
            0,
            &["no difference", "not compared: vulnerabilities"],
        );
    }
}

#[test]
fn every_area_tells_what_is_different() {
    let scene = Scene::new();
    let said = [
        "~ demo (dpkg): 1.0-1 -> 1.1-1",
        "+ /usr/bin/other",
        "! + port 8080/tcp",
        "! ~ user: 1000 -> 0",
    ];
    check(&scene.diff("old", "new", &[]), 0, &said);
    let run = scene.diff("old", "new", &["--output", "json"]);
    check(&run, 0, &[]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["schema"], "plimsoll.diff/v1");
    let changes = document["changes"].as_array().unwrap();
    let worse_in = |area: &str| {
        changes
            .iter()
            .any(|change| change["area"] == area && change["is_worse"] == true)
    };
    assert!(
        worse_in("ports") && worse_in("user") && !worse_in("packages"),
        "{changes:#?}"
    );
}

#[test]
fn the_way_back_is_better_but_for_the_older_package() {
    let scene = Scene::new();
    check(
        &scene.diff("new", "old", &["--exit-code=ports,user,privileges"]),
        0,
        &["- port 8080/tcp"],
    );
    check(
        &scene.diff("new", "old", &["--exit-code=packages"]),
        1,
        &["! ~ demo (dpkg): 1.1-1 -> 1.0-1"],
    );
}

#[test]
fn exit_codes_ask_for_areas() {
    let scene = Scene::new();
    for (option, code) in [
        ("--exit-code", 1),
        ("--exit-code=ports", 1),
        ("--exit-code=packages,user", 1),
        ("--exit-code=packages", 0),
        ("--exit-code=privileges,vulnerabilities", 0),
    ] {
        check(&scene.diff("old", "new", &[option]), code, &["port 8080/tcp"]);
    }
}

#[test]
fn stored_reports_are_compared_as_their_images_are() {
    let scene = Scene::new();
    let (old, new) = (scene.report("old"), scene.report("new"));
    let of_reports = command::run([
        "diff",
        &format!("report:{old}"),
        &format!("report:{new}"),
        "--exit-code",
    ]);
    let of_images = scene.diff("old", "new", &["--exit-code"]);
    check(&of_reports, 1, &[]);
    let without_names = |run: &Run| run.stdout.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_names(&of_reports), without_names(&of_images));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let scene = Scene::new();
    let old = scene.target("old");
    let nonsense = scene.path("nonsense.json");
    fs::write(&nonsense, "{").unwrap();
    let other = scene.path("other.json");
    let mut report: Value = serde_json::from_slice(&fs::read(scene.report("old")).unwrap()).unwrap();
    report["schema"] = json!("plimsoll.scan/v99");
    fs::write(&other, report.to_string()).unwrap();
    let (nonsense, other) = (format!("report:{nonsense}"), format!("report:{other}"));
    let absent = scene.target("absent");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["diff", &old], 2, "<TO>"),
        (&["diff", &old, &old, "--output", "xml"], 2, "there is table, json"),
        (&["diff", &old, &old, "--exit-code=everything"], 2, "no such area"),
        (&["diff", &old, &absent], 3, "absent"),
        (&["diff", &nonsense, &old], 3, "read report"),
        (&["diff", "report:/nonexistent.json", &old], 3, "/nonexistent.json"),
        (&["diff", &other, &old], 3, "plimsoll.scan/v99"),
        (&["diff", &old, &old, "--db", "/nonexistent.db"], 4, "/nonexistent.db"),
    ];
    for (arguments, code, word) in cases {
        check(&command::run(arguments), code, &[word]);
    }
}

#[test]
fn an_image_that_was_not_read_whole_is_never_the_same() {
    let scene = Scene::new();
    let folder = scene.folder.path().join("cut");
    let layout = image::write_layout(&folder, &[&image::debian_files()], &json!({})).unwrap();
    cut(&layout.blob(&layout.layer_digests[0]));
    check(&scene.diff("cut", "cut", &[]), 5, &["digest of blob", "hint: "]);
    // A report says itself what could not be read.
    let mut report: Value = serde_json::from_slice(&fs::read(scene.report("old")).unwrap()).unwrap();
    report["notes"] = json!([{ "kind": "unreadable", "subject": "/a", "detail": "ends early" }]);
    let incomplete = scene.path("incomplete.json");
    fs::write(&incomplete, report.to_string()).unwrap();
    let target = format!("report:{incomplete}");
    check(&command::run(["diff", &target, &target]), 5, &["no difference"]);
}

fn cut(blob: &Path) {
    let whole = fs::read(blob).unwrap();
    fs::write(blob, &whole[..whole.len() - 20]).unwrap();
}

#[test]
fn a_file_says_where_it_comes_from() {
    let scene = Scene::new();
    let (target, report) = (scene.target("new"), scene.report("new"));
    let of_report = ["explain", "/usr/bin/demo", "--report", &report];
    let of_image = ["explain", "/usr/bin/demo", &target];
    for arguments in [of_report.as_slice(), &of_image] {
        check(
            &command::run(arguments),
            0,
            &["demo 1.1-1", "1 of 2", "made by a test", "/bin/sh"],
        );
    }
    check(
        &command::run(["explain", "/usr/bin/other", &target]),
        0,
        &["none owns it", "2 of 2"],
    );
}

#[test]
fn a_package_says_where_it_comes_from() {
    let scene = Scene::new();
    let words = [
        "demo 1.1-1",
        "pkg:deb/debian/demo@1.1-1",
        "2 of 2",
        "/usr/bin/demo",
        "not looked for",
    ];
    let report = format!("report:{}", scene.report("new"));
    for target in [scene.target("new"), report] {
        check(&command::run(["explain", "demo", &target]), 0, &words);
        check(&command::run(["explain", "demo-source", &target]), 0, &words);
    }
}

#[test]
fn what_cannot_be_explained_says_why() {
    let scene = Scene::new();
    let target = scene.target("new");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["explain"], 2, "CVE|PACKAGE|FILE"),
        (&["explain", "/usr/bin/demo"], 2, "no image is given"),
        (&["explain", "demo", &target, "--report", "x.json"], 2, "--report"),
        (&["explain", "/nothing", &target], 3, "does not know it"),
        (&["explain", "demo", &scene.target("absent")], 3, "absent"),
        (
            &["explain", "demo", "--report", "/nonexistent.json"],
            3,
            "/nonexistent.json",
        ),
        (&["explain", "nothing", &target], 4, "no vulnerabilities"),
        (&["explain", "CVE-2024-0001"], 4, "vulnerability database"),
    ];
    for (arguments, code, word) in cases {
        check(&command::run(arguments), code, &[word]);
    }
}
