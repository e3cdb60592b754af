//! Rule files in, compiled conditions out: the language, its fields, its diagnostics; shipped rules and workload packs.
//!
//! The language is Falco's. [`RuleSet::load`] reads rule files; [`RuleSet::evaluate`] says which rules a kernel event
//! fires, [`RuleSet::evaluate_image`] which policy rules one fact of an image fires.

mod assemble;
mod compile;
mod diagnostic;
mod field;
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod load;
pub mod mix;
mod observation;
mod output;
pub mod packs;
mod priority;
mod rule;
pub mod scenario;
mod set;
mod shipped;
mod source;
mod syntax;
mod text;
mod yaml;

pub use compile::{ReadPaths, WritePaths};
pub use diagnostic::{Code, Diagnostic, DiagnosticSeverity};
pub use field::{FieldInfo, FieldType, fields};
pub use observation::{AdmissionObservation, AdmittedImage, ImageObservation, ImageSubject, Observation};
pub use priority::Priority;
pub use rule::Rule;
pub use set::{Environment, EventKinds, EventNeeds, Loaded, RuleFile, RuleSet};
pub use source::Source;
