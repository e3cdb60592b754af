//! What the shipped policy decides, what waivers cover, and which policies are refused.

use jiff::civil::date;
use plimsoll_model::{Decision, ScanReport, Verdict};
use plimsoll_rules::RuleFile;
use serde_json::{Value, json};

use super::{Policy, PolicyError, VerdictContext};
use crate::{Waiver, parse_waivers};

fn digest(byte: u8) -> String {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
}

/// An image that nothing stands against: a user, fresh data, no vulnerability.
fn clean() -> Value {
    json!({"schema": "plimsoll.scan/v1",
        "image": {"reference": "h:5000/team/redis:1", "manifest_digest": digest(2), "config_digest": digest(1), "diff_ids": [],
            "platform": {"os": "linux", "architecture": "amd64"}},
        "config": {"user": "redis"}, "layers": [],
        "sbom": {"os": null, "packages": [{"kind": "dpkg", "name": "openssl", "version": "3.0.11-1", "purl": "pkg:deb/debian/openssl",
            "layer": 0, "evidence_path": "/var/lib/dpkg/status", "files": []}]},
        "files": [], "file_count": 0, "matches": [], "findings": [],
        "profile": {"schema": "plimsoll.profile/v1", "image": "redis", "config_digest": digest(1), "manifest_digest": null,
            "main": null, "entrypoint": [], "health_check": null, "packs": [], "facts": [], "denials": [], "facets": []},
        "notes": [], "verdict": null})
}

fn found(id: &str, severity: &str, is_exploited: bool, fixed: Option<&str>) -> Value {
    json!({"package": 0,
        "vulnerability": {"id": id, "aliases": [], "severity": severity, "cvss_score": null, "known_exploited": is_exploited,
            "epss": null, "summary": ""},
        "fix_state": if fixed.is_some() { "fixed" } else { "affected" }, "fixed_version": fixed,
        "evidence": {"advisory": "A", "source": "debian", "ecosystem": "Debian:12", "compared_name": "openssl",
            "compared_version": "3.0.11-1", "range": "any version"}})
}

fn file(path: &str, mode: u32) -> Value {
    json!({"path": path, "kind": "regular", "mode": mode, "uid": 0, "gid": 0, "size_bytes": 1, "digest": digest(7), "layer": 0})
}

/// A clean image with other values at some places.
fn image(changes: &[(&str, Value)]) -> ScanReport {
    let mut report = clean();
    for (pointer, value) in changes {
        *report.pointer_mut(pointer).unwrap() = value.clone();
    }
    serde_json::from_value(report).unwrap()
}

fn judge(report: &ScanReport, waivers: &[Waiver], data_age_days: u64) -> Verdict {
    let context = VerdictContext {
        waivers,
        today: date(2026, 6, 1),
        data_age_days: Some(data_age_days),
    };
    Policy::shipped().judge(report, context)
}

/// A changed image and what the shipped policy must say of it: the decision and the first rule.
fn check(changes: &[(&str, Value)], data_age_days: u64, decision: Decision, rule: Option<&str>) {
    let verdict = judge(&image(changes), &[], data_age_days);
    assert_eq!(verdict.decision, decision, "{changes:?}: {verdict:?}");
    assert_eq!(
        verdict.reasons.first().map(|reason| reason.rule.as_str()),
        rule,
        "{changes:?}"
    );
}

#[test]
fn exploited_and_critical_vulnerabilities_with_a_fix_are_stopped() {
    for (severity, is_exploited, fixed, decision, rule) in [
        (
            "low",
            true,
            Some("3.1"),
            Decision::Stop,
            Some("Known exploited vulnerability with a fix"),
        ),
        (
            "low",
            true,
            None,
            Decision::Warn,
            Some("Known exploited vulnerability without a fix"),
        ),
        (
            "critical",
            false,
            Some("3.1"),
            Decision::Stop,
            Some("Critical vulnerability with a fix"),
        ),
        ("critical", false, None, Decision::Go, None),
        ("high", false, Some("3.1"), Decision::Go, None),
    ] {
        let found = found("CVE-1", severity, is_exploited, fixed);
        check(&[("/matches", json!([found]))], 0, decision, rule);
    }
}

#[test]
fn root_setuid_and_holes_in_what_is_known_are_warned_of() {
    check(&[], 0, Decision::Go, None);
    for (pointer, value, rule) in [
        ("/config/user", json!(""), "Runs as root"),
        ("/config/user", json!("0:0"), "Runs as root"),
        (
            "/files",
            json!([file("/usr/bin/su", 0o4755)]),
            "Setuid or setgid program",
        ),
        (
            "/files",
            json!([file("/usr/bin/wall", 0o2755)]),
            "Setuid or setgid program",
        ),
        ("/matches", Value::Null, "No vulnerability data"),
        (
            "/notes",
            json!([{"kind": "unreadable", "subject": "a", "detail": "b"}]),
            "Incomplete scan",
        ),
    ] {
        check(&[(pointer, value)], 0, Decision::Warn, Some(rule));
    }
    check(
        &[("/files", json!([file("/usr/bin/ls", 0o755)]))],
        0,
        Decision::Go,
        None,
    );
    check(
        &[("/notes", json!([{"kind": "hint", "subject": "a", "detail": "b"}]))],
        0,
        Decision::Go,
        None,
    );
    check(&[], 7, Decision::Go, None);
    check(&[], 8, Decision::Warn, Some("Stale vulnerability data"));
}

