//! Bills of materials as input: what we write reads back the same; what others write is mapped or noted; what is broken is
//! an error, never a clean image.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use plimsoll_model::{NoteKind, OsRelease, PackageKind, PathList, Sbom};
use plimsoll_scanner::{Scan, ScanError, report};

use crate::{
    builder::{Blob, Layer, oci, scan_target},
    reports::written_of,
};

const FORMATS: &[&str] = &["cyclonedx", "cyclonedx-xml", "spdx", "spdx-tag-value"];

fn read(text: &str) -> Result<Scan, ScanError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bill");
    fs::write(&path, text).unwrap();
    // Without its scheme: it is recognised by what it holds.
    scan_target(path.to_str().unwrap())
}

/// Of two kinds, with source packages, licences of both sorts, and a module that a package of the system owns.
fn scanned() -> Scan {
    let status = "Package: libapp1\nStatus: install ok installed\nMaintainer: Team <a@b.c>\nSource: app (1:1)\nVersion: 1:2\n\
                  Architecture: amd64\n\nPackage: python3-x\nStatus: install ok installed\nMaintainer: Team\nVersion: 3\n";
    let metadata = |name: &str| format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: MIT\n");
    let layer = Layer::new()
        .file(
            "etc/os-release",
            "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian 12 <&>\"\n",
        )
        .file("var/lib/dpkg/status", status)
        .file(
            "var/lib/dpkg/info/python3-x.list",
            "/usr/lib/python3/dist-packages/x-1.0.dist-info/METADATA\n",
        )
        .file("usr/lib/python3/dist-packages/x-1.0.dist-info/METADATA", metadata("x"))
        .file(
            "opt/lib/python3/site-packages/Y_z-1.0.dist-info/METADATA",
            metadata("Y_z"),
        )
        .file(
            "opt/node_modules/@a/b/package.json",
            r#"{"name":"@a/b","version":"1.2.3","license":"My own & only"}"#,
        );
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

/// Without what no bill of materials says.
fn comparable(mut sbom: Sbom, with_files: bool) -> Sbom {
    for package in &mut sbom.packages {
        package.layer = 0;
        if !with_files {
            package.files = PathList::default();
        }
    }
    sbom
}

#[test]
fn what_we_write_reads_back() {
    let scan = scanned();
    let original = scan.sbom.clone();
    assert_eq!(original.packages.len(), 5);
    assert!(original.packages.iter().any(|package| package.owner.is_some()));
    let (report, tree) = report::assemble(scan, None, Vec::new(), &[]);
    for format in FORMATS {
        let text = written_of(format, &report, &tree, false);
        let read = read(&text).unwrap();
        // SPDX wants SHA-1 of files, so there are none.
        let with_files = format.starts_with("cyclonedx");
        let (ours, theirs) = (
            comparable(original.clone(), with_files),
            comparable(read.sbom, with_files),
        );
        assert_eq!(theirs, ours, "{format}");
        let missed: Vec<_> = read.notes.iter().filter(|note| note.makes_incomplete()).collect();
        assert!(missed.is_empty(), "{format}: {missed:?}");
    }
}

#[test]
fn what_the_first_scan_missed_stays_missed() {
    let (report, tree) = crate::reports::assembled();
    for format in FORMATS {
        let read = read(&written_of(format, &report, &tree, false)).unwrap();
        assert!(
            read.notes.iter().any(|note| note.kind == NoteKind::Unreadable),
            "{format}"
        );
    }
}

#[test]
fn what_others_write_is_mapped_or_noted() {
    let components = r#"
        {"type":"library","name":"libc6","version":"2.36-9","purl":"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc"},
        {"type":"library","group":"org.a","name":"b","version":"1","purl":"pkg:maven/org.a/b@1","licenses":[{"license":{"id":"MIT"}}],
         "components":[{"type":"library","name":"inner","version":"2","purl":"pkg:npm/inner@2"}]},
        {"type":"application","name":"redis","version":"7.2","cpe":"cpe:2.3:a:redis:redis:7.2:*:*:*:*:*:*:*"},
        {"type":"library","name":"odd","version":"1","purl":"pkg:github/a/odd@1"},
        {"type":"library","name":"bare","version":"1"},
        {"type":"file","name":"/etc/passwd"}"#;
    let bom = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"components":[{components}]}}"#);
    let scan = read(&bom).unwrap();
    let os = OsRelease {
        id: "debian".to_owned(),
        version_id: "12".to_owned(),
        ..OsRelease::default()
    };
    assert_eq!(scan.sbom.os, Some(os));
    let found: Vec<(PackageKind, &str, &str)> = scan
        .sbom
        .packages
        .iter()
        .map(|package| (package.kind, package.name.as_str(), package.version.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (PackageKind::Dpkg, "libc6", "2.36-9"),
            (PackageKind::Npm, "inner", "2"),
            (PackageKind::Maven, "org.a:b", "1"),
            (PackageKind::Binary, "redis", "7.2"),
        ]
    );
    assert_eq!(scan.sbom.packages[0].source.as_ref().unwrap().name, "glibc");
    assert_eq!(scan.sbom.packages[3].cpes.len(), 1);
    let noted: Vec<&str> = scan
        .notes
        .iter()
        .filter(|note| note.kind == NoteKind::Unsupported)
        .map(|note| note.subject.as_str())
        .collect();
    assert_eq!(noted, ["bare 1", "odd 1"]);
}

