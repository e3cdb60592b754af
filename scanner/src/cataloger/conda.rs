//! `conda-meta/*.json` of Conda environments in, packages with their files out (conda's `PrefixRecord`: conda/models/records.py).

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Conda, Mamba, Pixi: all write the same records.
pub(super) struct Conda;

#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    #[serde(default)]
    build: String,
    /// An URL, or the name of a channel of Anaconda.
    #[serde(default)]
    channel: String,
    #[serde(default)]
    subdir: String,
    /// File name of the archive.
    #[serde(default, rename = "fn")]
    archive: String,
    license: Option<String>,
    /// Relative to the environment's folder.
    #[serde(default)]
    files: Vec<String>,
}

impl Cataloger for Conda {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_record(path).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_record(&entry.path)) {
            let Some(record) = language::json::<Record>(&entry.path, content, &mut catalog.notes) else {
                continue;
            };
            if record.name.is_empty() || record.version.is_empty() {
                let detail = "record of a Conda package has no name or version";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                continue;
            }
            catalog.packages.push(package(record, entry, input));
        }
        catalog
    }
}

/// `conda-meta/NAME-VERSION-BUILD.json`: the folder also has a `history`.
fn is_record(path: &str) -> bool {
    path.strip_suffix(".json")
        .and_then(|path| path.rsplit_once('/'))
        .is_some_and(|(folder, _)| folder.ends_with("/conda-meta"))
}

fn package(record: Record, entry: &FileEntry, input: &Input<'_>) -> Package {
    let mut purl = purl::of_library("conda", &[], &record.name.to_lowercase(), &record.version);
    let kind = ["tar.bz2", "conda"]
        .into_iter()
        .find(|kind| record.archive.ends_with(kind));
    let qualifiers = [
        ("build", record.build.as_str()),
        ("channel", channel(&record.channel, &record.subdir)),
        ("subdir", record.subdir.as_str()),
        ("type", kind.unwrap_or_default()),
    ];
    for (key, value) in qualifiers.into_iter().filter(|(_, value)| !value.is_empty()) {
        purl.push(if purl.contains('?') { '&' } else { '?' });
        purl.push_str(key);
        purl.push('=');
        purl.push_str(&purl::encoded(value));
    }
    let mut package = language::package(PackageKind::Conda, &record.name, &record.version, purl, entry);
    package
        .licences
        .extend(record.license.filter(|licence| !licence.is_empty()));
    let prefix = language::folder(language::folder(&entry.path));
    let files = record.files.iter().filter(|file| !file.is_empty());
    let mut files: Vec<String> = files
        .filter_map(|file| input.tree.resolve_path(&format!("{prefix}/{file}")))
        .collect();
    files.sort_unstable();
    files.dedup();
    package.files = files.into();
    package
}

/// The last component of the channel's URL that is no platform: `main`, `conda-forge`.
fn channel<'a>(url: &'a str, subdir: &str) -> &'a str {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    parts.find(|part| *part != subdir).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_named_as_people_name_them() {
        for (url, expected) in [
            ("https://repo.anaconda.com/pkgs/main/linux-64", "main"),
            ("https://conda.anaconda.org/conda-forge/linux-64", "conda-forge"),
            ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
            ("conda-forge", "conda-forge"),
            ("", ""),
        ] {
            assert_eq!(channel(url, "linux-64"), expected, "{url}");
        }
    }
}
