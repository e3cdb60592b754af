//! `--pod` and `--runtime` at the command line: a small image, manifests and usage in; profiles and reports, or refusals, out.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use plimsoll_tests::{
    command::{self, refused, written},
    image,
};
use serde_json::{Value, json};

/// A small image with an ELF-less package `demo`, and its report.
fn small_image(folder: &Path) -> (String, PathBuf) {
    let files = image::debian_files();
    image::write_layout(folder, &[&files], &json!({"Entrypoint": ["/usr/bin/demo"]})).unwrap();
    let target = format!("oci:{}", folder.display());
    let report = folder.join("report.json");
    let out = format!("json={}", report.display());
    let run = command::run(["scan", &target, "--skip-vulnerabilities", "-o", &out]);
    assert!(report.exists(), "{run:?}");
    (target, report)
}

#[test]
fn pods_are_merged_and_bad_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (target, report) = small_image(folder.path());
    let manifest = folder.path().join("pod.yaml");
    let path = manifest.display().to_string();
    fs::write(
        &manifest,
        "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: demo\n      image: demo\n      ports: [{containerPort: 8080}]\n\
         \x20     securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}\n      volumeMounts: [{name: v, mountPath: /work}]\n\
         \x20 volumes: [{name: v, emptyDir: {}}]\n",
    )
    .unwrap();
    let run = command::run(["profile", "build", &target, "--pod", &path, "-o", "json"]);
    let profile: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let details: Vec<&str> = ["facts", "denials"]
        .iter()
        .flat_map(|list| profile[*list].as_array().unwrap())
        .flat_map(|fact| fact["evidence"].as_array().unwrap())
        .filter(|evidence| evidence["source"] == "pod")
        .filter_map(|evidence| evidence["detail"].as_str())
        .collect();
    for expected in [
        "containerPort 8080",
        "runAsUser 1000",
        "volumeMounts /work: emptyDir v",
        "readOnlyRootFilesystem",
    ] {
        assert!(
            details.iter().any(|detail| detail.starts_with(expected)),
            "{expected}: {details:?}"
        );
    }
    let run = command::run(["profile", "harden", &target, "--pod", &path, "--format", "kubernetes"]);
    assert!(
        run.stdout.contains("runAsUser: 1000") && run.stdout.contains("8080"),
        "{run:?}"
    );

    let by_report = format!("report:{}", report.display());
    refused(&["profile", "build", &by_report, "--pod", &path], 2, &["entry scripts"]);
    refused(
        &["profile", "build", &target, "--pod", &path, "--container", "other"],
        2,
        &["demo of Pod p"],
    );
    refused(
        &["profile", "build", &target, "--pod", "/nonexistent.yaml"],
        2,
        &["/nonexistent.yaml"],
    );
    for (text, word) in [
        ("kind: Service", "no Pod"),
        ("a: [", "read the manifest"),
        ("kind: Pod\nspec: 1", "no pod spec"),
    ] {
        fs::write(&manifest, text).unwrap();
        refused(&["profile", "build", &target, "--pod", &path], 2, &[word]);
    }
}

#[test]
fn usage_is_brought_back_into_a_scan() {
    let folder = tempfile::tempdir().unwrap();
    let (target, report) = small_image(folder.path());
    let digest = written(&report)["image"]["config_digest"].clone();
    let usage = folder.path().join("usage.json");
    let path = usage.display().to_string();
    let write = |digest: &Value| {
        let image = json!({"config_digest": digest, "manifest_digest": null, "reference": "demo",
            "window": {"from_ns": 1, "to_ns": 2, "containers": 2, "container_seconds": 90_000, "joined": 0, "lost_events": 0,
                "sees_loads": true},
            "files": [{"path": "/usr/bin/demo", "executed": 2, "loaded": 0, "listens": false, "first_ns": 1, "last_ns": 2,
                "after_seconds": 0}],
            "dropped": 0});
        let document = json!({"schema": "plimsoll.usage/v1", "node": "n", "images": [image]});
        fs::write(&usage, document.to_string()).unwrap();
    };
    let scan = |more: &[&str]| {
        let mut arguments = vec![
            "scan",
            &target,
            "--skip-vulnerabilities",
            "--runtime",
            &path,
            "-o",
            "json",
        ];
        arguments.extend(more);
        let run = command::run(&arguments);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        report
    };
    write(&digest);
    assert_eq!(scan(&[])["usage"]["containers"], 2);
    write(&json!(format!("sha256:{}", "7".repeat(64))));
    let other = scan(&[]);
    assert_eq!(other["usage"], Value::Null);
    let says = |report: &Value| {
        report["notes"]
            .to_string()
            .contains("no container of this image was watched")
    };
    assert!(says(&other), "{}", other["notes"]);

    fs::write(&usage, "{}").unwrap();
    refused(&["scan", &target, "--runtime", &path], 2, &["usage.json"]);
    refused(
        &["scan", &target, "--runtime", "/nonexistent.json"],
        2,
        &["/nonexistent.json"],
    );
    refused(
        &["scan", &target, "--runtime", "http://example.invalid"],
        2,
        &["plain HTTP"],
    );
    refused(&["scan", &target, "--server-ca", &path], 2, &["no server"]);
    let run = command::run(["scan", &target, "--idle-hours", "3"]);
    assert_eq!(run.code, Some(2), "{run:?}");
}
