//! Alerts: batches in, idempotent by id; lists, groups, counts and acknowledgements out.

use plimsoll_model::Alert;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Page, Rows};
use crate::error::Result;

/// Remembers alerts.
pub trait AlertStore {
    /// Stores a batch in one transaction. An alert that is known by its id is updated when the new one says more
    /// (count or follow-ups) and keeps its acknowledgement. `node` is the authenticated agent's: it replaces what the
    /// alert claims, and an id that another node has stored is rejected. Returns after the commit is on disk.
    fn save_alerts(&self, node: &str, alerts: Vec<Alert>, now_ms: i64) -> Result<IngestedAlerts>;
    /// Newest first.
    fn list_alerts(&self, filter: &AlertFilter, page: &Page) -> Result<Rows<AlertSummary>>;
    /// Alerts of the same rule, image, namespace and executable as one row, the group with the newest alert first.
    fn list_alert_groups(&self, filter: &AlertFilter, page: &Page) -> Result<Rows<AlertGroup>>;
    /// One alert with its document.
    fn find_alert(&self, id: &str) -> Result<Option<AlertRecord>>;
    /// Marks alerts that are not marked yet; returns how many.
    fn acknowledge_alerts(&self, selection: &AlertSelection, acknowledgement: &Acknowledgement) -> Result<u64>;
    /// Takes the mark away; false when there is no such alert or it has no mark.
    fn reopen_alert(&self, id: &str) -> Result<bool>;
    /// Alerts per bucket and priority between two times, oldest first; empty buckets are left out.
    fn count_over_time(&self, from_ms: i64, to_ms: i64, bucket_ms: i64) -> Result<Vec<TimeBucket>>;
    /// The rules with most alerts between two times.
    fn count_by_rule(&self, from_ms: i64, to_ms: i64, limit: u32) -> Result<Vec<RuleCount>>;
    /// The nodes with most alerts between two times.
    fn count_by_node(&self, from_ms: i64, to_ms: i64, limit: u32) -> Result<Vec<NodeCount>>;
    /// How many alerts are stored and how many of them nobody acknowledged.
    fn count_alerts(&self) -> Result<(u64, u64)>;
    /// References of images in alerts since a time that no scan report is stored for, at most `limit`.
    fn list_unscanned_images(&self, since_ms: i64, limit: u32) -> Result<Vec<String>>;
    /// Removes alerts received before a time; returns how many. When they happened does not count: a node whose clock is
    /// wrong would lose its alerts at once.
    fn purge_alerts(&self, before_ms: i64) -> Result<u64>;
}

/// Which alerts are wanted; `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// At least so urgent: `warning` gives warning, error, critical, alert and emergency.
    pub priority: Option<String>,
    /// Exact name of the deciding rule.
    pub rule: Option<String>,
    /// Part of the image reference, or a config or manifest digest.
    pub image: Option<String>,
    /// Exact node.
    pub node: Option<String>,
    /// Exact namespace.
    pub namespace: Option<String>,
    /// Exact container id.
    pub container: Option<String>,
    /// Only acknowledged ones, or only others.
    pub acknowledged: Option<bool>,
    /// Part of summary, observation, command line or container name; case of ASCII letters does not matter.
    pub text: Option<String>,
    /// Key of a group.
    pub group: Option<String>,
    /// Not before, milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Before, milliseconds since the Unix epoch.
    pub to_ms: Option<i64>,
}

/// Which alerts to acknowledge.
#[derive(Debug, Clone)]
pub enum AlertSelection {
    /// These.
    Ids(Vec<String>),
    /// All of a group that happened up to a time, so that what arrived after the person looked stays open.
    Group {
        /// Key.
        key: String,
        /// Newest that counts, milliseconds since the Unix epoch.
        until_ms: i64,
    },
}

/// Who has seen an alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Acknowledgement {
    /// User name.
    pub by: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What they said; may be empty. Hostile text.
    pub comment: String,
}

