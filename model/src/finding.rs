//! What an image check found: not a vulnerability of a package, but something about the image itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Severity;

/// One finding of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable kebab-case id of the check: `runs-as-root`.
    pub check: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence that names what was found, secrets redacted.
    pub message: String,
    /// The path it is about; `None` when it is about the image's config.
    pub path: Option<String>,
    /// Index into [`crate::ScanReport::layers`] of the layer that holds it, which a later layer may hide; `None` when
    /// it is about no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    /// How to fix it, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What else calls for it: `CIS Docker 4.1` (CIS Docker Benchmark 1.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
}
