//! opkg's status file in, packages with the files that they own out. It has dpkg's paragraphs; lists of files have a line a path, and
//! some builds write size or mode after a tab.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Note, NoteKind, Package, PackageKind, SourcePackage};

use super::{Catalog, Cataloger, Input, Want, paragraphs};
use crate::purl;

/// OpenWrt, Yocto's images and other small systems.
pub(super) struct Opkg;

/// Where distributions have the folder of status file and lists.
const FOLDERS: &[&str] = &["/usr/lib/opkg/", "/var/lib/opkg/", "/opt/lib/opkg/"];

const FIELDS: &[&str] = &["Package", "Status", "Version", "Architecture"];
/// The status file leaves these out; a package's own control file has them.
const CONTROL_FIELDS: &[&str] = &["Source", "Maintainer", "License"];

impl Cataloger for Opkg {
    fn name(&self) -> &'static str {
        "opkg"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        let file = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder))?;
        if file == "status" {
            return Some(Want::EveryVersion);
        }
        let name = file.strip_prefix("info/")?;
        let is_wanted = name.ends_with(".list") || name.ends_with(".control");
        (is_wanted && !name.contains('/')).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        let mut read = BTreeSet::new();
        for folder in FOLDERS {
            let status = format!("{folder}status");
            // One of the folders may be a link to another: then the file is at one path.
            let (Some(entry), Some(content)) = (input.tree.get(&status), input.tree.content(&status)) else {
                continue;
            };
            if !read.insert(entry.path.clone()) {
                continue;
            }
            let first_layers = first_layers(input, &status);
            for paragraph in paragraphs::read(content, FIELDS) {
                if !is_installed(&paragraph) {
                    continue;
                }
                let Some(mut package) = package(&paragraph, &status, input) else {
                    let shown = paragraph.get("Package").map_or("a paragraph", String::as_str);
                    let detail = format!("{shown}: no Package or Version field");
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &status, detail));
                    continue;
                };
                let key = (package.name.clone(), package.version.clone());
                package.layer = first_layers.get(&key).copied().unwrap_or(entry.layer);
                package.files = files(folder, &package.name, input, &mut catalog.notes).into();
                describe(&mut package, folder, input);
                catalog.packages.push(package);
            }
        }
        catalog
    }
}

/// `Status: install user installed`
fn is_installed(paragraph: &paragraphs::Paragraph) -> bool {
    let state = paragraph.get("Status").and_then(|status| status.rsplit(' ').next());
    !matches!(state, Some("not-installed" | "config-files"))
}

fn package(paragraph: &paragraphs::Paragraph, status: &str, input: &Input<'_>) -> Option<Package> {
    let field = |name: &str| paragraph.get(name).filter(|value| !value.is_empty()).cloned();
    let (name, version) = (field("Package")?, field("Version")?);
    let architecture = field("Architecture");
    // The type `opkg` has no namespace in purl-spec.
    let mut purl = purl::of_library("opkg", &[], &name, &version);
    if let Some(architecture) = &architecture {
        purl.push_str("?arch=");
        purl.push_str(&purl::encoded(architecture));
    }
    if input.os.is_some_and(|os| os.id == "openwrt") {
        purl.push_str(if architecture.is_some() { "&" } else { "?" });
        purl.push_str("distro=openwrt");
    }
    Some(Package {
        architecture,
        purl,
        evidence_path: status.to_owned(),
        ..Package::new(PackageKind::Opkg, name, version)
    })
}

/// Adds what the package's control file says.
fn describe(package: &mut Package, folder: &str, input: &Input<'_>) {
    let path = format!("{folder}info/{}.control", package.name);
    let content = input.tree.content(&path).unwrap_or_default();
    let Some(mut paragraph) = paragraphs::read(content, CONTROL_FIELDS).next() else {
        return;
    };
    let mut field = |name: &str| paragraph.remove(name).filter(|value| !value.is_empty());
    // OpenWrt names the folder of its recipe: `feeds/base/package/utils/busybox`.
    package.source = field("Source").map(|source| SourcePackage {
        name: source.rsplit('/').next().unwrap_or(&source).to_owned(),
        version: package.version.clone(),
    });
    package.licences.extend(field("License"));
    package.maintainer = field("Maintainer");
}

fn first_layers(input: &Input<'_>, status: &str) -> BTreeMap<(String, String), u32> {
    let mut first = BTreeMap::new();
    for (layer, content) in input.versions.get(status).map(Vec::as_slice).unwrap_or_default() {
        let present: BTreeSet<(String, String)> = paragraphs::read(content, FIELDS)
            .filter(is_installed)
            .filter_map(|mut paragraph| Some((paragraph.remove("Package")?, paragraph.remove("Version")?)))
            .collect();
        first.retain(|key, _| present.contains(key));
        for key in present {
            first.entry(key).or_insert(*layer);
        }
    }
    first
}

fn files(folder: &str, name: &str, input: &Input<'_>, notes: &mut Vec<Note>) -> Vec<String> {
    let path = format!("{folder}info/{name}.list");
    let Some(content) = input.tree.content(&path) else {
        let detail = format!("no list of files for {name}: its files have no owner");
        notes.push(Note::new(NoteKind::Hint, path, detail));
        return Vec::new();
    };
    let text = String::from_utf8_lossy(content);
    let paths = text.lines().filter_map(|line| line.split('\t').next());
    let mut files: Vec<String> = paths
        .filter(|path| path.starts_with('/'))
        .map(|path| path.trim_end_matches('/').to_owned())
        .filter(|path| !path.is_empty())
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}
