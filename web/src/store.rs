//! What the server remembers, behind one trait per noun; [`sqlite`] is the store that comes with the binary. All calls
//! block and are made off the async threads. Time is an argument, in milliseconds since the Unix epoch.

mod account;
mod admission;
mod agent;
mod alert;
mod image;
mod journal;
mod page;
pub mod sqlite;
mod usage;

pub use account::{AccountStore, ApiToken, NewApiToken, Role, TokenOwner, User, UserSecret};
pub use admission::{AdmissionDecision, AdmissionFilter, AdmissionStore, DecidedImage, NewAdmissionDecision};
pub use agent::{Agent, AgentStore, BlindSpot, Enrolment, Heartbeat, LossCounter, SeenContainer, Workload};
pub(crate) use alert::priority_name;
pub use alert::{
    Acknowledgement, AlertFilter, AlertGroup, AlertRecord, AlertSelection, AlertStore, AlertSummary, IngestedAlerts,
    NodeCount, RejectedAlert, RuleCount, TimeBucket, priority_rank,
};
pub use image::{
    ImageFilter, ImageStore, ImageSummary, PackageRow, SeverityCounts, VulnerabilityFilter, VulnerabilityRow,
};
pub use journal::{
    AuditEntry, JournalStore, NewAuditEntry, ScanRequest, ScanRequestState, Settings, StoredWaiver, UnknownImage,
};
pub use page::{Page, Rows};
pub use usage::{NodeUsage, UsageStore};

/// Everything that a server needs to remember.
pub trait Store:
    ImageStore + AlertStore + AgentStore + AccountStore + AdmissionStore + JournalStore + UsageStore + Send + Sync
{
    /// Fails when the store cannot answer: the readiness probe.
    fn check(&self) -> crate::error::Result<()>;
}
