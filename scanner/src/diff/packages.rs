//! Packages and their vulnerabilities of two reports in, changes out.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use plimsoll_model::{PackageKind, ScanReport};

use super::{Area, Change, Compare};

type Versions<'r> = BTreeMap<(PackageKind, &'r str), BTreeSet<&'r str>>;

fn versions(report: &ScanReport) -> Versions<'_> {
    let mut all = Versions::new();
    for package in &report.sbom.packages {
        let versions = all.entry((package.kind, package.name.as_str())).or_default();
        versions.insert(package.version.as_str());
    }
    all
}

/// A name may be there in several versions: a version that stays is no change.
pub(super) fn packages(from: &ScanReport, to: &ScanReport, compare: &Compare<'_>, changes: &mut Vec<Change>) {
    let (old, new) = (versions(from), versions(to));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let none = BTreeSet::new();
    for key in names {
        let (before, after) = (old.get(&key).unwrap_or(&none), new.get(&key).unwrap_or(&none));
        let gone: Vec<&str> = before.difference(after).copied().collect();
        let come: Vec<&str> = after.difference(before).copied().collect();
        if gone.is_empty() && come.is_empty() {
            continue;
        }
        let is_worse = match (&gone[..], &come[..]) {
            ([old], [new]) => compare(key.0, old, new) == Some(Ordering::Greater),
            _ => false,
        };
        let join = |list: &[&str]| (!list.is_empty()).then(|| list.join(", "));
        changes.push(Change {
            area: Area::Packages,
            name: format!("{} ({})", key.1, key.0.name()),
            before: join(&gone),
            after: join(&come),
            is_worse,
        });
    }
}

/// By vulnerability and name of the package: a new version that still has it is no change.
pub(super) fn vulnerabilities(from: &ScanReport, to: &ScanReport, changes: &mut Vec<Change>) {
    let (old, new) = (matches(from), matches(to));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    for key in keys {
        let (before, after) = (old.get(&key), new.get(&key));
        if before.is_some() != after.is_some() {
            changes.push(Change {
                area: Area::Vulnerabilities,
                name: format!("{} in {}", key.0, key.1),
                before: before.cloned(),
                after: after.cloned(),
                is_worse: after.is_some(),
            });
        }
    }
}

fn matches(report: &ScanReport) -> BTreeMap<(&str, &str), String> {
    let mut all = BTreeMap::new();
    for found in report.matches.iter().flatten() {
        let Some(package) = report.sbom.packages.get(found.package as usize) else {
            continue;
        };
        let vulnerability = &found.vulnerability;
        let known = if vulnerability.known_exploited {
            ", known to be exploited"
        } else {
            ""
        };
        let severity = format!("{:?}", vulnerability.severity).to_lowercase();
        let fix = found
            .fixed_version
            .as_ref()
            .map_or(String::new(), |version| format!(", fixed in {version}"));
        let text = format!("{severity}{known}, in {}{fix}", package.version);
        all.insert((vulnerability.id.as_str(), package.name.as_str()), text);
    }
    all
}
