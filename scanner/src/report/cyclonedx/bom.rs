//! A report in, the parts of a CycloneDX document out, which the JSON and the XML report write one by one.

use plimsoll_model::{FixState, Match, OsRelease, Package, ScanReport, Severity};
use serde::{Serialize, Serializer};

use super::super::{identity::uuid, licence};

/// Of a version, as the schema limits it.
const MAX_VERSION_CHARS: usize = 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bom<'a> {
    #[serde(rename = "$schema")]
    pub(crate) schema: &'static str,
    pub(crate) bom_format: &'static str,
    pub(crate) spec_version: &'static str,
    pub(crate) serial_number: String,
    pub(crate) version: u32,
    pub(crate) metadata: Metadata<'a>,
    pub(crate) components: Components<'a>,
    pub(crate) dependencies: [Dependency; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vulnerabilities: Option<Vulnerabilities<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) tools: Tools,
    pub(crate) component: ImageComponent<'a>,
    pub(crate) properties: Vec<Property>,
}

#[derive(Serialize)]
pub(crate) struct Tools {
    pub(crate) components: [Tool; 1],
}

#[derive(Serialize)]
pub(crate) struct Tool {
    pub(crate) r#type: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

#[derive(Serialize)]
pub(crate) struct ImageComponent<'a> {
    pub(crate) r#type: &'static str,
    #[serde(rename = "bom-ref")]
    pub(crate) bom_ref: String,
    pub(crate) name: &'a str,
    pub(crate) version: String,
}

#[derive(Serialize)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dependency {
    pub(crate) r#ref: String,
    pub(crate) depends_on: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Component<'a> {
    pub(crate) r#type: &'static str,
    #[serde(rename = "bom-ref")]
    pub(crate) bom_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) supplier: Option<Supplier<'a>>,
    pub(crate) name: &'a str,
    pub(crate) version: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) licenses: Vec<License<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Evidence>,
    pub(crate) properties: Vec<Property>,
}

#[derive(Serialize)]
pub(crate) struct Supplier<'a> {
    pub(crate) name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum License<'a> {
    /// As stated; not all that is stated is in SPDX's language.
    License(LicenseName<'a>),
    /// An SPDX licence expression, which is then the only entry.
    Expression(String),
}

#[derive(Serialize)]
pub(crate) struct LicenseName<'a> {
    pub(crate) name: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Evidence {
    pub(crate) occurrences: Vec<Occurrence>,
}

#[derive(Serialize)]
pub(crate) struct Occurrence {
    pub(crate) location: String,
}

#[derive(Serialize)]
pub(crate) struct Vulnerability<'a> {
    #[serde(rename = "bom-ref")]
    pub(crate) bom_ref: String,
    pub(crate) id: &'a str,
    pub(crate) source: Source<'a>,
    pub(crate) ratings: Vec<Rating<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recommendation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) analysis: Option<Analysis>,
    pub(crate) affects: Vec<Affects>,
    pub(crate) properties: Vec<Property>,
}

/// What the publisher of the package says of it.
#[derive(Serialize)]
pub(crate) struct Analysis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) response: Vec<&'static str>,
}

#[derive(Serialize)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Rating<'a> {
    pub(crate) source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f32>,
    pub(crate) severity: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Affects {
    pub(crate) r#ref: String,
    pub(crate) versions: Vec<AffectedVersion>,
}

#[derive(Serialize)]
pub(crate) struct AffectedVersion {
    pub(crate) version: String,
    pub(crate) status: &'static str,
}

/// Packages, turned into components one at a time.
pub(crate) struct Components<'a>(pub(crate) &'a ScanReport);

impl<'a> Components<'a> {
    /// Packages, then the operating system.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Component<'a>> + use<'a> {
        let report = self.0;
        let packages = report.sbom.packages.iter().enumerate();
        let system = report.sbom.os.as_ref().map(operating_system);
        packages
            .map(move |(index, package)| component(report, index, package))
            .chain(system)
    }
}

impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Matches, turned into vulnerabilities one at a time.
pub(crate) struct Vulnerabilities<'a> {
    pub(crate) report: &'a ScanReport,
    pub(crate) matches: &'a [Match],
}

