//! Packages of smaller ecosystems, from files that their own tools wrote.

use std::{fs, path::Path};

use plimsoll_model::{Package, PackageKind};
use plimsoll_scanner::Scan;

use crate::builder::{Blob, Layer, incomplete, oci, scan_target};

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ecosystems");
    fs::read(format!("{folder}/{name}")).unwrap()
}

fn scan(layer: Layer) -> Scan {
    oci(&[Blob::gzip(&layer.tar())]).scan().unwrap()
}

/// Kind, name, version and purl, one package a line.
fn listed(scan: &Scan) -> Vec<String> {
    let line = |package: &Package| {
        let (kind, purl) = (package.kind, &package.purl);
        format!("{kind:?} {} {} {purl}", package.name, package.version)
    };
    let packages = scan.sbom.packages.iter();
    let ecosystems = packages.filter(|package| package.kind != PackageKind::Binary);
    ecosystems.map(line).collect()
}

/// Where an image has it, its content, and the packages that it shows.
type Case = (&'static str, &'static str, &'static [&'static str]);

const INSTALLED: &[Case] = &[
    (
        "opt/conda/conda-meta/acme-keel-1.4.0-h7a1c_2.json",
        "acme-keel-1.4.0-h7a1c_2.json",
        &["Conda acme-keel 1.4.0 pkg:conda/acme-keel@1.4.0?build=h7a1c_2&channel=acme&subdir=linux-64&type=conda"],
    ),
    (
        "opt/conda/conda-meta/acme-sails-2024.1-0.json",
        "acme-sails-2024.1-0.json",
        &["Conda acme-sails 2024.1 pkg:conda/acme-sails@2024.1?build=0&channel=acme&subdir=noarch&type=tar.bz2"],
    ),
    (
        "usr/lib/erlang/lib/kernel-8.5.3/ebin/kernel.app",
        "kernel.app",
        &["Hex kernel 8.5.3 pkg:otp/kernel@8.5.3"],
    ),
    (
        "app/lib/elixir/ebin/elixir.app",
        "elixir.app",
        &["Hex elixir 1.14.0 pkg:otp/elixir@1.14.0"],
    ),
    (
        "app/lib/cowlib-2.9.1/ebin/cowlib.app",
        "cowlib.app",
        &["Hex cowlib 2.9.1 pkg:hex/cowlib@2.9.1"],
    ),
    (
        "var/lib/ghc/package.conf.d/text-1.2.5.0.conf",
        "text-1.2.5.0.conf",
        &["Haskell text 1.2.5.0 pkg:hackage/text@1.2.5.0"],
    ),
    (
        "var/lib/ghc/package.conf.d/aeson-2.0.3.0.conf",
        "aeson-2.0.3.0.conf",
        &["Haskell aeson 2.0.3.0 pkg:hackage/aeson@2.0.3.0"],
    ),
    (
        "usr/lib/R/library/stats/DESCRIPTION",
        "stats.DESCRIPTION",
        &["R stats 4.2.2 pkg:cran/stats@4.2.2"],
    ),
    (
        "usr/lib/R/site-library/jsonlite/DESCRIPTION",
        "jsonlite.DESCRIPTION",
        &["R jsonlite 1.8.4 pkg:cran/jsonlite@1.8.4"],
    ),
    (
        "usr/local/lib/luarocks/rocks-5.1/acme-lib/1.2-1/acme-lib-1.2-1.rockspec",
        "acme-lib-1.2-1.rockspec",
        &["Lua Acme-Lib 1.2-1 pkg:luarocks/acme-lib@1.2-1"],
    ),
    (
        "root/.conan/data/acme-app/0.2/_/_/package/ee81189149d2/conaninfo.txt",
        "conaninfo.txt",
        &[
            "Conan acme-app 0.2 pkg:conan/acme-app@0.2",
            "Conan acme-base 1.4.0 pkg:conan/acme/acme-base@1.4.0?channel=stable",
        ],
    ),
    (
        "src/vcpkg_installed/vcpkg/status",
        "vcpkg.status",
        &[
            "Vcpkg acme-keel 1.4.0 pkg:vcpkg/acme-keel@1.4.0?port_version=2&triplet=x64-linux",
            "Vcpkg acme-sails 2024-01-01 pkg:vcpkg/acme-sails@2024-01-01?triplet=x64-linux",
            "Vcpkg vcpkg-cmake 2025-08-07 pkg:vcpkg/vcpkg-cmake@2025-08-07?triplet=x64-linux",
        ],
    ),
    (
        "opt/x64-linux/share/acme-sails/vcpkg.spdx.json",
        "acme-sails.spdx.json",
        &["Vcpkg acme-sails 2024-01-01 pkg:vcpkg/acme-sails@2024-01-01?triplet=x64-linux"],
    ),
    (
        "var/www/wp-includes/version.php",
        "wordpress.version.php",
        &["Wordpress wordpress 6.1.9 pkg:generic/wordpress@6.1.9"],
    ),
    (
        "var/www/wp-content/plugins/akismet/akismet.php",
        "akismet.php",
        &["Wordpress akismet 5.0.2 pkg:generic/wordpress-plugin/akismet@5.0.2"],
    ),
    (
        "var/www/wp-content/themes/twentytwentytwo/style.css",
        "twentytwentytwo.style.css",
        &["Wordpress twentytwentytwo 1.3 pkg:generic/wordpress-theme/twentytwentytwo@1.3"],
    ),
];

