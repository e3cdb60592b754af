-- Times are milliseconds since the Unix epoch. Digests are text as OCI writes them; token digests are 32 raw bytes.

CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    config_digest TEXT NOT NULL UNIQUE,
    manifest_digest TEXT,
    reference TEXT NOT NULL,
    scanned_ms INTEGER NOT NULL,
    os TEXT,
    architecture TEXT NOT NULL,
    package_count INTEGER NOT NULL,
    has_vulnerability_data INTEGER NOT NULL,
    critical INTEGER NOT NULL,
    high INTEGER NOT NULL,
    medium INTEGER NOT NULL,
    low INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    fixable INTEGER NOT NULL,
    known_exploited INTEGER NOT NULL,
    finding_count INTEGER NOT NULL,
    is_incomplete INTEGER NOT NULL,
    decision TEXT,
    report BLOB NOT NULL  -- zstd of the JSON document
) STRICT;
CREATE INDEX image_by_risk ON image (known_exploited DESC, critical DESC, high DESC, id DESC);

-- A re-compressed push has another manifest digest and the same config digest.
CREATE TABLE image_manifest (
    manifest_digest TEXT PRIMARY KEY,
    image INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What a normalised reference pointed to when it was scanned last.
CREATE TABLE image_reference (
    reference TEXT PRIMARY KEY,
    image INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE image_package (
    image INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    purl TEXT NOT NULL,
    layer INTEGER NOT NULL,
    PRIMARY KEY (image, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_package_by_name ON image_package (name);

CREATE TABLE image_match (
    image INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    rank INTEGER NOT NULL,
    package INTEGER NOT NULL,
    vulnerability TEXT NOT NULL,
    severity TEXT NOT NULL,
    cvss_score REAL,
    known_exploited INTEGER NOT NULL,
    epss REAL,
    fix_state TEXT NOT NULL,
    fixed_version TEXT,
    summary TEXT NOT NULL,
    evidence TEXT NOT NULL,  -- JSON
    PRIMARY KEY (image, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_match_by_vulnerability ON image_match (vulnerability);
CREATE INDEX image_match_by_package ON image_match (image, package);

CREATE TABLE alert (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    time_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    priority INTEGER NOT NULL,  -- 0 emergency … 7 debug
    rule TEXT NOT NULL,
    summary TEXT NOT NULL,
    node TEXT NOT NULL,
    namespace TEXT,
    pod TEXT,
    container_id TEXT,
    container_name TEXT,
    image TEXT,
    config_digest TEXT,
    manifest_digest TEXT,
    executable TEXT NOT NULL,
    group_key TEXT NOT NULL,
    count INTEGER NOT NULL,
    follow_up_count INTEGER NOT NULL,
    search_text TEXT NOT NULL,
    document TEXT NOT NULL,  -- JSON
    acknowledged_ms INTEGER,
    acknowledged_by TEXT,
    acknowledged_comment TEXT
) STRICT;
-- Counting reads indexes alone: rows are large, and a table scan of 100,000 of them takes half a second.
CREATE INDEX alert_by_time ON alert (time_ms DESC, sequence DESC, priority, rule, node, acknowledged_ms);
CREATE INDEX alert_by_group ON alert (group_key, time_ms, priority, count, acknowledged_ms, node);
CREATE INDEX alert_by_container ON alert (container_id, node, acknowledged_ms);
CREATE INDEX alert_by_image ON alert (config_digest);
CREATE INDEX alert_open ON alert (time_ms) WHERE acknowledged_ms IS NULL;

CREATE TABLE enrolment (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    uses_left INTEGER NOT NULL
) STRICT;

CREATE TABLE agent (
    id INTEGER PRIMARY KEY,
    node TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE,
    enrolled_ms INTEGER NOT NULL,
    last_seen_ms INTEGER,
    revoked_ms INTEGER,
    version TEXT NOT NULL DEFAULT '',
    kernel TEXT NOT NULL DEFAULT '',
    container_count INTEGER NOT NULL DEFAULT 0,
    event_count INTEGER NOT NULL DEFAULT 0,
    losses TEXT NOT NULL DEFAULT '[]',       -- JSON
    blind_spots TEXT NOT NULL DEFAULT '[]'   -- JSON
) STRICT;

CREATE TABLE workload (
    node TEXT NOT NULL,
    container_id TEXT NOT NULL,
    name TEXT NOT NULL,
    runtime TEXT NOT NULL,
    image TEXT,
    config_digest TEXT,
    manifest_digest TEXT,
    namespace TEXT,
    pod TEXT,
    profile TEXT,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    PRIMARY KEY (node, container_id)
) STRICT;
CREATE INDEX workload_by_time ON workload (last_seen_ms DESC);

CREATE TABLE user (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    is_disabled INTEGER NOT NULL DEFAULT 0,
    must_change_password INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    last_login_ms INTEGER
) STRICT;

CREATE TABLE session (
    digest BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user, created_ms);

CREATE TABLE api_token (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    digest BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    last_used_ms INTEGER
) STRICT;

CREATE TABLE admission_decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    search_text TEXT NOT NULL,
    document TEXT NOT NULL  -- JSON
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;

CREATE TABLE waiver (
    id TEXT PRIMARY KEY,
    rule TEXT,
    subject TEXT,
    image TEXT,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    until TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL  -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE scan_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    claimed_ms INTEGER,
    finished_ms INTEGER,
    error TEXT
) STRICT;
CREATE INDEX scan_request_by_state ON scan_request (state, id);
CREATE UNIQUE INDEX scan_request_waiting ON scan_request (reference) WHERE state IN ('queued', 'running');
