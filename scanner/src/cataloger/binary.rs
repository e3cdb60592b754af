//! Software that no package manager recorded, recognised by its own bytes while layers stream: what was seen in, packages out.
//! One row of [`table`] is one kind of software.

mod classifier;
mod go;
mod matcher;
mod table;

use std::collections::BTreeMap;

use plimsoll_model::{FileEntry, FileKind, Package, PackageKind};

use self::classifier::Purl;
pub(crate) use self::{
    classifier::{Classifier, Look, candidates},
    matcher::Matcher,
};
use super::{Catalog, Cataloger, Input, Want, language};
use crate::{layer::watch::Sighting, purl};

/// Classifiers of programs and libraries.
pub(super) struct Binary;

impl Cataloger for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    /// The watcher of software has seen what there is to see.
    fn wants(&self, _path: &str) -> Option<Want> {
        None
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut found: BTreeMap<(&str, String), (Package, Vec<&str>)> = BTreeMap::new();
        let mut catalog = Catalog::default();
        for entry in input.tree.iter().filter(|entry| entry.kind == FileKind::Regular) {
            let rows = recognised(entry, input);
            let (go_rows, rows): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(row, _)| matches!(row.purl, Purl::Go(_)));
            catalog.packages.extend(go::package(entry, input, &go_rows));
            for (row, version) in rows {
                let (_, files) = found
                    .entry((row.package, version.clone()))
                    .or_insert_with(|| (package(row, &version, entry), Vec::new()));
                files.push(&entry.path);
            }
        }
        catalog
            .packages
            .extend(found.into_values().map(|(package, files)| Package {
                files: files.into(),
                ..package
            }));
        catalog
    }
}

/// A row of the table and the version that it found.
type Recognised = (&'static Classifier, String);

/// What the file is, by its content as it was seen and by its path.
fn recognised(entry: &FileEntry, input: &Input<'_>) -> Vec<Recognised> {
    let seen = input
        .tree
        .sightings(entry)
        .iter()
        .filter_map(|sighting| match sighting {
            Sighting::Software { classifier, version } => {
                let row = classifier::by_id(classifier)?;
                // The same content may have another name elsewhere.
                row.names(&entry.path).then(|| (row, version.clone()))
            }
            _ => None,
        });
    let named = candidates(&entry.path)
        .into_iter()
        .filter(|row| row.look == Look::Path)
        .filter_map(|row| Some((row, matcher::in_path(row, &entry.path)?)));
    seen.chain(named).collect()
}

fn package(row: &Classifier, version: &str, entry: &FileEntry) -> Package {
    let purl = purl::of_library("generic", &[], row.package, version);
    let mut package = language::package(PackageKind::Binary, row.package, version, purl, entry);
    package.cpes = cpes(row, version);
    package
}

/// CPE names in the formatted-string binding (NISTIR 7695, 6.2): all but letters, digits, `_` and, in this binding, `-` and `.`
/// stands behind a backslash.
fn cpes(row: &Classifier, version: &str) -> Vec<String> {
    let quoted = |text: &str| {
        let mut quoted = String::with_capacity(text.len());
        for character in text.chars() {
            if !character.is_ascii_alphanumeric() && !matches!(character, '_' | '-' | '.') {
                quoted.push('\\');
            }
            quoted.push(character.to_ascii_lowercase());
        }
        quoted
    };
    let names = row.cpes.iter().filter_map(|name| name.split_once(':'));
    names
        .map(|(vendor, product)| {
            let (vendor, product, version) = (quoted(vendor), quoted(product), quoted(version));
            format!("cpe:2.3:a:{vendor}:{product}:{version}:*:*:*:*:*:*:*")
        })
        .collect()
}

#[cfg(test)]
mod tests;
