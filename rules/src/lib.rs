//! Rule files in, compiled conditions out: the language, its fields, its diagnostics; shipped rules and workload packs.
//!
//! The language is Falco's. [`RuleSet::load`] reads rule files; [`RuleSet::evaluate`] says which rules a kernel event
//! fires, [`RuleSet::evaluate_image`] which policy rules one fact of an image fires.

mod diagnostic;
mod limits;
mod observation;
pub mod packs;
mod priority;
mod rule;
mod set;

pub use diagnostic::{Code, Diagnostic, DiagnosticSeverity};
pub use observation::{ImageObservation, ImageSubject, Observation};
pub use priority::Priority;
pub use rule::{Rule, Source};
pub use set::{EventKinds, EventNeeds, Loaded, RuleFile, RuleSet};
