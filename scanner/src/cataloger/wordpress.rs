//! WordPress itself (`wp-includes/version.php`) and the headers of its plugins and themes in, packages out
//! (developer.wordpress.org, "Header Requirements").

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// WordPress, its plugins and themes.
pub(super) struct Wordpress;

/// Bytes in which WordPress looks for a header (`get_file_data`).
const HEADER_BYTES: usize = 8 << 10;

impl Cataloger for Wordpress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        part(path).map(|_| Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents() {
            let Some(part) = part(&entry.path) else {
                continue;
            };
            let text = String::from_utf8_lossy(&content[..content.len().min(HEADER_BYTES)]);
            let found = match part {
                Part::Core => core(&text, entry),
                Part::Plugin(name) => extension("Plugin Name", "wordpress-plugin", name, &text, entry),
                Part::Theme(name) => extension("Theme Name", "wordpress-theme", name, &text, entry),
            };
            // A plugin has many files, one of which has the header.
            if found.is_none() && matches!(part, Part::Core) {
                let detail = "version of WordPress was not found";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
            }
            catalog.packages.extend(found);
        }
        catalog
    }
}

/// What a file may describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Core,
    Plugin(&'a str),
    Theme(&'a str),
}

fn part(path: &str) -> Option<Part<'_>> {
    if path.ends_with("/wp-includes/version.php") {
        return Some(Part::Core);
    }
    let (_, rest) = path.split_once("/wp-content/")?;
    let parts: Vec<&str> = rest.splitn(4, '/').collect();
    match parts[..] {
        ["plugins", name, file] if file.ends_with(".php") => Some(Part::Plugin(name)),
        // A plugin of one file.
        ["plugins", file] => file
            .strip_suffix(".php")
            .filter(|name| *name != "index")
            .map(Part::Plugin),
        ["themes", name, "style.css"] => Some(Part::Theme(name)),
        _ => None,
    }
}

/// `$wp_version = '6.1.9';`
fn core(text: &str, entry: &FileEntry) -> Option<Package> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("$wp_version")?.trim_start().strip_prefix('='))?;
    let version = value.trim().trim_end_matches(';').trim_matches(['\'', '"']);
    let purl = purl::of_library("generic", &[], "wordpress", version);
    let mut package = language::package(PackageKind::Wordpress, "wordpress", version, purl, entry);
    let quoted: String = version
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .collect();
    package.cpes = vec![format!("cpe:2.3:a:wordpress:wordpress:{quoted}:*:*:*:*:*:*:*")];
    (!version.is_empty()).then_some(package)
}

/// Named by its folder, as wordpress.org names it; the name in the header is for people.
fn extension(title: &str, kind: &str, name: &str, text: &str, entry: &FileEntry) -> Option<Package> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '/' | '#' | '@'));
            line.strip_prefix("<?php")
                .unwrap_or(line)
                .trim_start()
                .strip_prefix(name)?
                .strip_prefix(':')
        })?;
        Some(value.trim().trim_end_matches("*/").trim_end()).filter(|value| !value.is_empty())
    };
    field(title)?;
    let version = field("Version")?;
    let purl = purl::of_library("generic", &[kind], name, version);
    let mut package = language::package(PackageKind::Wordpress, name, version, purl, entry);
    package.licences.extend(field("License").map(str::to_owned));
    package.maintainer = field("Author").map(str::to_owned);
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_may_have_a_header_are_read() {
        for (path, expected) in [
            ("/srv/wp-includes/version.php", Some(Part::Core)),
            (
                "/srv/wp-content/plugins/akismet/akismet.php",
                Some(Part::Plugin("akismet")),
            ),
            ("/srv/wp-content/plugins/hello.php", Some(Part::Plugin("hello"))),
            ("/srv/wp-content/plugins/index.php", None),
            ("/srv/wp-content/plugins/akismet/views/a.php", None),
            (
                "/srv/wp-content/themes/twentytwo/style.css",
                Some(Part::Theme("twentytwo")),
            ),
            ("/srv/wp-content/themes/twentytwo/a/style.css", None),
        ] {
            assert_eq!(part(path), expected, "{path}");
        }
    }
}
