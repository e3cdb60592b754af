//! Image in, report out: sources, one forward pass per layer, catalogers, static profile, report formats.

pub mod profile;
mod tree;

pub use tree::Tree;
