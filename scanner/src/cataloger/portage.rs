//! Portage's database of installed packages in, packages with the files that they own out (Package Manager Specification, "Installed
//! package database"; portage(5), `/var/db/pkg`): one folder a package, one small file a value.

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Gentoo and its children.
pub(super) struct Portage;

const FOLDER: &str = "/var/db/pkg/";
const CONTENTS: &str = "CONTENTS";
/// Every package has this one, and its name says which package it is: packages without files have no contents.
const VALUES: &[&str] = &["LICENSE", "SLOT", "repository", "PF", "CATEGORY"];

impl Cataloger for Portage {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        let (_, _, file) = parts(path)?;
        (file == CONTENTS || VALUES.contains(&file)).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        let mut last = "";
        for entry in input.tree.below(FOLDER) {
            let Some((category, folder, _)) = parts(&entry.path) else {
                continue;
            };
            let path = language::folder(&entry.path);
            // Entries come in the order of their paths: those of one package together.
            if path == last {
                continue;
            }
            last = path;
            // While a package is being installed, its folder's name begins so.
            if folder.starts_with("-MERGING-") {
                continue;
            }
            match split(folder) {
                Some((name, version)) => {
                    catalog
                        .packages
                        .push(package(entry, path, (category, name, version), input));
                }
                None => {
                    let detail = "folder's name has no version";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, path, detail));
                }
            }
        }
        catalog
    }
}

/// Category, folder of the package, file: what else lies there is none of Portage's.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.strip_prefix(FOLDER)?.split('/');
    let found = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(found)
}

/// `bash-completion-2.11-r1`: the version begins at the last hyphen before a digit that is no revision's.
fn split(folder: &str) -> Option<(&str, &str)> {
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let is_revision = |text: &str| {
        text.strip_prefix('r')
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let (mut name, mut tail) = folder.rsplit_once('-')?;
    if is_revision(tail) {
        (name, tail) = name.rsplit_once('-')?;
    }
    (!name.is_empty() && starts_with_digit(tail)).then(|| (name, &folder[name.len() + 1..]))
}

fn package(entry: &FileEntry, path: &str, (category, name, version): (&str, &str, &str), input: &Input<'_>) -> Package {
    let value = |file: &str| {
        let content = input.tree.content(&format!("{path}/{file}"))?;
        let text = String::from_utf8_lossy(content).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let full = format!("{category}/{name}");
    // purl-spec, "ebuild": the namespace is the category; slot and repository are qualifiers.
    let mut purl = purl::of_library("ebuild", &[category], name, version);
    let qualifiers = [("repository", value("repository")), ("slot", value("SLOT"))];
    let mut mark = '?';
    for (key, value) in qualifiers {
        if let Some(value) = value {
            purl.push(mark);
            purl.push_str(key);
            purl.push('=');
            purl.push_str(&purl::encoded(&value));
            mark = '&';
        }
    }
    let files = input.tree.content(&format!("{path}/{CONTENTS}")).map(files);
    let mut package = language::package(PackageKind::Portage, &full, version, purl, entry);
    // Whichever file comes first may be any; contents are there for all packages that have files.
    package.evidence_path = match files {
        Some(_) => format!("{path}/{CONTENTS}"),
        None => entry.path.clone(),
    };
    package.files = files.unwrap_or_default().into();
    package.licences.extend(value("LICENSE"));
    package
}

/// `obj PATH MD5 TIME`, `sym PATH -> TARGET TIME`, `dir PATH`, `fif PATH`, `dev PATH`; paths may have blanks.
fn files(content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let path = |line: &str| {
        let (kind, rest) = line.split_once(' ')?;
        let path = match kind {
            "obj" => rest.rsplitn(3, ' ').nth(2)?,
            "sym" => rest.split_once(" -> ")?.0,
            "dir" | "fif" | "dev" => rest,
            _ => return None,
        };
        path.starts_with('/').then(|| path.to_owned())
    };
    let mut files: Vec<String> = text.lines().filter_map(path).collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_at_the_last_hyphen_before_a_digit() {
        for (folder, expected) in [
            ("bash-5.2_p26", Some(("bash", "5.2_p26"))),
            ("bash-completion-2.11-r1", Some(("bash-completion", "2.11-r1"))),
            ("gtk+-3.24.41", Some(("gtk+", "3.24.41"))),
            ("font-adobe-100dpi-1.0.4", Some(("font-adobe-100dpi", "1.0.4"))),
            ("r-1-r2", Some(("r", "1-r2"))),
            ("x-r1", None),
            ("-1", None),
            ("bash", None),
        ] {
            assert_eq!(split(folder), expected, "{folder}");
        }
    }

    #[test]
    fn paths_with_blanks_are_kept_whole() {
        let contents = b"dir /usr\nobj /usr/a b d41d8cd98f00b204e9800998ecf8427e 1700000000\n\
                         sym /usr/l -> a b 1700000000\nobj short\nnew /x\n\xff\n";
        assert_eq!(files(contents), ["/usr", "/usr/a b", "/usr/l"]);
    }
}
