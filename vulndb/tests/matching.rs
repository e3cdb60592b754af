//! Which packages are looked up as what, and how records of several sources become one match.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use plimsoll_model::{Match, Note, NoteKind, OsRelease, Package, PackageKind, Sbom, SourcePackage};
use plimsoll_vulndb::{Database, ImportOptions, import};

fn record(id: &str, more: &str, ecosystem: &str, name: &str, fixed: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"2025-01-01T00:00:00Z"{more},"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

fn package(kind: PackageKind, name: &str, version: &str) -> Package {
    Package::new(kind, name, version)
}

fn of_source(package: Package, name: &str, version: &str) -> Package {
    let source = SourcePackage {
        name: name.to_owned(),
        version: version.to_owned(),
    };
    Package {
        source: Some(source),
        ..package
    }
}

fn find(records: &[String], os: &str, packages: Vec<Package>) -> (Vec<Match>, Vec<Note>) {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.jsonl");
    std::fs::write(&feed, records.join("\n")).unwrap();
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let path = folder.path().join("v.db");
    let (_, notes) = import(&[feed], &path, &options).unwrap();
    assert_eq!(notes, []);
    let (id, version) = os.split_once(' ').unwrap();
    let os = OsRelease {
        id: id.to_owned(),
        version_id: version.to_owned(),
        ..OsRelease::default()
    };
    Database::open(&path)
        .unwrap()
        .find_matches(&Sbom { os: Some(os), packages })
        .unwrap()
}

#[test]
fn records_that_share_a_name_are_one_match() {
    let records = [
        record(
            "PYSEC-2024-1",
            r#","aliases":["CVE-2024-0001"]"#,
            "PyPI",
            "django",
            "4.2.1",
        ),
        record(
            "GHSA-aaaa-bbbb-cccc",
            r#","aliases":["CVE-2024-0001"]"#,
            "PyPI",
            "Django",
            "4.2.2",
        ),
        record("GHSA-dddd-eeee-ffff", "", "PyPI", "django", "4.3"),
    ];
    let (matches, notes) = find(
        &records,
        "debian 12",
        vec![package(PackageKind::Python, "Django", "4.0")],
    );
    assert_eq!(notes, []);
    let found: Vec<(&str, Vec<&str>, Option<&str>)> = matches
        .iter()
        .map(|one| {
            let aliases = one.vulnerability.aliases.iter().map(String::as_str).collect();
            (one.vulnerability.id.as_str(), aliases, one.fixed_version.as_deref())
        })
        .collect();
    let expected = [
        (
            "CVE-2024-0001",
            vec!["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"],
            Some("4.2.2"),
        ),
        ("GHSA-dddd-eeee-ffff", vec![], Some("4.3")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_update_gives_a_match_for_each_vulnerability() {
    let records = [record(
        "ALSA-2024:1",
        r#","related":["CVE-2024-0002","CVE-2024-0001"]"#,
        "AlmaLinux:9",
        "bind",
        "32:9.16-2.el9",
    )];
    let (matches, _) = find(
        &records,
        "almalinux 9.3",
        vec![package(PackageKind::Rpm, "bind", "32:9.16-1.el9")],
    );
    let ids: Vec<(&str, &str)> = matches
        .iter()
        .map(|one| (one.vulnerability.id.as_str(), one.evidence.advisory.as_str()))
        .collect();
    assert_eq!(
        ids,
        [("CVE-2024-0001", "ALSA-2024:1"), ("CVE-2024-0002", "ALSA-2024:1")]
    );
}

#[test]
fn what_the_operating_system_brought_it_judges_itself() {
    let records = [
        record("GHSA-aaaa-bbbb-cccc", "", "PyPI", "requests", "2.32"),
        record("CVE-2024-0001", "", "Debian:12", "requests", "2.28.1+dfsg-1"),
    ];
    let mut module = package(PackageKind::Python, "requests", "2.28.1");
    assert_eq!(find(&records, "debian 12", vec![module.clone()]).0.len(), 1);
    module.owner = Some(1);
    let packages = vec![module, package(PackageKind::Dpkg, "python3-requests", "2.28.1+dfsg-1")];
    assert_eq!(find(&records, "debian 12", packages.clone()).0.len(), 0);
    // Where the distribution says nothing, upstream's word is better than none.
    assert_eq!(find(&records, "plan9 4", packages).0.len(), 1);
}

#[test]
fn signed_kernels_and_all_binaries_of_a_source_are_judged() {
    let records = [record("CVE-2024-0001", "", "Debian:12", "linux", "6.1.76-2")];
    let packages = vec![
        of_source(
            package(PackageKind::Dpkg, "linux-image-6.1.0-18-amd64", "6.1.76-1"),
            "linux-signed-amd64",
            "6.1.76+1",
        ),
        of_source(
            package(PackageKind::Dpkg, "linux-libc-dev", "6.1.76-1"),
            "linux",
            "6.1.76-1",
        ),
        of_source(
            package(PackageKind::Dpkg, "linux-image-6.1.0-19-amd64", "6.1.76-2"),
            "linux-signed-amd64",
            "6.1.76+2",
        ),
    ];
    let (matches, _) = find(&records, "debian 12", packages);
    let found: Vec<u32> = matches.iter().map(|one| one.package).collect();
    assert_eq!(found, [0, 1]);
}

#[test]
fn a_version_that_cannot_be_compared_is_a_note() {
    let records = [
        record("GHSA-aaaa-bbbb-cccc", "", "PyPI", "a", "2.0"),
        record("GHSA-dddd-eeee-ffff", "", "PyPI", "b", "2.0"),
    ];
    let packages = vec![
        package(PackageKind::Python, "a", "strange"),
        package(PackageKind::Python, "b", "1.0"),
    ];
    let (matches, notes) = find(&records, "debian 12", packages);
    assert_eq!(matches.len(), 1);
    assert_eq!(
        (notes[0].kind, notes[0].subject.as_str()),
        (NoteKind::Unreadable, "a strange")
    );
}

#[test]
fn listed_versions_and_the_last_affected_count() {
    let listed = r#"{"id":"GHSA-aaaa-bbbb-cccc","modified":"2025-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0.0","1.2.0"]}]}"#;
    let last = r#"{"id":"GHSA-dddd-eeee-ffff","modified":"2025-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"b"},"ranges":[{"type":"SEMVER","events":[{"introduced":"1.0.0"},{"last_affected":"1.4.0"},{"introduced":"2.0.0"},{"fixed":"2.1.0"}]}]}]}"#;
    for (name, version, expected) in [
        ("a", "1.0.0", 1),
        ("a", "1.1.0", 0),
        ("a", "1.2.0", 1),
        ("b", "0.9.0", 0),
        ("b", "1.4.0", 1),
        ("b", "1.4.1", 0),
        ("b", "2.0.5", 1),
        ("b", "2.1.0", 0),
    ] {
        let records = [listed.to_owned(), last.to_owned()];
        let (matches, notes) = find(&records, "debian 12", vec![package(PackageKind::Npm, name, version)]);
        assert_eq!((matches.len(), notes.len()), (expected, 0), "{name} {version}");
    }
}

#[test]
fn ubuntu_pros_word_counts_only_where_the_release_has_none() {
    let two = r#"{"id":"UBUNTU-CVE-2024-0001","modified":"2025-01-01T00:00:00Z","affected":[
        {"package":{"ecosystem":"Ubuntu:Pro:22.04:LTS","name":"a"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-1ubuntu1+esm1"}]}]},
        {"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"a"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-1ubuntu1"}]}]},
        {"package":{"ecosystem":"Ubuntu:Pro:22.04:LTS","name":"b"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-1ubuntu1+esm1"}]}]}]}"#;
    let records = [two.replace('\n', " ")];
    let fixed = |name: &str| {
        let (matches, _) = find(
            &records,
            "ubuntu 22.04",
            vec![package(PackageKind::Dpkg, name, "1.0-1ubuntu1")],
        );
        matches
            .into_iter()
            .map(|one| one.fixed_version.unwrap())
            .collect::<Vec<_>>()
    };
    assert!(fixed("a").is_empty());
    assert_eq!(fixed("b"), ["1.0-1ubuntu1+esm1"]);
}

#[test]
fn packages_that_no_advisories_speak_of_are_said_to_be_unjudged() {
    let records = [
        record("DEBIAN-CVE-2024-1", "", "Debian:12", "busybox", "9"),
        record("ASA-1", "", "Arch Linux", "zlib", "1:1.3-2"),
    ];
    let (matches, notes) = find(
        &records,
        "debian 12",
        vec![
            package(PackageKind::Opkg, "busybox", "1.36.1-r2"),
            package(PackageKind::Portage, "sys-apps/busybox", "1.36.1"),
            package(PackageKind::Pacman, "busybox", "1.36.1-1"),
            package(PackageKind::Lua, "lpeg", "1.0"),
        ],
    );
    assert_eq!(matches, []);
    let said: Vec<&str> = notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(said, ["lua", "opkg", "pacman", "portage"]);
    assert!(notes.iter().all(Note::makes_incomplete));
    // A split package is known by its own name.
    let zlib = of_source(package(PackageKind::Pacman, "zlib", "1:1.3-1"), "zlib-all", "1:1.3-1");
    let (matches, notes) = find(&records, "arch 2026", vec![zlib]);
    assert_eq!((matches.len(), notes.len()), (1, 0), "{notes:?}");
    // A system without advisories is named itself.
    let (_, notes) = find(&records, "gentoo 2", vec![package(PackageKind::Portage, "a/b", "1")]);
    assert_eq!(notes[0].subject, "gentoo");
}

#[test]
fn an_update_of_a_module_is_about_its_stream_only() {
    let fixed = "1:18.20.4-1.module_el8.10.0+3891+5d5a4b4f";
    let records = [
        record(
            "ALSA-2024:0018",
            r#","summary":"Important: nodejs:18 security update","related":["CVE-2024-0018"]"#,
            "AlmaLinux:8",
            "nodejs",
            fixed,
        ),
        record(
            "ALSA-2024:0020",
            r#","summary":"Important: nodejs:20 security update","related":["CVE-2024-0020"]"#,
            "AlmaLinux:8",
            "nodejs",
            "1:20.16.0-1.module_el8.10.0+3892+aa",
        ),
        record(
            "ALSA-2024:0001",
            r#","summary":"Important: nodejs security update","related":["CVE-2024-0001"]"#,
            "AlmaLinux:8",
            "nodejs",
            "1:99-1.el8",
        ),
    ];
    let version = "1:18.0.0-1.module_el8.10.0+3001+aa";
    let labelled = |stream: &str| Package {
        purl: format!("pkg:rpm/almalinux/nodejs@18?epoch=1&rpmmod=nodejs%3A{stream}%3A8100020240808073736%3A489197e6"),
        ..package(PackageKind::Rpm, "nodejs", version)
    };
    for (package, expected) in [
        (labelled("18"), &["CVE-2024-0018"][..]),
        // Its version is before the fix of stream 20 too, but that is another program.
        (labelled("20"), &["CVE-2024-0020"]),
        (labelled("22"), &[]),
        (
            package(PackageKind::Rpm, "nodejs", version),
            &["CVE-2024-0018", "CVE-2024-0020"],
        ),
        (
            package(PackageKind::Rpm, "nodejs", "1:18.0.0-1.el8"),
            &["CVE-2024-0001"],
        ),
    ] {
        let purl = package.purl.clone();
        let (matches, _) = find(&records, "almalinux 8.10", vec![package]);
        let mut found: Vec<&str> = matches.iter().map(|one| one.vulnerability.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{purl}");
    }
}

#[test]
fn programs_recognised_by_their_bytes_are_judged_by_their_cpe_names() {
    let cve = |id: &str, criterion: &str| {
        format!(
            r#"{{"cve":{{"id":"{id}","lastModified":"2024-01-01T00:00:00.000","configurations":[{{"nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{{"vulnerable":true,{criterion}}}]}}]}}]}}}}"#
        )
    };
    let redis = r#""criteria":"cpe:2.3:a:redis:redis:*:*:*:*:*:*:*:*""#;
    let records = [
        cve(
            "CVE-2024-0001",
            &format!(r#"{redis},"versionStartIncluding":"7.0.0","versionEndExcluding":"7.0.15""#),
        ),
        cve(
            "CVE-2024-0002",
            &format!(r#"{redis},"versionStartExcluding":"7.0.14","versionEndIncluding":"7.2""#),
        ),
        cve("CVE-2024-0003", r#""criteria":"cpe:2.3:a:other:redis:*:*:*:*:*:*:*:*""#),
    ];
    let program = Package {
        cpes: vec!["cpe:2.3:a:redis:redis:7.0.14:*:*:*:*:*:*:*".to_owned()],
        ..package(PackageKind::Binary, "redis", "7.0.14")
    };
    let nameless = package(PackageKind::Binary, "redis", "7.0.14");
    let (matches, notes) = find(&records, "debian 12", vec![program, nameless]);
    let found: Vec<(u32, &str, &str)> = matches
        .iter()
        .map(|one| (one.package, one.vulnerability.id.as_str(), one.evidence.range.as_str()))
        .collect();
    assert_eq!(found, [(0, "CVE-2024-0001", ">= 7.0.0, < 7.0.15")]);
    assert!(
        notes.iter().any(|note| note.detail.starts_with("1 programs")),
        "{notes:?}"
    );
}

#[test]
fn erlangs_own_applications_and_modules_of_other_managers() {
    let records = [
        record(
            "GHSA-aaaa-bbbb-cccc",
            r#","aliases":["CVE-2024-0001"]"#,
            "Hex",
            "ssl",
            "99.0.0",
        ),
        record("PYSEC-2024-1", r#","aliases":["CVE-2024-0002"]"#, "PyPI", "numpy", "9"),
        record("CVE-2024-0003", "", "Debian:12", "other", "1"),
    ];
    let otp = Package {
        purl: "pkg:otp/ssl@11.0".to_owned(),
        ..package(PackageKind::Hex, "ssl", "11.0.0")
    };
    let conda = package(PackageKind::Conda, "numpy", "1.26.0");
    // Debian's advisories know nothing of what conda brought; PyPI's do.
    let module = |owner| Package {
        owner: Some(owner),
        ..package(PackageKind::Python, "numpy", "1.26.0")
    };
    let dpkg = package(PackageKind::Dpkg, "python3-numpy", "1.26.0");
    let (matches, _) = find(&records, "debian 12", vec![otp, conda, dpkg, module(1), module(2)]);
    let found: Vec<(u32, &str)> = matches
        .iter()
        .map(|one| (one.package, one.vulnerability.id.as_str()))
        .collect();
    assert_eq!(found, [(3, "CVE-2024-0002")]);
}
