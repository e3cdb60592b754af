//! Every limit of this crate, with its name.

/// Largest rule file, bytes.
pub(crate) const MAX_FILE_BYTES: usize = 16 << 20;
/// Most YAML nodes of one file, each alias counted with all that it stands for.
pub(crate) const MAX_YAML_NODES: usize = 2_000_000;
/// Deepest nesting of YAML collections.
pub(crate) const MAX_YAML_DEPTH: usize = 32;
/// Deepest nesting of one condition: brackets, `not`, transformers.
pub(crate) const MAX_CONDITION_DEPTH: usize = 150;
/// Longest chain of macros that refer to macros, and of lists that refer to lists.
pub(crate) const MAX_REFERENCE_DEPTH: usize = 100;
/// Deepest compiled condition, macros expanded.
pub(crate) const MAX_NODE_DEPTH: usize = 600;
/// Longest condition after its lists are put in, bytes.
pub(crate) const MAX_CONDITION_BYTES: usize = 8 << 20;
/// Most items of one list after the lists that it names are put in.
pub(crate) const MAX_LIST_ITEMS: usize = 500_000;
/// Largest compiled size of one regular expression, bytes.
pub(crate) const MAX_REGEX_BYTES: usize = 1 << 20;
/// Most diagnostics that one load reports.
pub(crate) const MAX_DIAGNOSTICS: usize = 500;
/// Most errors of one load whose hint is searched among all that the files define.
pub(crate) const MAX_DEAR_HINTS: usize = 20;
/// Longest text that a field's value is shown with in an output line or a list of values, bytes.
pub(crate) const MAX_SHOWN_BYTES: usize = 4096;
/// Longest condition that is shown with its macros expanded, bytes.
pub(crate) const MAX_EXPANDED_BYTES: usize = 64 << 10;
/// Most fields whose values a rule reports.
pub(crate) const MAX_VALUES: usize = 40;
