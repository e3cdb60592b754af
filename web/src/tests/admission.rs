//! Admission by recorded reviews, one of each kind that runs containers, and by what hostile ones would hold.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use super::{
    fixture::{digest, report_json},
    harness::{Answer, Harness, Proof},
};
use crate::{admission::PATH, limits, store::Role};

const REDIS: &str = "127.0.0.1:5000/team/redis:1";
const KINDS: [&str; 11] = [
    "pod",
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
    "job",
    "cronjob",
    "replicationcontroller",
    "podtemplate",
    "ephemeral",
    "ephemeral-before-1.23",
];

fn review(kind: &str) -> Value {
    let path = format!("{}/tests/fixtures/reviews/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The report of the stopped image: its known exploited vulnerability has a fix.
fn stopped() -> Value {
    report_json(REDIS, 1)
}

fn clean(reference: &str, config: u8) -> Value {
    let mut report = report_json(reference, config);
    report["matches"] = json!([]);
    report
}

async fn push(server: &Harness, report: &Value) {
    let operator = server.log_in_as(Role::Operator).await;
    server.post("/api/v1/scans", &operator, report).await.expect(200);
}

async fn ask(server: &Harness, review: &Value) -> Value {
    let answer = server.post(PATH, &Proof::default(), review).await.expect(200).json();
    assert_eq!(
        (&answer["apiVersion"], &answer["kind"]),
        (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
    );
    assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
    answer["response"].clone()
}

async fn set(server: &Harness, settings: &Value) {
    let admin = server.log_in_as(Role::Admin).await;
    server
        .send(Method::PUT, "/api/v1/settings", &admin, Some(settings))
        .await
        .expect(200);
}

fn settings(unknown: &str) -> Value {
    json!({"unknown_image": unknown, "unknown_image_by_namespace": {}, "exempt_namespaces": ["kube-system"],
        "alert_retention_days": 90})
}

#[tokio::test]
async fn every_kind_is_refused_for_its_stopped_image_and_admitted_for_a_clean_one() {
    for kind in KINDS {
        let server = Harness::new();
        for (reference, config) in [("127.0.0.1:5000/team/init:1", 2), ("127.0.0.1:5000/team/clean:1", 3)] {
            push(&server, &clean(reference, config)).await;
        }
        push(&server, &stopped()).await;
        let refused = ask(&server, &review(kind)).await;
        assert_eq!(refused["allowed"], false, "{kind}: {refused}");
        let message = refused["status"]["message"].as_str().unwrap();
        for word in [
            REDIS,
            "CVE-2024-1 in openssl 3.0.11-1",
            "3.0.12-1 fixes it",
            "waiver",
            "policy default",
        ] {
            assert!(message.contains(word), "{kind}: {word} is missing in {message}");
        }
        push(&server, &clean(REDIS, 1)).await;
        let admitted = ask(&server, &review(kind)).await;
        assert_eq!(admitted["allowed"], true, "{kind}: {admitted}");
        assert!(
            admitted["warnings"].to_string().contains("tag can move"),
            "{kind}: {admitted}"
        );
    }
}

#[tokio::test]
async fn an_init_container_counts() {
    let server = Harness::new();
    push(&server, &clean(REDIS, 1)).await;
    let mut bad = report_json("127.0.0.1:5000/team/init:1", 2);
    bad["profile"]["config_digest"] = json!(digest(2));
    push(&server, &bad).await;
    let refused = ask(&server, &review("cronjob")).await;
    assert!(
        refused["status"]["message"]
            .as_str()
            .unwrap()
            .contains("container prepare"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_waiver_admits_until_its_day() {
    let server = Harness::new();
    push(&server, &stopped()).await;
    let operator = server.log_in_as(Role::Operator).await;
    let waiver = json!({"rule": null, "subject": "CVE-2024-1", "image": "*/team/redis:*", "reason": "not reachable",
        "owner": "ann", "until": "2999-01-01"});
    assert_eq!(ask(&server, &review("deployment")).await["allowed"], false);
    let made = server
        .post("/api/v1/waivers", &operator, &waiver)
        .await
        .expect(200)
        .json();
    assert_eq!(ask(&server, &review("deployment")).await["allowed"], true);
    let path = format!("/api/v1/waivers/{}", made["id"].as_str().unwrap());
    server.send(Method::DELETE, &path, &operator, None).await.expect(204);
    assert_eq!(ask(&server, &review("deployment")).await["allowed"], false);
    let mut over = waiver;
    over["until"] = json!("2020-01-01");
    server.post("/api/v1/waivers", &operator, &over).await.expect(200);
    assert_eq!(ask(&server, &review("deployment")).await["allowed"], false);
    let decisions = server
        .get("/api/v1/admission-decisions?allowed=true", &operator)
        .await
        .expect(200)
        .json();
    let image = &decisions["rows"][0]["decision"]["images"];
    assert!(image.to_string().contains("waived by"), "{image}");
}

#[tokio::test]
async fn a_waiver_by_tag_holds_for_that_tag_whatever_the_image_was_scanned_as_last() {
    let server = Harness::new();
    push(&server, &stopped()).await;
    push(&server, &report_json("127.0.0.1:5000/team/redis:stable", 1)).await;
    let operator = server.log_in_as(Role::Operator).await;
    let waiver = json!({"rule": null, "subject": "CVE-2024-1", "image": "*/team/redis:1", "reason": "not reachable",
        "owner": "ann", "until": "2999-01-01"});
    server.post("/api/v1/waivers", &operator, &waiver).await.expect(200);
    let mut asked = review("deployment");
    for (image, allowed) in [
        ("127.0.0.1:5000/team/redis:1".to_owned(), true),
        ("127.0.0.1:5000/team/redis:stable".to_owned(), false),
        // Otherwise whoever may write a deployment could borrow the waiver for any image.
        (format!("127.0.0.1:5000/team/redis:1@{}", digest(1)), false),
    ] {
        asked["request"]["object"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        assert_eq!(ask(&server, &asked).await["allowed"], allowed, "{image}");
    }
}

#[tokio::test]
async fn a_digest_wins_over_the_tag() {
    let server = Harness::new();
    push(&server, &stopped()).await;
    push(&server, &clean("127.0.0.1:5000/team/redis:2", 9)).await;
    let mut asked = review("pod");
    let containers = &mut asked["request"]["object"]["spec"];
    containers.as_object_mut().unwrap().remove("initContainers");
    for (image, allowed) in [
        (format!("127.0.0.1:5000/team/redis:1@{}", digest(109)), true),
        (format!("127.0.0.1:5000/team/redis:2@{}", digest(101)), false),
        (format!("127.0.0.1:5000/team/redis@{}", digest(1)), false),
        ("127.0.0.1:5000/team/redis:2".to_owned(), true),
    ] {
        asked["request"]["object"]["spec"]["containers"][0]["image"] = json!(image);
        let answer = ask(&server, &asked).await;
        assert_eq!(answer["allowed"], allowed, "{image}: {answer}");
        let is_by_tag = !image.contains('@');
        assert_eq!(
            answer["warnings"].to_string().contains("tag can move"),
            is_by_tag,
            "{image}: {answer}"
        );
    }
}

#[tokio::test]
async fn unknown_images_are_treated_as_the_namespace_says() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    let queued = async || {
        let list = server.get("/api/v1/scan-requests", &operator).await.json();
        list["rows"].as_array().unwrap().len()
    };
    for (unknown, allowed, warned, waiting) in [
        ("allow", true, false, 0),
        ("warn", true, true, 0),
        ("deny", false, false, 0),
        ("queue", true, true, 2),
    ] {
        set(&server, &settings(unknown)).await;
        let answer = ask(&server, &review("deployment")).await;
        assert_eq!(
            (answer["allowed"].as_bool(), answer["warnings"].is_array()),
            (Some(allowed), warned),
            "{unknown}: {answer}"
        );
        assert_eq!(queued().await, waiting, "{unknown}");
    }
    let mut by_namespace = settings("allow");
    by_namespace["unknown_image_by_namespace"] = json!({"shop": "deny"});
    set(&server, &by_namespace).await;
    let refused = ask(&server, &review("deployment")).await;
    let message = refused["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("namespace shop requires") && message.contains("plimsoll scan"),
        "{message}"
    );
    let mut exempt = settings("deny");
    exempt["exempt_namespaces"] = json!(["shop"]);
    set(&server, &exempt).await;
    assert_eq!(ask(&server, &review("deployment")).await["allowed"], true);
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let server = Harness::new();
    set(&server, &settings("queue")).await;
    let mut dry = review("deployment");
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(ask(&server, &dry).await["allowed"], true);
    let operator = server.log_in_as(Role::Operator).await;
    for path in ["/api/v1/admission-decisions", "/api/v1/scan-requests"] {
        assert_eq!(server.get(path, &operator).await.json()["rows"], json!([]), "{path}");
    }
    ask(&server, &review("deployment")).await;
    let decisions = server.get("/api/v1/admission-decisions", &operator).await.json();
    let decision = &decisions["rows"][0]["decision"];
    assert_eq!(
        (&decision["kind"], &decision["namespace"], &decision["name"]),
        (&json!("Deployment"), &json!("shop"), &json!("redis"))
    );
    // Older API servers ask before they generate the name.
    let mut unnamed = review("pod");
    unnamed["request"]["name"] = json!("");
    unnamed["request"]["object"]["metadata"] = json!({"generateName": "redis-"});
    ask(&server, &unnamed).await;
    let decisions = server.get("/api/v1/admission-decisions", &operator).await.json();
    assert_eq!(decisions["rows"][0]["decision"]["name"], "redis-*");
}

#[tokio::test]
async fn an_update_that_keeps_its_images_passes() {
    let server = Harness::new();
    push(&server, &stopped()).await;
    let mut update = review("deployment");
    update["request"]["operation"] = json!("UPDATE");
    update["request"]["oldObject"] = update["request"]["object"].clone();
    update["request"]["object"]["spec"]["replicas"] = json!(0);
    assert_eq!(ask(&server, &update).await["allowed"], true);
    update["request"]["oldObject"]["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!("127.0.0.1:5000/team/redis:0");
    assert_eq!(ask(&server, &update).await["allowed"], false);
    update["request"]["oldObject"] = Value::Null;
    assert_eq!(
        ask(&server, &update).await["allowed"],
        false,
        "without the old object everything is new"
    );
    update["request"]["operation"] = json!("DELETE");
    assert_eq!(ask(&server, &update).await["allowed"], true);
}

#[tokio::test]
async fn objects_that_cannot_be_read_are_refused_and_unknown_kinds_named() {
    let server = Harness::new();
    let cases = [
        ("/request/object/spec/template/spec/containers", json!("none")),
        ("/request/object/spec/template/spec/containers", json!([{"name": "x"}])),
        ("/request/object/spec/template/spec/containers/0/image", json!(7)),
        ("/request/object/spec/template/spec/containers/0/image", json!("")),
        (
            "/request/object/spec/template/spec/containers/0/image",
            json!("UPPER/case:1"),
        ),
        (
            "/request/object/spec/template/spec/containers/0/image",
            json!("a\u{1b}[31m\nb"),
        ),
        ("/request/object/spec/template/spec", json!(null)),
        ("/request/object/spec/template", json!([])),
        ("/request/object", json!(null)),
        (
            "/request/object/spec/template/spec/containers",
            json!(vec![
                json!({"name": "x", "image": "redis"});
                limits::MAX_REVIEW_CONTAINERS + 1
            ]),
        ),
    ];
    for (pointer, value) in cases {
        let mut bad = review("deployment");
        *bad.pointer_mut(pointer).unwrap() = value;
        let answer = ask(&server, &bad).await;
        assert_eq!(answer["allowed"], false, "{pointer}: {answer}");
        let message = answer["status"]["message"].as_str().unwrap();
        assert!(
            message.len() < 3_000 && !message.chars().any(char::is_control),
            "{message:?}"
        );
    }
    let mut rollout = review("deployment");
    rollout["request"]["kind"] = json!({"group": "example.dev", "version": "v1", "kind": "Rollout"});
    let answer = ask(&server, &rollout).await;
    assert!(
        answer["allowed"] == true && answer["warnings"].to_string().contains("Rollout"),
        "{answer}"
    );
    rollout["request"]["subResource"] = json!("scale");
    assert_eq!(
        ask(&server, &rollout).await,
        json!({"uid": rollout["request"]["uid"], "allowed": true})
    );
}

async fn raw(server: &Harness, body: impl Into<Body>) -> Answer {
    let request = Request::post(PATH)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    server.raw(request).await
}

#[tokio::test]
async fn what_is_no_review_is_no_answer() {
    let server = Harness::new();
    for body in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#,
    ] {
        raw(&server, body).await.expect(400);
    }
    let mut old = review("pod");
    old["apiVersion"] = json!("admission.k8s.io/v1beta1");
    raw(&server, old.to_string()).await.expect(400);
    let mut nameless = review("pod");
    nameless["request"]["uid"] = json!("");
    raw(&server, nameless.to_string()).await.expect(400);
    raw(&server, "[".repeat(100_000)).await.expect(400);
    raw(&server, vec![b' '; limits::MAX_REVIEW_BYTES + 1]).await.expect(413);
    let mut large = review("pod");
    large["request"]["object"]["metadata"]["annotations"] = json!({"note": "x".repeat(2 * 1024 * 1024)});
    assert_eq!(
        ask(&server, &large).await["allowed"],
        true,
        "large and well-formed is fine"
    );
    let metrics = server.get("/metrics", &Proof::default()).await.expect(200).text;
    assert!(
        metrics.contains("plimsoll_admission_reviews_total{decision=\"malformed\"} 10"),
        "{metrics}"
    );
}

/// Rules over the object beside those over its images.
#[tokio::test]
async fn rules_judge_the_object_itself() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules/content/policy");
    let server = Harness::with_policy(&crate::admission::PolicySource {
        rules: ["default.yaml", "pod-security.yaml"]
            .map(|name| std::path::Path::new(folder).join(name))
            .to_vec(),
        waivers: None,
    });
    push(&server, &clean(REDIS, 1)).await;
    for (reference, config) in [("127.0.0.1:5000/team/init:1", 2), ("127.0.0.1:5000/team/clean:1", 3)] {
        push(&server, &clean(reference, config)).await;
    }
    for (kind, spec) in [
        ("pod", "/request/object/spec"),
        ("cronjob", "/request/object/spec/jobTemplate/spec/template/spec"),
    ] {
        let mut request = review(kind);
        let admitted = ask(&server, &request).await;
        assert_eq!(admitted["allowed"], true, "{kind}: {admitted}");
        assert!(
            admitted["warnings"].to_string().contains("runAsNonRoot"),
            "{kind}: {admitted}"
        );

        let containers = request.pointer_mut(spec).unwrap();
        containers["containers"][0]["securityContext"] = json!({"privileged": true});
        containers["hostPID"] = json!(true);
        let refused = ask(&server, &request).await;
        let message = refused["status"]["message"].as_str().unwrap_or_default().to_owned();
        for word in ["[Privileged container]", "[Namespace of the host]"] {
            assert!(message.contains(word), "{kind}: {word} is missing in {refused}");
        }
        // What runs so already can still be changed.
        request["request"]["operation"] = json!("UPDATE");
        request["request"]["oldObject"] = request["request"]["object"].clone();
        let updated = ask(&server, &request).await;
        assert_eq!(updated["allowed"], true, "{kind}: {updated}");
    }
}

#[tokio::test]
async fn a_policy_may_judge_kinds_that_run_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("bindings.yaml");
    let text = "- rule: Cluster administrator\n  desc: d\n  source: admission\n  priority: CRITICAL\n  action: stop\n  \
        condition: admission.kind = ClusterRoleBinding and admission.value[/object/roleRef/name] = cluster-admin\n  \
        output: \"%admission.user.name makes an administrator\"\n";
    std::fs::write(&rules, text).unwrap();
    let server = Harness::with_policy(&crate::admission::PolicySource {
        rules: vec![rules],
        waivers: None,
    });
    let binding = |role: &str| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": "CREATE", "name": "b", "userInfo": {"username": "ann"},
            "kind": {"group": "rbac.authorization.k8s.io", "version": "v1", "kind": "ClusterRoleBinding"},
            "object": {"metadata": {"name": "b"}, "roleRef": {"name": role}}}})
    };
    let refused = ask(&server, &binding("cluster-admin")).await;
    let message = refused["status"]["message"].as_str().unwrap_or_default();
    assert_eq!(
        message,
        "plimsoll: ClusterRoleBinding b is stopped: ann makes an administrator [Cluster administrator]"
    );
    assert_eq!(ask(&server, &binding("view")).await["allowed"], true);
}
