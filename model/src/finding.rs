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
}
