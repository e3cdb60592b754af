//! Falco's eight priorities, most urgent first.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How urgent a rule is. Ordered as Falco (and syslog) order them: [`Priority::Emergency`] is the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// The system cannot be used.
    Emergency,
    /// Act at once.
    Alert,
    /// A critical condition.
    Critical,
    /// Something wrote or changed what it must not.
    Error,
    /// Unauthorised read, suspicious act.
    Warning,
    /// Unexpected, not necessarily bad.
    Notice,
    /// Against good practice.
    Informational,
    /// For writing rules.
    Debug,
}

impl Priority {
    /// All, most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// Lower-case name, as alerts carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Informational => "informational",
            Self::Debug => "debug",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = ();

    /// Any case; `INFO` is short for `INFORMATIONAL`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let lower = text.to_ascii_lowercase();
        if lower == "info" {
            return Ok(Self::Informational);
        }
        Self::ALL
            .into_iter()
            .find(|priority| priority.as_str() == lower)
            .ok_or(())
    }
}
