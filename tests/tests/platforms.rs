//! `plimsoll scan --platform all`: every image of an index, from a layout and from a real registry.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use plimsoll_model::ScanReport;
use plimsoll_tests::{
    command::{self, written},
    image::{self, digest},
    machine,
    registry::Registry,
};
use serde_json::{Value, json};

/// A layout with one index, tagged `latest`, of two images that share their base.
fn two_platforms(folder: &Path) {
    let files = image::debian_files();
    let mut manifests = Vec::new();
    for (architecture, variant, program) in [("amd64", None, b"#!/bin/sh\n"), ("arm64", Some("v8"), b"#!/bin/ps\n")] {
        let own = [("usr/bin/own", &program[..])];
        let layout = image::write_layout(folder, &[&files, &own], &json!({})).expect("it is a test's own folder");
        let mut config = written(layout.blob(&layout.config_digest));
        config["architecture"] = json!(architecture);
        config["variant"] = json!(variant);
        let config = write(folder, &config);
        let mut manifest = written(layout.blob(&layout.manifest_digest));
        manifest["config"]["digest"] = config["digest"].clone();
        manifest["config"]["size"] = config["size"].clone();
        let mut entry = write(folder, &manifest);
        entry["mediaType"] = manifest["mediaType"].clone();
        entry["platform"] = json!({ "os": "linux", "architecture": architecture });
        if let Some(variant) = variant {
            entry["platform"]["variant"] = json!(variant);
        }
        manifests.push(entry);
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
    let mut entry = write(folder, &index);
    entry["mediaType"] = json!(media_type);
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    let top = json!({ "schemaVersion": 2, "manifests": [entry] });
    fs::write(folder.join("index.json"), top.to_string()).expect("it is a test's own folder");
}

/// A document's digest and size, after it was put among the blobs.
fn write(folder: &Path, document: &Value) -> Value {
    let bytes = document.to_string().into_bytes();
    let name = digest(&bytes);
    let path = folder.join("blobs/sha256").join(name.trim_start_matches("sha256:"));
    fs::write(path, &bytes).expect("it is a test's own folder");
    json!({ "digest": name, "size": bytes.len() })
}

fn check(target: &str, more: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let json = format!("json={}", out.path().join("report.json").display());
    let arguments = [&["--platform", "all", "-o", "table", "-o", &json], more].concat();
    let run = command::scan(target, &arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    let headings: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("===")).collect();
    assert_eq!(headings, ["=== linux/amd64 ===", "=== linux/arm64/v8 ==="], "{run:?}");
    let reports = ["report.linux-amd64.json", "report.linux-arm64-v8.json"]
        .map(|name| -> ScanReport { serde_json::from_slice(&fs::read(out.path().join(name)).unwrap()).unwrap() });
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2);
    let architectures = reports
        .each_ref()
        .map(|report| report.image.platform.architecture.as_str());
    assert_eq!(architectures, ["amd64", "arm64"]);
    assert_eq!(
        reports[0].image.diff_ids[0], reports[1].image.diff_ids[0],
        "they share their base"
    );
    assert_ne!(reports[0].image.diff_ids[1], reports[1].image.diff_ids[1]);
    for report in &reports {
        assert_eq!(report.sbom.packages.len(), 1);
        assert!(report.files.iter().any(|file| file.path == "/usr/bin/own"));
    }
}

#[test]
fn all_images_of_a_layout_are_scanned_with_and_without_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    two_platforms(folder.path());
    let target = format!("oci:{}", folder.path().display());
    check(&target, &["--no-cache"]);
    let cache = tempfile::tempdir().unwrap();
    let place = cache.path().display().to_string();
    check(&target, &["--cache-dir", &place]);
    // Three different layers, of which the shared one was read and kept once.
    let kept = walk(cache.path()).filter(|name| name.ends_with(".layer")).count();
    assert_eq!(kept, 3);
}

fn walk(folder: &Path) -> impl Iterator<Item = String> {
    let versions = fs::read_dir(folder).unwrap().flatten();
    let files = versions.flat_map(|version| fs::read_dir(version.path()).unwrap().flatten());
    files.map(|file| file.file_name().to_string_lossy().into_owned())
}

/// The first platform's scan leaves the base in the cache; nobody then needs it on the registry.
#[test]
fn a_registry_is_asked_for_a_shared_layer_once() {
    let test = "a_registry_is_asked_for_a_shared_layer_once";
    if let Some(tool) = ["docker-registry", "skopeo"]
        .into_iter()
        .find(|tool| !machine::has(tool))
    {
        machine::say_skipped(test, &format!("{tool} is not installed"));
        return;
    }
    let registry = Registry::start().expect("docker-registry starts");
    let folder = tempfile::tempdir().unwrap();
    two_platforms(folder.path());
    registry
        .push_with(folder.path(), "team/two:1", &["--all"])
        .expect("an index can be pushed");
    let target = format!("{}/team/two:1", registry.address);
    let cache = tempfile::tempdir().unwrap();
    let place = cache.path().display().to_string();
    let first = command::scan(
        &target,
        &["--platform", "linux/amd64", "--cache-dir", &place, "-o", "json"],
    );
    assert_eq!(first.code, Some(0), "{first:?}");
    let report: ScanReport = serde_json::from_str(&first.stdout).unwrap();
    let base = report.layers[0].blob_digest.expect("registries name blobs").to_string();
    fs::remove_file(registry.blob(&base)).expect("the registry keeps it there");
    check(&target, &["--cache-dir", &place]);
}

#[test]
fn the_worst_platform_decides_and_the_others_are_scanned() {
    let folder = tempfile::tempdir().unwrap();
    two_platforms(folder.path());
    let index = written(folder.path().join("index.json"));
    let blob = |name: &Value| {
        let name = name.as_str().expect("a digest").trim_start_matches("sha256:");
        folder.path().join("blobs/sha256").join(name)
    };
    let inner = written(blob(&index["manifests"][0]["digest"]));
    fs::remove_file(blob(&inner["manifests"][0]["digest"])).unwrap();
    let target = format!("oci:{}", folder.path().display());
    let run = command::scan(&target, &["--platform", "all", "--no-cache"]);
    assert_ne!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("linux/amd64:"), "{run:?}");
    assert!(run.stdout.contains("=== linux/arm64/v8 ==="), "{run:?}");
}
