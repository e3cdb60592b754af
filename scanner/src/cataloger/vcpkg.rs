//! vcpkg's database of installed ports (`installed/vcpkg/status`) and the SPDX documents that it writes beside each port in, packages
//! out.

use std::collections::BTreeMap;

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// vcpkg's ports.
pub(super) struct Vcpkg;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(rename = "versionInfo")]
    version: Option<String>,
    #[serde(rename = "licenseConcluded")]
    licence: Option<String>,
}

/// A port as it was installed.
#[derive(Debug, PartialEq, Eq)]
struct Port<'a> {
    name: &'a str,
    version: &'a str,
    /// `0` for the first.
    port_version: &'a str,
    triplet: &'a str,
}

impl Cataloger for Vcpkg {
    fn name(&self) -> &'static str {
        "vcpkg"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        (is_status(path) || is_document(path)).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        let mut known = BTreeMap::new();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_status(&entry.path)) {
            let text = String::from_utf8_lossy(content);
            let root = language::folder(language::folder(&entry.path));
            for port in text.split("\n\n").filter_map(installed) {
                let place = format!("{root}/{}/{}", port.triplet, port.name);
                known.insert(place, catalog.packages.len());
                catalog.packages.push(package(&port, entry));
            }
        }
        // Where only the libraries were copied, each port still describes itself. Licences stand nowhere else.
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_document(&entry.path)) {
            let Some((folder, triplet)) = place(&entry.path) else {
                continue;
            };
            let Some(document) = language::json::<Document>(&entry.path, content, &mut catalog.notes) else {
                continue;
            };
            let Some((port, licence)) = described(&document, triplet) else {
                let detail = "document of a port names none";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                continue;
            };
            let licence = licence.map(str::to_owned);
            let place = format!("{folder}/{triplet}/{}", port.name);
            match known.get(&place).map(|&index| &mut catalog.packages[index]) {
                // A document of another version was left behind.
                Some(package) if package.version == port.version => package.licences.extend(licence),
                Some(_) => {}
                None => {
                    let mut package = package(&port, entry);
                    package.licences.extend(licence);
                    catalog.packages.push(package);
                }
            }
        }
        catalog
    }
}

fn is_status(path: &str) -> bool {
    path.ends_with("/vcpkg/status")
}

fn is_document(path: &str) -> bool {
    path.ends_with("/vcpkg.spdx.json")
}

/// Root and triplet of `ROOT/TRIPLET/share/PORT/vcpkg.spdx.json`.
fn place(path: &str) -> Option<(&str, &str)> {
    let (share, _) = language::folder(path).rsplit_once('/')?;
    share.strip_suffix("/share")?.rsplit_once('/')
}

/// A paragraph of the database. Those of a port's features name one.
fn installed(paragraph: &str) -> Option<Port<'_>> {
    let field = |name: &str| {
        let value = paragraph
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    if field("Feature").is_some() || field("Status") != Some("install ok installed") {
        return None;
    }
    Some(Port {
        name: field("Package")?,
        version: field("Version")?,
        port_version: field("Port-Version").unwrap_or("0"),
        triplet: field("Architecture").unwrap_or_default(),
    })
}

/// The port of a document is its first package; its version has the port's own behind a `#`.
fn described<'a>(document: &'a Document, triplet: &'a str) -> Option<(Port<'a>, Option<&'a str>)> {
    let port = document.packages.iter().find(|package| package.id == "SPDXRef-port")?;
    let version = port.version.as_deref()?;
    let (version, port_version) = version.split_once('#').unwrap_or((version, "0"));
    let licence = port.licence.as_deref().filter(|licence| *licence != "NOASSERTION");
    let port = Port {
        name: &port.name,
        version,
        port_version,
        triplet,
    };
    Some((port, licence))
}

fn package(port: &Port<'_>, entry: &FileEntry) -> Package {
    let mut purl = purl::of_library("vcpkg", &[], port.name, port.version);
    let port_version = Some(port.port_version).filter(|version| *version != "0");
    let triplet = Some(port.triplet).filter(|triplet| !triplet.is_empty());
    for (key, value) in [("port_version", port_version), ("triplet", triplet)] {
        if let Some(value) = value {
            purl.push(if purl.contains('?') { '&' } else { '?' });
            purl.push_str(key);
            purl.push('=');
            purl.push_str(&purl::encoded(value));
        }
    }
    let mut package = language::package(PackageKind::Vcpkg, port.name, port.version, purl, entry);
    package.architecture = triplet.map(str::to_owned);
    package
}
