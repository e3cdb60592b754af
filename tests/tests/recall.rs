//! What package managers themselves list in a root file system is what a scan of it finds, all of it: dpkg, pip, npm and gem of
//! this machine, whose own records are copied, and rpm with a package that is built for it. A tool that is not there is said
//! loudly and left out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_model::{PackageKind, ScanReport};
use plimsoll_tests::command;

type Names = BTreeSet<(String, String)>;

/// Standard output of a tool; `None`, said loudly, when it is not there or fails.
fn output(tool: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(tool).args(arguments).env("LC_ALL", "C").output();
    match run {
        Ok(run) if run.status.success() => Some(String::from_utf8_lossy(&run.stdout).into_owned()),
        other => {
            eprintln!("SKIPPED: {tool} {arguments:?} does not work here: {other:?}");
            None
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success(), "{}", from.display());
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn found(root: &Path, kind: PackageKind) -> Names {
    let run = command::scan(
        &format!("rootfs:{}", root.display()),
        &["--no-cache", "--output", "json"],
    );
    let report: ScanReport =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let packages = report.sbom.packages.into_iter().filter(|package| package.kind == kind);
    packages.map(|package| (package.name, package.version)).collect()
}

/// All that `listed` names is found. Nothing else is asked: a scan may know more than the tool.
#[track_caller]
fn check(tool: &str, listed: &Names, found: &Names) {
    let missing: Vec<_> = listed.difference(found).collect();
    assert!(
        !listed.is_empty(),
        "{tool} lists nothing: this test would prove nothing"
    );
    assert!(
        missing.is_empty(),
        "{tool} lists {}, not found: {missing:?}",
        listed.len()
    );
    eprintln!("{tool}: {} of {} found", listed.len(), listed.len());
}

#[test]
fn dpkg() {
    let root = tempfile::tempdir().unwrap();
    let database = root.path().join("var/lib/dpkg");
    let status = Path::new("/var/lib/dpkg/status");
    if !status.exists() {
        eprintln!("SKIPPED: this machine has no dpkg");
        return;
    }
    copy(status, &database.join("status"));
    fs::create_dir(database.join("updates")).unwrap();
    fs::create_dir(database.join("info")).unwrap();
    let folder = format!("--admindir={}", database.display());
    let format = "--showformat=${db:Status-Status} ${Package} ${Version}\n";
    let Some(list) = output("dpkg-query", &[&folder, "--show", format]) else {
        return;
    };
    let listed: Names = list
        .lines()
        .filter_map(|line| line.strip_prefix("installed ")?.split_once(' '))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    check("dpkg", &listed, &found(root.path(), PackageKind::Dpkg));
}

#[test]
fn pip() {
    let root = tempfile::tempdir().unwrap();
    let Some(list) = output("python3", &["-m", "pip", "list", "--verbose", "--format", "json"]) else {
        return;
    };
    let all: serde_json::Value = serde_json::from_str(&list).unwrap();
    let folders: BTreeSet<PathBuf> = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["editable_project_location"].is_null())
        .map(|package| text(&package["location"]).into())
        .collect();
    let mut listed = Names::new();
    for (index, folder) in folders.iter().enumerate() {
        let place = root.path().join(format!("opt/{index}/site-packages"));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|end| end == "dist-info" || end == "egg-info")
            {
                copy(&path, &place.join(path.file_name().unwrap()));
            }
        }
        let place = place.display().to_string();
        let Some(list) = output("python3", &["-m", "pip", "list", "--path", &place, "--format", "json"]) else {
            return;
        };
        let here: serde_json::Value = serde_json::from_str(&list).unwrap();
        let named = |package: &serde_json::Value| (normal(&text(&package["name"])), text(&package["version"]));
        listed.extend(here.as_array().unwrap().iter().map(named));
    }
    let found = found(root.path(), PackageKind::Python);
    let found = found
        .into_iter()
        .map(|(name, version)| (normal(&name), version))
        .collect();
    check("pip", &listed, &found);
}

/// A project's name as indexes compare it (PEP 503).
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

#[test]
fn npm() {
    let root = tempfile::tempdir().unwrap();
    let Some(modules) = output("npm", &["root", "--global"]) else {
        return;
    };
    copy(Path::new(modules.trim()), &root.path().join("usr/lib/node_modules"));
    let prefix = root.path().join("usr").display().to_string();
    let Some(list) = output("npm", &["ls", "--global", "--all", "--json", "--prefix", &prefix]) else {
        return;
    };
    let mut listed = Names::new();
    let tree: serde_json::Value = serde_json::from_str(&list).unwrap();
    let mut todo = vec![&tree];
    while let Some(node) = todo.pop() {
        for (name, dependency) in node["dependencies"].as_object().into_iter().flatten() {
            // Wanted by some package, but not there.
            if dependency["version"].is_string() && dependency["missing"] != true {
                listed.insert((name.clone(), text(&dependency["version"])));
            }
            todo.push(dependency);
        }
    }
    check("npm", &listed, &found(root.path(), PackageKind::Npm));
}

#[test]
fn gem() {
    let root = tempfile::tempdir().unwrap();
    let (Some(list), Some(paths)) = (
        output("gem", &["list", "--local"]),
        output("gem", &["environment", "gempath"]),
    ) else {
        return;
    };
    for path in paths.trim().split(':').map(Path::new) {
        let specifications = path.join("specifications");
        if specifications.is_dir() {
            copy(
                &specifications,
                &root.path().join(specifications.strip_prefix("/").unwrap()),
            );
        }
    }
    let mut listed = Names::new();
    // `bundler (default: 2.3.27, 2.3.15)`
    for (name, versions) in list.lines().filter_map(|line| line.strip_suffix(')')?.split_once(" (")) {
        for version in versions.split(", ") {
            let version = version.strip_prefix("default: ").unwrap_or(version);
            let version = version.split(' ').next().unwrap_or(version);
            listed.insert((name.to_owned(), version.to_owned()));
        }
    }
    check("gem", &listed, &found(root.path(), PackageKind::Gem));
}

#[test]
fn rpm() {
    let folder = tempfile::tempdir().unwrap();
    let (root, top) = (folder.path().join("root"), folder.path().join("build"));
    fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    let spec = folder.path().join("demo.spec");
    let heads = ["demo", "demo-tools"].map(|name| {
        let body = "License: MIT\nSummary: For a test\nBuildArch: noarch\n%description\nFor a test.\n%files\n";
        (name, format!("Name: {name}\nVersion: 1.2\nRelease: 3\n{body}"))
    });
    let topdir = format!("_topdir {}", top.display());
    let (place, dbpath) = (root.display().to_string(), "_dbpath /var/lib/rpm");
    for (name, text) in heads {
        fs::write(&spec, text).unwrap();
        let package = top.join(format!("RPMS/noarch/{name}-1.2-3.noarch.rpm"));
        let (spec, package) = (spec.display().to_string(), package.display().to_string());
        let install = [
            "--root",
            &place,
            "--define",
            dbpath,
            "--install",
            "--justdb",
            "--nodeps",
            &package,
        ];
        if output("rpmbuild", &["-bb", "--define", &topdir, &spec]).is_none() || output("rpm", &install).is_none() {
            return;
        }
    }
    let format = "--queryformat=%{NAME} %{VERSION}-%{RELEASE}\n";
    let Some(list) = output(
        "rpm",
        &["--root", &place, "--define", dbpath, "--query", "--all", format],
    ) else {
        return;
    };
    let listed: Names = list
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    assert_eq!(listed.len(), 2, "{list}");
    check("rpm", &listed, &found(&root, PackageKind::Rpm));
}
