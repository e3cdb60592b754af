//! What a policy decides about an image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The three decisions, mildest first, so that the worst is the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing stands against it.
    Go,
    /// It may run; somebody should look.
    Warn,
    /// It must not run.
    Stop,
}

impl Decision {
    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Warn => "warn",
            Self::Stop => "stop",
        }
    }
}

/// A policy's decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The worst of all reasons that are not waived; `Go` when there is none.
    pub decision: Decision,
    /// The policy that decided: its name.
    pub policy: String,
    /// Every rule that fired, worst first, waived ones included.
    pub reasons: Vec<VerdictReason>,
    /// Ids of waivers that were not used, to be deleted.
    pub unused_waivers: Vec<String>,
}

/// One rule that fired about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictReason {
    /// What the rule alone would decide.
    pub decision: Decision,
    /// The rule's name.
    pub rule: String,
    /// What it fired about: `CVE-2024-1 in openssl 3.0.11-1`, `/usr/bin/su`.
    pub subject: String,
    /// The rule's output line.
    pub message: String,
    /// Id of the waiver that covers it; `None` means that it counts.
    pub waived_by: Option<String>,
}
