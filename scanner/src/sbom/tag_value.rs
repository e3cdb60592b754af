//! SPDX tag-value (SPDX 2.3, annex E: lines of `Tag: value`, long values in `<text>`) in, the same shape as SPDX JSON out.

use super::spdx::{Annotation, Document, ExternalRef, ExtractedLicence, Package, Relationship};

/// Reads a document; tags that say nothing of packages are passed over.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let mut document = Document::default();
    let mut rest = text;
    let mut line_number = 0;
    while let Some((line, tail)) = next_line(rest) {
        line_number += 1;
        rest = tail;
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (tag, value) = line
            .split_once(':')
            .ok_or_else(|| format!("line {line_number} is no `Tag: value`"))?;
        let value = value.trim_start();
        let Some(start) = value.strip_prefix("<text>") else {
            take(&mut document, tag.trim(), value.trim_end());
            continue;
        };
        // The text may go on over many lines; it ends where its tag says.
        let long = match start.split_once("</text>") {
            Some((inner, _)) => inner.to_owned(),
            None => {
                let (inner, tail) = rest
                    .split_once("</text>")
                    .ok_or_else(|| format!("the text of line {line_number} does not end"))?;
                line_number += inner.matches('\n').count();
                rest = tail.split_once('\n').map_or("", |(_, tail)| tail);
                format!("{start}\n{inner}")
            }
        };
        take(&mut document, tag.trim(), &long);
    }
    match document.spdx_version.is_empty() {
        true => Err("it states no SPDXVersion".to_owned()),
        false => Ok(document),
    }
}

fn next_line(text: &str) -> Option<(&str, &str)> {
    match text.is_empty() {
        true => None,
        false => Some(text.split_once('\n').unwrap_or((text, ""))),
    }
}

fn take(document: &mut Document, tag: &str, value: &str) {
    let owned = || value.to_owned();
    match tag {
        "SPDXVersion" => document.spdx_version = owned(),
        "DocumentComment" => document.comment = owned(),
        "PackageName" => document.packages.push(Package {
            name: owned(),
            ..Package::default()
        }),
        "LicenseID" => document.has_extracted_licensing_infos.push(ExtractedLicence {
            license_id: owned(),
            ..ExtractedLicence::default()
        }),
        "ExtractedText" => {
            if let Some(licence) = document.has_extracted_licensing_infos.last_mut() {
                licence.extracted_text = owned();
            }
        }
        "Relationship" => {
            let mut parts = value.split_whitespace();
            if let (Some(from), Some(kind), Some(to)) = (parts.next(), parts.next(), parts.next()) {
                document.relationships.push(Relationship {
                    spdx_element_id: from.to_owned(),
                    relationship_type: kind.to_owned(),
                    related_spdx_element: to.to_owned(),
                });
            }
        }
        _ => {
            if let Some(package) = document.packages.last_mut() {
                take_of_package(package, tag, value);
            }
        }
    }
}

fn take_of_package(package: &mut Package, tag: &str, value: &str) {
    let owned = || value.to_owned();
    match tag {
        // Files that follow a package have ids of their own.
        "SPDXID" if package.id.is_empty() => package.id = owned(),
        "PackageVersion" => package.version_info = owned(),
        "PackageOriginator" => package.originator = owned(),
        "PackageSupplier" => package.supplier = owned(),
        "PackageLicenseDeclared" => package.license_declared = owned(),
        "PrimaryPackagePurpose" => package.primary_package_purpose = owned(),
        "ExternalRef" => {
            let mut parts = value.splitn(3, ' ').skip(1);
            if let (Some(kind), Some(locator)) = (parts.next(), parts.next()) {
                package.external_refs.push(ExternalRef {
                    reference_type: kind.to_owned(),
                    reference_locator: locator.trim().to_owned(),
                });
            }
        }
        "AnnotationComment" => package.annotations.push(Annotation { comment: owned() }),
        _ => {}
    }
}
