//! Java archives, Rust and Go programs that Maven, Cargo and Go built, against what those tools list (`README.md` in their
//! folders of `tests/fixtures`).

use std::fs;

use plimsoll_model::{NoteKind, PackageKind};
use plimsoll_scanner::Scan;

use crate::builder::{Blob, Layer, incomplete, oci, scan_target};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn scan(layer: Layer) -> Scan {
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

fn listed(scan: &Scan) -> Vec<String> {
    let packages = scan.sbom.packages.iter();
    packages
        .map(|package| format!("{} {}", package.name, package.version))
        .collect()
}

fn expected(name: &str, more: &[&str]) -> Vec<String> {
    let text = String::from_utf8(fixture(name)).unwrap();
    let mut lines: Vec<String> = text.lines().chain(more.iter().copied()).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_program_of_spring_boot_has_the_libraries_that_maven_lists() {
    let scan = scan(Layer::new().file("app/harbour.jar", fixture("maven/harbour-1.4.2.jar")));
    assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
    // Itself, and the tool that Spring Boot's own plug-in adds when it packs.
    let more = [
        "org.acme:harbour 1.4.2",
        "org.springframework.boot:spring-boot-jarmode-tools 3.3.4",
    ];
    let mut found = listed(&scan);
    found.sort();
    // Starters are empty: the plug-in leaves them out of the archive.
    let is_packed = |line: &String| !line.contains(":spring-boot-starter");
    let packed: Vec<String> = expected("maven/harbour.expected", &more)
        .into_iter()
        .filter(is_packed)
        .collect();
    assert_eq!(found, packed);
    let guava = scan
        .sbom
        .packages
        .iter()
        .find(|package| package.name.ends_with(":guava"))
        .unwrap();
    assert_eq!(guava.kind, PackageKind::Maven);
    assert_eq!(guava.purl, "pkg:maven/com.google.guava/guava@33.3.0-jre");
    assert_eq!(
        guava.evidence_path,
        "/app/harbour.jar!/BOOT-INF/lib/guava-33.3.0-jre.jar"
    );
    assert_eq!(guava.files, ["/app/harbour.jar"]);
}

#[test]
fn a_shaded_archive_is_all_that_maven_put_into_it() {
    let scan = scan(Layer::new().file("opt/barge.jar", fixture("maven/barge-0.9.1.jar")));
    assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
    let mut found = listed(&scan);
    found.sort();
    assert_eq!(found, expected("maven/barge.expected", &["org.acme:barge 0.9.1"]));
}

#[test]
fn an_archive_larger_than_what_is_kept_is_read_all_the_same() {
    // The script that starts it, 20 MiB of something, and the archive behind.
    let mut jar = b"#!/bin/sh\nexec java -jar \"$0\"\n".to_vec();
    jar.resize(20 << 20, b'x');
    jar.extend(fixture("maven/barge-0.9.1.jar"));
    let scan = scan(Layer::new().program("app/barge.jar", 0o755, jar));
    assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
    assert_eq!(scan.sbom.packages.len(), 4);
}

#[test]
fn archives_that_cannot_be_read_are_noted() {
    let whole = fixture("maven/barge-0.9.1.jar");
    for content in [&b""[..], b"version https://git-lfs.github.com/spec/v1\n", &whole[..900]] {
        let scan = scan(Layer::new().file("a.jar", content));
        let kinds: Vec<NoteKind> = incomplete(&scan.notes).iter().map(|note| note.kind).collect();
        assert_eq!(kinds, [NoteKind::Unreadable], "{:?}", scan.notes);
    }
}

/// Status, list of files and os-release of an image with one package of Debian.
fn debian(package: &str, files: &str) -> Layer {
    let status = format!("Package: {package}\nStatus: install ok installed\nVersion: 1-1\nArchitecture: all\n");
    Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", status)
        .file(&format!("var/lib/dpkg/info/{package}.list"), files)
}

#[test]
fn libraries_that_came_with_a_package_of_the_system_name_it_once() {
    // As libjackson2-core-java has it: one archive, and links to it under other names.
    let java = debian(
        "libbarge-java",
        "/usr/share/java/barge.jar\n/usr/share/java/barge-0.9.1.jar\n/usr/share/maven-repo/barge-0.9.1.jar\n",
    )
    .file("usr/share/java/barge.jar", fixture("maven/barge-0.9.1.jar"))
    .symlink("usr/share/java/barge-0.9.1.jar", "barge.jar")
    .symlink("usr/share/maven-repo/barge-0.9.1.jar", "../java/barge.jar");
    // As node-semver and python3-six have it.
    let node = debian("node-semver", "/usr/share/nodejs/semver/package.json\n").file(
        "usr/share/nodejs/semver/package.json",
        r#"{"name": "semver", "version": "7.3.5", "license": "ISC"}"#,
    );
    let info = "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO";
    let python =
        debian("python3-six", &format!("/{info}\n")).file(info, "Metadata-Version: 1.2\nName: six\nVersion: 1.16.0\n");
    let fat = debian("harbour", "/opt/harbour.jar\n").file("opt/harbour.jar", fixture("maven/harbour-1.4.2.jar"));
    for (layer, libraries) in [(java, 4), (node, 1), (python, 1), (fat, 32)] {
        let scan = scan(layer);
        assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
        let [system, rest @ ..] = &scan.sbom.packages[..] else {
            panic!("no packages");
        };
        assert_eq!((system.kind, system.owner), (PackageKind::Dpkg, None));
        assert_eq!(rest.len(), libraries, "{:?}", listed(&scan));
        assert!(rest.iter().all(|package| package.owner == Some(0)), "{rest:?}");
    }
}

#[test]
fn lock_files_in_an_image_are_no_packages() {
    let layer = Layer::new()
        .file("app/package-lock.json", fixture("lockfiles/npm3/package-lock.json"))
        .file("app/Cargo.lock", fixture("lockfiles/cargo/Cargo.lock"));
    let scan = scan(layer);
    assert!(scan.sbom.packages.is_empty(), "{:?}", listed(&scan));
}

#[test]
fn lock_files_in_a_folder_of_sources_are() {
    let folder = format!("dir:{}/tests/fixtures/lockfiles/pnpm9", env!("CARGO_MANIFEST_DIR"));
    let scan = scan_target(&folder).unwrap();
    assert_eq!(incomplete(&scan.notes).len(), 0, "{:?}", scan.notes);
    assert_eq!(listed(&scan), expected("lockfiles/npm.expected", &[]));
}

/// An ELF file with a section that a tool made, as far as sections go.
fn program(name: &str, section: &[u8]) -> Vec<u8> {
    let names = format!("\0{name}\0.shstrtab\0");
    let last = u32::try_from(name.len()).unwrap() + 2;
    let (names_at, table_at) = (
        64 + section.len(),
        (64 + section.len() + names.len()).next_multiple_of(8),
    );
    let mut elf = vec![0; 64];
    elf[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf[16..20].copy_from_slice(&[3, 0, 62, 0]);
    elf[20] = 1;
    elf[40..48].copy_from_slice(&(table_at as u64).to_le_bytes());
    elf[52..64].copy_from_slice(&[64, 0, 56, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    elf.extend_from_slice(section);
    elf.extend_from_slice(names.as_bytes());
    elf.resize(table_at + 64, 0);
    for (name, kind, at, size) in [(1_u32, 1_u32, 64, section.len()), (last, 3, names_at, names.len())] {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        elf.extend_from_slice(&header);
    }
    elf
}

#[test]
fn a_program_built_by_cargo_auditable_has_the_crates_that_cargo_lists() {
    let section = fixture("rust/dep-v0");
    let scanned = scan(Layer::new().program("usr/bin/tide", 0o755, program(".dep-v0", &section)));
    assert_eq!(incomplete(&scanned.notes).len(), 0, "{:?}", scanned.notes);
    assert_eq!(listed(&scanned), expected("rust/expected.txt", &[]));
    assert_eq!(scanned.sbom.packages[0].purl, "pkg:cargo/acme-tide@0.3.1");
    // The list is there, and damaged.
    let mut damaged = section;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let scanned = scan(Layer::new().program("usr/bin/tide", 0o755, program(".dep-v0", &damaged)));
    assert!(scanned.sbom.packages.is_empty());
    assert_eq!(incomplete(&scanned.notes).len(), 1, "{:?}", scanned.notes);
}

#[test]
fn a_go_program_has_the_modules_that_go_lists() {
    let section = fixture("go/buildinfo");
    let scanned = scan(Layer::new().program("usr/bin/tide", 0o755, program(".go.buildinfo", &section)));
    assert_eq!(incomplete(&scanned.notes).len(), 0, "{:?}", scanned.notes);
    assert_eq!(listed(&scanned), expected("go/expected.txt", &[]));
    // Go's own tool does not find it any more either.
    let mut damaged = section;
    damaged[2] ^= 0xff;
    let scanned = scan(Layer::new().program("usr/bin/tide", 0o755, program(".go.buildinfo", &damaged)));
    assert!(scanned.sbom.packages.is_empty());
    assert_eq!(incomplete(&scanned.notes).len(), 1, "{:?}", scanned.notes);
}
