//! Every limit on what a feed or a database may hold, with its reason.

/// Longest record of a feed, in bytes. The longest real one (a kernel errata of SUSE) has 1.1 MiB.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
