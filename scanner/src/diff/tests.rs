//! Two small reports, one change each.

use plimsoll_model::ScanReport;
use serde_json::{Value, json};

use super::*;

fn report(change: impl FnOnce(&mut Value)) -> ScanReport {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut value = json!({
        "schema": "plimsoll.scan/v1",
        "image": { "reference": "demo", "manifest_digest": null, "config_digest": digest, "diff_ids": [],
                   "platform": { "os": "linux", "architecture": "amd64" } },
        "config": { "user": "999", "exposed_ports": ["80/tcp"], "env": ["A=1"], "cmd": ["run"] },
        "layers": [],
        "sbom": { "packages": [
            { "kind": "dpkg", "name": "a", "version": "1.0", "purl": "", "layer": 0, "evidence_path": "", "files": [] },
            { "kind": "dpkg", "name": "b", "version": "2.0", "purl": "", "layer": 0, "evidence_path": "", "files": [] },
        ] },
        "files": [
            { "path": "/usr/bin/x", "kind": "regular", "mode": 0o755, "uid": 0, "gid": 0, "size_bytes": 1, "digest": digest, "layer": 0 },
        ],
        "file_count": 1, "matches": null,
        "findings": [{ "check": "user-by-name", "severity": "low", "message": "m", "path": null }],
        "profile": { "schema": "plimsoll.profile/v1", "image": "demo", "config_digest": digest, "manifest_digest": null,
                     "main": null, "entrypoint": [], "health_check": null, "packs": [], "facts": [], "denials": [], "facets": [] },
        "notes": [], "verdict": null,
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

/// `! + area name` of every change.
fn changes(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let compare = |_: PackageKind, a: &str, b: &str| Some(a.cmp(b));
    let found = diff(&report(|_| {}), &report(change), &compare);
    let sign = |change: &Change| match (&change.before, &change.after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    let worse = |change: &Change| if change.is_worse { "! " } else { "" };
    let line = |change: &Change| {
        format!(
            "{}{} {} {}",
            worse(change),
            sign(change),
            change.area.name(),
            change.name
        )
    };
    found.changes.iter().map(line).collect()
}

#[test]
fn every_difference_is_told_and_judged() {
    assert_eq!(changes(|_| {}), Vec::<String>::new());
    let package = |at: usize, version: &'static str| {
        move |value: &mut Value| value["sbom"]["packages"][at]["version"] = json!(version)
    };
    assert_eq!(changes(package(0, "1.1")), ["~ packages a (dpkg)"]);
    assert_eq!(changes(package(1, "1.9")), ["! ~ packages b (dpkg)"]);
    let none = |value: &mut Value| value["sbom"]["packages"] = json!([]);
    assert_eq!(changes(none), ["- packages a (dpkg)", "- packages b (dpkg)"]);
    let mode = |mode: u32| move |value: &mut Value| value["files"][0]["mode"] = json!(mode);
    assert_eq!(changes(mode(0o4755)), ["! + privileges /usr/bin/x"]);
    assert_eq!(changes(mode(0o700)), ["~ files /usr/bin/x"]);
    let key = |name: &'static str, new: Value| move |value: &mut Value| value["config"][name] = new;
    assert_eq!(changes(key("user", json!("root"))), ["! ~ user user"]);
    assert_eq!(changes(key("user", json!("1000"))), ["~ user user"]);
    assert_eq!(
        changes(key("exposed_ports", json!(["80/tcp", "22/tcp"]))),
        ["! + ports port 22/tcp"]
    );
    assert_eq!(changes(key("exposed_ports", json!([]))), ["- ports port 80/tcp"]);
    assert_eq!(changes(key("env", json!(["A=2", "B=1"]))), ["+ config variable B"]);
    assert_eq!(changes(key("cmd", json!(["stop"]))), ["~ config command"]);
    let findings = |list: Value| move |value: &mut Value| value["findings"] = list;
    assert_eq!(changes(findings(json!([]))), ["- findings user-by-name: m"]);
    let fact = |value: &mut Value| {
        value["profile"]["facts"] = json!([{ "subject": "any", "action": { "verb": "listen",
            "object": { "transport": "tcp", "first": 80, "last": 80 } }, "phases": ["serving"],
            "evidence": [{ "source": "image", "detail": "EXPOSE 80/tcp" }], "confidence": "A" }]);
    };
    assert_eq!(changes(fact), ["! + profile any process listens on tcp/80 (serving)"]);
}

#[test]
fn vulnerabilities_are_compared_by_id_and_package() {
    let with = |ids: &[&str], version: &str| {
        let matches: Vec<Value> = ids
            .iter()
            .map(|id| {
                json!({ "package": 0, "vulnerability": { "id": id, "aliases": [], "severity": "high", "cvss_score": null,
                        "known_exploited": false, "epss": null, "summary": "" },
                        "fix_state": "affected", "fixed_version": null,
                        "evidence": { "advisory": id, "source": "debian", "ecosystem": "Debian:12",
                                      "compared_name": "a", "compared_version": "1", "range": "" } })
            })
            .collect();
        report(|value| {
            value["matches"] = json!(matches);
            value["sbom"]["packages"][0]["version"] = json!(version);
        })
    };
    let compare = |_: PackageKind, _: &str, _: &str| None;
    let found = diff(
        &with(&["CVE-1", "CVE-2"], "1.0"),
        &with(&["CVE-2", "CVE-3"], "1.0"),
        &compare,
    );
    let told: Vec<(&str, bool)> = found
        .changes
        .iter()
        .map(|change| (change.name.as_str(), change.is_worse))
        .collect();
    assert_eq!(told, [("CVE-1 in a", false), ("CVE-3 in a", true)]);
    assert!(found.not_compared.is_empty());
    let without = diff(&report(|_| {}), &with(&["CVE-1"], "1.0"), &compare);
    assert!(without.changes.is_empty() && without.not_compared[0].starts_with("vulnerabilities"));
}

#[test]
fn text_is_safe_for_a_terminal() {
    let found = diff(
        &report(|_| {}),
        &report(|value| value["config"]["user"] = json!("\u{1b}[31mroot")),
        &|_: PackageKind, _: &str, _: &str| None,
    );
    let text = view(&found);
    assert!(text.contains("user: 1") && !text.contains('\u{1b}'), "{text}");
}
