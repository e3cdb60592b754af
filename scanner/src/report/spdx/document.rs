//! A report in, an SPDX 2.3 document out, which the JSON and the tag-value report write.

use std::collections::BTreeMap;

use plimsoll_model::{Match, OsRelease, Package, ScanReport};
use serde::Serialize;
use serde_json::json;

use super::super::{identity, licence, shown, words};

/// SPDX 2.3, clauses 6 to 12, as far as we have something to say. No files: they would need SHA-1 (8.4).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpdxDocument<'a> {
    #[serde(rename = "SPDXID")]
    pub(crate) id: &'static str,
    pub(crate) spdx_version: &'static str,
    pub(crate) data_license: &'static str,
    pub(crate) name: &'a str,
    pub(crate) document_namespace: String,
    pub(crate) comment: String,
    pub(crate) creation_info: CreationInfo,
    pub(crate) document_describes: [&'static str; 1],
    pub(crate) packages: Vec<SpdxPackage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) has_extracted_licensing_infos: Vec<ExtractedLicence<'a>>,
    pub(crate) relationships: Vec<Relationship>,
}

#[derive(Serialize)]
pub(crate) struct CreationInfo {
    pub(crate) created: String,
    pub(crate) creators: [String; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpdxPackage<'a> {
    #[serde(rename = "SPDXID")]
    pub(crate) id: String,
    pub(crate) name: &'a str,
    pub(crate) version_info: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) originator: Option<String>,
    pub(crate) download_location: &'static str,
    pub(crate) files_analyzed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_info: Option<String>,
    pub(crate) license_concluded: &'static str,
    pub(crate) license_declared: String,
    pub(crate) copyright_text: &'static str,
    pub(crate) primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_refs: Vec<ExternalRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) annotations: Vec<Annotation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalRef {
    pub(crate) reference_category: &'static str,
    pub(crate) reference_type: &'static str,
    pub(crate) reference_locator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Annotation {
    pub(crate) annotator: String,
    pub(crate) annotation_date: String,
    pub(crate) annotation_type: &'static str,
    pub(crate) comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExtractedLicence<'a> {
    pub(crate) license_id: String,
    pub(crate) name: &'a str,
    pub(crate) extracted_text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relationship {
    pub(crate) spdx_element_id: String,
    pub(crate) related_spdx_element: String,
    pub(crate) relationship_type: &'static str,
}

pub(crate) const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
const SYSTEM: &str = "SPDXRef-OperatingSystem";
const NO_ASSERTION: &str = "NOASSERTION";

/// The whole document.
pub(crate) fn document(report: &ScanReport) -> SpdxDocument<'_> {
    let created = identity::built(report).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let missed = report.notes.iter().filter(|note| note.makes_incomplete()).count();
    let mut licences = Licences::default();
    let mut packages = vec![image(report)];
    packages.extend(report.sbom.os.as_ref().map(|os| operating_system(os, &created)));
    let mut by_package: BTreeMap<u32, Vec<&Match>> = BTreeMap::new();
    for found in report.matches.iter().flatten() {
        by_package.entry(found.package).or_default().push(found);
    }
    for (index, one) in (0..).zip(&report.sbom.packages) {
        let matches = by_package.get(&index).map_or(&[][..], Vec::as_slice);
        packages.push(package(report, index, one, matches, &created, &mut licences));
    }
    SpdxDocument {
        id: DOCUMENT,
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        name: &report.image.reference,
        document_namespace: format!("https://plimsoll.invalid/spdx/{}", identity::uuid(report)),
        comment: match missed {
            0 => "everything in the image could be read".to_owned(),
            missed => format!("incomplete: {} could not be looked at", words::count(missed, "thing")),
        },
        creation_info: CreationInfo {
            created,
            creators: [creator()],
        },
        document_describes: [IMAGE],
        packages,
        has_extracted_licensing_infos: licences.extracted(),
        relationships: relationships(report),
    }
}

fn creator() -> String {
    format!("Tool: plimsoll-{}", env!("CARGO_PKG_VERSION"))
}

fn annotation(comment: String, date: &str) -> Annotation {
    Annotation {
        annotator: creator(),
        annotation_date: date.to_owned(),
        annotation_type: "OTHER",
        comment,
    }
}

fn image(report: &ScanReport) -> SpdxPackage<'_> {
    let image = &report.image;
    let digest = image.manifest_digest.unwrap_or(image.config_digest);
    let diff_ids: Vec<String> = image.diff_ids.iter().map(ToString::to_string).collect();
    let facts = json!({
        "configDigest": image.config_digest,
        "platform": crate::oci::show_platform(&image.platform),
        "diffIds": diff_ids,
    });
    SpdxPackage {
        annotations: vec![annotation(
            format!("plimsoll: {facts}"),
            &identity::built(report).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )],
        ..bare(IMAGE.to_owned(), &image.reference, &digest.to_string(), "CONTAINER")
    }
}

