//! Scanned images: reports in; summaries, ranked vulnerabilities and packages out.

use plimsoll_model::{Digest, ScanReport};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Page, Rows};
use crate::error::Result;

/// Remembers scan reports.
pub trait ImageStore {
    /// Stores a report in place of an older one of the same config digest, and what its reference now points to.
    fn save_scan(&self, report: &ScanReport, now_ms: i64) -> Result<ImageSummary>;
    /// Images, most endangered first: known exploited, critical, high.
    fn list_images(&self, filter: &ImageFilter, page: &Page) -> Result<Rows<ImageSummary>>;
    /// By config digest, else by manifest digest.
    fn find_image(&self, digest: &Digest) -> Result<Option<ImageSummary>>;
    /// The whole report, by config digest, else by manifest digest.
    fn find_report(&self, digest: &Digest) -> Result<Option<ScanReport>>;
    /// The report as the JSON that came in, without parsing it.
    fn find_report_json(&self, digest: &Digest) -> Result<Option<Vec<u8>>>;
    /// The image that a reference was last scanned as, by normalised reference.
    fn find_reference(&self, reference: &str) -> Result<Option<ImageSummary>>;
    /// An image's vulnerabilities in the report's order, worst first.
    fn list_vulnerabilities(
        &self,
        digest: &Digest,
        filter: &VulnerabilityFilter,
        page: &Page,
    ) -> Result<Rows<VulnerabilityRow>>;
    /// An image's packages in the report's order.
    fn list_packages(&self, digest: &Digest, text: Option<&str>, page: &Page) -> Result<Rows<PackageRow>>;
    /// How many images are known.
    fn count_images(&self) -> Result<u64>;
}

/// Which images are wanted; `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct ImageFilter {
    /// Part of the reference or digest.
    pub text: Option<String>,
    /// The policy's decision: `go`, `warn`, `stop`, or `none` for images without one.
    pub decision: Option<String>,
    /// Has a vulnerability with this id.
    pub vulnerability: Option<String>,
    /// Has a package of this name.
    pub package: Option<String>,
    /// Has a known exploited vulnerability.
    pub known_exploited: Option<bool>,
}

/// Which vulnerabilities are wanted; `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct VulnerabilityFilter {
    /// Part of the id or package name.
    pub text: Option<String>,
    /// `critical`, `high`, ….
    pub severity: Option<String>,
    /// A fix can be had.
    pub fixable: Option<bool>,
    /// Known to be exploited.
    pub known_exploited: Option<bool>,
}

/// How many vulnerabilities of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SeverityCounts {
    /// Critical.
    pub critical: u32,
    /// High.
    pub high: u32,
    /// Medium.
    pub medium: u32,
    /// Low and negligible.
    pub low: u32,
    /// Not judged yet.
    pub unknown: u32,
}

/// One image in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImageSummary {
    /// Config digest: the image's identity here.
    pub config_digest: String,
    /// Manifest digest of the last scan; null for archives without one.
    pub manifest_digest: Option<String>,
    /// Reference as it was scanned last. Hostile text.
    pub reference: String,
    /// Time of the last scan, milliseconds since the Unix epoch.
    pub scanned_ms: i64,
    /// `Debian GNU/Linux 12 (bookworm)`; null when not recognised. Hostile text.
    pub os: Option<String>,
    /// `amd64`, ….
    pub architecture: String,
    /// Packages found.
    pub package_count: u32,
    /// Whether vulnerabilities were looked up at all; when false, all counts are 0 and mean nothing.
    pub has_vulnerability_data: bool,
    /// Vulnerabilities by severity.
    pub vulnerabilities: SeverityCounts,
    /// How many of them have a fix.
    pub fixable: u32,
    /// How many of them are known to be exploited.
    pub known_exploited: u32,
    /// Findings of image checks.
    pub finding_count: u32,
    /// Something could not be read: incomplete is never clean.
    pub is_incomplete: bool,
    /// The policy's decision at scan time: `go`, `warn`, `stop`; null when no policy was asked.
    pub decision: Option<String>,
    /// Alerts of its containers.
    pub alert_count: u64,
}

/// One vulnerability of one package of an image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VulnerabilityRow {
    /// Place in the report, 0 is the worst.
    pub rank: u32,
    /// `CVE-2024-1234`.
    pub id: String,
    /// `critical`, `high`, `medium`, `low`, `negligible`, `unknown`.
    pub severity: String,
    /// CVSS base score, 0.0–10.0.
    pub cvss_score: Option<f64>,
    /// In CISA's catalogue of known exploited vulnerabilities.
    pub known_exploited: bool,
    /// FIRST's probability of exploitation within 30 days, 0.0–1.0.
    pub epss: Option<f64>,
    /// Place of the package in the report.
    pub package_position: u32,
    /// How near the package is to being used: `present`, `reachable`, `linked`, `loaded`, `executed`, `listening`, or `idle`
    /// when containers were watched long enough and used nothing of it; null when no agent has watched the image.
    pub reach: Option<String>,
    /// Why, in words. Hostile text.
    pub reach_because: Option<String>,
    /// Package name.
    pub package: String,
    /// Installed version.
    pub version: String,
    /// `dpkg`, `python`, ….
    pub package_kind: String,
    /// `fixed`, `affected`, `will_not_fix`, ….
    pub fix_state: String,
    /// Version to go to.
    pub fixed_version: Option<String>,
    /// One line. Hostile text.
    pub summary: String,
    /// The comparison that made the match: advisory, source, ecosystem, names, versions, range.
    #[schema(value_type = Object)]
    pub evidence: serde_json::Value,
}

/// One package of an image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PackageRow {
    /// Place in the report.
    pub position: u32,
    /// `dpkg`, `python`, ….
    pub kind: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Package URL.
    pub purl: String,
    /// Index of the layer that brought it, base is 0.
    pub layer: u32,
    /// How many vulnerabilities it has.
    pub vulnerability_count: u32,
    /// The worst of them; null when it has none.
    pub worst_severity: Option<String>,
}
