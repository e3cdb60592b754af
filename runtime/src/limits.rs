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
/// Policies of processes that are remembered, since most processes of an image have one of a few.
pub(crate) const MAX_CACHED_POLICIES: usize = 1_024;
/// States of one set of paths in the kernel, and edges of all; `max_entries` of `edges` in `bpf/policy.h`.
pub(crate) const MAX_SET_STATES: usize = 2_048;
/// See [`MAX_SET_STATES`].
pub(crate) const MAX_SET_EDGES: usize = 60_000;
/// Exits remembered to tell repeated ones.
pub(crate) const RECENT_EXITS: usize = 64;
/// Processes in a snapshot.
pub(crate) const MAX_SNAPSHOT_PROCESSES: usize = 262_144;
/// Sockets of theirs that are told at the start.
pub(crate) const MAX_SNAPSHOT_SOCKETS: usize = 16_384;

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
/// A cgroup that is gone is not spoken of before its events have come, which takes far less.
pub(crate) const GONE_REST: std::time::Duration = std::time::Duration::from_millis(500);
/// Identity questions that wait for the identity thread.
pub(crate) const MAX_QUESTIONS: usize = 4_096;
/// Directories visited when a cgroup is looked for by its id.
pub(crate) const MAX_CGROUPS: usize = 65_536;
/// Containers remembered, ended ones not included.
pub(crate) const MAX_CONTAINERS: usize = 16_384;
/// Processes that are placed in one container.
pub(crate) const MAX_PROCESSES_PER_CONTAINER: usize = 32_768;

/// `/etc/passwd` or `/etc/group` of a container.
pub(crate) const MAX_ACCOUNT_FILE_BYTES: u64 = 256 << 10;
/// Lines of one of these, and bytes of a line.
pub(crate) const MAX_ACCOUNTS: usize = 2_048;
/// See [`MAX_ACCOUNTS`].
pub(crate) const MAX_ACCOUNT_BYTES: usize = 1_024;
/// A container's files are read for so long; then it goes without.
pub(crate) const READ_PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
/// Such reads that have not come back; then no container's files are read until one has.
pub(crate) const MAX_STUCK_READS: usize = 16;
/// A container that has been named is waited for so long until its processes have a root of their own: on a busy machine an
/// engine takes its time. With [`MAX_LOOKUP`] it stays below [`MAX_WAIT_NS`].
pub(crate) const MAX_ROOT_WAIT: std::time::Duration = std::time::Duration::from_millis(800);
/// Labels of a container or a pod.
pub(crate) const MAX_LABELS: usize = 256;
/// Key and value of one.
pub(crate) const MAX_LABEL_BYTES: usize = 4 << 10;
/// Mounts of a container that are told.
pub(crate) const MAX_MOUNTS: usize = 256;

/// A container engine's JSON file.
pub(crate) const MAX_ENGINE_FILE_BYTES: u64 = 32 << 20;
/// `/proc/PID/mountinfo` and `/proc/PID/cgroup`.
pub(crate) const MAX_PROC_FILE_BYTES: u64 = 4 << 20;
/// One scan report.
pub(crate) const MAX_REPORT_BYTES: u64 = 256 << 20;
/// What a child process says beside its report.
pub(crate) const MAX_CHILD_TALK_BYTES: u64 = 64 << 10;
/// One line between the agent and the process that asks registries: keys at first, then digests and references.
pub(crate) const MAX_REQUEST_BYTES: u64 = 1 << 20;
/// Images whose reports wait to be asked for at their registries; 16 times as many are remembered.
pub(crate) const MAX_PULLS: usize = 256;
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

/// Environments of programs that are about to be executed; an exec follows its environment at once.
pub(crate) const MAX_ENVIRONMENTS: usize = 1_024;

/// Batches of raw events between the sensor thread and the pipeline.
pub(crate) const MAX_BATCHES: usize = 256;
/// Alerts and notices between the pipeline and the sinks.
pub(crate) const MAX_OUTPUTS: usize = 8_192;
/// An alert says how many events were lost in this time before it.
pub(crate) const LOSS_MEMORY_NS: u64 = 60_000_000_000;

