//! `cyclonedx`: CycloneDX 1.6 JSON (ECMA-424), written field by field while it is made: no second copy of the packages.

use std::io::{self, Write};

use plimsoll_model::{Digest, FixState, Match, Package, ScanReport, Severity};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{Document, Report};

/// A bill of materials for other tools.
pub(super) struct CycloneDx;

impl Report for CycloneDx {
    fn name(&self) -> &'static str {
        "cyclonedx"
    }

    fn summary(&self) -> &'static str {
        "CycloneDX 1.6 JSON"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &bom(document.report))?;
        writeln!(out)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Components<'a>,
    dependencies: [Dependency; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerabilities: Option<Vulnerabilities<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    tools: Tools,
    component: ImageComponent<'a>,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    r#type: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ImageComponent<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: &'a str,
    version: String,
}

#[derive(Serialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: Vec<String>,
}

#[derive(Serialize)]
struct Component<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Supplier<'a>>,
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence<'a>>,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Supplier<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct License<'a> {
    license: LicenseName<'a>,
}

#[derive(Serialize)]
struct LicenseName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    occurrences: Vec<Occurrence<'a>>,
}

#[derive(Serialize)]
struct Occurrence<'a> {
    location: &'a str,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    id: &'a str,
    source: Source<'a>,
    ratings: Vec<Rating<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recommendation: Option<String>,
    affects: Vec<Affects>,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Rating<'a> {
    source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    severity: &'static str,
}

#[derive(Serialize)]
struct Affects {
    r#ref: String,
    versions: Vec<AffectedVersion>,
}

#[derive(Serialize)]
struct AffectedVersion {
    version: String,
    status: &'static str,
}

/// Packages, turned into components one at a time.
struct Components<'a>(&'a ScanReport);

impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let packages = report.sbom.packages.iter().enumerate();
        serializer.collect_seq(packages.map(|(index, package)| component(report, index, package)))
    }
}

/// Matches, turned into vulnerabilities one at a time.
struct Vulnerabilities<'a> {
    report: &'a ScanReport,
    matches: &'a [Match],
}

impl Serialize for Vulnerabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let matches = self.matches.iter().enumerate();
        serializer.collect_seq(matches.map(|(index, found)| vulnerability(self.report, index, found)))
    }
}

