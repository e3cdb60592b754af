//! Metadata of installed Python distributions in, packages with their files out (PyPA's core metadata and "Recording installed
//! projects"; setuptools' egg-info).

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// PyPI.
pub(super) struct Python;

impl Cataloger for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        let is_wanted =
            is_metadata(path) || path.ends_with(".dist-info/RECORD") || path.ends_with(".egg-info/installed-files.txt");
        is_wanted.then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_metadata(&entry.path)) {
            match read(entry, content, input) {
                Some(package) => catalog.packages.push(package),
                None => {
                    let detail = "Python metadata has no name or version";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                }
            }
        }
        catalog
    }
}

/// `NAME.dist-info/METADATA`, `NAME.egg-info/PKG-INFO`, or `NAME.egg-info` where it is a file.
fn is_metadata(path: &str) -> bool {
    path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO") || path.ends_with(".egg-info")
}

fn read(entry: &FileEntry, content: &[u8], input: &Input<'_>) -> Option<Package> {
    let text = String::from_utf8_lossy(content);
    // Headers as in a mail; the description follows an empty line.
    let headers = || text.lines().take_while(|line| !line.trim().is_empty());
    let field = |name: &str| {
        let found = headers().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        found.filter(|value| !value.is_empty() && *value != "UNKNOWN")
    };
    let (name, version) = (field("Name")?, field("Version")?);
    let normal = name.to_lowercase().replace(['_', '.'], "-");
    let purl = purl::of_library("pypi", &[], &normal, version);
    let mut package = language::package(PackageKind::Python, name, version, purl, entry);
    let licence = field("License-Expression").or_else(|| field("License"));
    // Some paste the whole text of the licence there.
    package
        .licences
        .extend(licence.filter(|text| text.len() <= 100).map(str::to_owned));
    package.maintainer = field("Author").map(str::to_owned);
    package.files = files(&entry.path, input).into();
    Some(package)
}

/// RECORD has lines of comma-separated values; its paths are relative to the folder of the `.dist-info`.
fn files(metadata: &str, input: &Input<'_>) -> Vec<String> {
    let info = language::folder(metadata);
    let record = input.tree.content(&format!("{info}/RECORD"));
    let (content, base) = match record {
        Some(content) => (content, language::folder(info)),
        None => match input.tree.content(&format!("{info}/installed-files.txt")) {
            Some(content) => (content, info),
            None => return Vec::new(),
        },
    };
    let mut files: Vec<String> = String::from_utf8_lossy(content)
        .lines()
        .filter_map(|line| {
            let path = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next()?,
                None => line.split(',').next()?,
            };
            let full = if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("{base}/{path}")
            };
            (!path.is_empty()).then(|| input.tree.resolve_path(&full))?
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}