#[test]
fn a_version_that_we_do_not_know_is_noted() {
    let scan = read(r#"{"bomFormat":"CycloneDX","specVersion":"9.9","components":[]}"#).unwrap();
    let kinds: Vec<NoteKind> = scan.notes.iter().map(|note| note.kind).collect();
    assert!(
        kinds.contains(&NoteKind::Unsupported) && kinds.contains(&NoteKind::Unrecognised),
        "{kinds:?}"
    );
}

#[test]
fn a_document_cut_anywhere_is_never_taken_for_a_whole_one() {
    let (report, tree) = report::assemble(scanned(), None, Vec::new(), &[]);
    for format in FORMATS {
        let text = written_of(format, &report, &tree, false);
        let text = text.trim_end();
        for end in (0..text.len()).step_by(97).filter(|end| text.is_char_boundary(*end)) {
            if let Ok(scan) = read(&text[..end]) {
                // Lines of tags have no end that could be missed; only what was cut is.
                assert_eq!(*format, "spdx-tag-value", "{format} up to {end}");
                assert!(scan.sbom.packages.len() <= 5);
            }
        }
    }
}

#[test]
fn broken_and_hostile_documents_are_errors() {
    let root = |inner: &str| format!("<bom xmlns=\"http://cyclonedx.org/schema/bom/1.5\">{inner}</bom>");
    for text in [
        root("<components>"),
        root("&mine;"),
        root("</x>"),
        root(&"<a>".repeat(100_000)),
        format!("<!DOCTYPE bom [<!ENTITY a \"b\">]>{}", root("")),
        "{\"bomFormat\":\"CycloneDX\",\"components\":7}".to_owned(),
        format!("{{\"bomFormat\":\"CycloneDX\",\"components\":{}", "[".repeat(100_000)),
        "SPDXVersion: SPDX-2.3\nno tag".to_owned(),
        "SPDXVersion: SPDX-2.3\nPackageComment: <text>endless".to_owned(),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.is_unreadable(), "{error}: {text:.80}");
    }
    let error = read("{\"hello\": 1}").unwrap_err();
    assert!(matches!(error, ScanError::NotAnImage { .. }), "{error}");
}

/// What matching looks at of the operating system's packages.
fn system_packages(sbom: &Sbom) -> BTreeSet<String> {
    let of_system = sbom.packages.iter().filter(|package| package.kind.is_of_os());
    of_system
        .map(|package| {
            let source = package.source.as_ref().unwrap();
            format!(
                "{} {} from {} {}",
                package.name, package.version, source.name, source.version
            )
        })
        .collect()
}

#[test]
fn what_syft_writes_of_a_real_image_names_the_same_packages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let (syft, image) = (root.join("validators/venv/bin/syft"), root.join("demo/images/redis"));
    if !syft.exists() || !image.join("index.json").exists() {
        eprintln!("SKIPPED: no Syft (scripts/validators.sh installs it), or no image in target/demo/images");
        return;
    }
    let ours = scan_target(image.to_str().unwrap()).unwrap().sbom;
    let folder = tempfile::tempdir().unwrap();
    let formats = [
        "cyclonedx-json",
        "cyclonedx-xml",
        "spdx-json",
        "spdx-tag-value",
        "syft-json",
    ];
    let path = |format: &str| folder.path().join(format);
    let mut command = Command::new(syft);
    command.args(["scan", "-q"]).arg(format!("oci-dir:{}", image.display()));
    for format in formats {
        command.arg("-o").arg(format!("{format}={}", path(format).display()));
    }
    assert!(
        command
            .env("SYFT_CHECK_FOR_APP_UPDATE", "false")
            .status()
            .unwrap()
            .success()
    );
    for format in formats {
        let theirs = scan_target(path(format).to_str().unwrap()).unwrap().sbom;
        assert_eq!(system_packages(&theirs), system_packages(&ours), "{format}");
        let release = |sbom: &Sbom| sbom.os.as_ref().map(|os| (os.id.clone(), os.version_id.clone()));
        assert_eq!(release(&theirs), release(&ours), "{format}");
    }
}
