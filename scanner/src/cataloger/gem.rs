//! Specifications of installed gems in, packages out (RubyGems writes them by `Gem::Specification#to_ruby`: one assignment a line).

use plimsoll_model::{Note, NoteKind, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// RubyGems.
pub(super) struct Gem;

impl Cataloger for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_specification(path).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_specification(&entry.path)) {
            let text = String::from_utf8_lossy(content);
            let (Some(name), Some(version)) = (value(&text, "name"), value(&text, "version")) else {
                let detail = "specification has no name or version that can be read without Ruby";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                continue;
            };
            let purl = purl::of_library("gem", &[], name, version);
            let mut package = language::package(PackageKind::Gem, name, version, purl, entry);
            package.licences.extend(value(&text, "licenses").map(str::to_owned));
            catalog.packages.push(package);
        }
        catalog
    }
}

fn is_specification(path: &str) -> bool {
    path.ends_with(".gemspec") && path.contains("/specifications/")
}

/// The first quoted text of `s.NAME = …`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        if left.trim().rsplit_once('.')?.1 != name {
            return None;
        }
        let start = right.find(['"', '\''])?;
        let quote = right[start..].chars().next()?;
        right[start + 1..].split(quote).next().filter(|text| !text.is_empty())
    })
}
