//! Image checks on whole images: secrets in layers that later ones hide, programs that were exchanged, base images.

use std::path::Path;

use plimsoll_model::Finding;
use plimsoll_scanner::{Target, base};

use crate::builder::{self, Blob, Layer, config, oci_with_config, plain_source};

/// Put together here, so that no scanner of repositories takes it for one.
fn token() -> String {
    ["glpat", "-", "q7Rk2mZx9LwT4vBn8sYd"].concat()
}

fn of_check<'f>(findings: &'f [Finding], check: &str) -> Vec<&'f Finding> {
    findings.iter().filter(|finding| finding.check == check).collect()
}

/// MD5 of `#!/bin/sh\nexec true\n`, by md5sum(1).
const MD5: &str = "e5d8e78fc4ca3e06efc7829c15aed957";

fn debian() -> Layer {
    let status = "Package: demo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\n\n";
    Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", status)
        .file(
            "var/lib/dpkg/info/demo.list",
            "/.\n/usr\n/usr/bin\n/usr/bin/demo\n/usr/share/key\n",
        )
        .file("var/lib/dpkg/info/demo.md5sums", format!("{MD5}  usr/bin/demo\n"))
        .file(
            "usr/share/doc/demo/copyright",
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n",
        )
        .program("usr/bin/demo", 0o755, "#!/bin/sh\nexec true\n")
}

#[test]
fn a_secret_that_a_later_layer_removes_is_found_and_shown_redacted() {
    let secret = token();
    let base = debian()
        .file("app/settings.ini", format!("name = demo\ntoken = {secret}\n"))
        .file("usr/share/key", &secret)
        .tar();
    let top = Layer::new()
        .file("app/.wh.settings.ini", "")
        .file("usr/share/doc/.wh.demo", "")
        .tar();
    let layers = [Blob::gzip(&base), Blob::gzip(&top)];
    let mut settings = config(&layers);
    settings["config"]["Env"] = serde_json::json!([format!("CI_TOKEN={secret}")]);
    settings["history"][1]["created_by"] = format!("RUN fetch --token {secret}").into();
    let scan = oci_with_config(&layers, &settings).scan().unwrap();
    let found = of_check(&scan.findings, "secret-gitlab-token");
    // In the file, the environment and the history; not in what the package brought.
    assert_eq!(found.len(), 3, "{found:?}");
    let of_file: Vec<_> = found.iter().filter(|finding| finding.path.is_some()).collect();
    let [of_file] = of_file[..] else { panic!("{found:?}") };
    assert_eq!(
        (of_file.path.as_deref(), of_file.layer),
        (Some("/app/settings.ini"), Some(0))
    );
    assert!(
        of_file.message.contains("line 2") && of_file.message.contains("removes"),
        "{}",
        of_file.message
    );
    let text = serde_json::to_string(&scan.findings).unwrap();
    assert!(!text.contains(&secret[5..]), "{text}");
    // Its copyright file was removed too, and still says what the licence is.
    assert_eq!(scan.sbom.packages[0].licences, ["GPL-2.0-or-later"]);
}

#[test]
fn an_exchanged_program_is_found() {
    let base = debian().tar();
    let unchanged = builder::oci(&[Blob::gzip(&base)]).scan().unwrap();
    assert_eq!(
        of_check(&unchanged.findings, "package-file-changed"),
        Vec::<&Finding>::new()
    );
    let top = Layer::new()
        .program("usr/bin/demo", 0o755, "#!/bin/sh\nexec evil\n")
        .tar();
    let changed = builder::oci(&[Blob::gzip(&base), Blob::gzip(&top)]).scan().unwrap();
    let found = of_check(&changed.findings, "package-file-changed");
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].path.as_deref(), found[0].layer),
        (Some("/usr/bin/demo"), Some(1))
    );
}

/// Lists of real packages are long, and kept packed.
#[test]
fn an_exchanged_program_is_found_whatever_else_its_package_has() {
    let documents = (0..100).map(|number| format!("{MD5}  usr/share/doc/demo/{number}\n"));
    let sums: String = documents.chain([format!("{MD5}  usr/bin/demo\n")]).collect();
    let base = debian().file("var/lib/dpkg/info/demo.md5sums", sums).tar();
    let top = Layer::new()
        .program("usr/bin/demo", 0o755, "#!/bin/sh\nexec false\n")
        .tar();
    let scan = builder::oci(&[Blob::gzip(&base), Blob::gzip(&top)]).scan().unwrap();
    let found = of_check(&scan.findings, "package-file-changed");
    let paths: Vec<_> = found.iter().map(|finding| finding.path.as_deref()).collect();
    assert_eq!(paths, [Some("/usr/bin/demo")]);
}

