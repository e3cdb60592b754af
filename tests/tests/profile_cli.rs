//! `plimsoll profile` and what the agent writes down for it, at the command line: the demo's recorded run in; exit codes, files
//! and words out. Bad input ends with the right code and a hint.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use plimsoll_tests::{
    command::{self, done, refused, written},
    repository,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The demo's recording, and the report of one of its images.
struct Demo {
    folder: TempDir,
}

impl Demo {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("images")).unwrap();
        let recording = repository::root().join("scripts/demo/recording");
        for name in ["redis", "postgres", "nginx"] {
            let packed = fs::read(recording.join(format!("{name}.json.zst"))).unwrap();
            let report = zstd::decode_all(packed.as_slice()).unwrap();
            fs::write(folder.path().join(format!("images/{name}.json")), report).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn report(&self, name: &str) -> String {
        format!("report:{}", self.path(&format!("images/{name}.json")))
    }

    fn recording() -> String {
        let path = repository::root().join("scripts/demo/recording/recording.plimsoll");
        path.display().to_string()
    }

    /// Replays it, with what it uses and may learn written down.
    fn write_down(&self) {
        let run = command::run([
            "agent",
            "--images",
            &self.path("images"),
            "--replay",
            &Self::recording(),
            "--usage",
            &self.path("usage.json"),
            "--learn",
            &self.path("observed.json"),
        ]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

#[test]
fn what_images_use_is_written_down_with_its_window() {
    let demo = Demo::new();
    demo.write_down();
    let usage = written(demo.path("usage.json"));
    assert_eq!(usage["schema"], "plimsoll.usage/v1");
    let images = usage["images"].as_array().unwrap();
    assert_eq!(images.len(), 3);
    let redis = images
        .iter()
        .find(|image| image["reference"].as_str().unwrap().contains("redis"))
        .unwrap();
    assert_eq!(redis["window"]["sees_loads"], true);
    assert!(
        redis["window"]["containers"].as_u64().unwrap() >= 1,
        "{}",
        redis["window"]
    );
    let files = redis["files"].as_array().unwrap();
    let file = |name: &str| files.iter().find(|file| file["path"].as_str().unwrap().contains(name));
    assert!(file("/redis-check-rdb").unwrap()["executed"].as_u64() > Some(0));
    assert_eq!(file("/redis-check-rdb").unwrap()["listens"], true);
    let ssl = file("/libssl.so.3").unwrap();
    assert!(
        ssl["loaded"].as_u64() > Some(0) && ssl["package"].as_str().unwrap().contains("libssl3"),
        "{ssl}"
    );
    // What an attacker brought in is not the image's.
    assert!(file("/tmp/kinsing").is_none() && file("/acts/").is_none());
}

#[test]
fn a_review_of_what_was_seen_learns_nothing_wrong() {
    let demo = Demo::new();
    demo.write_down();
    let (report, observed) = (demo.report("postgres"), demo.path("observed.json"));
    let learn = |more: &[&str]| {
        let mut arguments = vec!["profile", "learn", &report, &observed];
        arguments.extend(more);
        done(&arguments).stdout
    };
    let review = learn(&["--review", "--min-containers", "1", "--min-hours", "0"]);
    assert!(review.contains(" containers watched\n"), "{review}");
    assert!(
        review.contains("deviates  "),
        "the attack on postgres is for people: {review}"
    );
    assert!(
        !review
            .lines()
            .any(|line| line.starts_with("learned") && line.contains("dash") && line.contains("(serving")),
        "{review}"
    );
    assert_eq!(learn(&[]).trim(), "[]", "a demo's minute is no day");
    let from_recording = {
        let recording = Demo::recording();
        let arguments = [
            "profile",
            "learn",
            &report,
            &recording,
            "--review",
            "--min-containers",
            "1",
            "--min-hours",
            "0",
        ];
        done(&arguments).stdout
    };
    assert!(from_recording.contains("deviates  "), "{from_recording}");
}

#[test]
fn what_is_used_no_more_is_taken_out_and_named() {
    let demo = Demo::new();
    demo.write_down();
    let mut report = written(demo.path("images/postgres.json"));
    let fact = |path: &str, source: &str| {
        json!({"subject": {"program": {"path": "/usr/lib/postgresql/15/bin/postgres"}},
            "action": {"verb": "write", "object": path}, "phases": ["serving"], "parent": null,
            "evidence": [{"source": source, "detail": "9 times in 2 containers"}], "confidence": "B"})
    };
    let facts = report["profile"]["facts"].as_array_mut().unwrap();
    let before = facts.len();
    facts.extend([fact("/srv/gone", "observed"), fact("/srv/said", "user")]);
    let (changed, merged) = (demo.path("changed.json"), demo.path("merged.json"));
    fs::write(&changed, report.to_string()).unwrap();
    let (target, observed) = (format!("report:{changed}"), demo.path("observed.json"));
    let enough = ["--min-containers", "1", "--min-hours", "0", "-o", &merged];
    let mut arguments = vec!["profile", "merge", &target, "--prune", &observed];
    arguments.extend(enough);
    let run = done(&arguments);
    assert!(
        run.stderr.contains("taken out") && run.stderr.contains("/srv/gone"),
        "{run:?}"
    );
    let left = written(&merged);
    let left = left["profile"]["facts"].as_array().unwrap();
    assert_eq!(left.len(), before + 1);
    assert!(
        left.iter().any(|fact| fact["action"]["object"] == "/srv/said"),
        "what a person says stays"
    );
}

#[test]
fn recordings_and_files_of_other_kinds_are_told_apart() {
    let demo = Demo::new();
    let report = demo.report("redis");
    let recording = fs::read(Demo::recording()).unwrap();
    let cut = demo.path("cut.plimsoll");
    fs::write(&cut, &recording[..recording.len() * 2 / 3]).unwrap();
    for subcommand in ["test", "learn"] {
        let run = command::run(["profile", subcommand, &report, &cut]);
        assert!(matches!(run.code, Some(5 | 1)), "{subcommand}: {run:?}");
        assert!(
            run.stderr.contains("note: "),
            "{subcommand} says what is damaged: {run:?}"
        );
    }
    let learned = command::run(["profile", "learn", &report, &cut]);
    assert_eq!(learned.code, Some(5), "{learned:?}");

    let broken = demo.path("broken.json");
    fs::write(&broken, "{\"schema\": \"plimsoll.observed/v1\", \"node\"").unwrap();
    refused(&["profile", "learn", &report, &broken], 5, &["broken.json"]);
    fs::write(
        &broken,
        json!({"schema": "plimsoll.observed/v9", "node": "n", "images": []}).to_string(),
    )
    .unwrap();
    refused(&["profile", "learn", &report, &broken], 3, &["plimsoll.observed/v9"]);
    refused(
        &["profile", "learn", &report, "/nonexistent.json"],
        3,
        &["/nonexistent.json"],
    );
    refused(
        &["profile", "merge", &report, "--prune", &Demo::recording()],
        2,
        &["no JSON document"],
    );
    let none = demo.path("none.json");
    fs::write(
        &none,
        json!({"schema": "plimsoll.observed/v1", "node": "n", "images": []}).to_string(),
    )
    .unwrap();
    let run = done(&["profile", "learn", &report, &none]);
    assert!(run.stderr.contains("no container of this image"), "{run:?}");
}

#[test]
fn every_subcommand_refuses_what_it_cannot_use() {
    let demo = Demo::new();
    let redis = demo.report("redis");
    let text = demo.path("text");
    fs::write(&text, "not JSON").unwrap();
    let no_report = format!("report:{text}");
    for subcommand in ["build", "show"] {
        refused(&["profile", subcommand, &no_report], 3, &["read report"]);
        refused(&["profile", subcommand, "oci:/nonexistent"], 3, &["/nonexistent"]);
    }
    refused(&["profile", "diff", &redis, &no_report], 3, &["read report"]);
    refused(&["profile", "diff", "oci:/nonexistent", &redis], 3, &["/nonexistent"]);
    refused(
        &["profile", "harden", &no_report, "--format", "seccomp"],
        3,
        &["read report"],
    );
    refused(
        &["profile", "test", &no_report, &Demo::recording()],
        3,
        &["read report"],
    );
    refused(
        &["profile", "test", &redis, "/nonexistent.plimsoll"],
        3,
        &["/nonexistent.plimsoll"],
    );
    refused(&["profile", "test", &redis, &text], 3, &[]);
    refused(&["profile", "merge", &redis, &text], 2, &["read facts"]);
    refused(
        &["profile", "merge", &redis, "/nonexistent.json"],
        2,
        &["/nonexistent.json"],
    );
    refused(&["profile", "sign", "127.0.0.1:1/a:1", "--key", &text], 2, &[]);
    refused(&["profile", "pull", "127.0.0.1:1/a:1"], 4, &["127.0.0.1:1"]);
    refused(
        &["profile", "push", "127.0.0.1:1/a:1", "--report", &text],
        3,
        &["read report"],
    );
    // Wrong words are usage errors.
    for arguments in [
        &["profile", "diff", &redis, &redis, "--exit-code=everything"][..],
        &["profile", "harden", &redis, "--format", "selinux"],
        &["profile", "harden", &redis],
        &["profile", "learn", &redis, "x", "--min-hours", "-1"],
        &["profile", "learn", &redis, "x", "--min-hours", "nan"],
        &["profile", "learn", &redis],
        &["profile", "merge", &redis],
        &["profile", "test", &redis],
        &["profile", "build", &redis, "--container", "x"],
        &["profile", "build", &redis, "-o", "yaml"],
        &["profile"],
    ] {
        let run = command::run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run:?}");
    }
}

/// A report like redis's, with something worse about it.
fn worse(demo: &Demo, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut report = written(demo.path("images/redis.json"));
    change(&mut report);
    let path = demo.path(name);
    fs::write(&path, report.to_string()).unwrap();
    format!("report:{path}")
}

#[test]
fn a_diff_for_a_pull_request_ends_as_its_kinds_say() {
    let demo = Demo::new();
    let old = demo.report("redis");
    let fact = |action: Value| {
        json!({"subject": "any", "action": action, "phases": ["serving"],
            "evidence": [{"source": "image", "detail": "EXPOSE"}], "confidence": "B"})
    };
    let add_fact = |report: &mut Value, action: Value| {
        report["profile"]["facts"].as_array_mut().unwrap().push(fact(action));
    };
    let port = worse(&demo, "port.json", |report| {
        let spec = json!({"transport": "tcp", "first": 9999, "last": 9999});
        add_fact(report, json!({"verb": "listen", "object": spec}));
    });
    let outbound = worse(&demo, "outbound.json", |report| {
        add_fact(
            report,
            json!({"verb": "connect", "object": {"scope": "public", "port": null}}),
        );
    });
    let shell = worse(&demo, "shell.json", |report| {
        add_fact(report, json!({"verb": "exec", "object": {"path": "/usr/bin/zsh"}}));
    });
    let suid = worse(&demo, "suid.json", |report| {
        let file = json!({"path": "/usr/bin/zz-root", "kind": "regular", "mode": 0o4755, "uid": 0, "gid": 0,
            "size_bytes": 1, "layer": 0});
        report["files"].as_array_mut().unwrap().push(file);
    });
    let run = done(&["profile", "diff", &old, &old, "--exit-code"]);
    assert!(!run.stdout.contains('!'), "{run:?}");
    for (kind, new, word) in [
        ("ports", &port, "9999"),
        ("outbound", &outbound, "public"),
        ("shells", &shell, "zsh"),
        ("suid", &suid, "zz-root"),
    ] {
        let run = command::run(["profile", "diff", &old, new, &format!("--exit-code={kind}")]);
        assert_eq!(run.code, Some(1), "{kind}: {run:?}");
        assert!(run.stdout.contains(word), "{kind}: {run:?}");
        assert_eq!(
            command::run(["profile", "diff", &old, new, "--exit-code"]).code,
            Some(1),
            "{kind}"
        );
        assert_eq!(
            command::run(["profile", "diff", &old, new]).code,
            Some(0),
            "{kind}: only shown"
        );
        let other = if kind == "ports" { "suid" } else { "ports" };
        let run = command::run(["profile", "diff", &old, new, &format!("--exit-code={other}")]);
        assert_eq!(run.code, Some(0), "{kind} is not {other}: {run:?}");
        let changes: Value = serde_json::from_str(&done(&["profile", "diff", &old, new, "-o", "json"]).stdout).unwrap();
        assert!(
            changes
                .as_array()
                .unwrap()
                .iter()
                .any(|change| change["is_worse"] == true),
            "{changes}"
        );
    }
}
