//! Names and major versions of the documents that leave a process. A reader refuses a major that it does not know.

/// [`crate::ScanReport`], written by `plimsoll scan -o json`, read by the agent and the server.
pub const SCAN_REPORT: &str = "plimsoll.scan/v1";
/// [`crate::Profile`], written by `plimsoll profile -o json`.
pub const PROFILE: &str = "plimsoll.profile/v1";
/// [`crate::Alert`], one JSON document per line on the agent's stdout.
pub const ALERT: &str = "plimsoll.alert/v1";
/// [`crate::Usage`], written by `plimsoll agent --usage` and by a server, read by `plimsoll scan --runtime`.
pub const USAGE: &str = "plimsoll.usage/v1";
/// What containers were seen to do, written by `plimsoll agent --learn`, read by `plimsoll profile learn`.
pub const OBSERVED: &str = "plimsoll.observed/v1";