fn bom(report: &ScanReport) -> Bom<'_> {
    let image = &report.image;
    let image_ref = format!("image:{}", image.config_digest);
    let packages = report.sbom.packages.iter().enumerate();
    let mut properties = vec![
        property("plimsoll:image:config-digest", &image.config_digest.to_string()),
        property("plimsoll:image:platform", &crate::oci::show_platform(&image.platform)),
    ];
    properties.extend(
        image
            .diff_ids
            .iter()
            .map(|digest| property("plimsoll:image:diff-id", &digest.to_string())),
    );
    let missed = report.notes.iter().filter(|note| note.makes_incomplete()).count();
    properties.push(property("plimsoll:scan:incomplete", &(missed > 0).to_string()));
    Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(report),
        version: 1,
        metadata: Metadata {
            timestamp: report.config.created.as_deref().filter(|text| is_time(text)),
            tools: Tools {
                components: [Tool {
                    r#type: "application",
                    name: "plimsoll",
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            component: ImageComponent {
                r#type: "container",
                bom_ref: image_ref.clone(),
                name: &image.reference,
                version: image.manifest_digest.unwrap_or(image.config_digest).to_string(),
            },
            properties,
        },
        components: Components(report),
        dependencies: [Dependency {
            r#ref: image_ref,
            depends_on: packages.map(|(index, package)| bom_ref(index, package)).collect(),
        }],
        vulnerabilities: report
            .matches
            .as_deref()
            .map(|matches| Vulnerabilities { report, matches }),
    }
}

/// Unique even if two packages have the same purl.
fn bom_ref(index: usize, package: &Package) -> String {
    format!("{}#{index}", package.purl)
}

fn component<'a>(report: &'a ScanReport, index: usize, package: &'a Package) -> Component<'a> {
    let files: Vec<Occurrence<'_>> = package.files.iter().map(|path| Occurrence { location: path }).collect();
    let mut properties = vec![
        property("plimsoll:package:evidence", &package.evidence_path),
        property("plimsoll:package:layer-index", &package.layer.to_string()),
    ];
    if let Some(layer) = report.layers.get(package.layer as usize) {
        properties.push(property("plimsoll:package:layer-diff-id", &layer.diff_id.to_string()));
    }
    if let Some(source) = &package.source {
        properties.push(property("plimsoll:package:source-name", &source.name));
        properties.push(property("plimsoll:package:source-version", &source.version));
    }
    Component {
        r#type: "library",
        bom_ref: bom_ref(index, package),
        supplier: package.maintainer.as_deref().map(|name| Supplier { name }),
        name: &package.name,
        version: &package.version,
        licenses: package
            .licences
            .iter()
            .map(|name| License {
                license: LicenseName { name },
            })
            .collect(),
        purl: (!package.purl.is_empty()).then_some(package.purl.as_str()),
        evidence: (!files.is_empty()).then_some(Evidence { occurrences: files }),
        properties,
    }
}

fn vulnerability<'a>(report: &'a ScanReport, index: usize, found: &'a Match) -> Vulnerability<'a> {
    let details = &found.vulnerability;
    let package = report.sbom.packages.get(found.package as usize);
    let affects = package.map(|package| Affects {
        r#ref: bom_ref(found.package as usize, package),
        versions: vec![AffectedVersion {
            version: package.version.clone(),
            status: "affected",
        }],
    });
    let fix = found
        .fixed_version
        .as_ref()
        .filter(|_| found.fix_state == FixState::Fixed);
    let mut properties = vec![
        property("plimsoll:match:advisory", &found.evidence.advisory),
        property(
            "plimsoll:match:compared",
            &format!("{} {}", found.evidence.compared_name, found.evidence.compared_version),
        ),
        property("plimsoll:match:range", &found.evidence.range),
        property("plimsoll:match:known-exploited", &details.known_exploited.to_string()),
    ];
    if let Some(epss) = details.epss {
        properties.push(property("plimsoll:match:epss", &epss.to_string()));
    }
    Vulnerability {
        bom_ref: format!("match:{index}"),
        id: &details.id,
        source: Source {
            name: &found.evidence.source,
        },
        ratings: vec![Rating {
            source: Source {
                name: &found.evidence.source,
            },
            score: details.cvss_score,
            severity: severity(details.severity),
        }],
        description: &details.summary,
        recommendation: fix.map(|version| format!("Upgrade to {version}")),
        affects: affects.into_iter().collect(),
        properties,
    }
}

/// In the words of the schema, which has none for what a vendor calls negligible.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Negligible => "info",
        Severity::Unknown => "unknown",
    }
}

fn property(name: &str, value: &str) -> Property {
    Property {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// A UUID made from the content (RFC 9562, version 8), so that the same image gives the same document.
fn serial_number(report: &ScanReport) -> String {
    let mut hasher = Sha256::new();
    hasher.update(report.image.config_digest.as_bytes());
    for package in &report.sbom.packages {
        hasher.update(package.purl.as_bytes());
        hasher.update([0]);
    }
    for found in report.matches.iter().flatten() {
        hasher.update(found.vulnerability.id.as_bytes());
        hasher.update([0]);
    }
    let mut bytes: [u8; 32] = hasher.finalize().into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Digest::from_bytes(bytes).encoded();
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32]
    )
}

/// RFC 3339, as the schema's `date-time` wants it.
fn is_time(text: &str) -> bool {
    text.len() <= 40 && text.contains('T') && text.parse::<jiff::Timestamp>().is_ok()
}