#[test]
fn a_reason_says_what_a_developer_needs() {
    let report = image(&[(
        "/matches",
        json!([found("CVE-2024-1", "critical", true, Some("3.0.12-1"))]),
    )]);
    let verdict = judge(&report, &[], 0);
    assert_eq!(verdict.policy, "default");
    assert_eq!(
        verdict.reasons.len(),
        1,
        "one vulnerability is stopped once: {verdict:?}"
    );
    assert_eq!(verdict.reasons[0].subject, "CVE-2024-1 in openssl 3.0.11-1");
    assert_eq!(
        verdict.reasons[0].message,
        "CVE-2024-1 in openssl 3.0.11-1 is being exploited; version 3.0.12-1 fixes it"
    );
}

#[test]
fn waivers_cover_what_they_name_until_their_day() {
    let report = image(&[(
        "/matches",
        json!([found("CVE-2024-1", "critical", false, Some("3.0.12-1"))]),
    )]);
    let waivers = |fields: &str, until: &str| {
        let text = format!("- {{id: w1, {fields}, reason: r, owner: ann, until: {until}}}");
        parse_waivers("test", &text).unwrap()
    };
    for (fields, covers) in [
        ("subject: CVE-2024-1", true),
        ("subject: 'CVE-2024-*'", true),
        ("subject: openssl", true),
        ("subject: '*openssl 3.0.11-1'", true),
        ("subject: CVE-2024-2", false),
        ("rule: Critical vulnerability with a fix", true),
        ("rule: Runs as root", false),
        ("image: 'h:5000/team/*'", true),
        ("image: 'h:5000/other/*'", false),
        ("subject: CVE-2024-1, image: 'h:5000/other/*'", false),
        ("subject: CVE-2024-1, rule: Runs as root", false),
    ] {
        let verdict = judge(&report, &waivers(fields, "2026-06-01"), 0);
        let expected = if covers { Decision::Go } else { Decision::Stop };
        assert_eq!(verdict.decision, expected, "{fields}");
        assert_eq!(
            verdict.reasons[0].waived_by.as_deref(),
            covers.then_some("w1"),
            "{fields}"
        );
    }
    let late = judge(&report, &waivers("subject: CVE-2024-1", "2026-05-31"), 0);
    assert_eq!(
        (late.decision, late.unused_waivers),
        (Decision::Stop, vec!["w1".to_owned()])
    );
    let unused = judge(&image(&[]), &waivers("subject: CVE-2024-1", "2026-06-01"), 0);
    assert_eq!(unused.unused_waivers, ["w1"]);
    let elsewhere = judge(&image(&[]), &waivers("image: 'other:*'", "2026-06-01"), 0);
    assert!(
        elsewhere.unused_waivers.is_empty(),
        "a waiver for another image is not unused here"
    );
}

#[test]
fn stops_come_first_and_waived_ones_last() {
    let report = image(&[
        ("/config/user", json!("")),
        (
            "/matches",
            json!([
                found("CVE-1", "critical", false, Some("2")),
                found("CVE-2", "critical", false, Some("2"))
            ]),
        ),
    ]);
    let waivers = parse_waivers(
        "test",
        "- {id: w1, subject: CVE-1, reason: r, owner: o, until: 2026-07-01}",
    )
    .unwrap();
    let verdict = judge(&report, &waivers, 0);
    let subjects: Vec<&str> = verdict.reasons.iter().map(|reason| reason.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "CVE-2 in openssl 3.0.11-1",
            "CVE-1 in openssl 3.0.11-1",
            "h:5000/team/redis:1"
        ]
    );
    assert_eq!(verdict.decision, Decision::Stop);
}

#[test]
fn a_policy_that_decides_nothing_is_refused() {
    let load = |text: &str| {
        let file = RuleFile {
            name: "p.yaml".to_owned(),
            text: text.to_owned(),
        };
        Policy::load("p", &[file])
    };
    let rule = "- {rule: r, desc: d, source: image, condition: image.runs_as_root = true, output: o, priority: NOTICE";
    assert!(matches!(
        load(&format!("{rule}}}")),
        Err(PolicyError::DecidesNothing { .. })
    ));
    assert!(load(&format!("{rule}, action: stop}}")).is_ok());
    let error = load(&format!("{rule}, action: halt}}")).unwrap_err().to_string();
    assert!(error.contains("p.yaml:1") && error.contains("halt"), "{error}");
}
