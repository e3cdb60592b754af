//! Packages of modules that rpmbuild made and rpm installed, scanned and held against advisories of their stream, of another
//! stream, and of no module.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use plimsoll_tests::{command, machine};

/// What modules of Enterprise Linux say in their releases.
const RELEASE: &str = "1.module+el8.9.0+21471+7d1e4a35";

/// Builds a package without files and installs it below a root; `label` is RPM's tag for modules.
fn install(work: &Path, name: &str, version: &str, release: &str, label: Option<&str>) {
    let spec = work.join(format!("{name}.spec"));
    let module = label.map_or(String::new(), |label| format!("ModularityLabel: {label}\n"));
    let text = format!(
        "Name: {name}\nVersion: {version}\nRelease: {release}\n{module}Summary: A package of tests\nLicense: MIT\n\
         BuildArch: noarch\n%description\nA package of tests.\n%install\n%files\n"
    );
    fs::write(&spec, text).unwrap();
    let run = |command: &mut Command| {
        let done = command.stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let top = format!("_topdir {}", work.display());
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--define", &top])
        .arg(&spec));
    let built = work.join(format!("RPMS/noarch/{name}-{version}-{release}.noarch.rpm"));
    run(Command::new("rpm")
        .arg("--root")
        .arg(work.join("root"))
        .args([
            "--define",
            "_db_backend sqlite",
            "--dbpath",
            "/var/lib/rpm",
            "--force-debian",
        ])
        .args(["-i", "--nodeps", "--justdb"])
        .arg(built));
}

/// An erratum of Red Hat in OSV's form.
fn erratum(id: &str, summary: &str, cve: &str, package: &str, fixed: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"2024-04-01T00:00:00Z","summary":"{summary}","upstream":["{cve}"],"affected":[{{"package":
        {{"ecosystem":"Red Hat:enterprise_linux:8::appstream","name":"{package}"}},"ranges":[{{"type":"ECOSYSTEM",
        "events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
    .replace('\n', " ")
}

/// Errata of the stream that is installed, of another one, of no module, of what is in none, and of a module that has it too.
fn errata() -> String {
    let fixed = "3.3.5-2.module+el8.10.0+1+0";
    let errata = [
        erratum(
            "RHSA-2024:1431",
            "Moderate: ruby:3.1 security update",
            "CVE-2021-33621",
            "ruby-libs",
            "3.1.5-143.module+el8.9.0+21471+7d1e4a35",
        ),
        erratum(
            "RHSA-2025:4063",
            "Moderate: ruby:3.3 security update",
            "CVE-2025-27219",
            "ruby-libs",
            fixed,
        ),
        erratum(
            "RHSA-2020:0001",
            "Important: ruby security update",
            "CVE-2020-0001",
            "ruby-libs",
            "9.9-1.el8",
        ),
        erratum(
            "RHSA-2024:0811",
            "Moderate: sudo security update",
            "CVE-2023-28486",
            "sudo",
            "1.9.5p2-1.el8_9",
        ),
        erratum(
            "RHSA-2020:0002",
            "Important: ruby:3.1 security update",
            "CVE-2020-0002",
            "sudo",
            "9.9-1.module+el8.9.0+1+0",
        ),
    ];
    errata.join("\n")
}

#[test]
fn a_package_is_judged_by_its_own_stream() {
    let name = "a_package_is_judged_by_its_own_stream";
    if let Some(tool) = ["rpmbuild", "rpm"].into_iter().find(|tool| !machine::has(tool)) {
        machine::say_skipped(name, &format!("{tool} is not installed"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path();
    fs::create_dir_all(work.join("root/etc")).unwrap();
    let release = "ID=rhel\nVERSION_ID=8.9\nNAME=\"Red Hat Enterprise Linux\"\n";
    fs::write(work.join("root/etc/os-release"), release).unwrap();
    let label = Some("ruby:3.1:8090020240311122605:a75119d5");
    install(work, "ruby-libs", "3.1.4", RELEASE, label);
    // The same kind of package, built outside of every module.
    install(work, "sudo", "1.8.29", "5.el8", None);
    let (feed, database) = (work.join("errata.jsonl"), work.join("v.db"));
    fs::write(&feed, errata()).unwrap();
    let run = command::run([
        "db",
        "import",
        "--db",
        database.to_str().unwrap(),
        feed.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let target = format!("rootfs:{}", work.join("root").display());
    let run = command::run(["scan", &target, "--db", database.to_str().unwrap(), "-o", "json"]);
    let report: serde_json::Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let purls: Vec<&str> = report["sbom"]["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["purl"].as_str().unwrap())
        .collect();
    assert!(
        purls
            .iter()
            .any(|purl| purl.contains("rpmmod=ruby:3.1:8090020240311122605:a75119d5")),
        "{purls:?}"
    );
    let mut found: Vec<&str> = report["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["vulnerability"]["id"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["CVE-2021-33621", "CVE-2023-28486"]);
}
