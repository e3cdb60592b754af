//! Software that no package manager recorded: real programs' bytes in whole images in, packages out.

use std::{fs, process::Command};

use plimsoll_model::{Package, PackageKind};
use plimsoll_scanner::Scan;

use crate::builder::{Blob, Layer, oci};

fn scan(layer: Layer) -> Scan {
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

/// Bytes of one of the extracts, by the path that it has there.
fn extract(path: &str) -> Vec<u8> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/classifiers/extracts.tsv");
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.split('\t').nth(1) == Some(path)).unwrap();
    let mut parts = line.split('\t').nth(4).unwrap().split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

fn recognised(scan: &Scan) -> Vec<&Package> {
    let packages = scan.sbom.packages.iter();
    packages.filter(|package| !package.cpes.is_empty()).collect()
}

#[test]
fn a_program_is_a_package_with_all_its_files() {
    let scan = scan(
        Layer::new()
            .file("usr/local/bin/redis-check-rdb", extract("/usr/bin/redis-check-rdb"))
            .file("usr/local/bin/redis-cli", extract("/usr/bin/redis-cli"))
            .symlink("usr/local/bin/redis-server", "redis-check-rdb"),
    );
    let [redis] = &scan.sbom.packages[..] else {
        panic!("{:?}", scan.sbom.packages);
    };
    assert_eq!(redis.kind, PackageKind::Binary);
    assert_eq!((redis.name.as_str(), redis.version.as_str()), ("redis", "7.0.15"));
    assert_eq!(redis.purl, "pkg:generic/redis@7.0.15");
    assert_eq!(redis.cpes, ["cpe:2.3:a:redis:redis:7.0.15:*:*:*:*:*:*:*"]);
    assert_eq!(
        redis.files,
        ["/usr/local/bin/redis-check-rdb", "/usr/local/bin/redis-cli"]
    );
    assert_eq!(scan.tree.get("/usr/local/bin/redis-cli").unwrap().package, Some(0));
}

#[test]
fn what_a_package_of_the_system_brought_is_recorded_once() {
    let layer = |owner: &str| {
        Layer::new()
            .file(
                "var/lib/dpkg/status",
                "Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2\nArchitecture: amd64\n",
            )
            .file("var/lib/dpkg/info/bash.list", format!("{owner}\n"))
            .file("usr/bin/bash", extract("/bin/bash"))
            .symlink("bin", "usr/bin")
    };
    for owner in ["/usr/bin/bash", "/bin/bash"] {
        assert!(recognised(&scan(layer(owner))).is_empty(), "{owner}");
    }
    let scan = scan(layer("/usr/bin/other"));
    let [bash] = recognised(&scan)[..] else {
        panic!("{:?}", scan.sbom.packages);
    };
    assert_eq!((bash.name.as_str(), bash.owner), ("bash", None));
}

#[test]
fn what_conda_brought_is_condas() {
    let record = r#"{"name":"xz","version":"5.4.1","files":["bin/xz"]}"#;
    let scan = scan(
        Layer::new()
            .file("opt/conda/conda-meta/xz-5.4.1-h0_0.json", record)
            .file("opt/conda/bin/xz", extract("/usr/bin/xz")),
    );
    assert!(recognised(&scan).is_empty(), "{:?}", scan.sbom.packages);
    assert_eq!(scan.tree.get("/opt/conda/bin/xz").unwrap().package, Some(0));
}

#[test]
fn a_name_alone_says_nothing() {
    let elf = b"\x7fELF\x02\x01\x01\0nothing to see";
    let scan = scan(
        Layer::new()
            .file("usr/sbin/nginx", elf)
            .file("usr/bin/redis-server", "#!/bin/sh\n# nginx version: nginx/1.2.3\n")
            .file("opt/other", extract("/usr/sbin/nginx"))
            .file("opt/kafka/libs/kafka_2.13-3.6.0.jar", "")
            .file("etc/os-release", "ID=x\n"),
    );
    let found: Vec<&str> = recognised(&scan).iter().map(|package| package.purl.as_str()).collect();
    assert_eq!(found, ["pkg:generic/kafka@3.6.0"]);
}

#[test]
fn special_characters_of_cpe_names_are_quoted() {
    let scan = scan(Layer::new().file("usr/lib/erlang/releases/25/OTP_VERSION", "25.2.3\n"));
    assert_eq!(
        recognised(&scan)[0].cpes,
        [r"cpe:2.3:a:erlang:erlang\/otp:25.2.3:*:*:*:*:*:*:*"]
    );
}

#[test]
fn a_go_program_built_from_a_checkout_says_what_its_linker_was_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("go.mod"), "module example.org/acme/v2\ngo 1.20\n").unwrap();
    let source = "package main\nvar version string\nfunc main() { println(version) }\n";
    fs::write(folder.path().join("main.go"), source).unwrap();
    let built = Command::new("go")
        .args([
            "build",
            "-buildvcs=false",
            "-ldflags=-X main.version=v2.7.1",
            "-o",
            "acme",
            ".",
        ])
        .current_dir(folder.path())
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .output();
    let Ok(output) = built else {
        eprintln!("SKIPPED: no Go on this machine");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = fs::read(folder.path().join("acme")).unwrap();
    let scan = scan(Layer::new().file("app/acme", &program).file("app/traefik", &program));
    let found: Vec<&str> = scan
        .sbom
        .packages
        .iter()
        .filter(|package| package.name != "stdlib")
        .map(|package| package.purl.as_str())
        .collect();
    // The second is named like another program, and still is this one.
    assert_eq!(found, ["pkg:golang/example.org/acme/v2@v2.7.1"; 2]);
}
