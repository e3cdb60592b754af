//! Every bound of the server, by name. What lies beyond one is refused with a reason, never cut silently.

/// Body of an ordinary API request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// A pushed scan report, in bytes: about ten times that of an image with 80,000 files.
pub const MAX_SCAN_BODY_BYTES: usize = 64 * 1024 * 1024;
/// A batch of alerts, in bytes.
pub const MAX_ALERT_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A batch of Kubernetes audit events, in bytes: an API server cuts an event at 1.5 MiB and sends 400 in a batch, most of
/// them of some kilobytes.
pub const MAX_AUDIT_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Kubernetes audit events in one batch.
pub const MAX_AUDIT_EVENTS: usize = 10_000;
/// Alerts in one batch.
pub const MAX_ALERTS_IN_BATCH: usize = 1_000;
/// One stored alert, in bytes of JSON.
pub const MAX_ALERT_BYTES: usize = 256 * 1024;
/// An admission review, in bytes: the API server's own request limit is 3 MiB, and an update carries the object twice.
pub const MAX_REVIEW_BYTES: usize = 7 * 1024 * 1024;
/// Containers of one reviewed object.
pub const MAX_REVIEW_CONTAINERS: usize = 500;
/// Admission reviews worked on at once; more wait.
pub const MAX_CONCURRENT_REVIEWS: usize = 32;
/// Memory that request bodies may take together, in KiB; further requests wait for their turn.
pub const MAX_BODY_MEMORY_KIB: u32 = 256 * 1024;
/// One policy or waiver file, in bytes.
pub const MAX_POLICY_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Verdicts that are remembered.
pub const MAX_CACHED_VERDICTS: usize = 2_000;
/// Time for one request, body included, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// Time for an admission answer, in milliseconds: below the API server's default of 10 s.
pub const REVIEW_TIMEOUT_MS: u64 = 8_000;
/// Time for the request line and headers, in milliseconds.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;
/// Time for a TLS handshake, in milliseconds.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// Time that open requests get at shutdown, in milliseconds.
pub const SHUTDOWN_TIMEOUT_MS: u64 = 10_000;
/// Live event streams at once.
pub const MAX_LIVE_STREAMS: usize = 64;
/// Live events that a slow browser may lag behind before it is told to reload.
pub const LIVE_QUEUE_EVENTS: usize = 256;
/// A live stream ends after this time, in milliseconds; the browser reconnects and is authenticated anew.
pub const LIVE_STREAM_MS: u64 = 15 * 60 * 1_000;
/// Rows of one page.
pub const MAX_PAGE_ROWS: u32 = 500;
/// Rows of one page when the caller does not say.
pub const DEFAULT_PAGE_ROWS: u32 = 50;
/// Any name, filter or reference that a caller sends, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// A comment or reason, in bytes.
pub const MAX_COMMENT_BYTES: usize = 4 * 1_024;
/// What the text filter of alerts looks at, in bytes per alert.
pub const MAX_SEARCH_TEXT_BYTES: usize = 4 * 1_024;
/// Shortest password, in characters.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 256;
/// Passwords hashed at once: each takes about 19 MiB.
pub const MAX_CONCURRENT_HASHES: usize = 2;
/// Log-ins that wait for their hash; more are told to come back.
pub const MAX_WAITING_LOGINS: usize = 32;
/// Failures before a name or address has to wait.
pub const FREE_LOGIN_FAILURES: u32 = 5;
/// Longest wait after failures, in milliseconds.
pub const MAX_LOGIN_DELAY_MS: i64 = 15 * 60 * 1_000;
/// Names and addresses whose failures are remembered.
pub const MAX_LOGIN_RECORDS: usize = 10_000;
/// A session without use ends after this time, in milliseconds.
pub const SESSION_IDLE_MS: i64 = 8 * 3_600 * 1_000;
/// Any session ends after this time, in milliseconds.
pub const SESSION_MS: i64 = 24 * 3_600 * 1_000;
/// Sessions of one user; the oldest goes.
pub const MAX_SESSIONS_OF_USER: i64 = 20;
/// Users.
pub const MAX_USERS: i64 = 1_000;
/// API tokens of one user.
pub const MAX_TOKENS_OF_USER: i64 = 50;
/// Longest life of an enrolment token, in milliseconds.
pub const MAX_ENROLMENT_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Agents that one enrolment token may admit.
pub const MAX_ENROLMENT_USES: u32 = 10_000;
/// Enrolled agents.
pub const MAX_AGENTS: i64 = 20_000;
/// Blind spots or loss counters in one heartbeat.
pub const MAX_HEARTBEAT_ROWS: usize = 200;
/// Containers in one heartbeat.
pub const MAX_HEARTBEAT_CONTAINERS: usize = 2_000;
/// Scan requests that wait.
pub const MAX_QUEUED_SCANS: i64 = 1_000;
/// Time for one queued scan, in milliseconds.
pub const QUEUED_SCAN_TIMEOUT_MS: u64 = 15 * 60 * 1_000;
/// Admission decisions kept; the oldest go.
pub const MAX_ADMISSION_DECISIONS: i64 = 100_000;
/// Audit entries kept; the oldest go.
pub const MAX_AUDIT_ENTRIES: i64 = 1_000_000;
/// Waivers.
pub const MAX_WAIVERS: i64 = 10_000;
/// Namespaces with a setting of their own.
pub const MAX_NAMESPACE_SETTINGS: usize = 1_000;
/// Workloads kept; those not seen for longest go.
pub const MAX_WORKLOADS: i64 = 50_000;
/// Buckets of the alerts-over-time answer.
pub const MAX_TIME_BUCKETS: i64 = 500;
/// Connections that read the database at once.
pub const READER_CONNECTIONS: usize = 4;
/// An agent that has not reported for this time is a blind spot, in milliseconds.
pub const AGENT_SILENT_MS: i64 = 5 * 60 * 1_000;
/// What an agent says images use, in bytes; also one stored document, decompressed.
pub const MAX_USAGE_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Images in one message about what they use.
pub const MAX_USAGE_IMAGES: usize = 512;
/// Nodes whose usage of one image is merged.
pub const MAX_USAGE_NODES: u32 = 1_000;
/// What a node has not said for so many days is forgotten.
pub const USAGE_DAYS: i64 = 90;
