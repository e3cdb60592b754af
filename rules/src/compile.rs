//! Condition trees in, one shared graph of checks out that cannot fail any more.

mod check;
mod constant;
mod event_types;
mod gate;
mod glob;
mod graph;
mod lower;
mod net;
mod paths;
mod places;
mod reads;
mod single;
#[cfg(test)]
mod soundness;
mod specialise;
mod term;
mod text_set;
mod warnings;

pub(crate) use check::Memo;
pub(crate) use event_types::TypeSet;
pub(crate) use gate::{Gate, Mask, WIDTH};
pub(crate) use graph::{Graph, NodeId};
pub(crate) use lower::{Lowered, Lowering, MacroTree, Scope};
pub use reads::{ReadPaths, WritePaths};
pub(crate) use reads::{read_paths, write_paths};
pub(crate) use specialise::{Place as Location, VARIANTS, specialise, variant};
pub(crate) use term::Term;
pub(crate) use warnings::{deprecated_field, deprecation};
