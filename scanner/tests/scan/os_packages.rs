//! Databases that apk, pacman, Portage and opkg wrote, against what those tools list (`README.md` in their folders of `tests/fixtures`).

use std::{fs, path::Path};

use plimsoll_model::PackageKind;
use plimsoll_scanner::Scan;

use crate::builder::{Blob, Layer, incomplete, oci};

fn fixtures(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder of fixtures, as they lie below a folder of the image.
fn with_folder(layer: Layer, from: &Path, to: &str) -> Layer {
    let mut names: Vec<_> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.into_iter().fold(layer, |layer, path| {
        let place = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            with_folder(layer, &path, &place)
        } else {
            layer.file(&place, fs::read(&path).unwrap())
        }
    })
}

fn scan(name: &str, place: &str, own: &[&str]) -> Scan {
    let layer = with_folder(Layer::new(), Path::new(&fixtures(&format!("{name}/db"))), place);
    let layer = own.iter().fold(layer, |layer, path| layer.file(path, "x"));
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

fn check(scan: &Scan, name: &str, kind: PackageKind, separator: &str, purls: &[&str]) {
    assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
    let line = |package: &plimsoll_model::Package| {
        assert_eq!(package.kind, kind);
        format!("{}{separator}{}", package.name, package.version)
    };
    let found: Vec<String> = scan.sbom.packages.iter().map(line).collect();
    let expected = fs::read_to_string(fixtures(&format!("{name}/expected.txt"))).unwrap();
    let mut expected: Vec<&str> = expected.lines().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let found: Vec<&str> = scan.sbom.packages.iter().map(|package| package.purl.as_str()).collect();
    assert_eq!(found, purls);
}

fn owner<'a>(scan: &'a Scan, path: &str) -> &'a str {
    &scan.sbom.packages[scan.tree.get(path).unwrap().package.unwrap() as usize].name
}

#[test]
fn what_apk_installed_is_found_with_its_files() {
    let own = ["usr/bin/keel", "usr/lib/libkeel.so.1", "usr/share/sails/canvas"];
    let scan = scan("apk", "lib/apk/db", &own);
    check(
        &scan,
        "apk",
        PackageKind::Apk,
        " ",
        &[
            "pkg:apk/alpine/acme-keel@1.4.0-r2?arch=x86_64",
            "pkg:apk/alpine/acme-sails@2024.1_p3-r0?arch=noarch",
        ],
    );
    let [keel, sails] = &scan.sbom.packages[..] else {
        panic!("two were installed");
    };
    assert_eq!(keel.source.as_ref().unwrap().name, "acme-boat");
    assert_eq!(keel.files, ["/usr/bin/keel", "/usr/bin/plank", "/usr/lib/libkeel.so.1"]);
    assert_eq!(sails.licences, ["Apache-2.0 OR MIT"]);
    assert_eq!(owner(&scan, "/usr/lib/libkeel.so.1"), "acme-keel");
    assert_eq!(owner(&scan, "/usr/share/sails/canvas"), "acme-sails");
}

#[test]
fn what_pacman_installed_is_found_with_its_files() {
    let own = ["usr/bin/buoy", "etc/buoy.conf", "usr/share/doc/buoy/READ ME"];
    let scan = scan("pacman", "var/lib/pacman/local", &own);
    check(
        &scan,
        "pacman",
        PackageKind::Pacman,
        " ",
        &[
            "pkg:alpm/arch/acme-buoy@1:2.1.0-3?arch=x86_64",
            "pkg:alpm/arch/acme-buoy-doc@1:2.1.0-3?arch=any",
        ],
    );
    assert_eq!(scan.sbom.packages[0].licences, ["MIT", "Apache-2.0"]);
    assert_eq!(scan.sbom.packages[1].source.as_ref().unwrap().name, "acme-buoy");
    assert_eq!(owner(&scan, "/usr/bin/buoy"), "acme-buoy");
    assert_eq!(owner(&scan, "/usr/share/doc/buoy/READ ME"), "acme-buoy-doc");
}

#[test]
fn what_portage_installed_is_found_with_its_files() {
    let own = ["usr/share/tide/a chart", "usr/share/tide/b"];
    let scan = scan("portage", "var/db/pkg", &own);
    check(
        &scan,
        "portage",
        PackageKind::Portage,
        " ",
        &[
            "pkg:ebuild/acme-misc/tide-chart@2.11-r1?repository=acme&slot=2%2F11",
            "pkg:ebuild/virtual/chart@0?repository=acme&slot=0",
        ],
    );
    assert_eq!(scan.sbom.packages[0].licences, ["|| ( MIT BSD )"]);
    assert_eq!(owner(&scan, "/usr/share/tide/a chart"), "acme-misc/tide-chart");
}

#[test]
fn what_opkg_installed_is_found_with_its_files() {
    let scan = scan("opkg", "usr/lib/opkg", &["bin/winch", "usr/share/rope/knots"]);
    check(
        &scan,
        "opkg",
        PackageKind::Opkg,
        " - ",
        &[
            "pkg:opkg/acme-rope@2024.05.01~6cc0c5f-r1?arch=all",
            "pkg:opkg/acme-winch@1.36.1-r2?arch=x86_64",
        ],
    );
    let winch = &scan.sbom.packages[1];
    assert_eq!(winch.licences, ["MIT"]);
    assert_eq!(winch.source.as_ref().unwrap().name, "winch");
    assert_eq!(owner(&scan, "/bin/winch"), "acme-winch");
}

#[test]
fn damaged_databases_are_noted_and_never_panic() {
    let scan_of = |path: &str, content: &[u8]| {
        oci(&[Blob::plain(&Layer::new().file(path, content).tar())])
            .scan()
            .unwrap()
    };
    for (path, content) in [
        ("var/lib/pacman/local/a-1-1/desc", &b"%NAME%\na\n"[..]),
        ("var/lib/pacman/local/a-1-1/desc", b"\xff\xfe%VERSION%"),
        ("var/db/pkg/app-misc/nonsense/PF", b"nonsense"),
        ("usr/lib/opkg/status", b"Package: a\nStatus: install user installed\n"),
    ] {
        let scan = scan_of(path, content);
        assert!(scan.sbom.packages.is_empty());
        assert_eq!(incomplete(&scan.notes).len(), 1, "{path}: {:?}", scan.notes);
    }
    let desc = fs::read(fixtures("pacman/db/acme-buoy-1:2.1.0-3/desc")).unwrap();
    let status = fs::read(fixtures("opkg/db/status")).unwrap();
    for (path, content) in [
        ("var/lib/pacman/local/a-1-1/desc", desc),
        ("usr/lib/opkg/status", status),
    ] {
        for cut in 0..content.len() {
            let scan = scan_of(path, &content[..cut]);
            assert!(scan.sbom.packages.len() <= 2);
        }
    }
}
