//! How much the agent keeps, reads and waits for. Containers and their processes are hostile; each of these is counted
//! and said when it is hit.

/// The kernel's ring buffer; a power of two.
pub(crate) const RING_BYTES: u32 = 4 << 20;
/// Events of one batch.
pub(crate) const BATCH_EVENTS: usize = 4_096;
/// The timer that finds records below the wake-up threshold.
pub(crate) const POLL: std::time::Duration = std::time::Duration::from_millis(10);
/// How often the kernel side's loss counters are read.
pub(crate) const COUNT_LOSSES_EVERY: std::time::Duration = std::time::Duration::from_millis(250);
/// Exits remembered to tell repeated ones.
pub(crate) const RECENT_EXITS: usize = 64;
/// Processes in a snapshot.
pub(crate) const MAX_SNAPSHOT_PROCESSES: usize = 262_144;

/// Processes in the tree, dead ones within their grace included. About 600 bytes each.
pub(crate) const MAX_PROCESSES: usize = 65_536;
/// A dead process is kept this long, since events of its children may still name it.
pub(crate) const EXIT_GRACE_NS: u64 = 10_000_000_000;
/// Ancestors may pile up to this many before the chain is cut to [`plimsoll_model::MAX_ANCESTORS`].
pub(crate) const MAX_CHAIN: usize = 2 * plimsoll_model::MAX_ANCESTORS;

/// Events of one cgroup that wait for its identity.
pub(crate) const MAX_WAITING_PER_CGROUP: usize = 8_192;
/// Events that wait in all.
pub(crate) const MAX_WAITING: usize = 65_536;
/// An event waits this long for its container's identity.
pub(crate) const MAX_WAIT_NS: u64 = 3_000_000_000;
/// The identity thread tries this long before it gives up.
pub(crate) const MAX_LOOKUP: std::time::Duration = std::time::Duration::from_millis(2_000);
/// Pause between two tries: engines write their files within milliseconds of making the cgroup.
pub(crate) const LOOKUP_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
/// Identity questions that wait for the identity thread.
pub(crate) const MAX_QUESTIONS: usize = 4_096;
/// Directories visited when a cgroup is looked for by its id.
pub(crate) const MAX_CGROUPS: usize = 65_536;
/// Containers remembered, ended ones not included.
pub(crate) const MAX_CONTAINERS: usize = 16_384;
/// Processes that are placed in one container.
pub(crate) const MAX_PROCESSES_PER_CONTAINER: usize = 32_768;

/// A container engine's JSON file.
pub(crate) const MAX_ENGINE_FILE_BYTES: u64 = 32 << 20;
/// `/proc/PID/mountinfo` and `/proc/PID/cgroup`.
pub(crate) const MAX_PROC_FILE_BYTES: u64 = 4 << 20;
/// One scan report.
pub(crate) const MAX_REPORT_BYTES: u64 = 256 << 20;
/// Scan reports in a folder.
pub(crate) const MAX_REPORTS: usize = 4_096;

/// An alert takes follow-ups and repeats until nothing was added to it for this long.
pub(crate) const ALERT_QUIET_NS: u64 = 300_000_000_000;
/// An alert is closed after this long in any case, so that a standing wrong is told again.
pub(crate) const ALERT_OPEN_NS: u64 = 3_600_000_000_000;
/// An unexpected write waits this long for the written file to be run: then both are one act, told once.
pub(crate) const WRITE_HOLD_NS: u64 = 60_000_000;
/// An open alert that changed is told again after this long without a change, to sinks that want updates.
pub(crate) const UPDATE_AFTER_NS: u64 = 1_000_000_000;
/// Alerts that are open at once; beyond, the oldest is closed.
pub(crate) const MAX_OPEN_ALERTS: usize = 4_096;
/// Open alerts of one container and one title; beyond, more of the same is counted into the last.
pub(crate) const MAX_OPEN_PER_TITLE: usize = 8;
/// Follow-ups that an alert lists; all are counted.
pub(crate) const MAX_FOLLOW_UPS: usize = 32;
/// Ancestors that a container's alert shows, the first one outside included.
pub(crate) const MAX_ALERT_ANCESTORS: usize = 16;
/// Ancestors that an alert about the host shows.
pub(crate) const MAX_ALERT_HOST_ANCESTORS: usize = 8;
/// Vulnerabilities that an alert lists; all are counted.
pub(crate) const MAX_ALERT_VULNERABILITIES: usize = 5;

/// Batches of raw events between the sensor thread and the pipeline.
pub(crate) const MAX_BATCHES: usize = 256;
/// Alerts and notices between the pipeline and the sinks.
pub(crate) const MAX_OUTPUTS: usize = 8_192;
/// An alert says how many events were lost in this time before it.
pub(crate) const LOSS_MEMORY_NS: u64 = 60_000_000_000;

/// Bytes of items that a capture gathers before it writes a frame.
pub(crate) const FRAME_BYTES: usize = 256 << 10;
/// Largest frame of a capture that is read or written, decompressed. One item is far smaller: the longest is an exec with
/// about 14 KiB of text.
pub(crate) const MAX_FRAME_BYTES: usize = 8 << 20;
