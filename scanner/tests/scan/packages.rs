//! Package databases in whole images: ownership through links, layers, distributions.

use plimsoll_model::PackageKind;

use crate::builder::{Blob, Layer, incomplete, oci};

const STATUS: &str = "var/lib/dpkg/status";

fn stanza(name: &str, version: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
}

#[test]
fn files_of_a_merged_usr_have_their_owner_and_packages_their_layer() {
    let base = Layer::new()
        .file(
            "etc/os-release",
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian\"\n",
        )
        .folder("usr/bin")
        .symlink("bin", "usr/bin")
        .program("usr/bin/ls", 0o755, "ls")
        .file(STATUS, stanza("coreutils", "9.1-1"))
        .file(
            "var/lib/dpkg/info/coreutils.list",
            "/.\n/bin\n/bin/ls\n/usr/share/gone\n",
        );
    let top = Layer::new()
        .program("usr/bin/app", 0o755, "app")
        .file(STATUS, stanza("coreutils", "9.1-1") + &stanza("app", "1:2.0+b1"))
        .file("var/lib/dpkg/info/app:amd64.list", "/.\n/usr/bin\n/usr/bin/app\n");
    let scan = oci(&[Blob::gzip(&base.tar()), Blob::zstd(&top.tar())]).scan().unwrap();
    assert_eq!(incomplete(&scan.notes), Vec::<&plimsoll_model::Note>::new());
    let [app, coreutils] = &scan.sbom.packages[..] else {
        panic!("{:?}", scan.sbom.packages);
    };
    assert_eq!((app.layer, coreutils.layer), (1, 0));
    assert_eq!(app.purl, "pkg:deb/debian/app@1:2.0%2Bb1?arch=amd64&distro=debian-12");
    let owner = |path: &str| scan.tree.get(path).unwrap().package;
    assert_eq!(owner("/usr/bin/ls"), Some(1));
    assert_eq!(owner("/usr/bin/app"), Some(0));
    assert_eq!(owner("/bin"), Some(1));
    assert_eq!(owner("/etc/os-release"), None);
    // Lists were read for their packages; nobody keeps them.
    assert_eq!(scan.tree.content("/var/lib/dpkg/info/coreutils.list"), None);
}

#[test]
fn distroless_and_alpine() {
    let layer = Layer::new()
        .file("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
        .symlink("etc/os-release", "../usr/lib/os-release")
        .file(
            "var/lib/dpkg/status.d/base",
            "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n",
        )
        .file(
            "var/lib/dpkg/status.d/base.md5sums",
            "d41d8cd98f00b204e9800998ecf8427e  usr/lib/os-release\n",
        );
    let scan = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    assert_eq!(scan.sbom.os.as_ref().unwrap().id, "debian");
    assert_eq!(scan.sbom.packages[0].files, ["/usr/lib/os-release"]);
    assert_eq!(scan.tree.get("/usr/lib/os-release").unwrap().package, Some(0));

    let layer = Layer::new()
        .file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n")
        .file("lib/ld-musl-x86_64.so.1", "musl")
        .file(
            "lib/apk/db/installed",
            "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\n",
        );
    let scan = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    let musl = &scan.sbom.packages[0];
    assert_eq!(musl.kind, PackageKind::Apk);
    assert_eq!(
        musl.purl,
        "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"
    );
    assert_eq!(scan.tree.get("/lib/ld-musl-x86_64.so.1").unwrap().package, Some(0));
}

#[test]
fn programs_have_elf_facts_and_scripts_their_first_line() {
    let shell = std::fs::read("/bin/sh").unwrap();
    let layer = Layer::new()
        .program("bin/sh", 0o4755, &shell)
        .program("run", 0o755, "#! /bin/sh -e\nexec sh\n")
        .with(|builder| {
            let mut header = tar::Header::new_ustar();
            header.set_path("bin/ping").unwrap();
            header.set_mode(0o755);
            header.set_size(shell.len() as u64);
            header.set_cksum();
            let capability: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
            builder
                .append_pax_extensions([("SCHILY.xattr.security.capability", capability)])
                .unwrap();
            builder.append(&header, &shell[..]).unwrap();
        });
    let scan = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    let entry = scan.tree.get("/bin/sh").unwrap();
    assert!(entry.is_setuid_or_setgid() && !entry.has_capabilities);
    let elf = entry.elf.as_ref().unwrap();
    assert!(elf.imports.exec && elf.needed.iter().any(|name| name.starts_with("libc")));
    assert!(scan.tree.get("/bin/ping").unwrap().has_capabilities);
    assert_eq!(scan.tree.get("/bin/ping").unwrap().elf.as_ref(), Some(elf));
    assert_eq!(scan.tree.get("/run").unwrap().shebang.as_deref(), Some("/bin/sh -e"));
}
