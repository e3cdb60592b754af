//! What people and containers send: kept as text, checked where it has a form, forgotten when it is old.

use axum::http::Method;
use serde_json::{Value, json};

use super::{fixture::alert_json, harness::Harness};
use crate::store::Role;

#[tokio::test]
async fn hostile_names_come_back_as_json_only() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let batch = json!({"alerts": [alert_json("a1", 1, "<script>alert(1)</script>")]});
    server.post("/api/v1/agent/alerts", &agent, &batch).await.expect(200);
    let viewer = server.log_in_as(Role::Viewer).await;
    for path in [
        "/api/v1/alerts",
        "/api/v1/alerts/a1",
        "/api/v1/alert-groups",
        "/api/v1/workloads",
        "/api/v1/overview",
    ] {
        let answer = server.get(path, &viewer).await.expect(200);
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
    let list = server.get("/api/v1/alerts", &viewer).await.json();
    assert_eq!(
        list["rows"][0]["image"], "<script>alert(1)</script>",
        "stored as it came"
    );
}

#[tokio::test]
async fn settings_waivers_and_queue_check_their_input() {
    let server = Harness::new();
    let admin = server.log_in_as(Role::Admin).await;
    let mut settings = server.get("/api/v1/settings", &admin).await.expect(200).json();
    settings["unknown_image_by_namespace"] = json!({"prod": "deny"});
    server
        .send(Method::PUT, "/api/v1/settings", &admin, Some(&settings))
        .await
        .expect(200);
    assert_eq!(server.get("/api/v1/settings", &admin).await.json(), settings);
    settings["alert_retention_days"] = json!(0);
    server
        .send(Method::PUT, "/api/v1/settings", &admin, Some(&settings))
        .await
        .expect(400);
    let waiver = json!({"rule": null, "subject": "CVE-2024-1*", "image": null, "reason": "not reachable", "owner": "ann", "until": "2030-01-01"});
    let made = server.post("/api/v1/waivers", &admin, &waiver).await.expect(200).json();
    for (field, value) in [
        ("subject", Value::Null),
        ("until", json!("tomorrow")),
        ("reason", json!(" ")),
        ("owner", json!("a\u{1b}[31m")),
    ] {
        let mut bad = waiver.clone();
        bad[field] = value;
        server.post("/api/v1/waivers", &admin, &bad).await.expect(400);
    }
    server
        .send(
            Method::DELETE,
            &format!("/api/v1/waivers/{}", made["id"].as_str().unwrap()),
            &admin,
            None,
        )
        .await
        .expect(204);
    let one = server
        .post("/api/v1/scan-requests", &admin, &json!({"reference": "redis"}))
        .await
        .expect(200)
        .json();
    let same = server
        .post(
            "/api/v1/scan-requests",
            &admin,
            &json!({"reference": "docker.io/library/redis:latest"}),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(one["id"], same["id"]);
    server
        .post("/api/v1/scan-requests", &admin, &json!({"reference": "--help"}))
        .await
        .expect(400);
}

#[tokio::test]
async fn old_alerts_go_by_the_time_of_receipt() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let send = async |id: &str| {
        let batch = json!({"alerts": [alert_json(id, 1, "redis:1")]});
        server.post("/api/v1/agent/alerts", &agent, &batch).await.expect(200);
    };
    send("first").await;
    server.app.clock.advance(10_000);
    send("second").await;
    let before_ms = server.app.now_ms() - 5_000;
    let purge = move |store: &dyn crate::store::Store| store.purge_alerts(before_ms);
    assert_eq!(server.app.store(purge).await.unwrap(), 1);
    let viewer = server.log_in_as(Role::Viewer).await;
    let left = server.get("/api/v1/alerts", &viewer).await.expect(200).json();
    assert_eq!(
        left["rows"][0]["id"], "second",
        "a node whose clock says 1970 loses nothing"
    );
}
