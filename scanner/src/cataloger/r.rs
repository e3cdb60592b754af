//! `DESCRIPTION` of installed R packages in, packages out ("Writing R Extensions", 1.1.1).

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// CRAN and Bioconductor.
pub(super) struct R;

/// Longest licence that is recorded; some write whole sentences.
const MAX_LICENCE_BYTES: usize = 100;

impl Cataloger for R {
    fn name(&self) -> &'static str {
        "r"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_description(path).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_description(&entry.path)) {
            let text = String::from_utf8_lossy(content);
            match read(&text, entry) {
                Some(package) => catalog.packages.push(package),
                None => {
                    let detail = "description of an R package has no name or version";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                }
            }
        }
        catalog
    }
}

/// `…/library/NAME/DESCRIPTION`, `…/site-library/NAME/DESCRIPTION`. Other programs have files of that name too.
fn is_description(path: &str) -> bool {
    let folder = path
        .strip_suffix("/DESCRIPTION")
        .and_then(|package| package.rsplit_once('/'));
    folder.is_some_and(|(library, _)| library.ends_with("/library") || library.ends_with("/site-library"))
}

fn read(text: &str, entry: &FileEntry) -> Option<Package> {
    let field = |name: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    };
    let (name, version) = (field("Package")?, field("Version")?);
    let repository = match text.lines().any(|line| line.starts_with("biocViews:")) {
        true => "bioconductor",
        false => "cran",
    };
    let purl = purl::of_library(repository, &[], name, version);
    let mut package = language::package(PackageKind::R, name, version, purl, entry);
    let licence = field("License").filter(|licence| licence.len() <= MAX_LICENCE_BYTES);
    package.licences.extend(licence.map(str::to_owned));
    package.maintainer = field("Maintainer").map(str::to_owned);
    Some(package)
}
