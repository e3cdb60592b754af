//! Agents: enrolment tokens, who is enrolled, what they report of themselves, which containers they see.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Page, Rows};
use crate::{error::Result, secret::TokenDigest};

/// Remembers agents and workloads.
pub trait AgentStore {
    /// Stores a new enrolment token's digest; returns its number.
    fn add_enrolment(&self, enrolment: &Enrolment, digest: &TokenDigest) -> Result<i64>;
    /// Enrolment tokens, newest first.
    fn list_enrolments(&self) -> Result<Vec<Enrolment>>;
    /// Makes an enrolment token useless; false when there is none of this number.
    fn revoke_enrolment(&self, id: i64) -> Result<bool>;
    /// Uses an enrolment token once and stores the agent's own; `None` when the token is unknown, used up or too old.
    /// An agent of the same node is replaced: its old token stops working.
    fn enrol_agent(
        &self,
        enrolment: &TokenDigest,
        node: &str,
        agent: &TokenDigest,
        now_ms: i64,
    ) -> Result<Option<Agent>>;
    /// The agent that a token belongs to, unless it was revoked.
    fn find_agent_by_token(&self, digest: &TokenDigest) -> Result<Option<Agent>>;
    /// Stores what an agent says of itself and the containers that it sees.
    fn save_heartbeat(&self, agent: i64, heartbeat: &Heartbeat, now_ms: i64) -> Result<()>;
    /// By node.
    fn list_agents(&self) -> Result<Vec<Agent>>;
    /// Makes an agent's token useless; false when there is no such agent.
    fn revoke_agent(&self, id: i64, now_ms: i64) -> Result<bool>;
    /// Containers seen by agents or in alerts, last seen first.
    fn list_workloads(&self, text: Option<&str>, page: &Page) -> Result<Rows<Workload>>;
}

/// A token that admits agents. The token itself is shown once and not kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Enrolment {
    /// Number.
    pub id: i64,
    /// Who made it.
    pub created_by: String,
    /// When, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Until when it works, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// How many more agents it admits.
    pub uses_left: u32,
}

/// An enrolled agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Agent {
    /// Number.
    pub id: i64,
    /// Its node.
    pub node: String,
    /// When it enrolled, milliseconds since the Unix epoch.
    pub enrolled_ms: i64,
    /// Last request, milliseconds since the Unix epoch; null before the first.
    pub last_seen_ms: Option<i64>,
    /// When its token was revoked, milliseconds since the Unix epoch; null while it works.
    pub revoked_ms: Option<i64>,
    /// Its version; empty before the first heartbeat. Hostile text.
    pub version: String,
    /// Its kernel's release; empty before the first heartbeat. Hostile text.
    pub kernel: String,
    /// Containers that it watches.
    pub container_count: u32,
    /// Events since it started.
    pub event_count: u64,
    /// What it lost.
    pub losses: Vec<LossCounter>,
    /// What it cannot see.
    pub blind_spots: Vec<BlindSpot>,
}

/// What an agent says of itself, about once a minute.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Version of the agent: `0.1.0`.
    pub version: String,
    /// Kernel release: `6.1.0-30-amd64`.
    pub kernel: String,
    /// Events since it started.
    #[serde(default)]
    pub event_count: u64,
    /// What it lost since it started.
    #[serde(default)]
    pub losses: Vec<LossCounter>,
    /// What it cannot see.
    #[serde(default)]
    pub blind_spots: Vec<BlindSpot>,
    /// Containers that run now.
    #[serde(default)]
    pub containers: Vec<SeenContainer>,
}

/// Events lost for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LossCounter {
    /// `ring_buffer`, `queue`, `decode`, ….
    pub reason: String,
    /// How many since the agent started.
    pub count: u64,
}

/// Something that an agent cannot see, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlindSpot {
    /// What: `open for write`, `containers of podman`.
    pub subject: String,
    /// Why: `this kernel refuses fentry`.
    pub reason: String,
}

/// A running container as an agent reports it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenContainer {
    /// Container id.
    pub id: String,
    /// Name. Hostile text.
    pub name: String,
    /// `podman`, `docker`, `containerd`, `crio`, `runc`, `unknown`.
    pub runtime: String,
    /// Image reference.
    #[serde(default)]
    pub image: Option<String>,
    /// Config digest of the image.
    #[serde(default)]
    pub config_digest: Option<String>,
    /// Manifest digest of the image.
    #[serde(default)]
    pub manifest_digest: Option<String>,
    /// Kubernetes namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Pod name.
    #[serde(default)]
    pub pod: Option<String>,
    /// Where its profile comes from: `server`, `cache`, `scan`; null when it has none, so nothing is judged.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A container that was seen running. All texts are hostile.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Workload {
    /// Node that runs it.
    pub node: String,
    /// Container id.
    pub container_id: String,
    /// Name.
    pub name: String,
    /// Who runs it.
    pub runtime: String,
    /// Image reference.
    pub image: Option<String>,
    /// Config digest.
    pub config_digest: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Pod.
    pub pod: Option<String>,
    /// Where its profile comes from; null when the agent has not said or has none.
    pub profile: Option<String>,
    /// First seen, milliseconds since the Unix epoch.
    pub first_seen_ms: i64,
    /// Last seen, milliseconds since the Unix epoch.
    pub last_seen_ms: i64,
    /// A scan report of its image is stored.
    pub is_scanned: bool,
    /// Its alerts.
    pub alert_count: u64,
    /// Its alerts that nobody has acknowledged.
    pub open_alert_count: u64,
}