/// Notices of outputs that wait to be told.
pub(crate) const MAX_NOTICES: usize = 256;
/// Alerts between the thread that hands them out and one local sink.
pub(crate) const MAX_LANE: usize = 1_024;
/// Records that wait in memory while the spool's disk is full.
pub(crate) const MAX_BACKLOG_BYTES: usize = 32 << 20;
/// Files looked at in a spool's folder.
pub(crate) const MAX_SPOOL_FILES: usize = 100_000;
/// Body of one record that is read; far above [`MAX_SENT_ALERT_BYTES`].
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
/// An alert as it is sent, JSON: a server takes 256 KiB. Longer ones have their texts cut.
pub(crate) const MAX_SENT_ALERT_BYTES: usize = 200 << 10;
/// Records read at once for one output.
pub(crate) const MAX_BATCH_BYTES: usize = 4 << 20;
/// A record that the other side refuses for its content is given up after so many tries.
pub(crate) const MAX_REFUSALS: u32 = 5;
/// A file that holds a token or an address.
pub(crate) const MAX_SECRET_BYTES: u64 = 64 << 10;
/// A file of certificates.
pub(crate) const MAX_CA_BYTES: u64 = 4 << 20;
/// An answer's body; reports apart.
pub(crate) const MAX_HTTP_ANSWER_BYTES: usize = 1 << 20;
/// Rows that a server takes in a heartbeat, and containers.
pub(crate) const MAX_HEARTBEAT_ROWS: usize = 200;
/// See [`MAX_HEARTBEAT_ROWS`].
pub(crate) const MAX_HEARTBEAT_CONTAINERS: usize = 2_000;

/// Running containers whose images' reports are looked for again, since they may come or change.
pub(crate) const MAX_WATCHED: usize = 4_096;
/// How often.
pub(crate) const RECHECK: std::time::Duration = std::time::Duration::from_secs(3);
/// A report that was written to so recently may not be whole yet.
pub(crate) const REPORT_REST: std::time::Duration = std::time::Duration::from_millis(500);

/// Items that wait until it is known whether they are a container's; more are dropped, and the capture says so.
pub(crate) const MAX_RECORD_WAITING: usize = 262_144;
/// They wait this long; a container's identity takes at most [`MAX_WAIT_NS`].
pub(crate) const MAX_RECORD_WAIT_NS: u64 = MAX_WAIT_NS + 1_000_000_000;
/// Bytes of items that a capture gathers before it writes a frame.
pub(crate) const FRAME_BYTES: usize = 256 << 10;
/// Largest frame of a capture that is read or written, decompressed. One item is far smaller: the longest is an exec with
/// about 14 KiB of text.
pub(crate) const MAX_FRAME_BYTES: usize = 8 << 20;

/// Programs whose events are counted apart.
pub(crate) const MAX_HOT: usize = 128;
/// Of these, how many a reading shows.
pub(crate) const MAX_HOT_SHOWN: usize = 20;
/// Rules, and titles of alerts, that are counted by name.
pub(crate) const MAX_COUNTED_NAMES: usize = 1_024;
/// The header of whoever asks for metrics.
pub(crate) const MAX_HTTP_REQUEST_BYTES: usize = 8 << 10;

/// Images whose use is written down; the one that was not seen for longest makes room.
pub(crate) const MAX_LOGGED_IMAGES: usize = 512;
/// A file of what images use, or of what may be learned, that is gone on with.
pub(crate) const MAX_LOGBOOK_BYTES: u64 = 256 << 20;
/// How often these files are written.
pub(crate) const SAVE_LOGBOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
/// How often the time of running containers is counted.
pub(crate) const LOGBOOK_TICK_NS: u64 = 1_000_000_000;
/// Files of images that are told a server in one message: about 10 MiB.
pub(crate) const MAX_TOLD_FILES: usize = 40_000;
