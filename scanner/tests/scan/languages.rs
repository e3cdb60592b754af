//! Packages of programming languages, from files that their own tools wrote.

use std::{fs, process::Command};

use plimsoll_model::{Package, PackageKind};
use plimsoll_scanner::Scan;

use crate::builder::{Blob, Layer, incomplete, oci};

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/languages");
    fs::read(format!("{folder}/{name}")).unwrap()
}

fn scan(layer: Layer) -> Scan {
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

/// Kind, name, version, purl and licences, one package a line.
fn listed(scan: &Scan) -> Vec<String> {
    let line = |package: &Package| {
        let (kind, purl, licences) = (package.kind, &package.purl, package.licences.join(", "));
        format!("{kind:?} {} {} {purl} {licences}", package.name, package.version)
    };
    scan.sbom.packages.iter().map(line).collect()
}

#[test]
fn what_pip_npm_gem_and_composer_installed_is_found() {
    let layer = Layer::new()
        .file(
            "usr/lib/python3/site-packages/six-1.17.0.dist-info/METADATA",
            fixture("six.METADATA"),
        )
        .file(
            "usr/lib/python3/site-packages/six-1.17.0.dist-info/RECORD",
            fixture("six.RECORD"),
        )
        .file("usr/lib/python3/site-packages/six.py", "")
        .file("app/node_modules/is-odd/package.json", fixture("is-odd.package.json"))
        .file(
            "var/lib/gems/3.1.0/specifications/acme-tool-2.5.0.gemspec",
            fixture("acme-tool-2.5.0.gemspec"),
        )
        .file("app/vendor/composer/installed.json", fixture("composer.installed.json"));
    let scan = scan(layer);
    assert_eq!(
        listed(&scan),
        [
            "Python six 1.17.0 pkg:pypi/six@1.17.0 MIT",
            "Npm is-odd 3.0.1 pkg:npm/is-odd@3.0.1 MIT",
            "Gem acme-tool 2.5.0 pkg:gem/acme-tool@2.5.0 MIT",
            "Composer acme/lib 1.2.3 pkg:composer/acme/lib@1.2.3 MIT",
        ]
    );
    let six = &scan.sbom.packages[0];
    assert!(
        six.files.contains("/usr/lib/python3/site-packages/six.py"),
        "{:?}",
        six.files
    );
    assert_eq!(
        scan.tree.get("/usr/lib/python3/site-packages/six.py").unwrap().package,
        Some(0)
    );
    assert!(incomplete(&scan.notes).is_empty(), "{:?}", scan.notes);
}

#[test]
fn a_module_that_came_with_a_package_of_the_system_names_it() {
    let info = "usr/lib/python3/dist-packages/six-1.17.0.dist-info/METADATA";
    let layer = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file(
            "var/lib/dpkg/status",
            "Package: python3-six\nStatus: install ok installed\nVersion: 1.17.0-1\nArchitecture: all\n",
        )
        .file("var/lib/dpkg/info/python3-six.list", format!("/{info}\n"))
        .file(info, fixture("six.METADATA"));
    let scan = scan(layer);
    let [system, module] = &scan.sbom.packages[..] else {
        panic!("{:?}", scan.sbom.packages);
    };
    assert_eq!((system.kind, system.owner), (PackageKind::Dpkg, None));
    assert_eq!((module.kind, module.owner), (PackageKind::Python, Some(0)));
}

#[test]
fn scopes_and_deployed_libraries_have_package_urls_of_their_own() {
    let layer = Layer::new()
        .file(
            "app/node_modules/@babel/core/package.json",
            r#"{"name":"@babel/core","version":"7.0.0","license":{"type":"MIT"}}"#,
        )
        .file(
            "app/app.deps.json",
            r#"{"libraries":{"app/1.0.0":{"type":"project"},"Newtonsoft.Json/13.0.1":{"type":"package"}}}"#,
        );
    assert_eq!(
        listed(&scan(layer)),
        [
            "Npm @babel/core 7.0.0 pkg:npm/%40babel/core@7.0.0 MIT",
            "Nuget Newtonsoft.Json 13.0.1 pkg:nuget/Newtonsoft.Json@13.0.1 ",
        ]
    );
}

#[test]
fn libraries_that_the_net_sdk_deployed_are_found_and_the_program_is_none() {
    let layer = Layer::new().file("app/Python.Runtime.deps.json", fixture("Python.Runtime.deps.json"));
    let scan = scan(layer);
    let found: Vec<String> = scan
        .sbom
        .packages
        .iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert_eq!(
        found,
        [
            "Microsoft.CSharp 4.7.0",
            "Microsoft.SourceLink.GitHub 10.0.401",
            "System.Buffers 4.6.1",
            "System.IO.Hashing 10.0.12",
            "System.Memory 4.6.3",
            "System.Numerics.Vectors 4.6.1",
            "System.Reflection.Emit 4.7.0",
            "System.Reflection.Emit.ILGeneration 4.7.0",
            "System.Runtime.CompilerServices.Unsafe 6.1.2",
        ]
    );
    assert_eq!(scan.sbom.packages[2].purl, "pkg:nuget/System.Buffers@4.6.1");
}

#[test]
fn files_that_make_no_sense_are_noted() {
    let layer = Layer::new()
        .file("a/x.dist-info/METADATA", "Name: x\n\nVersion: 1\n")
        .file("a/node_modules/x/package.json", "{")
        .file("a/specifications/x.gemspec", "puts 1")
        .file("a/composer/installed.json", "{\"packages\": 7}")
        .file("a/x.deps.json", "{\"libraries\": 7}");
    let scan = scan(layer);
    assert!(scan.sbom.packages.is_empty());
    assert_eq!(incomplete(&scan.notes).len(), 5, "{:?}", scan.notes);
}

#[test]
fn a_program_that_go_built_names_its_toolchain() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("go.mod"), "module example.org/acme\ngo 1.20\n").unwrap();
    fs::write(
        folder.path().join("main.go"),
        "package main\nfunc main() { println(1) }\n",
    )
    .unwrap();
    let built = Command::new("go")
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o", "acme", "."])
        .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local")])
        .current_dir(folder.path())
        .output();
    if !built.is_ok_and(|built| built.status.success()) {
        eprintln!("SKIPPED: a_program_that_go_built_names_its_toolchain: there is no Go here");
        return;
    }
    let version = Command::new("go").args(["env", "GOVERSION"]).output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let version = version
        .trim()
        .trim_start_matches("go")
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let program = fs::read(folder.path().join("acme")).unwrap();
    let scan = scan(Layer::new().program("usr/bin/acme", 0o755, program));
    assert_eq!(
        listed(&scan),
        [format!("Go stdlib {version} pkg:golang/stdlib@{version} ")]
    );
    assert!(incomplete(&scan.notes).is_empty(), "{:?}", scan.notes);
}