impl<'a> Vulnerabilities<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Vulnerability<'a>> + use<'a> {
        let report = self.report;
        let matches = self.matches.iter().enumerate();
        matches.map(move |(index, found)| vulnerability(report, index, found))
    }
}

impl Serialize for Vulnerabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The whole document.
pub(crate) fn bom(report: &ScanReport) -> Bom<'_> {
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
        serial_number: format!("urn:uuid:{}", uuid(report)),
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
    let files: Vec<Occurrence> = package.files.iter().map(|location| Occurrence { location }).collect();
    let mut properties = vec![
        property("plimsoll:package:kind", package.kind.name()),
        property("plimsoll:package:evidence", &package.evidence_path),
        property("plimsoll:package:layer-index", &package.layer.to_string()),
    ];
    if let Some(layer) = report.layers.get(package.layer as usize) {
        properties.push(property("plimsoll:package:layer-diff-id", &layer.diff_id.to_string()));
    }
    if let Some(owner) = package.owner
        && let Some(owning) = report.sbom.packages.get(owner as usize)
    {
        properties.push(property("plimsoll:package:owner", &bom_ref(owner as usize, owning)));
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
        version: limited(&package.version),
        description: "",
        licenses: licenses(&package.licences),
        cpe: package
            .cpes
            .iter()
            .map(String::as_str)
            .find(|cpe| super::super::spdx::document::is_cpe(cpe)),
        purl: (!package.purl.is_empty()).then_some(package.purl.as_str()),
        evidence: (!files.is_empty()).then_some(Evidence { occurrences: files }),
        properties,
    }
}

fn operating_system(os: &OsRelease) -> Component<'_> {
    let mut properties = Vec::new();
    if !os.version_codename.is_empty() {
        properties.push(property("plimsoll:os:version-codename", &os.version_codename));
    }
    properties.extend(os.id_like.iter().map(|id| property("plimsoll:os:id-like", id)));
    Component {
        r#type: "operating-system",
        bom_ref: format!("os:{}", os.id),
        supplier: None,
        name: &os.id,
        version: limited(&os.version_id),
        description: &os.pretty_name,
        licenses: Vec::new(),
        cpe: None,
        purl: None,
        evidence: None,
        properties,
    }
}

fn licenses(stated: &[String]) -> Vec<License<'_>> {
    match licence::expression(stated) {
        Some(expression) => vec![License::Expression(expression)],
        None => stated
            .iter()
            .map(|name| License::License(LicenseName { name }))
            .collect(),
    }
}

/// As much of a version as the schema allows.
fn limited(version: &str) -> String {
    version.chars().take(MAX_VERSION_CHARS).collect()
}

fn vulnerability<'a>(report: &'a ScanReport, index: usize, found: &'a Match) -> Vulnerability<'a> {
    let details = &found.vulnerability;
    let package = report.sbom.packages.get(found.package as usize);
    let affects = package.map(|package| Affects {
        r#ref: bom_ref(found.package as usize, package),
        versions: vec![AffectedVersion {
            version: limited(&package.version),
            status: if found.fix_state == FixState::NotAffected {
                "unaffected"
            } else {
                "affected"
            },
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
            score: details.cvss_score.filter(|score| score.is_finite()),
            severity: severity(details.severity),
        }],
        description: &details.summary,
        recommendation: fix.map(|version| format!("Upgrade to {version}")),
        analysis: analysis(found.fix_state),
        affects: affects.into_iter().collect(),
        properties,
    }
}

/// In the words of the schema, where it has some for what the source says.
fn analysis(state: FixState) -> Option<Analysis> {
    let (state, response) = match state {
        FixState::Fixed => (None, vec!["update"]),
        FixState::WillNotFix | FixState::EndOfLife => (None, vec!["will_not_fix"]),
        FixState::UnderInvestigation => (Some("in_triage"), Vec::new()),
        FixState::NotAffected => (Some("not_affected"), Vec::new()),
        FixState::Affected | FixState::Deferred | FixState::Unknown => return None,
    };
    Some(Analysis { state, response })
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

/// RFC 3339, as the schema's `date-time` wants it.
fn is_time(text: &str) -> bool {
    text.len() <= 40 && text.contains('T') && text.parse::<jiff::Timestamp>().is_ok()
}