fn operating_system<'a>(os: &'a OsRelease, date: &str) -> SpdxPackage<'a> {
    let facts = json!({
        "versionCodename": os.version_codename,
        "idLike": os.id_like,
        "prettyName": os.pretty_name,
    });
    SpdxPackage {
        annotations: vec![annotation(format!("plimsoll: {facts}"), date)],
        ..bare(SYSTEM.to_owned(), &os.id, &os.version_id, "OPERATING-SYSTEM")
    }
}

/// A package of which nothing but its name is known.
fn bare<'a>(id: String, name: &'a str, version: &str, purpose: &'static str) -> SpdxPackage<'a> {
    SpdxPackage {
        id,
        // A name is required, and not every image has an `ID` in its os-release.
        name: if name.trim().is_empty() { "unknown" } else { name },
        version_info: version.to_owned(),
        originator: None,
        download_location: NO_ASSERTION,
        files_analyzed: false,
        source_info: None,
        license_concluded: NO_ASSERTION,
        license_declared: NO_ASSERTION.to_owned(),
        copyright_text: NO_ASSERTION,
        primary_package_purpose: purpose,
        external_refs: Vec::new(),
        annotations: Vec::new(),
    }
}

fn package<'a>(
    report: &'a ScanReport,
    index: u32,
    package: &'a Package,
    matches: &[&Match],
    date: &str,
    licences: &mut Licences<'a>,
) -> SpdxPackage<'a> {
    let mut facts = json!({
        "kind": package.kind.name(),
        "evidence": package.evidence_path,
        "layer": package.layer,
    });
    if let Some(layer) = report.layers.get(package.layer as usize) {
        facts["layerDiffId"] = json!(layer.diff_id);
    }
    let source = package.source.as_ref();
    if let Some(source) = source {
        facts["source"] = json!(source);
    }
    let mut external_refs = Vec::new();
    if !package.purl.is_empty() {
        external_refs.push(ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: package.purl.clone(),
            comment: None,
        });
    }
    let names = package.cpes.iter().filter(|cpe| is_cpe(cpe));
    external_refs.extend(names.map(|cpe| ExternalRef {
        reference_category: "SECURITY",
        reference_type: "cpe23Type",
        reference_locator: cpe.clone(),
        comment: None,
    }));
    let linked = matches
        .iter()
        .filter_map(|found| Some((found, words::link(&found.vulnerability.id)?)));
    external_refs.extend(linked.map(|(found, link)| ExternalRef {
        reference_category: "SECURITY",
        reference_type: "advisory",
        reference_locator: link,
        comment: Some(format!(
            "{}: {}",
            words::severity(found.vulnerability.severity),
            words::fix(found)
        )),
    }));
    SpdxPackage {
        originator: package.maintainer.as_deref().and_then(actor),
        source_info: source.map(|source| format!("built from {} {}", shown(&source.name), shown(&source.version))),
        license_declared: licences.declare(&package.licences),
        external_refs,
        annotations: vec![annotation(format!("plimsoll: {facts}"), date)],
        ..bare(id(index), &package.name, &package.version, "LIBRARY")
    }
}

