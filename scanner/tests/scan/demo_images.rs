//! Real images of the demo, where they are built: every package that dpkg itself lists is found, with its version.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::builder::{incomplete, scan_target};

/// What dpkg-query says when it reads the image's own database.
fn dpkg_list(image: &Path, folder: &Path) -> Option<BTreeSet<String>> {
    let unpacked = folder.join("unpacked");
    let out = Command::new("umoci")
        .args(["unpack", "--rootless", "--image"])
        .arg(format!("{}:latest", image.display()))
        .arg(&unpacked)
        .output()
        .ok()?;
    if !out.status.success() {
        eprintln!("SKIPPED: umoci: {}", String::from_utf8_lossy(&out.stderr));
        return None;
    }
    let out = Command::new("dpkg-query")
        .arg("--admindir")
        .arg(unpacked.join("rootfs/var/lib/dpkg"))
        .args([
            "-W",
            "-f",
            "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    Some(
        text.lines()
            .filter_map(|line| line.strip_prefix("installed "))
            .map(str::to_owned)
            .collect(),
    )
}

#[test]
fn every_package_that_dpkg_lists_is_found() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo/images");
    let mut compared = 0;
    for name in ["redis", "postgres", "nginx"] {
        let image = images.join(name);
        if !image.join("index.json").exists() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let Some(expected) = dpkg_list(&image, folder.path()) else {
            continue;
        };
        let scan = scan_target(image.to_str().unwrap()).unwrap();
        let found: BTreeSet<String> = scan
            .sbom
            .packages
            .iter()
            // gosu is a Go program: its modules are packages of another kind.
            .filter(|package| package.kind == plimsoll_model::PackageKind::Dpkg)
            .map(|package| {
                let source = package.source.as_ref().unwrap();
                let architecture = package.architecture.as_deref().unwrap_or_default();
                format!(
                    "{} {} {architecture} {} {}",
                    package.name, package.version, source.name, source.version
                )
            })
            .collect();
        assert!(expected.len() > 50, "{name}: dpkg lists {}", expected.len());
        assert_eq!(found, expected, "{name}");
        assert_eq!(incomplete(&scan.notes), Vec::<&plimsoll_model::Note>::new(), "{name}");
        compare_files(&scan, &folder.path().join("unpacked/rootfs"), name);
        compared += 1;
    }
    if compared == 0 {
        eprintln!("SKIPPED: no images in target/demo/images (make demo builds them), or no umoci");
    }
}

/// The same files, sizes and links as an unpacker that is not ours makes of the layers.
fn compare_files(scan: &plimsoll_scanner::Scan, root: &Path, name: &str) {
    let mut unpacked = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // umoci without privileges makes ordinary files of devices.
            if path.starts_with(root.join("dev")) {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).unwrap();
            let shown = format!("/{}", path.strip_prefix(root).unwrap().to_string_lossy());
            if metadata.is_dir() {
                folders.push(path);
                unpacked.insert((shown, 0));
            } else if metadata.is_file() {
                unpacked.insert((shown, metadata.len()));
            } else if metadata.is_symlink() {
                unpacked.insert((shown, 0));
            }
        }
    }
    let ours: BTreeSet<(String, u64)> = scan
        .tree
        .iter()
        .filter(|entry| entry.path != "/dev" && !entry.path.starts_with("/dev/"))
        .map(|entry| (entry.path.clone(), entry.size_bytes))
        .collect();
    let differences: Vec<_> = ours.symmetric_difference(&unpacked).take(10).collect();
    assert!(differences.is_empty(), "{name}: {differences:?}");
}