const DECLARED: &[Case] = &[
    (
        "rebar.lock",
        "rebar.lock",
        &["Hex unicode_util_compat 0.7.0 pkg:hex/unicode_util_compat@0.7.0"],
    ),
    (
        "Package.resolved",
        "Package.resolved",
        &[
            "Swift github.com/apple/swift-argument-parser 1.2.2 pkg:swift/github.com/apple/swift-argument-parser@1.2.2",
            "Swift github.com/apple/swift-atomics 1.1.0 pkg:swift/github.com/apple/swift-atomics@1.1.0",
            // Of a branch, only the revision says which one it is.
            "Swift github.com/apple/swift-cmark eb9a6a357b6816c68f4b194eaa5b67f3cd1fa5c3 \
             pkg:swift/github.com/apple/swift-cmark@eb9a6a357b6816c68f4b194eaa5b67f3cd1fa5c3",
            "Swift github.com/apple/swift-collections 1.0.4 pkg:swift/github.com/apple/swift-collections@1.0.4",
            "Swift github.com/apple/swift-crypto 2.5.0 pkg:swift/github.com/apple/swift-crypto@2.5.0",
            "Swift github.com/apple/swift-docc-plugin 1.2.0 pkg:swift/github.com/apple/swift-docc-plugin@1.2.0",
            "Swift github.com/apple/swift-docc-symbolkit 2940bfa6217839402018ecc823ffd4457573859f \
             pkg:swift/github.com/apple/swift-docc-symbolkit@2940bfa6217839402018ecc823ffd4457573859f",
            "Swift github.com/apple/swift-lmdb c42582487fe84f72a4d417dd2d8493757bd4d072 \
             pkg:swift/github.com/apple/swift-lmdb@c42582487fe84f72a4d417dd2d8493757bd4d072",
            "Swift github.com/apple/swift-markdown 907674c2ae2d24c32fba50101821b1a7fdd291e2 \
             pkg:swift/github.com/apple/swift-markdown@907674c2ae2d24c32fba50101821b1a7fdd291e2",
            "Swift github.com/apple/swift-nio 2.53.0 pkg:swift/github.com/apple/swift-nio@2.53.0",
        ],
    ),
    (
        "Package.resolved",
        "Package.v1.resolved",
        &["Swift github.com/ChimeHQ/SwiftTreeSitter 0.8.0 pkg:swift/github.com/ChimeHQ/SwiftTreeSitter@0.8.0"],
    ),
    (
        "Podfile.lock",
        "Podfile.lock",
        &["Swift OLMKit 3.2.4 pkg:cocoapods/OLMKit@3.2.4"],
    ),
    ("stack.yaml.lock", "open-browser.stack.yaml.lock", &[]),
    (
        "stack.yaml.lock",
        "stack.yaml.lock",
        &["Haskell either 5.0.1.1 pkg:hackage/either@5.0.1.1"],
    ),
    (
        "cabal.project.freeze",
        "cabal.project.freeze",
        &[
            "Haskell array 0.5.4.0 pkg:hackage/array@0.5.4.0",
            "Haskell base 4.15.1.0 pkg:hackage/base@4.15.1.0",
            "Haskell binary 0.8.8.0 pkg:hackage/binary@0.8.8.0",
            "Haskell bytestring 0.10.12.1 pkg:hackage/bytestring@0.10.12.1",
            "Haskell containers 0.6.4.1 pkg:hackage/containers@0.6.4.1",
            "Haskell deepseq 1.4.5.0 pkg:hackage/deepseq@1.4.5.0",
            "Haskell ghc-bignum 1.1 pkg:hackage/ghc-bignum@1.1",
            "Haskell ghc-boot-th 9.0.2 pkg:hackage/ghc-boot-th@9.0.2",
            "Haskell ghc-prim 0.7.0 pkg:hackage/ghc-prim@0.7.0",
            "Haskell pretty 1.1.3.6 pkg:hackage/pretty@1.1.3.6",
            "Haskell rts 1.0.2 pkg:hackage/rts@1.0.2",
            "Haskell template-haskell 2.17.0.0 pkg:hackage/template-haskell@2.17.0.0",
            "Haskell text 1.2.5.0 pkg:hackage/text@1.2.5.0",
        ],
    ),
    (
        "conan.lock",
        "conan-1.lock",
        &["Conan acme-base 1.4.0 pkg:conan/acme/acme-base@1.4.0?channel=stable"],
    ),
    (
        "conan.lock",
        "conan-2.lock",
        &["Conan acme-base 1.4.0 pkg:conan/acme-base@1.4.0"],
    ),
];

