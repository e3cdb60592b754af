//! `pubspec.lock` of Dart and Flutter in, packages out (dart.dev, "Pubspec file"; pub's lock_file.dart writes it, always with
//! the same indentation).

use plimsoll_model::{Note, NoteKind, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// pub.dev.
pub(super) struct Dart;

impl Cataloger for Dart {
    fn name(&self) -> &'static str {
        "dart"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_lock(path).then_some(Want::OfSources)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_lock(&entry.path)) {
            let text = String::from_utf8_lossy(content);
            let Some(locked) = read(&text) else {
                let detail = "pubspec.lock has no packages";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                continue;
            };
            for package in locked {
                // What comes with the SDK or from a folder beside was never published.
                if matches!(package.source, "sdk" | "path") || package.version.is_empty() {
                    continue;
                }
                let purl = purl::of_library("pub", &[], package.name, package.version);
                catalog.packages.push(language::package(
                    PackageKind::Dart,
                    package.name,
                    package.version,
                    purl,
                    entry,
                ));
            }
        }
        catalog
    }
}

fn is_lock(path: &str) -> bool {
    path.ends_with("/pubspec.lock")
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Locked<'a> {
    name: &'a str,
    source: &'a str,
    version: &'a str,
}

/// `None` when the file is no lock file at all.
fn read(text: &str) -> Option<Vec<Locked<'_>>> {
    let mut lines = text.lines();
    lines.find(|line| line.starts_with("packages:"))?;
    let mut found: Vec<Locked<'_>> = Vec::new();
    for line in lines {
        let body = line.trim_start();
        let Some((key, value)) = body.split_once(':') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match (line.len() - body.len(), key) {
            (0, _) => break,
            (2, name) => found.push(Locked {
                name: name.trim_matches('"'),
                ..Locked::default()
            }),
            (4, "source") => found.last_mut()?.source = value,
            (4, "version") => found.last_mut()?.version = value,
            _ => {}
        }
    }
    Some(found)
}
