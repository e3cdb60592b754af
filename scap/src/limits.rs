//! How much of a foreign capture is believed. Hitting one of these is a note, or counted as an event that was not decoded.

/// One block: the largest are lists of all processes with their environments.
pub(crate) const MAX_BLOCK_BYTES: u32 = 32 << 20;
/// What a compressed capture may unpack to.
pub(crate) const MAX_UNPACKED_BYTES: u64 = 64 << 30;
/// One text: a path, an argument. Longer ones are cut.
pub(crate) const MAX_TEXT_BYTES: usize = 4_096;
/// Arguments of one program, variables of one environment.
pub(crate) const MAX_ARGUMENTS: usize = 1_024;
/// All of them together.
pub(crate) const MAX_ARGUMENT_BYTES: usize = 32 << 10;
/// Lists of processes and descriptors, together: they are kept until the first event.
pub(crate) const MAX_SNAPSHOT_BYTES: usize = 256 << 20;
/// Processes and threads that are known at one time.
pub(crate) const MAX_THREADS: usize = 65_536;
/// Descriptors of one process; what it opens beyond is told and not remembered.
pub(crate) const MAX_DESCRIPTORS: usize = 1_024;
/// Calls that have begun and not returned.
pub(crate) const MAX_PENDING: usize = 65_536;
/// Their parameters together.
pub(crate) const MAX_PENDING_BYTES: usize = 16 << 20;
/// Libraries that are remembered of one program, to tell each once.
pub(crate) const MAX_LIBRARIES: usize = 512;
/// Containers of one capture.
pub(crate) const MAX_CONTAINERS: usize = 16_384;
/// Labels of one container, and mounts.
pub(crate) const MAX_DETAILS: usize = 1_024;
