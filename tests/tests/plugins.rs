//! Plugin points: one trait, one file per implementation, one line in `const ALL`. Folders and lists in, what is in one
//! and not in the other out: a plugin that nobody listed would never run, and nothing else would notice.

use std::{collections::BTreeMap, fs};

use plimsoll_tests::repository::{self, Source};

/// A plugin point: trait, file of the list, folder of the implementations.
struct Point {
    name: &'static str,
    interface: &'static str,
    list: &'static str,
    folder: &'static str,
}

const POINTS: &[Point] = &[
    point(
        "image source",
        "ImageSource",
        "scanner/src/source.rs",
        "scanner/src/source/",
    ),
    point(
        "cataloger",
        "Cataloger",
        "scanner/src/cataloger.rs",
        "scanner/src/cataloger/",
    ),
    point(
        "report format",
        "Report",
        "scanner/src/report.rs",
        "scanner/src/report/",
    ),
    point("image check", "Check", "scanner/src/check.rs", "scanner/src/check/"),
    point(
        "watcher of contents",
        "Watcher",
        "scanner/src/layer/watch.rs",
        "scanner/src/layer/watch/",
    ),
    point("feed", "Feed", "vulndb/src/feed.rs", "vulndb/src/feed/"),
    point(
        "version scheme",
        "Scheme",
        "vulndb/src/version.rs",
        "vulndb/src/version/",
    ),
    point(
        "container engine",
        "Engine",
        "runtime/src/identity.rs",
        "runtime/src/identity/",
    ),
    point("alert sink", "SinkKind", "runtime/src/sink.rs", "runtime/src/sink/"),
    point("output", "OutputKind", "runtime/src/output.rs", "runtime/src/output/"),
    point("sensor", "Sensor", "runtime/src/sensor.rs", "runtime/src/sensor/"),
];

const fn point(name: &'static str, interface: &'static str, list: &'static str, folder: &'static str) -> Point {
    Point {
        name,
        interface,
        list,
        folder,
    }
}

/// Types in `const ALL: &[&dyn INTERFACE] = &[…];`, without their modules.
fn listed(source: &str, interface: &str) -> Option<Vec<String>> {
    let start = source.find(&format!("const ALL: &[&dyn {interface}] ="))?;
    let list = source[start..].split_once("= &[")?.1.split_once("];")?.0;
    let types = list.split(',').map(|entry| {
        let path: String = entry.chars().filter(|c| !c.is_whitespace() && *c != '&').collect();
        path.rsplit("::").next().unwrap_or_default().to_owned()
    });
    Some(types.filter(|name| !name.is_empty()).collect())
}

/// Types that a file implements the interface for, its tests apart.
fn implemented(source: &Source, interface: &str) -> Vec<String> {
    let start = format!("impl {interface} for ");
    source
        .code_lines()
        .filter_map(|(_, line)| line.strip_prefix(&start))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

/// What is wrong with a point: list against files.
fn differences(list: &[String], files: &[(String, Vec<String>)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, types) in files {
        if types.len() > 1 {
            found.push(format!("{path} holds {}: one file each", types.join(" and ")));
        }
        for name in types {
            homes.insert(name, path);
            match list.iter().filter(|entry| *entry == name).count() {
                1 => {}
                count => found.push(format!("{path}: {name} is listed {count} times")),
            }
        }
    }
    for name in list {
        if !homes.contains_key(name.as_str()) {
            found.push(format!("{name} is listed and in no file of the folder"));
        }
    }
    found
}

#[test]
fn folders_and_lists_agree() {
    let mut found = Vec::new();
    for point in POINTS {
        let text = fs::read_to_string(repository::root().join(point.list)).unwrap();
        let Some(list) = listed(&text, point.interface) else {
            found.push(format!(
                "{}: no `const ALL: &[&dyn {}]` in {}",
                point.name, point.interface, point.list
            ));
            continue;
        };
        let crate_folder = point.folder.split('/').next().unwrap();
        let files: Vec<(String, Vec<String>)> = repository::sources(crate_folder, "src")
            .unwrap()
            .iter()
            .filter(|source| source.path.starts_with(point.folder))
            .map(|source| (source.path.clone(), implemented(source, point.interface)))
            .collect();
        assert!(!list.is_empty(), "{}: the list is empty", point.name);
        found.extend(
            differences(&list, &files)
                .into_iter()
                .map(|text| format!("{}: {text}", point.name)),
        );
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_file_of_the_api_is_a_listed_resource() {
    let folder = repository::root().join("web/src/api");
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .strip_suffix(".rs")
                .map(str::to_owned)
        })
        .collect();
    files.sort();
    // All types there are called `Resource`: the modules tell them apart.
    let text = fs::read_to_string(folder.with_extension("rs")).unwrap();
    let list = text
        .split_once("const ALL: &[&dyn Resource] = &[")
        .unwrap()
        .1
        .split_once("];")
        .unwrap()
        .0;
    let mut listed: Vec<&str> = list
        .split(',')
        .filter_map(|entry| entry.trim().strip_prefix('&')?.strip_suffix("::Resource"))
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, files);
}

#[test]
fn every_pack_file_is_built_in() {
    let folder = repository::root().join("rules/content/packs");
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let shipped: Vec<String> = plimsoll_rules::packs::shipped()
        .iter()
        .map(|pack| pack.name.clone())
        .collect();
    assert_eq!(shipped, files);
}

#[test]
fn a_forgotten_or_doubled_plugin_is_found() {
    let text = "pub const ALL: &[&dyn Feed] = &[&osv::Osv, &Kev,\n &Kev];";
    let list = listed(text, "Feed").unwrap();
    assert_eq!(list, ["Osv", "Kev", "Kev"]);
    let file = |path: &str, text: &str| {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        (source.path.clone(), implemented(&source, "Feed"))
    };
    let files = [
        file("kev.rs", "impl Feed for Kev {"),
        file("epss.rs", "impl Feed for Epss {\n#[cfg(test)]\nimpl Feed for Fake {"),
    ];
    assert_eq!(
        differences(&list, &files),
        [
            "kev.rs: Kev is listed 2 times",
            "epss.rs: Epss is listed 0 times",
            "Osv is listed and in no file of the folder"
        ]
    );
}
