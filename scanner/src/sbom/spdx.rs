//! SPDX 2.2 and 2.3 (ISO/IEC 5962) in, components out.

use std::collections::{HashMap, HashSet};

use plimsoll_model::{Note, NoteKind, OsRelease};
use serde::Deserialize;

use super::{
    check_version,
    entry::{self, Entries, Ours},
};

const VERSIONS: &[&str] = &["SPDX-2.2", "SPDX-2.3"];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Document {
    pub(super) spdx_version: String,
    pub(super) comment: String,
    pub(super) document_describes: Vec<String>,
    pub(super) packages: Vec<Package>,
    pub(super) has_extracted_licensing_infos: Vec<ExtractedLicence>,
    pub(super) relationships: Vec<Relationship>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Package {
    #[serde(rename = "SPDXID")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version_info: String,
    pub(super) originator: String,
    pub(super) supplier: String,
    pub(super) license_declared: String,
    pub(super) primary_package_purpose: String,
    pub(super) external_refs: Vec<ExternalRef>,
    pub(super) annotations: Vec<Annotation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExternalRef {
    pub(super) reference_type: String,
    pub(super) reference_locator: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotation {
    pub(super) comment: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExtractedLicence {
    pub(super) license_id: String,
    pub(super) extracted_text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Relationship {
    pub(super) spdx_element_id: String,
    pub(super) related_spdx_element: String,
    pub(super) relationship_type: String,
}

/// What our own annotations say of an operating system.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OurSystem {
    version_codename: String,
    id_like: Vec<String>,
    pretty_name: String,
}

/// Takes every package but the one that the document describes: that is the image.
pub(super) fn collect(document: Document, entries: &mut Entries) -> Result<(), String> {
    check_version("SPDX", &document.spdx_version, VERSIONS, entries);
    if document.comment.starts_with("incomplete: ") {
        let detail = "whoever wrote it could not look at everything";
        entries.notes.push(Note::new(NoteKind::Unreadable, "SBOM", detail));
    }
    let mut described: HashSet<String> = document.document_describes.into_iter().collect();
    let mut owners = HashMap::new();
    for one in document.relationships {
        match one.relationship_type.as_str() {
            "DESCRIBES" => drop(described.insert(one.related_spdx_element)),
            "CONTAINS" => drop(owners.insert(one.related_spdx_element, one.spdx_element_id)),
            _ => {}
        }
    }
    let texts: HashMap<String, String> = document
        .has_extracted_licensing_infos
        .into_iter()
        .map(|licence| (licence.license_id, licence.extracted_text))
        .collect();
    for mut package in document.packages {
        let has_locator = |kind: &str| package.external_refs.iter().any(|one| one.reference_type == kind);
        let is_package = has_locator("purl") || has_locator("cpe23Type");
        match package.primary_package_purpose.as_str() {
            "OPERATING-SYSTEM" | "OPERATING_SYSTEM" => entries.os = Some(operating_system(package)),
            "CONTAINER" | "FILE" | "ARCHIVE" | "DEVICE" => {}
            _ if described.contains(&package.id) && !is_package => {}
            _ => {
                let owner = owners.remove(&package.id);
                package.license_declared = package.license_declared.trim().to_owned();
                entries.add(entry(package, owner, &texts));
            }
        }
    }
    Ok(())
}

/// What our own annotation says.
fn ours<T: for<'de> Deserialize<'de> + Default>(package: &Package) -> T {
    let mut annotations = package.annotations.iter();
    annotations
        .find_map(|annotation| serde_json::from_str(annotation.comment.strip_prefix("plimsoll: ")?).ok())
        .unwrap_or_default()
}

fn operating_system(package: Package) -> OsRelease {
    let ours: OurSystem = ours(&package);
    OsRelease {
        id: package.name,
        version_id: package.version_info,
        version_codename: ours.version_codename,
        id_like: ours.id_like,
        pretty_name: ours.pretty_name,
    }
}

fn entry(package: Package, owner: Option<String>, texts: &HashMap<String, String>) -> entry::Component {
    let ours: Ours = ours(&package);
    let mut purl = String::new();
    let mut cpes = Vec::new();
    for reference in package.external_refs {
        match reference.reference_type.as_str() {
            "purl" => purl = reference.reference_locator,
            "cpe23Type" => cpes.push(reference.reference_locator),
            _ => {}
        }
    }
    let maintainer = [package.originator, package.supplier];
    let maintainer = maintainer.iter().find_map(|actor| {
        let name = actor
            .strip_prefix("Organization: ")
            .or_else(|| actor.strip_prefix("Person: "))?;
        Some(match name.rsplit_once(" (") {
            Some((name, mail)) => format!("{name} <{}>", mail.trim_end_matches(')')),
            None => name.to_owned(),
        })
    });
    entry::Component {
        id: package.id,
        name: package.name,
        version: package.version_info,
        purl,
        cpes,
        licences: licences(&package.license_declared, texts),
        maintainer,
        files: Vec::new(),
        owner,
        ours,
    }
}

/// The declared expression; references to texts of the document's own are replaced by these where they stand alone.
fn licences(declared: &str, texts: &HashMap<String, String>) -> Vec<String> {
    if matches!(declared, "" | "NOASSERTION" | "NONE") {
        return Vec::new();
    }
    let parts: Vec<&str> = declared.split(" AND ").collect();
    if parts.iter().any(|part| texts.contains_key(*part)) {
        let plain = |part: &str| part.trim_start_matches('(').trim_end_matches(')').to_owned();
        return parts
            .into_iter()
            .map(|part| texts.get(part).cloned().unwrap_or_else(|| plain(part)))
            .collect();
    }
    vec![declared.to_owned()]
}
