//! Every limit of the profile's derivation, with its name. Hitting one opens the facet concerned, and is a note.

/// Deepest nesting of a shell script's grammar: blocks, substitutions, quotes within quotes.
pub(crate) const MAX_SHELL_DEPTH: u32 = 48;
/// Most commands that are followed in all scripts of one image, function calls and sourced files counted each time.
pub(crate) const MAX_COMMANDS: u32 = 20_000;
/// Deepest chain of calls: function in function, script from script, wrapper around wrapper.
pub(crate) const MAX_CALLS: u32 = 24;
/// Most values that one variable, or one list of arguments, is known to have; more count as unknown.
pub(crate) const MAX_ALTERNATIVES: usize = 6;
/// Most files of one hook folder that are followed.
pub(crate) const MAX_HOOKS: usize = 64;
/// Most libraries of one program's closure.
pub(crate) const MAX_LIBRARIES: usize = 512;
/// Longest piece of an image's text that is quoted as evidence, bytes.
pub(crate) const MAX_QUOTE_BYTES: usize = 120;
/// Most configuration files that one workload's settings are read from, includes counted.
pub(crate) const MAX_SETTINGS_FILES: usize = 128;
/// Deepest chain of includes in configuration files.
pub(crate) const MAX_INCLUDES: u32 = 8;
/// Most links of the shebang chain: a script whose interpreter is a script.
pub(crate) const MAX_SHEBANGS: u32 = 4;
/// Most pieces of evidence of one source that a fact keeps.
pub(crate) const MAX_EVIDENCE: usize = 4;
/// Longest text that is put together from several known pieces, bytes; a longer one counts as unknown.
pub(crate) const MAX_TEXT_BYTES: usize = 4096;
/// Most arguments of one command, and elements of one array; the rest is cut.
pub(crate) const MAX_ARGUMENTS: usize = 128;
