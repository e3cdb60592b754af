//! What catalogers of installed packages read, by name.

use super::{
    Parser,
    image::{in_image, pacman_files, python_record},
};

pub(super) const PARSERS: &[Parser] = &[
    ("os-release", |b| in_image("/etc/os-release", b), &[]),
    (
        "dpkg",
        |b| in_image("/var/lib/dpkg/status", b),
        &["scanner/tests/fixtures/opkg/db/status"],
    ),
    (
        "dpkg-list",
        |b| in_image("/var/lib/dpkg/info/acme.list", b),
        &["scanner/tests/fixtures/opkg/db/info/acme-rope.list"],
    ),
    ("dpkg-md5sums", |b| in_image("/var/lib/dpkg/info/acme.md5sums", b), &[]),
    ("apk", |b| in_image("/lib/apk/db/installed", b), &[]),
    (
        "rpm-sqlite",
        |b| in_image("/var/lib/rpm/rpmdb.sqlite", b),
        &["scanner/tests/fixtures/rpm/rpmdb.sqlite.zst"],
    ),
    (
        "rpm-ndb",
        |b| in_image("/var/lib/rpm/Packages.db", b),
        &["scanner/tests/fixtures/rpm/Packages.db.zst"],
    ),
    (
        "rpm-bdb",
        |b| in_image("/var/lib/rpm/Packages", b),
        &["scanner/tests/fixtures/rpm/Packages.zst"],
    ),
    (
        "pacman",
        |b| in_image("/var/lib/pacman/local/a-1/desc", b),
        &["scanner/tests/fixtures/pacman/db/acme-buoy-1:2.1.0-3/desc"],
    ),
    (
        "pacman-files",
        pacman_files,
        &["scanner/tests/fixtures/pacman/db/acme-buoy-1:2.1.0-3/files"],
    ),
    (
        "portage",
        |b| in_image("/var/db/pkg/a/b-1/CONTENTS", b),
        &["scanner/tests/fixtures/portage/db/acme-misc/tide-chart-2.11-r1/CONTENTS"],
    ),
    (
        "portage-licence",
        |b| in_image("/var/db/pkg/a/b-1/LICENSE", b),
        &["scanner/tests/fixtures/portage/db/acme-misc/tide-chart-2.11-r1/LICENSE"],
    ),
    (
        "opkg",
        |b| in_image("/usr/lib/opkg/status", b),
        &["scanner/tests/fixtures/opkg/db/status"],
    ),
    (
        "opkg-control",
        |b| in_image("/usr/lib/opkg/info/a.control", b),
        &["scanner/tests/fixtures/opkg/db/info/acme-rope.control"],
    ),
    (
        "python",
        |b| in_image("/usr/lib/python3/a-1.dist-info/METADATA", b),
        &["scanner/tests/fixtures/languages/six.METADATA"],
    ),
    (
        "python-record",
        python_record,
        &["scanner/tests/fixtures/languages/six.RECORD"],
    ),
    (
        "npm",
        |b| in_image("/app/node_modules/a/package.json", b),
        &["scanner/tests/fixtures/languages/is-odd.package.json"],
    ),
    (
        "gem",
        |b| in_image("/usr/lib/ruby/gems/3.1.0/specifications/a-1.gemspec", b),
        &["scanner/tests/fixtures/languages/acme-tool-2.5.0.gemspec"],
    ),
    (
        "composer",
        |b| in_image("/app/vendor/composer/installed.json", b),
        &["scanner/tests/fixtures/languages/composer.installed.json"],
    ),
    (
        "jar",
        |b| in_image("/app/a.jar", b),
        &[
            "scanner/tests/fixtures/maven/barge-0.9.1.jar",
            "scanner/tests/fixtures/maven/harbour-1.4.2.jar",
        ],
    ),
    ("program", |b| in_image("/usr/bin/a", b), &[]),
    ("nuget", |b| in_image("/app/a.deps.json", b), &[]),
    (
        "conda",
        |b| in_image("/opt/conda/conda-meta/a-1-0.json", b),
        &["scanner/tests/fixtures/ecosystems/acme-keel-1.4.0-h7a1c_2.json"],
    ),
    (
        "dart",
        |b| in_image("/app/pubspec.lock", b),
        &["scanner/tests/fixtures/ecosystems/pubspec.lock"],
    ),
    (
        "hex-app",
        |b| in_image("/app/lib/cowlib-2.12.1/ebin/cowlib.app", b),
        &["scanner/tests/fixtures/ecosystems/cowlib.app"],
    ),
    (
        "hex-mix",
        |b| in_image("/app/mix.lock", b),
        &["scanner/tests/fixtures/ecosystems/mix.lock"],
    ),
    (
        "hex-rebar",
        |b| in_image("/app/rebar.lock", b),
        &["scanner/tests/fixtures/ecosystems/rebar.lock"],
    ),
    (
        "swift",
        |b| in_image("/app/Package.resolved", b),
        &[
            "scanner/tests/fixtures/ecosystems/Package.resolved",
            "scanner/tests/fixtures/ecosystems/Package.v1.resolved",
        ],
    ),
    (
        "swift-pods",
        |b| in_image("/app/Podfile.lock", b),
        &["scanner/tests/fixtures/ecosystems/Podfile.lock"],
    ),
    (
        "haskell",
        |b| in_image("/opt/ghc/lib/package.conf.d/a-1.conf", b),
        &["scanner/tests/fixtures/ecosystems/aeson-2.0.3.0.conf"],
    ),
    (
        "haskell-freeze",
        |b| in_image("/app/cabal.project.freeze", b),
        &["scanner/tests/fixtures/ecosystems/cabal.project.freeze"],
    ),
    (
        "haskell-stack",
        |b| in_image("/app/stack.yaml.lock", b),
        &["scanner/tests/fixtures/ecosystems/stack.yaml.lock"],
    ),
    (
        "r",
        |b| in_image("/usr/lib/R/library/a/DESCRIPTION", b),
        &["scanner/tests/fixtures/ecosystems/jsonlite.DESCRIPTION"],
    ),
    (
        "lua",
        |b| in_image("/usr/lib/luarocks/rocks-5.3/acme-lib/1.2-1/acme-lib-1.2-1.rockspec", b),
        &["scanner/tests/fixtures/ecosystems/acme-lib-1.2-1.rockspec"],
    ),
    (
        "conan-info",
        |b| in_image("/root/.conan/data/a/1/_/_/package/0/conaninfo.txt", b),
        &["scanner/tests/fixtures/ecosystems/conaninfo.txt"],
    ),
    (
        "conan-lock",
        |b| in_image("/app/conan.lock", b),
        &[
            "scanner/tests/fixtures/ecosystems/conan-1.lock",
            "scanner/tests/fixtures/ecosystems/conan-2.lock",
        ],
    ),
    (
        "vcpkg",
        |b| in_image("/opt/vcpkg/installed/vcpkg/status", b),
        &["scanner/tests/fixtures/ecosystems/vcpkg.status"],
    ),
    (
        "vcpkg-spdx",
        |b| in_image("/opt/installed/x64-linux/share/acme-sails/vcpkg.spdx.json", b),
        &["scanner/tests/fixtures/ecosystems/acme-sails.spdx.json"],
    ),
    (
        "wordpress",
        |b| in_image("/var/www/wp-includes/version.php", b),
        &["scanner/tests/fixtures/ecosystems/wordpress.version.php"],
    ),
    (
        "wordpress-plugin",
        |b| in_image("/var/www/wp-content/plugins/akismet/akismet.php", b),
        &["scanner/tests/fixtures/ecosystems/akismet.php"],
    ),
    (
        "wordpress-theme",
        |b| in_image("/var/www/wp-content/themes/t/style.css", b),
        &["scanner/tests/fixtures/ecosystems/twentytwentytwo.style.css"],
    ),
];
