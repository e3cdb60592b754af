//! `plimsoll audit` on audit logs of real clusters, recorded by upstream Falco's authors.

use std::{collections::BTreeSet, fs, path::PathBuf};

use plimsoll_tests::{command, repository};

/// Which of our rules must fire on which recording. What each recording shows is in its name.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "anonymous_creates_namespace_foo",
        &["Anonymous request was let through"],
    ),
    ("attach_cluster_admin_role", &["Cluster administrator made"]),
    ("attach_pod", &["Shell into a pod"]),
    (
        "create_cluster_role_wildcard_resources",
        &["Role that may do everything"],
    ),
    ("create_cluster_role_wildcard_verbs", &["Role that may do everything"]),
    (
        "create_nginx_pod_no_secctx_1st_container_privileged_2nd_container",
        &["Privileged pod made"],
    ),
    ("create_nginx_pod_privileged", &["Privileged pod made"]),
    ("create_nginx_pod_privileged_2nd_container", &["Privileged pod made"]),
    ("exec_pod", &["Shell into a pod"]),
];

fn recordings() -> Option<PathBuf> {
    let folder = repository::root().join("../shared/data/falco/regression/trace_files/k8s_audit");
    if !folder.is_dir() {
        eprintln!("SKIPPED: upstream's audit recordings are not at {}", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn shipped_rules_fire_on_what_they_are_for_and_on_nothing_else() {
    let Some(folder) = recordings() else { return };
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "json") || name == "fal_01_003" {
            // The latter is a test of upstream's with a document that is no event.
            continue;
        }
        let run = command::run(["audit", "--format", "json", path.to_str().unwrap()]);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
        let fired: BTreeSet<String> = run
            .stdout
            .lines()
            .map(|line| {
                let alert: serde_json::Value = serde_json::from_str(line).unwrap();
                alert["rule"].as_str().unwrap().to_owned()
            })
            .collect();
        let expected = EXPECTED
            .iter()
            .find(|(of, _)| *of == name)
            .map_or(&[][..], |(_, rules)| rules);
        let expected: BTreeSet<String> = expected.iter().map(|rule| (*rule).to_owned()).collect();
        assert_eq!(fired, expected, "{name}");
        seen += usize::from(!expected.is_empty());
    }
    assert_eq!(seen, EXPECTED.len());
}

#[test]
fn a_line_that_is_no_event_is_told_and_the_others_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let exec = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"STAGE","verb":"create","user":{"username":"ann"},
        "objectRef":{"resource":"pods","subresource":"exec","namespace":"shop","name":"web"}}"#
        .replace('\n', "");
    let (started, complete) = (
        exec.replace("STAGE", "ResponseStarted"),
        exec.replace("STAGE", "ResponseComplete"),
    );
    fs::write(&log, format!("{started}\nnot an event\n\n{{}}\n{complete}\n")).unwrap();
    let run = command::run(["audit", log.to_str().unwrap()]);
    let (told, said) = (run.stdout.as_str(), run.stderr.as_str());
    assert_eq!(run.code, Some(5), "{said}");
    assert_eq!(told.lines().count(), 1, "one request is one alert: {told}");
    assert!(told.contains("ann went into pod shop/web"), "{told}");
    assert!(
        said.contains("2 lines were no audit events") && said.contains("2 events, 1 alerts"),
        "{said}"
    );
}
