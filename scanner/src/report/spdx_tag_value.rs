//! `spdx-tag-value`: SPDX 2.3 as lines of tags and values: the same document as `spdx`.

use std::io::{self, Write};

use super::{
    Document, Report, shown,
    spdx::document::{SpdxDocument, SpdxPackage, document},
};

/// A bill of materials that people can read, too.
pub(super) struct SpdxTagValue;

impl Report for SpdxTagValue {
    fn name(&self) -> &'static str {
        "spdx-tag-value"
    }

    fn summary(&self) -> &'static str {
        "SPDX 2.3 tag-value"
    }

    fn write(&self, given: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let document = document(given.report);
        head(&document, out)?;
        for one in &document.packages {
            package(one, out)?;
        }
        for licence in &document.has_extracted_licensing_infos {
            writeln!(out)?;
            tag("LicenseID", &licence.license_id, out)?;
            text("ExtractedText", licence.extracted_text, out)?;
            tag("LicenseName", licence.name, out)?;
        }
        writeln!(out)?;
        for one in &document.relationships {
            let (from, to) = (&one.spdx_element_id, &one.related_spdx_element);
            writeln!(out, "Relationship: {from} {} {to}", one.relationship_type)?;
        }
        Ok(())
    }
}

fn head(document: &SpdxDocument<'_>, out: &mut dyn Write) -> io::Result<()> {
    tag("SPDXVersion", document.spdx_version, out)?;
    tag("DataLicense", document.data_license, out)?;
    tag("SPDXID", document.id, out)?;
    tag("DocumentName", document.name, out)?;
    tag("DocumentNamespace", &document.document_namespace, out)?;
    text("DocumentComment", &document.comment, out)?;
    for creator in &document.creation_info.creators {
        tag("Creator", creator, out)?;
    }
    tag("Created", &document.creation_info.created, out)
}

fn package(one: &SpdxPackage<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    tag("PackageName", one.name, out)?;
    tag("SPDXID", &one.id, out)?;
    if !one.version_info.is_empty() {
        tag("PackageVersion", &one.version_info, out)?;
    }
    if let Some(originator) = &one.originator {
        tag("PackageOriginator", originator, out)?;
    }
    tag("PackageDownloadLocation", one.download_location, out)?;
    tag("FilesAnalyzed", &one.files_analyzed.to_string(), out)?;
    if let Some(source) = &one.source_info {
        text("PackageSourceInfo", source, out)?;
    }
    tag("PackageLicenseConcluded", one.license_concluded, out)?;
    tag("PackageLicenseDeclared", &one.license_declared, out)?;
    tag("PackageCopyrightText", one.copyright_text, out)?;
    tag("PrimaryPackagePurpose", one.primary_package_purpose, out)?;
    for reference in &one.external_refs {
        let locator = format!(
            "{} {} {}",
            reference.reference_category, reference.reference_type, reference.reference_locator
        );
        tag("ExternalRef", &locator, out)?;
        if let Some(comment) = &reference.comment {
            text("ExternalRefComment", comment, out)?;
        }
    }
    for annotation in &one.annotations {
        tag("Annotator", &annotation.annotator, out)?;
        tag("AnnotationDate", &annotation.annotation_date, out)?;
        tag("AnnotationType", annotation.annotation_type, out)?;
        tag("SPDXREF", &one.id, out)?;
        text("AnnotationComment", &annotation.comment, out)?;
    }
    Ok(())
}

fn tag(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{name}: {}", line(value))
}

fn text(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{name}: <text>{}</text>", line(value))
}

/// One line, in which nothing opens or closes a text.
fn line(value: &str) -> String {
    shown(value)
        .replace("<text>", "&lt;text&gt;")
        .replace("</text>", "&lt;/text&gt;")
}