/// One alert in a list. All texts but priority are hostile.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertSummary {
    /// Stable id.
    pub id: String,
    /// When it happened, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// When the server got it first, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// `emergency alert critical error warning notice informational debug`.
    pub priority: String,
    /// The rule or deviation that decided the priority.
    pub rule: String,
    /// One sentence.
    pub summary: String,
    /// The agent's node.
    pub node: String,
    /// Kubernetes namespace.
    pub namespace: Option<String>,
    /// Pod name.
    pub pod: Option<String>,
    /// Container id.
    pub container_id: Option<String>,
    /// Container name.
    pub container_name: Option<String>,
    /// Image reference; null on the host.
    pub image: Option<String>,
    /// Config digest of the image.
    pub config_digest: Option<String>,
    /// Executable of the process.
    pub executable: String,
    /// Key of its group.
    pub group: String,
    /// Events that it stands for.
    pub count: u64,
    /// What its cause did next, how many times.
    pub follow_up_count: u32,
    /// Null while nobody has acknowledged it.
    pub acknowledgement: Option<Acknowledgement>,
}

/// An alert with all that it says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertRecord {
    /// As in lists.
    pub summary: AlertSummary,
    /// The document, schema `plimsoll.alert/v1`.
    #[schema(value_type = Object)]
    pub alert: serde_json::Value,
}

/// Alerts that a person would treat as one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertGroup {
    /// Key: filter alerts by `group` to see its members.
    pub group: String,
    /// The most urgent priority among them.
    pub priority: String,
    /// Their rule.
    pub rule: String,
    /// The newest one's sentence. Hostile text.
    pub summary: String,
    /// The newest one's id.
    pub newest_id: String,
    /// Their image. Hostile text.
    pub image: Option<String>,
    /// Their namespace. Hostile text.
    pub namespace: Option<String>,
    /// Their executable. Hostile text.
    pub executable: String,
    /// How many alerts.
    pub alert_count: u64,
    /// How many events.
    pub event_count: u64,
    /// How many nobody has acknowledged.
    pub open_count: u64,
    /// On how many nodes.
    pub node_count: u64,
    /// First, milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// Last, milliseconds since the Unix epoch.
    pub last_ms: i64,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub struct IngestedAlerts {
    /// Ids that are on disk now; the agent may forget them.
    pub acknowledged: Vec<String>,
    /// What will never be taken; the agent should report and forget it.
    pub rejected: Vec<RejectedAlert>,
    /// Those that were new or changed.
    pub changed: Vec<AlertSummary>,
}

/// An alert that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RejectedAlert {
    /// Its id, cut to 200 characters.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Alerts of one stretch of time and one priority.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimeBucket {
    /// Start, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Priority.
    pub priority: String,
    /// How many.
    pub count: u64,
}

/// Alerts of one rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleCount {
    /// Rule or deviation.
    pub rule: String,
    /// Its most urgent priority.
    pub priority: String,
    /// How many.
    pub count: u64,
}

/// Alerts of one node.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeCount {
    /// Node.
    pub node: String,
    /// How many.
    pub count: u64,
    /// How many of them are critical or worse.
    pub critical: u64,
    /// How many nobody has acknowledged.
    pub open: u64,
}

/// Falco's priorities, most urgent first: a priority's rank is its place here.
const PRIORITIES: [&str; 8] = [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "informational",
    "debug",
];

/// 0 for `emergency` to 7 for `debug`; `None` for any other word.
pub fn priority_rank(priority: &str) -> Option<u8> {
    let at = PRIORITIES.iter().position(|known| *known == priority)?;
    u8::try_from(at).ok()
}

/// The priority of a stored rank; a rank that is none reads as the mildest.
pub(crate) fn priority_name(rank: u8) -> String {
    PRIORITIES.get(usize::from(rank)).unwrap_or(&"debug").to_string()
}
