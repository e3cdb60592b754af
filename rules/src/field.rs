//! The table of fields: name, type, meaning, source and getter, one row each. Checker, compiler, reference and
//! `plimsoll rules fields` read the same rows.

mod admission;
mod argument;
mod audit;
mod call;
mod container;
mod context;
mod descriptor;
mod event;
mod event_names;
mod flags;
mod image;
mod kinds;
mod missing;
mod names;
mod origin;
mod process;
mod table;
mod value;

pub(crate) use argument::Argument;
pub(crate) use context::{Context, Subject, with_buffer};
pub(crate) use event_names::{EVENT_NAMES, is_event_name};
pub(crate) use kinds::KindSet;
pub(crate) use table::{Field, FieldRef, Getter, Shape, Sources, find, is_field, suggestion};
pub use table::{FieldInfo, FieldType, fields};
pub(crate) use value::Value;
