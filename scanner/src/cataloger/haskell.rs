//! GHC's package database (`package.conf.d/*.conf`: Cabal's InstalledPackageInfo), and `stack.yaml.lock` and
//! `cabal.project.freeze` of sources in, packages out.

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Hackage.
pub(super) struct Haskell;

impl Cataloger for Haskell {
    fn name(&self) -> &'static str {
        "haskell"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        match Format::of(path)? {
            Format::Installed => Some(Want::Newest),
            Format::Stack | Format::Cabal => Some(Want::OfSources),
        }
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, format, text) in language::texts(input.tree, Format::of) {
            let locked: Vec<(&str, &str)> = match format {
                Format::Stack => text.lines().filter_map(stack).collect(),
                Format::Cabal => text.split(',').filter_map(cabal).collect(),
                Format::Installed => {
                    match installed(&text, entry) {
                        Some(package) => catalog.packages.push(package),
                        None => {
                            let detail = "installed package has no name or version";
                            catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                        }
                    }
                    continue;
                }
            };
            catalog
                .packages
                .extend(locked.into_iter().map(|locked| package(locked, entry)));
        }
        catalog
    }
}

#[derive(Clone, Copy)]
enum Format {
    Installed,
    Stack,
    Cabal,
}

impl Format {
    fn of(path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/')?;
        match name {
            "stack.yaml.lock" => Some(Self::Stack),
            "cabal.project.freeze" => Some(Self::Cabal),
            // Cabal's own stores are called `package.db`.
            _ if name.ends_with(".conf")
                && (folder.ends_with("/package.conf.d") || folder.ends_with("/package.db")) =>
            {
                Some(Self::Installed)
            }
            _ => None,
        }
    }
}

fn package((name, version): (&str, &str), entry: &FileEntry) -> Package {
    let purl = purl::of_library("hackage", &[], name, version);
    language::package(PackageKind::Haskell, name, version, purl, entry)
}

/// Fields, whose values may stand on the next, indented line.
fn installed(text: &str, entry: &FileEntry) -> Option<Package> {
    let field = |name: &str| {
        let mut lines = text.lines();
        let value = lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
            .trim();
        let value = match value.is_empty() {
            true => lines.next().filter(|line| line.starts_with(' '))?.trim(),
            false => value,
        };
        (!value.is_empty()).then_some(value)
    };
    let mut package = package((field("name")?, field("version")?), entry);
    package.licences.extend(field("license").map(str::to_owned));
    Some(package)
}

/// `hackage: aeson-2.0.3.0@sha256:…,123`.
fn stack(line: &str) -> Option<(&str, &str)> {
    let (_, value) = line.split_once("hackage:")?;
    let (name, version) = value.trim().split('@').next()?.rsplit_once('-')?;
    let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (is_version && !name.is_empty() && !version.is_empty()).then_some((name, version))
}

/// `any.aeson ==2.0.3.0`, of a list with commas; flags of packages have no `==`.
fn cabal(constraint: &str) -> Option<(&str, &str)> {
    let (name, version) = constraint.split_once("==")?;
    let name = name.split_whitespace().last()?;
    let version = version.split_whitespace().next()?;
    Some((name.strip_prefix("any.").unwrap_or(name), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_that_fix_no_version_are_none() {
        for (text, expected) in [
            ("constraints: any.aeson ==2.0.3.0", Some(("aeson", "2.0.3.0"))),
            ("\n             any.text ==1.2.5.0", Some(("text", "1.2.5.0"))),
            ("\n             aeson -cffi +ordered-keymap", None),
            ("==", None),
        ] {
            assert_eq!(cabal(text), expected, "{text}");
        }
        assert_eq!(stack("    hackage: a-b-1.0.2@sha256:00,12"), Some(("a-b", "1.0.2")));
        assert_eq!(stack("    hackage: a-b@sha256:00,12"), None);
    }
}
