//! How far this crate goes on hostile input.

/// Symbolic links followed while a path is looked up (the kernel stops at 40 too).
pub(crate) const MAX_LINKS: usize = 40;
/// Arguments looked at to find the script that an interpreter runs.
pub(crate) const MAX_SCRIPT_ARGUMENTS: usize = 16;
/// Characters of one quoted argument.
pub(crate) const MAX_ARGUMENT_CHARS: usize = 256;
/// Characters of a whole command line.
pub(crate) const MAX_COMMAND_LINE_CHARS: usize = 1024;
