//! Scans from a real registry: by tag and by digest, what is missing, and a registry that lies about its bytes.

use std::fs;

use plimsoll_model::ScanReport;
use plimsoll_tests::{
    command,
    image::{self, Layout},
    machine,
    registry::Registry,
};
use serde_json::json;

/// A registry with the small image at `team/demo:1`; `None`, said loudly, where the tools are missing.
fn registry_with_image(test: &str) -> Option<(Registry, Layout, String)> {
    if let Some(tool) = ["docker-registry", "skopeo"]
        .into_iter()
        .find(|tool| !machine::has(tool))
    {
        machine::say_skipped(test, &format!("{tool} is not installed"));
        return None;
    }
    let registry = Registry::start().expect("docker-registry starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let files = image::debian_files();
    let config = json!({ "Entrypoint": ["/usr/bin/demo"], "ExposedPorts": { "80/tcp": {} } });
    let layout = image::write_layout(folder.path(), &[&files[..2], &files[2..]], &config).expect("it is a new folder");
    let digest = registry
        .push(folder.path(), "team/demo:1")
        .expect("a real image can be pushed");
    Some((registry, layout, digest))
}

#[test]
fn by_tag_and_by_digest_it_is_the_same_image() {
    let Some((registry, layout, digest)) = registry_with_image("by_tag_and_by_digest_it_is_the_same_image") else {
        return;
    };
    assert_eq!(digest, layout.manifest_digest, "skopeo pushes the manifest unchanged");
    for name in ["team/demo:1".to_owned(), format!("team/demo@{digest}")] {
        let out = tempfile::NamedTempFile::new().unwrap();
        let target = format!("{}/{name}", registry.address);
        let run = command::scan(&target, &["-o", &format!("json={}", out.path().display())]);
        assert_eq!(run.code, Some(0), "{run:?}");
        let report: ScanReport = serde_json::from_slice(&fs::read(out.path()).unwrap()).unwrap();
        assert_eq!(
            report.image.manifest_digest.map(|digest| digest.to_string()),
            Some(digest.clone())
        );
        assert_eq!(report.image.config_digest.to_string(), layout.config_digest);
        assert_eq!(report.layers.len(), 2);
        let packages: Vec<_> = report
            .sbom
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(packages, ["demo"]);
        assert!(report.files.iter().any(|file| file.path == "/usr/bin/demo"));
    }
}

#[test]
fn what_the_registry_does_not_have_is_not_found() {
    let Some((registry, _, _)) = registry_with_image("what_the_registry_does_not_have_is_not_found") else {
        return;
    };
    let nothing = format!("sha256:{}", "0".repeat(64));
    for name in ["team/demo:2", "team/other:1", &format!("team/demo@{nothing}")] {
        let run = command::scan(&format!("{}/{name}", registry.address), &[]);
        assert_eq!(run.code, Some(3), "{name}: {run:?}");
        assert!(run.stderr.contains("hint: "), "{name}: {run:?}");
    }
}

#[test]
fn a_registry_that_sends_other_bytes_is_found_out() {
    let Some((registry, layout, _)) = registry_with_image("a_registry_that_sends_other_bytes_is_found_out") else {
        return;
    };
    let blob = registry.blob(&layout.layer_digests[1]);
    let honest = fs::read(&blob).unwrap();
    // Same length: only the digest can tell.
    let mut lie = honest.clone();
    let last = lie.len() - 5;
    lie[last] ^= 1;
    fs::write(&blob, &lie).unwrap();
    let run = command::scan(&format!("{}/team/demo:1", registry.address), &[]);
    assert_eq!(run.code, Some(5), "{run:?}");
    // Nothing of such an image can be believed, so there is no report.
    assert!(run.stdout.is_empty(), "{run:?}");
    assert!(run.stderr.contains("verify the digest"), "{run:?}");
}
