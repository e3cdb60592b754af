//! Reports for CI systems: well formed, complete, and safe, whatever the image and the feeds say.

use plimsoll_model::{Decision, ScanReport, Verdict, VerdictReason};
use plimsoll_scanner::report::{self, Document};
use serde_json::Value;

use crate::reports::assembled;

fn reason(decision: Decision, rule: &str, subject: &str, waived_by: Option<&str>) -> VerdictReason {
    VerdictReason {
        decision,
        rule: rule.to_owned(),
        subject: subject.to_owned(),
        message: format!("{subject} is bad\u{1b}[2J\n::error::forged | <script> ]]> \u{202e}"),
        waived_by: waived_by.map(str::to_owned),
    }
}

/// Three vulnerabilities of one package: one stopped, one waived, one that the policy does not mention; and the user.
fn judged() -> ScanReport {
    let (mut report, _) = assembled();
    // What image checks find has tests of its own.
    report.findings.clear();
    report.verdict = Some(Verdict {
        decision: Decision::Stop,
        policy: "test".to_owned(),
        reasons: vec![
            reason(Decision::Stop, "Exploited", "CVE-2024-0003 in app 1:2", None),
            reason(Decision::Stop, "Critical", "CVE-2024-0001 in app 1:2", Some("W-1")),
            reason(Decision::Warn, "Runs as root", "test:image", None),
        ],
        unused_waivers: vec!["W-2".to_owned()],
    });
    report
}

fn written(format: &str, report: &ScanReport) -> String {
    let (_, tree) = assembled();
    let document = Document {
        report,
        tree: &tree,
        colour: false,
        suppressed: &[],
        template: None,
    };
    let format = report::ALL.iter().find(|found| found.name() == format).unwrap();
    let mut out = Vec::new();
    format.write(&document, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let is_odd = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
    assert!(!text.contains(is_odd), "{text:?}");
    text
}

#[test]
fn the_table_ends_with_the_verdict() {
    let text = written("table", &judged());
    let at = text.find("Verdict  STOP  by policy test").unwrap();
    let lines: Vec<&str> = text[at..].lines().skip(1).collect();
    assert!(
        lines[0].contains("stop") && lines[0].contains("CVE-2024-0003 in app 1:2"),
        "{text}"
    );
    assert!(lines[1].contains("warn") && lines[1].contains("test:image"), "{text}");
    assert!(
        lines[2].contains("waived") && lines[2].contains("(waiver W-1)"),
        "{text}"
    );
    assert!(lines[3].contains("unused waiver W-2"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let report = judged();
    let log: Value = serde_json::from_str(&written("sarif", &report)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["CVE-2024-0001", "CVE-2024-0002", "CVE-2024-0003", "policy/runs-as-root"]
    );
    assert_eq!(rules[0]["properties"]["security-severity"], "7.5");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"].as_str(), Some(ids[index]));
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.is_empty() && !uri.starts_with('/') && !uri.contains(':'), "{uri}");
    }
    let of = |id: &str| results.iter().find(|result| result["ruleId"] == id).unwrap();
    assert_eq!(of("CVE-2024-0003")["properties"]["decision"], "stop");
    assert_eq!(of("CVE-2024-0001")["suppressions"][0]["kind"], "external");
    assert!(of("CVE-2024-0002").get("suppressions").is_none());
    // The test's report has a note that something was not read.
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(
        run["invocations"][0]["toolExecutionNotifications"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn junit_fails_what_is_stopped_and_skips_what_is_waived() {
    let text = written("junit", &judged());
    assert!(
        text.contains("tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"1\""),
        "{text}"
    );
    assert_eq!(text.matches("<testcase ").count(), 5);
    assert_eq!(text.matches("<failure ").count(), 1);
    assert_eq!(text.matches("<error ").count(), 1);
    assert!(text.contains("<skipped>waiver W-1</skipped>"), "{text}");
    assert!(!text.contains("<script>") && !text.contains("]]>"), "{text}");
    let mut without = judged();
    without.verdict = None;
    let text = written("junit", &without);
    assert!(text.contains("failures=\"3\""), "{text}");
}

#[test]
fn gitlab_has_what_its_schema_requires() {
    let log: Value = serde_json::from_str(&written("gitlab", &judged())).unwrap();
    assert_eq!(log["scan"]["type"], "container_scanning");
    assert_eq!(log["scan"]["start_time"], "2024-05-01T10:00:00");
    let found = log["vulnerabilities"].as_array().unwrap();
    assert_eq!(found.len(), 3);
    for one in found {
        assert!(["Critical", "Low", "Medium"].contains(&one["severity"].as_str().unwrap()));
        assert_eq!(one["location"]["dependency"]["package"]["name"], "app");
        assert_eq!(one["location"]["dependency"]["version"], "1:2");
        assert_eq!(one["location"]["image"], "docker.io/library/test:image");
        assert_eq!(one["identifiers"][0]["type"], "cve");
        assert!(one["id"].as_str().is_some_and(|id| id.len() == 64));
    }
}

#[test]
fn github_annotates_one_line_each_and_nothing_can_forge_one() {
    let text = written("github", &judged());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("::error title=CVE-2024-0003::"), "{text}");
    assert!(lines[1].starts_with("::warning title=policy/runs-as-root::"), "{text}");
    assert!(lines[2].starts_with("::warning title=incomplete scan::"), "{text}");
    assert!(
        lines[3].starts_with("::notice title=plimsoll::test:image: stopped"),
        "{text}"
    );
}

#[test]
fn markdown_stays_text() {
    let text = written("markdown", &judged());
    assert!(text.contains("| Verdict | **stop** by policy test |"), "{text}");
    assert!(text.contains("| W-1 |") && text.contains("not used: W-2"), "{text}");
    assert!(text.contains("### 3 vulnerabilities"), "{text}");
    assert!(
        !text.contains("<script>") && text.contains("\\| &lt;script&gt;"),
        "{text}"
    );
}