/// A formatted string of 13 parts without anything that would need its escapes (NISTIR 7695, 6.2).
pub(crate) fn is_cpe(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte))
    };
    text.strip_prefix("cpe:2.3:").is_some_and(|rest| {
        rest.starts_with(['a', 'o', 'h']) && rest.split(':').count() == 11 && rest.split(':').all(is_part)
    })
}

fn id(index: u32) -> String {
    format!("SPDXRef-Package-{index}")
}

/// A maintainer as SPDX writes one; `None` for text that its grammar cannot hold. Whether it is a person, nobody said.
fn actor(maintainer: &str) -> Option<String> {
    let (name, mail) = match maintainer.rsplit_once('<') {
        Some((name, rest)) => (name.trim(), rest.split('>').next().unwrap_or_default().trim()),
        None => (maintainer.trim(), ""),
    };
    let is_plain = |text: &str| {
        text.len() <= 200
            && text
                .chars()
                .all(|char| !char.is_control() && !"()<>:\"\\".contains(char))
    };
    if name.is_empty() || !is_plain(name) || shown(name) != name {
        return None;
    }
    let is_mail = mail.contains('@') && mail.bytes().all(|byte| byte.is_ascii_graphic()) && is_plain(mail);
    Some(match is_mail {
        true => format!("Organization: {name} ({mail})"),
        false => format!("Organization: {name}"),
    })
}

fn relationships(report: &ScanReport) -> Vec<Relationship> {
    let relationship = |from: &str, kind, to: String| Relationship {
        spdx_element_id: from.to_owned(),
        related_spdx_element: to,
        relationship_type: kind,
    };
    let mut list = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE.to_owned())];
    if report.sbom.os.is_some() {
        list.push(relationship(IMAGE, "CONTAINS", SYSTEM.to_owned()));
    }
    for (index, package) in (0..).zip(&report.sbom.packages) {
        list.push(relationship(IMAGE, "CONTAINS", id(index)));
        if let Some(owner) = package
            .owner
            .filter(|owner| (*owner as usize) < report.sbom.packages.len())
        {
            list.push(relationship(&id(owner), "CONTAINS", id(index)));
        }
    }
    list
}

/// Licences that are stated in words of their own, each with the reference that stands for it.
#[derive(Default)]
struct Licences<'a> {
    numbers: BTreeMap<&'a str, usize>,
}

impl<'a> Licences<'a> {
    /// What a package states, in SPDX's language.
    fn declare(&mut self, stated: &'a [String]) -> String {
        if let Some(expression) = licence::expression(stated) {
            return expression;
        }
        let mut parts: Vec<String> = Vec::new();
        for text in stated.iter().filter(|text| !text.trim().is_empty()) {
            parts.push(match licence::is_expression(text) {
                true if stated.len() == 1 => text.clone(),
                true => format!("({text})"),
                false => {
                    let next = self.numbers.len();
                    reference(*self.numbers.entry(text).or_insert(next))
                }
            });
        }
        match parts.is_empty() {
            true => NO_ASSERTION.to_owned(),
            false => parts.join(" AND "),
        }
    }

    fn extracted(self) -> Vec<ExtractedLicence<'a>> {
        let mut list: Vec<(usize, &str)> = self.numbers.into_iter().map(|(text, number)| (number, text)).collect();
        list.sort_unstable();
        let one = |(number, text)| ExtractedLicence {
            license_id: reference(number),
            name: text,
            extracted_text: text,
        };
        list.into_iter().map(one).collect()
    }
}

fn reference(number: usize) -> String {
    format!("LicenseRef-stated-{number}")
}
