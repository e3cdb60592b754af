//! How far this crate goes on hostile input.

/// Symbolic links followed while a path is looked up (the kernel stops at 40 too).
pub(crate) const MAX_LINKS: usize = 40;
/// Arguments looked at to find the script that an interpreter runs.
pub(crate) const MAX_SCRIPT_ARGUMENTS: usize = 16;
/// Characters of one quoted argument.
pub(crate) const MAX_ARGUMENT_CHARS: usize = 256;
/// Characters of a whole command line.
pub(crate) const MAX_COMMAND_LINE_CHARS: usize = 1024;
/// Bytes of a waiver file.
pub(crate) const MAX_WAIVER_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Waivers in one file.
pub(crate) const MAX_WAIVERS: usize = 10_000;
/// Reasons that a verdict lists; all of them count for its decision.
pub(crate) const MAX_VERDICT_REASONS: usize = 10_000;
/// Errors of rule files that one message lists.
pub(crate) const MAX_LISTED_DIAGNOSTICS: usize = 10;

/// Characters of what an alert says of an audit event, which somebody in the cluster wrote.
pub(crate) const MAX_AUDIT_WORDS_CHARS: usize = 500;

/// Different acts that are remembered for learning, and suggestions.
pub(crate) const MAX_OBSERVED: usize = 10_000;
/// After it did what its profile rules out, a container teaches nothing for as long as an alert stays open without news.
pub(crate) const LEARNING_PAUSE_NS: u64 = 300_000_000_000;

/// Files of one image whose use is remembered; an image with more in use than that has no unused packages.
pub(crate) const MAX_USED_FILES: usize = 8_192;
/// Containers that are named as having done one act; more are not told apart.
pub(crate) const MAX_OBSERVED_CONTAINERS: usize = 256;
/// Libraries and programs that are followed from the programs that a profile expects.
pub(crate) const MAX_REACHED: usize = 20_000;
