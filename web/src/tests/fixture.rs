//! Documents for tests: a small scan report and alerts.

use serde_json::{Value, json};

pub(super) fn digest(byte: u8) -> String {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
}

/// A report of an image with two packages and two vulnerabilities, one known to be exploited.
pub(super) fn report_json(reference: &str, config: u8) -> Value {
    let package = |name: &str, version: &str| {
        json!({"kind": "dpkg", "name": name, "version": version, "purl": format!("pkg:deb/debian/{name}@{version}"),
            "layer": 0, "evidence_path": "/var/lib/dpkg/status", "files": []})
    };
    let found = |package: u32, id: &str, severity: &str, exploited: bool, fixed: Option<&str>| {
        json!({"package": package,
            "vulnerability": {"id": id, "aliases": [], "severity": severity, "cvss_score": 9.8, "known_exploited": exploited,
                "epss": 0.5, "summary": "<script>alert(1)</script>"},
            "fix_state": if fixed.is_some() { "fixed" } else { "affected" }, "fixed_version": fixed,
            "evidence": {"advisory": "DSA-1", "source": "debian", "ecosystem": "Debian:12", "compared_name": "openssl",
                "compared_version": "3.0.11-1", "range": "< 3.0.12-1"}})
    };
    json!({"schema": "plimsoll.scan/v1",
        "image": {"reference": reference, "manifest_digest": digest(config.wrapping_add(100)), "config_digest": digest(config),
            "diff_ids": [digest(200)], "platform": {"os": "linux", "architecture": "amd64"}},
        "config": {"entrypoint": ["redis-server"], "user": "redis"},
        "layers": [{"diff_id": digest(200), "blob_digest": null, "media_type": "application/vnd.oci.image.layer.v1.tar+gzip",
            "blob_size_bytes": 10, "size_bytes": 20, "created_by": "ADD base.tar /"}],
        "sbom": {"os": {"id": "debian", "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"},
            "packages": [package("openssl", "3.0.11-1"), package("zlib1g", "1:1.2.13")]},
        "files": [], "file_count": 3,
        "matches": [found(0, "CVE-2024-1", "critical", true, Some("3.0.12-1")), found(1, "CVE-2024-2", "low", false, None)],
        "findings": [],
        "profile": {"schema": "plimsoll.profile/v1", "image": reference, "config_digest": digest(config),
            "manifest_digest": null, "main": null, "entrypoint": [], "health_check": null, "packs": [], "facts": [],
            "denials": [], "facets": []},
        "notes": [], "verdict": null})
}

/// An alert with everything that lists show, in namespace `shop` on image `reference`.
pub(super) fn alert_json(id: &str, time_ms: u64, reference: &str) -> Value {
    json!({"schema": "plimsoll.alert/v1", "id": id, "time_ns": time_ms * 1_000_000, "priority": "critical",
        "rule": "unexpected-exec", "summary": "redis-server started /bin/sh",
        "reasons": [{"deviation": {"kind": "unexpected-exec", "verb": "exec", "explanation": "no fact", "evidence": [],
            "confidence": "A"}}],
        "node": "claimed-node", "container_id": "c0ffee", "container_name": "<img src=x onerror=alert(1)>",
        "runtime": "podman",
        "image": {"reference": reference, "manifest_digest": null, "config_digest": digest(1)},
        "pod": {"name": "redis-0", "namespace": "shop", "uid": "u1"}, "phase": "serving",
        "process": {"pid": 10, "exe": "/bin/sh", "command_line": "sh -c id", "euid": 0},
        "ancestry": [{"pid": 1, "exe": "/usr/bin/redis-server", "command_line": "redis-server", "euid": 999}],
        "observed": "exec /bin/sh -c id", "expected": [], "executable": null, "techniques": ["T1059.004"],
        "lost_events": 0, "allow": null, "follow_ups": [], "count": 1})
}
