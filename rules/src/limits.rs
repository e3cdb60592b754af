//! Every limit of this crate, with its name.

/// Largest rule file, bytes.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// Deepest nesting of a condition: brackets, `not`, transformers, and macros within macros.
pub const MAX_DEPTH: usize = 128;
/// Most nodes of one rule's condition with its macros expanded.
pub const MAX_CONDITION_NODES: usize = 200_000;
/// Largest compiled size of one regular expression, bytes.
pub const MAX_REGEX_BYTES: usize = 1 << 20;
/// Most diagnostics that one load reports; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 200;
/// Longest text that a field's value is shown with in an output line or a list of values, bytes.
pub const MAX_SHOWN_BYTES: usize = 4096;
