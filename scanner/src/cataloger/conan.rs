//! `conan.lock` (of Conan 1 and 2) and `conaninfo.txt` of packages in Conan's cache in, packages out.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{FileEntry, Package, PackageKind};
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// ConanCenter.
pub(super) struct Conan;

/// Conan 2 lists references, Conan 1 has a graph of them.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    requires: Vec<String>,
    graph_lock: Option<Graph>,
}

#[derive(Deserialize)]
struct Graph {
    #[serde(default)]
    nodes: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Where its own recipe is: the program that the lock file is for.
    path: Option<String>,
}

impl Cataloger for Conan {
    fn name(&self) -> &'static str {
        "conan"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        if is_info(path) {
            return Some(Want::Newest);
        }
        is_lock(path).then_some(Want::OfSources)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents() {
            let references: BTreeSet<String> = if is_lock(&entry.path) {
                let lock = language::json::<Lock>(&entry.path, content, &mut catalog.notes);
                lock.into_iter().flat_map(locked).collect()
            } else if is_info(&entry.path) {
                let required = full_requires(&String::from_utf8_lossy(content));
                required.into_iter().chain(of_cache(&entry.path)).collect()
            } else {
                continue;
            };
            let packages = references.iter().filter_map(|reference| package(reference, entry));
            catalog.packages.extend(packages);
        }
        catalog
    }
}

fn is_lock(path: &str) -> bool {
    path.ends_with("/conan.lock")
}

fn is_info(path: &str) -> bool {
    path.ends_with("/conaninfo.txt")
}

/// What the program is linked with; tools of the build (`build_requires`) are not in it.
fn locked(lock: Lock) -> impl Iterator<Item = String> {
    let nodes = lock.graph_lock.map(|graph| graph.nodes).unwrap_or_default();
    let references = nodes
        .into_values()
        .filter(|node| node.path.is_none())
        .filter_map(|node| node.reference);
    lock.requires.into_iter().chain(references)
}

/// `[full_requires]` has a line of each; `[requires]` leaves out the last numbers.
fn full_requires(text: &str) -> Vec<String> {
    let mut lines = text.lines().map(str::trim);
    let found = lines.find(|line| *line == "[full_requires]");
    let section = lines.take_while(|line| !line.starts_with('['));
    match found {
        Some(_) => section.filter(|line| line.contains('/')).map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// The package itself, of Conan 1's cache: `.conan/data/NAME/VERSION/USER/CHANNEL/package/DIGEST/conaninfo.txt`.
fn of_cache(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/.conan/data/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts[..] {
        [name, version, "_", "_", "package", ..] => Some(format!("{name}/{version}")),
        [name, version, user, channel, "package", ..] => Some(format!("{name}/{version}@{user}/{channel}")),
        _ => None,
    }
}

/// `zlib/1.2.11@user/channel#revision%time:package`.
fn package(reference: &str, entry: &FileEntry) -> Option<Package> {
    let plain = reference.split(['#', '%', ':']).next()?;
    let (plain, place) = match plain.split_once('@') {
        Some((plain, place)) => (plain, place.split_once('/')),
        None => (plain, None),
    };
    let (name, version) = plain.split_once('/')?;
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let purl = match place {
        Some((user, channel)) => {
            let purl = purl::of_library("conan", &[user], name, version);
            format!("{purl}?channel={}", purl::encoded(channel))
        }
        None => purl::of_library("conan", &[], name, version),
    };
    Some(language::package(PackageKind::Conan, name, version, purl, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_names_packages_by_their_folders() {
        let path = "/root/.conan/data/zlib/1.2.13/_/_/package/00ff/conaninfo.txt";
        assert_eq!(of_cache(path).as_deref(), Some("zlib/1.2.13"));
        let path = "/root/.conan/data/a/1/user/stable/package/00ff/conaninfo.txt";
        assert_eq!(of_cache(path).as_deref(), Some("a/1@user/stable"));
        assert_eq!(of_cache("/src/conaninfo.txt"), None);
    }
}