#[test]
fn what_is_installed_is_found() {
    for (path, name, expected) in INSTALLED {
        let scan = scan(Layer::new().file(path, fixture(name)));
        assert_eq!(listed(&scan), *expected, "{path}");
        assert!(incomplete(&scan.notes).is_empty(), "{path}: {:?}", scan.notes);
    }
}

#[test]
fn lock_files_count_in_sources_and_not_in_images() {
    for (path, name, expected) in DECLARED {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app").join(path);
        fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(&file, fixture(name)).unwrap();
        let sources = scan_target(&format!("dir:{}", folder.path().display())).unwrap();
        assert_eq!(listed(&sources), *expected, "{path}");
        let image = scan(Layer::new().file(&format!("app/{path}"), fixture(name)));
        assert!(image.sbom.packages.is_empty(), "{path}: {:?}", image.sbom.packages);
    }
}

/// Kind, the lock file, and the file with a name and a version a line that it locks.
const LONG: &[(PackageKind, &str, &str)] = &[
    (PackageKind::Dart, "pubspec.lock", "pubspec.expected"),
    (PackageKind::Hex, "mix.lock", "mix.expected"),
];

#[test]
fn long_lock_files_are_read_to_their_ends() {
    for (kind, name, expected) in LONG {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), fixture(name)).unwrap();
        let scan = scan_target(&format!("dir:{}", folder.path().display())).unwrap();
        let line = |package: &Package| {
            assert_eq!(package.kind, *kind, "{}", package.name);
            format!("{} {}", package.name, package.version)
        };
        let found: Vec<String> = scan.sbom.packages.iter().map(line).collect();
        let expected = String::from_utf8(fixture(expected)).unwrap();
        assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_port_that_the_database_knows_is_recorded_once() {
    let scan = scan(
        Layer::new()
            .file("v/installed/vcpkg/status", fixture("vcpkg.status"))
            .file(
                "v/installed/x64-linux/share/acme-sails/vcpkg.spdx.json",
                fixture("acme-sails.spdx.json"),
            ),
    );
    let names: Vec<&str> = scan.sbom.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["acme-keel", "acme-sails", "vcpkg-cmake"]);
    // The database has no licences; the port's own document does.
    let licences: Vec<&[String]> = scan.sbom.packages.iter().map(|package| &*package.licences).collect();
    assert_eq!(licences, [&[][..], &["(Apache-2.0 OR MIT)".to_owned()], &[]]);
}

#[test]
fn files_cut_at_any_byte_or_full_of_nonsense_never_panic() {
    let nested = "[".repeat(10_000);
    let line = "x".repeat(1 << 20);
    for (path, name, _) in INSTALLED {
        let whole = fixture(name);
        let step = (whole.len() / 12).max(1);
        for cut in (0..whole.len()).step_by(step) {
            let mut broken = whole[..cut].to_vec();
            broken.extend_from_slice(b"\xff\xfe\0\"{<<'=");
            scan(Layer::new().file(path, &broken));
        }
        for text in [&nested, &line] {
            let scan = scan(Layer::new().file(path, text));
            assert!(listed(&scan).len() <= 1, "{path}: {:?}", listed(&scan));
        }
    }
}