#[test]
fn the_base_image_is_told_by_its_layers() {
    let base = Blob::gzip(&debian().tar());
    let top = Blob::gzip(&Layer::new().file("app", "x").tar());
    let below = builder::oci(std::slice::from_ref(&base));
    let whole = builder::oci(&[base, top]).scan().unwrap();
    let name = format!("oci:{}", below.path());
    let layers = base::diff_ids(&Target::parse(&name).unwrap(), &plain_source()).unwrap();
    let found = base::by_layers(&whole.image.diff_ids, &[(name.clone(), layers)]).unwrap();
    assert_eq!((found.reference, found.layer_count), (name, 1));
    assert!(whole.sbom.packages.iter().all(|package| package.layer == 0));
}

/// What is found in real images, all of it looked at: postgres has the key that its package ssl-cert makes when it is
/// installed, which is the same in all containers of the image.
#[test]
fn real_images_raise_no_false_alarm() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/demo/images");
    let mut looked_at = 0;
    for (name, expected) in [
        ("redis", &[][..]),
        ("nginx", &[]),
        (
            "postgres",
            &["secret-private-key /etc/ssl/private/ssl-cert-snakeoil.key"],
        ),
    ] {
        let image = images.join(name);
        if !image.join("index.json").exists() {
            continue;
        }
        looked_at += 1;
        let scan = builder::scan_target(image.to_str().unwrap()).unwrap();
        let usual = ["runs-as-root", "no-health-check", "package-cache"];
        let found: Vec<String> = scan
            .findings
            .iter()
            .filter(|finding| !usual.contains(&finding.check.as_str()))
            .map(|finding| format!("{} {}", finding.check, finding.path.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{name}");
        let stated = scan
            .sbom
            .packages
            .iter()
            .filter(|package| !package.licences.is_empty())
            .count();
        assert!(stated * 10 > scan.sbom.packages.len() * 8, "{name}: {stated} licences");
    }
    if looked_at == 0 {
        eprintln!("SKIPPED: no images in target/demo/images (make demo builds them)");
    }
}

/// Programs that `tests/fixtures/rpm/make.sh` installed and then changed, as it changed them.
fn tampered(database: &str) -> Layer {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rpm");
    let packed = std::fs::read(format!("{folder}/{database}.zst")).unwrap();
    Layer::new()
        .file("etc/os-release", "ID=fedora\nVERSION_ID=39\n")
        .file(
            &format!("var/lib/rpm/{database}"),
            zstd::decode_all(packed.as_slice()).unwrap(),
        )
        .program("usr/bin/hull", 0o755, "#!/bin/sh\nexec wget\n")
        .program("usr/bin/keel", 0o755, "#!/bin/sh -e\n")
        .symlink("usr/bin/mast", "keel")
        .symlink("usr/bin/boat", "hull")
        .file("usr/lib/hull/licence", "a licence\nno licence\n")
        .program("usr/libexec/hull.conf", 0o755, "colour = blue\n")
        .file("usr/lib/beta/a", "a\n")
        .file("usr/lib/beta/b", "b\n")
        .file("usr/lib/beta/c", "c\n")
}

#[test]
fn what_rpm_finds_changed_is_found_in_each_of_its_databases() {
    let verified = include_str!("../fixtures/rpm/verify.txt");
    // rpm's marks: `c` configuration, `l` licence. Neither runs.
    let marked = |line: &&str| !line.contains(" c /") && !line.contains(" l /");
    let mut expected: Vec<&str> = verified
        .lines()
        .filter(marked)
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    expected.sort_unstable();
    assert_eq!(expected.len(), 3, "{verified}");
    for database in ["rpmdb.sqlite", "Packages.db", "Packages"] {
        let scan = builder::oci(&[Blob::gzip(&tampered(database).tar())]).scan().unwrap();
        let changed = of_check(&scan.findings, "package-file-changed");
        let missing = of_check(&scan.findings, "package-file-missing");
        let mut found: Vec<&str> = changed
            .iter()
            .chain(&missing)
            .filter_map(|finding| finding.path.as_deref())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{database}");
        assert!(missing[0].message.contains("package hull "), "{:?}", missing[0]);
    }
}
