//! Decides, and does nothing else: a kernel event and a profile in, deviations out; a scan report, rules and waivers in,
//! a verdict out. Pure: no I/O, no clock, no threads.
//!
//! [`CompiledProfile`] is a profile made ready for questions; [`judge`] asks it about one event. Expected behaviour is
//! the common case and costs a hash look-up.

mod address;
mod admission;
mod audit;
mod carry;
mod compiled;
mod deviation;
mod envelope;
mod exec;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod judge;
mod learn;
mod limits;
mod load;
mod local;
mod merge;
mod program;
mod reach;
mod text;
mod usage;
mod verdict;
mod waiver;

pub use address::scope_of;
pub use audit::{audit_events, judge_audit};
pub use carry::carry_over;
pub use compiled::CompiledProfile;
pub use deviation::{Deviation, DeviationKind};
pub use envelope::{Against, Envelope};
pub use files::KnownFiles;
pub use identity::{telling_capabilities, telling_capability};
pub use judge::{Context, Entry, Judgement, NEVER_JUDGED, is_client_port, judge};
pub use learn::{
    Learned, Ledger, Observations, ObservedAct, ObservedLog, Suggestion, Thresholds, WatchedContainer, is_learned,
};
pub use local::engine_of;
pub use merge::{Merged, merge, refusal};
pub use program::{identify, matches_program};
pub use reach::{bring_usage, idle_words, reach};
pub use text::{escape, phase_words, quote_arguments, time_words};
pub use usage::{FirstUse, IdleThresholds, UsageLedger, hours, merge_usage};
pub use verdict::{Policy, PolicyError, VerdictContext};
pub use waiver::{Waiver, WaiverError, parse_waivers};
