-- What containers of an image executed and loaded, as each node's agent tells it: all of it, each time.
CREATE TABLE image_usage (
    config_digest TEXT NOT NULL,
    node TEXT NOT NULL,
    manifest_digest TEXT,
    updated_ms INTEGER NOT NULL,
    document BLOB NOT NULL,  -- zstd of the JSON document
    PRIMARY KEY (config_digest, node)
) STRICT;
CREATE INDEX image_usage_by_manifest ON image_usage (manifest_digest);
CREATE INDEX image_usage_by_time ON image_usage (updated_ms);
