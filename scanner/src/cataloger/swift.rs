//! `Package.resolved` of the Swift package manager (versions 1 to 3) and `Podfile.lock` of CocoaPods in, packages out.

use std::collections::BTreeSet;

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Swift packages and CocoaPods.
pub(super) struct Swift;

/// Version 1 has its pins in `object`.
#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    pins: Vec<Pin>,
    object: Option<Pins>,
}

#[derive(Deserialize)]
struct Pins {
    #[serde(default)]
    pins: Vec<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    /// Since version 2.
    location: Option<String>,
    /// In version 1.
    #[serde(rename = "repositoryURL")]
    repository_url: Option<String>,
    state: State,
}

/// A version, or a revision of a branch.
#[derive(Deserialize)]
struct State {
    version: Option<String>,
    revision: Option<String>,
}

impl Cataloger for Swift {
    fn name(&self) -> &'static str {
        "swift"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        (is_resolved(path) || is_podfile(path)).then_some(Want::OfSources)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents() {
            if is_resolved(&entry.path) {
                let resolved = language::json::<Resolved>(&entry.path, content, &mut catalog.notes);
                let pins = resolved.map(|found| {
                    found
                        .pins
                        .into_iter()
                        .chain(found.object.into_iter().flat_map(|o| o.pins))
                });
                catalog
                    .packages
                    .extend(pins.into_iter().flatten().filter_map(|pin| pinned(pin, entry)));
            } else if is_podfile(&entry.path) {
                let text = String::from_utf8_lossy(content);
                match pods(&text) {
                    Some(pods) => catalog.packages.extend(pods.into_iter().map(|pod| of_pod(pod, entry))),
                    None => {
                        let detail = "Podfile.lock has no PODS";
                        catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                    }
                }
            }
        }
        catalog
    }
}

fn is_resolved(path: &str) -> bool {
    path.ends_with("/Package.resolved")
}

fn is_podfile(path: &str) -> bool {
    path.ends_with("/Podfile.lock")
}

/// Named by where its sources are: `github.com/apple/swift-nio`.
fn pinned(pin: Pin, entry: &FileEntry) -> Option<Package> {
    let location = pin.location.or(pin.repository_url)?;
    let version = pin.state.version.or(pin.state.revision)?;
    let name = source(&location);
    let folders: Vec<&str> = name.split('/').collect();
    let (last, namespace) = folders.split_last()?;
    let purl = purl::of_library("swift", namespace, last, &version);
    Some(language::package(PackageKind::Swift, &name, &version, purl, entry))
}

/// An URL without scheme, user and `.git`; of `git@host:path`, host and path.
fn source(location: &str) -> String {
    let (bare, is_url) = match location.split_once("://") {
        Some((_, bare)) => (bare, true),
        None => (location, false),
    };
    let bare = match bare.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => bare,
    };
    let bare = bare.trim_end_matches('/').trim_end_matches(".git");
    match is_url {
        true => bare.to_owned(),
        false => bare.replacen(':', "/", 1),
    }
}

/// `  - Firebase/Core (8.0.0):` below `PODS:`; parts of a pod are the pod. `None` when there is no such list.
fn pods(text: &str) -> Option<BTreeSet<(&str, &str)>> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == "PODS:")?;
    let pods = lines
        .take_while(|line| line.starts_with(' '))
        .filter_map(|line| line.strip_prefix("  - "))
        .filter_map(|line| {
            let (name, rest) = line.trim_start_matches('"').split_once(" (")?;
            let (version, _) = rest.split_once(')')?;
            Some((name.split('/').next()?, version))
        });
    Some(pods.collect())
}

fn of_pod((name, version): (&str, &str), entry: &FileEntry) -> Package {
    let purl = purl::of_library("cocoapods", &[], name, version);
    language::package(PackageKind::Swift, name, version, purl, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_one_name_however_they_are_fetched() {
        for location in [
            "https://github.com/apple/swift-nio.git",
            "https://github.com/apple/swift-nio",
            "https://token@github.com/apple/swift-nio/",
            "ssh://git@github.com/apple/swift-nio.git",
            "git@github.com:apple/swift-nio.git",
        ] {
            assert_eq!(source(location), "github.com/apple/swift-nio", "{location}");
        }
    }
}
