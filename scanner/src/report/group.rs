//! Matches in, one group per vulnerability and source package out: people read once what JSON says of each binary.

use std::collections::BTreeMap;

use plimsoll_model::{Match, Package, ScanReport};

use super::words;

/// One vulnerability in all binaries of one source package that have the same version and the same fix.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The match that ranks highest.
    pub(super) first: &'a Match,
    /// In the order of the report; empty only when a match points nowhere.
    pub(super) packages: Vec<&'a Package>,
}

/// In the order of the matches.
pub(super) fn group<'a>(report: &'a ScanReport, matches: &'a [Match]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut known = BTreeMap::new();
    for found in matches {
        let package = report.sbom.packages.get(found.package as usize);
        let source = package.and_then(|package| package.source.as_ref());
        let key = (
            found.vulnerability.id.as_str(),
            source.map(|source| (source.name.as_str(), source.version.as_str())),
            package.map(|package| (package.kind, package.version.as_str())),
            words::fix(found),
            // One binary may be in use, and another one of the same source not.
            words::reach(found),
            // Without a source package, each one stands for itself.
            source.is_none().then_some(found.package),
        );
        let index = *known.entry(key).or_insert_with(|| {
            groups.push(Group {
                first: found,
                packages: Vec::new(),
            });
            groups.len() - 1
        });
        groups[index].packages.extend(package);
    }
    for group in &mut groups {
        group.packages.sort_by(|a, b| a.name.cmp(&b.name));
        // One name twice is one program for two architectures.
        group.packages.dedup_by(|a, b| a.name == b.name);
    }
    groups
}
