//! Audit log, waivers, settings and the queue of scans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Page, Rows};
use crate::error::Result;

/// Remembers what people did and decided.
pub trait JournalStore {
    /// Adds an entry; entries are never changed.
    fn add_audit(&self, entry: &NewAuditEntry, now_ms: i64) -> Result<()>;
    /// Newest first.
    fn list_audit(&self, page: &Page) -> Result<Rows<AuditEntry>>;
    /// Adds a waiver under a new id.
    fn add_waiver(&self, waiver: &StoredWaiver) -> Result<()>;
    /// By end date.
    fn list_waivers(&self) -> Result<Vec<StoredWaiver>>;
    /// False when there is none.
    fn remove_waiver(&self, id: &str) -> Result<bool>;
    /// The stored settings, or the defaults.
    fn load_settings(&self) -> Result<Settings>;
    /// Replaces them.
    fn save_settings(&self, settings: &Settings) -> Result<()>;
    /// Queues a reference unless it already waits; returns the request either way.
    fn add_scan_request(&self, reference: &str, by: &str, now_ms: i64) -> Result<ScanRequest>;
    /// Newest first.
    fn list_scan_requests(&self, page: &Page) -> Result<Rows<ScanRequest>>;
    /// Takes the oldest request that waits, or that was taken before `stale_ms` and never finished.
    fn claim_scan_request(&self, now_ms: i64, stale_ms: i64) -> Result<Option<ScanRequest>>;
    /// Ends a request: `None` is success.
    fn finish_scan_request(&self, id: i64, error: Option<&str>, now_ms: i64) -> Result<()>;
}

/// An entry to add.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// User or agent: `admin`, `agent:node-1`.
    pub actor: String,
    /// `log-in`, `acknowledge`, ….
    pub action: &'static str,
    /// What was acted on.
    pub subject: String,
    /// Further words; never a secret.
    pub detail: String,
    /// Where from; empty when not known.
    pub address: String,
}

/// One entry of the audit log. Subject and detail are hostile text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Number.
    pub id: i64,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Who.
    pub actor: String,
    /// Did what.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Further words.
    pub detail: String,
    /// Where from.
    pub address: String,
}

/// An exception from the policy, as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredWaiver {
    /// Id, made by the server.
    pub id: String,
    /// Rule that it silences; null: any.
    pub rule: Option<String>,
    /// Vulnerability, package, path or check that it is about; null: any. `*` stands for any characters.
    pub subject: Option<String>,
    /// Image references that it is for; null: all. `*` stands for any characters.
    pub image: Option<String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it counts, `YYYY-MM-DD`, UTC.
    pub until: String,
    /// Who entered it.
    pub created_by: String,
    /// When, milliseconds since the Unix epoch.
    pub created_ms: i64,
}

/// What admission does with an image that no scan report is stored for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownImage {
    /// Admit it silently.
    Allow,
    /// Admit it with a warning.
    Warn,
    /// Refuse it.
    Deny,
    /// Admit it with a warning and queue a scan.
    Queue,
}

/// What can be set while the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For namespaces that are not listed.
    pub unknown_image: UnknownImage,
    /// For these namespaces.
    pub unknown_image_by_namespace: BTreeMap<String, UnknownImage>,
    /// Namespaces that admission lets everything into, such as `kube-system`.
    pub exempt_namespaces: Vec<String>,
    /// Alerts are removed after so many days; 1 to 3650.
    pub alert_retention_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            unknown_image: UnknownImage::Warn,
            unknown_image_by_namespace: BTreeMap::new(),
            exempt_namespaces: vec!["kube-system".to_owned()],
            alert_retention_days: 90,
        }
    }
}

/// Where a queued scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanRequestState {
    /// Waits.
    Queued,
    /// Runs.
    Running,
    /// The report is stored.
    Done,
    /// It did not work; see `error`.
    Failed,
}

/// A scan that somebody asked the server for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScanRequest {
    /// Number.
    pub id: i64,
    /// Normalised image reference.
    pub reference: String,
    /// Who asked: a user, or `admission`.
    pub requested_by: String,
    /// When, milliseconds since the Unix epoch.
    pub requested_ms: i64,
    /// Where it stands.
    pub state: ScanRequestState,
    /// When it ended, milliseconds since the Unix epoch.
    pub finished_ms: Option<i64>,
    /// Why it failed. Hostile text.
    pub error: Option<String>,
}
