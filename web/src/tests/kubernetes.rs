//! Kubernetes audit events as an API server's webhook back end posts them.

use serde_json::{Value, json};

use super::harness::Harness;
use crate::{limits, store::Role};

const PATH: &str = "/api/v1/kubernetes/audit/east";

/// A finished request to open a shell in a pod.
fn exec(id: &str, code: u16) -> Value {
    json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id, "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh&stdin=true", "verb": "create",
        "user": {"username": "ann", "groups": ["system:authenticated"]}, "sourceIPs": ["10.0.0.7"],
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1", "subresource": "exec"},
        "responseStatus": {"code": code}, "stageTimestamp": "2026-01-02T03:04:05.000006Z"})
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items})
}

#[tokio::test]
async fn what_rules_say_of_audit_events_is_an_alert_once() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    let mut quiet = exec("c", 200);
    quiet["verb"] = json!("get");
    quiet["objectRef"] = json!({"resource": "pods", "namespace": "shop", "name": "web"});
    let batch = list(&[exec("a", 101), exec("b", 403), quiet]);
    for _ in 0..2 {
        let answer = server.post(PATH, &operator, &batch).await.expect(200).json();
        assert_eq!(
            (&answer["events"], &answer["alerts"]),
            (&json!(3), &json!(1)),
            "{answer}"
        );
    }
    let alerts = server.get("/api/v1/alerts", &operator).await.expect(200).json();
    let rows = alerts["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{alerts}");
    assert_eq!(rows[0]["summary"], "ann went into pod shop/web (command sh)");
    assert_eq!(
        (&rows[0]["node"], &rows[0]["namespace"]),
        (&json!("east"), &json!("shop"))
    );
    let path = format!("/api/v1/alerts/{}", rows[0]["id"].as_str().unwrap());
    let detail = server.get(&path, &operator).await.expect(200).json();
    assert_eq!(detail["alert"]["process"], Value::Null);
    assert_eq!(
        detail["alert"]["observed"],
        "create pods/exec shop/web by ann from 10.0.0.7"
    );
}

#[tokio::test]
async fn viewers_strangers_and_other_documents_are_refused() {
    let server = Harness::new();
    let viewer = server.log_in_as(Role::Viewer).await;
    server.post(PATH, &viewer, &exec("a", 200)).await.expect(403);
    let operator = server.log_in_as(Role::Operator).await;
    for hostile in [
        json!([]),
        json!({"kind": "Pod"}),
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": 3}),
    ] {
        server.post(PATH, &operator, &hostile).await.expect(400);
    }
    let many = list(&vec![json!({}); limits::MAX_AUDIT_EVENTS + 1]);
    server.post(PATH, &operator, &many).await.expect(400);
    // Events of any shape are judged, and say nothing.
    let odd = list(&[
        json!(1),
        json!({"auditID": 4, "objectRef": [], "user": "x"}),
        Value::Null,
    ]);
    let answer = server.post(PATH, &operator, &odd).await.expect(200).json();
    assert_eq!(answer["alerts"], 0, "{answer}");
}
