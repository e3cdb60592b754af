//! Admission decisions, newest kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Page, Rows};
use crate::error::Result;

/// Remembers what admission decided.
pub trait AdmissionStore {
    /// Stores one decision; the oldest go beyond [`crate::limits::MAX_ADMISSION_DECISIONS`].
    fn save_admission(&self, decision: &NewAdmissionDecision, now_ms: i64) -> Result<()>;
    /// Newest first.
    fn list_admissions(&self, filter: &AdmissionFilter, page: &Page) -> Result<Rows<AdmissionDecision>>;
}

/// Which decisions are wanted; `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AdmissionFilter {
    /// Exact namespace.
    pub namespace: Option<String>,
    /// Only admitted ones, or only refused ones.
    pub allowed: Option<bool>,
    /// Part of the object's name or of an image.
    pub text: Option<String>,
}

/// A decision to store. All texts come from the review: hostile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewAdmissionDecision {
    /// The review's uid.
    pub uid: String,
    /// `Pod`, `Deployment`, ….
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name, or its `generateName` with `*`.
    pub name: String,
    /// `CREATE` or `UPDATE`.
    pub operation: String,
    /// Who asked the API server.
    pub user: String,
    /// Whether it was admitted.
    pub allowed: bool,
    /// What the user was told when it was refused; empty otherwise.
    pub message: String,
    /// What the user was warned of.
    pub warnings: Vec<String>,
    /// What was decided for each image.
    pub images: Vec<DecidedImage>,
}

/// One image of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidedImage {
    /// Container that uses it.
    pub container: String,
    /// As the object writes it.
    pub image: String,
    /// Config digest that decided; null when the image is not known.
    pub config_digest: Option<String>,
    /// `go`, `warn`, `stop` or `unknown`.
    pub decision: String,
    /// Why: the first reasons, each one line.
    pub reasons: Vec<String>,
}

/// A stored decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AdmissionDecision {
    /// Number.
    pub id: i64,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// What was decided.
    pub decision: NewAdmissionDecision,
}
