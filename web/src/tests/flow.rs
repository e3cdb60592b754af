//! What the server is for, end to end without a socket: scans and alerts in, lists and pages out.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    fixture::{alert_json, digest, report_json},
    harness::{Harness, Proof},
};
use crate::{limits, store::Role};

async fn send_alerts(server: &Harness, agent: &Proof, alerts: &[Value]) -> Value {
    server
        .post("/api/v1/agent/alerts", agent, &json!({"alerts": alerts}))
        .await
        .expect(200)
        .json()
}

fn ids(page: &Value) -> Vec<String> {
    page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn batches_are_idempotent_and_updates_add_up() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let first = alert_json("a1", 1_000, "redis:1");
    let expected = json!({"acknowledged": ["a1"], "rejected": []});
    assert_eq!(
        send_alerts(&server, &agent, &[first.clone(), first.clone()]).await["acknowledged"],
        json!(["a1", "a1"])
    );
    assert_eq!(
        send_alerts(&server, &agent, std::slice::from_ref(&first)).await,
        expected
    );
    let viewer = server.log_in_as(Role::Operator).await;
    let body = json!({"ids": ["a1"], "comment": "known"});
    assert_eq!(
        server
            .post("/api/v1/alerts/acknowledge", &viewer, &body)
            .await
            .expect(200)
            .json()["count"],
        1
    );
    assert_eq!(
        server
            .post("/api/v1/alerts/acknowledge", &viewer, &body)
            .await
            .expect(200)
            .json()["count"],
        0
    );
    let mut more = first.clone();
    more["count"] = json!(3);
    more["follow_ups"] = json!([{"time_ns": 1, "observed": "connect", "rules": []}]);
    assert_eq!(
        send_alerts(&server, &agent, &[more, first]).await["acknowledged"],
        json!(["a1", "a1"])
    );
    let detail = server.get("/api/v1/alerts/a1", &viewer).await.expect(200).json();
    assert_eq!(
        (&detail["summary"]["count"], &detail["summary"]["follow_up_count"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(detail["alert"]["count"], 3);
    assert_eq!(detail["summary"]["acknowledgement"]["comment"], "known");
    assert_eq!(
        detail["alert"]["node"], "node-1",
        "the authenticated node replaces the claimed one"
    );
}

#[tokio::test]
async fn forged_and_broken_alerts_are_rejected_alone() {
    let server = Harness::new();
    let (one, two) = (server.enrol("node-1").await, server.enrol("node-2").await);
    send_alerts(&server, &one, &[alert_json("a1", 1_000, "redis:1")]).await;
    let mut grown = alert_json("a1", 1_000, "evil:1");
    grown["count"] = json!(99);
    let result = send_alerts(
        &server,
        &two,
        &[
            grown,
            json!({"id": "broken"}),
            json!(7),
            alert_json("a2", 2_000, "redis:1"),
        ],
    )
    .await;
    assert_eq!(result["acknowledged"], json!(["a2"]));
    let mut rejected: Vec<_> = result["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    rejected.sort_unstable();
    assert_eq!(rejected, ["", "a1", "broken"]);
    let mut wrong = Vec::new();
    for (field, value) in [
        ("priority", json!("loud")),
        ("schema", json!("plimsoll.alert/v2")),
        ("id", json!("a\nb")),
        ("summary", json!("x".repeat(300_000))),
    ] {
        let mut alert = alert_json("a3", 1, "redis:1");
        alert[field] = value;
        wrong.push(alert);
    }
    assert_eq!(
        send_alerts(&server, &two, &wrong).await["rejected"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let many = vec![json!({}); limits::MAX_ALERTS_IN_BATCH + 1];
    server
        .post("/api/v1/agent/alerts", &two, &json!({"alerts": many}))
        .await
        .expect(400);
    server
        .post(
            "/api/v1/agent/alerts",
            &Proof::bearer("pls_a_00"),
            &json!({"alerts": []}),
        )
        .await
        .expect(401);
}

#[tokio::test]
async fn enrolment_tokens_work_as_often_as_they_say() {
    let server = Harness::new();
    let admin = server.log_in_as(Role::Admin).await;
    let enrol = |token: Value, node: &'static str| {
        let server = &server;
        async move {
            server
                .post(
                    "/api/v1/agents/enrol",
                    &Proof::default(),
                    &json!({"token": token, "node": node}),
                )
                .await
        }
    };
    let once = server
        .post("/api/v1/enrolment-tokens", &admin, &json!({}))
        .await
        .expect(200)
        .json();
    enrol(once["token"].clone(), "n1").await.expect(200);
    enrol(once["token"].clone(), "n2").await.expect(401);
    let late = server
        .post(
            "/api/v1/enrolment-tokens",
            &admin,
            &json!({"uses": 5, "valid_hours": 1}),
        )
        .await
        .expect(200)
        .json();
    let first = enrol(late["token"].clone(), "n3").await.expect(200).json();
    let again = enrol(late["token"].clone(), "n3").await.expect(200).json();
    assert_eq!(first["id"], again["id"], "the same node is the same agent");
    let old = Proof::bearer(first["token"].as_str().unwrap());
    let new = Proof::bearer(again["token"].as_str().unwrap());
    let beat = json!({"version": "0.1.0", "kernel": "6.1", "event_count": 5, "losses": [{"reason": "queue", "count": 2}],
        "blind_spots": [{"subject": "open", "reason": "no fexit"}],
        "containers": [{"id": "c1", "name": "redis", "runtime": "podman", "image": "redis:1", "config_digest": digest(1)}]});
    server.post("/api/v1/agent/heartbeat", &old, &beat).await.expect(401);
    server.post("/api/v1/agent/heartbeat", &new, &beat).await.expect(204);
    let overview = server.get("/api/v1/overview", &admin).await.expect(200).json();
    let kinds: Vec<_> = overview["blind_spots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|spot| spot["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "events-lost",
        "sensor",
        "image-not-scanned",
        "no-images",
        "agent-never-reported",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let workloads = server
        .get("/api/v1/workloads?text=redis", &admin)
        .await
        .expect(200)
        .json();
    assert_eq!(workloads["rows"][0]["container_id"], "c1");
    server
        .send(Method::DELETE, &format!("/api/v1/agents/{}", first["id"]), &admin, None)
        .await
        .expect(204);
    server.post("/api/v1/agent/heartbeat", &new, &beat).await.expect(401);
    server.app.clock.advance(3_600_001);
    enrol(late["token"].clone(), "n4").await.expect(401);
}

#[tokio::test]
async fn pages_and_filters_lose_and_repeat_nothing() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let alerts: Vec<Value> = (0..25)
        .map(|n| {
            alert_json(
                &format!("a{n:02}"),
                1_000 + n / 3,
                if n % 5 == 0 { "nginx:1" } else { "redis:1" },
            )
        })
        .collect();
    send_alerts(&server, &agent, &alerts).await;
    let viewer = server.log_in_as(Role::Viewer).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server
            .get(&format!("/api/v1/alerts?limit=4{cursor}"), &viewer)
            .await
            .expect(200)
            .json();
        seen.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.reverse();
    assert_eq!(seen, sorted, "newest first, the later sent first among equals");
    assert_eq!(seen.len(), 25);
    for (query, count) in [
        ("image=nginx", 5),
        ("image=NGINX", 5),
        ("namespace=shop", 25),
        ("namespace=other", 0),
        ("node=node-1", 25),
        ("text=-C%20ID", 25),
        ("text=%25", 0),
        ("priority=emergency", 0),
        ("priority=warning", 25),
        ("rule=unexpected-exec", 25),
        ("from_ms=1008", 1),
        ("to_ms=1001", 3),
        ("acknowledged=false", 25),
        ("acknowledged=true", 0),
        ("container=c0ffee", 25),
    ] {
        let page = server
            .get(&format!("/api/v1/alerts?limit=500&{query}"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(page["rows"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn groups_are_acknowledged_up_to_what_was_seen() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let alerts: Vec<Value> = (0..6)
        .map(|n| alert_json(&format!("a{n}"), 1_000 + n, if n < 2 { "nginx:1" } else { "redis:1" }))
        .collect();
    send_alerts(&server, &agent, &alerts).await;
    let operator = server.log_in_as(Role::Operator).await;
    let first = server
        .get("/api/v1/alert-groups?limit=1", &operator)
        .await
        .expect(200)
        .json();
    let redis = &first["rows"][0];
    assert_eq!(
        (&redis["alert_count"], &redis["open_count"], &redis["newest_id"]),
        (&json!(4), &json!(4), &json!("a5"))
    );
    let next = first["next"].as_str().unwrap();
    let second = server
        .get(&format!("/api/v1/alert-groups?limit=1&cursor={next}"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&second["rows"][0]["image"], &second["next"]),
        (&json!("nginx:1"), &Value::Null)
    );
    let body = json!({"group": redis["group"], "until_ms": 1_004, "comment": ""});
    assert_eq!(
        server
            .post("/api/v1/alerts/acknowledge", &operator, &body)
            .await
            .expect(200)
            .json()["count"],
        3
    );
    let open = server
        .get("/api/v1/alerts?acknowledged=false", &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(ids(&open), ["a5", "a1", "a0"]);
    server
        .post("/api/v1/alerts/a4/reopen", &operator, &json!({}))
        .await
        .expect(204);
    server
        .post("/api/v1/alerts/a4/reopen", &operator, &json!({}))
        .await
        .expect(404);
    for bad in [
        json!({}),
        json!({"ids": ["a1"], "group": "x", "until_ms": 1}),
        json!({"group": "x"}),
    ] {
        server
            .post("/api/v1/alerts/acknowledge", &operator, &bad)
            .await
            .expect(400);
    }
    let admin = server.log_in_as(Role::Admin).await;
    let audit = server.get("/api/v1/audit", &admin).await.expect(200).text;
    for word in ["\"acknowledge\"", "\"reopen\"", "\"enrol\"", "\"log-in\"", "192.0.2.7"] {
        assert!(audit.contains(word), "{word} is missing in {audit}");
    }
}

#[tokio::test]
async fn a_pushed_scan_is_found_by_every_name() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    server
        .post(
            "/api/v1/scan-requests",
            &operator,
            &json!({"reference": "h:5000/team/redis:1"}),
        )
        .await
        .expect(200);
    let scan = report_json("h:5000/team/redis:1", 1);
    let summary = server.post("/api/v1/scans", &operator, &scan).await.expect(200).json();
    assert_eq!(
        (
            &summary["known_exploited"],
            &summary["vulnerabilities"]["critical"],
            &summary["fixable"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    server.post("/api/v1/scans", &operator, &scan).await.expect(200);
    let queue = server.get("/api/v1/scan-requests", &operator).await.expect(200).json();
    assert_eq!(queue["rows"][0]["state"], "done");
    let viewer = server.log_in_as(Role::Viewer).await;
    for (query, count) in [
        ("", 1),
        ("text=team/redis", 1),
        ("vulnerability=CVE-2024-1", 1),
        ("vulnerability=CVE-1", 0),
        ("package=zlib1g", 1),
        ("decision=none", 1),
        ("decision=stop", 0),
        ("known_exploited=true", 1),
    ] {
        let page = server
            .get(&format!("/api/v1/images?{query}"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(page["rows"].as_array().unwrap().len(), count, "{query}");
    }
    for name in [digest(1), digest(101)] {
        let detail = server
            .get(&format!("/api/v1/images/{name}"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(detail["profile"]["schema"], "plimsoll.profile/v1");
        let list = server
            .get(&format!("/api/v1/images/{name}/vulnerabilities"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&list["rows"][0]["id"], &list["rows"][0]["cvss_score"]),
            (&json!("CVE-2024-1"), &json!(9.8))
        );
        let fixable = server
            .get(&format!("/api/v1/images/{name}/vulnerabilities?fixable=false"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(fixable["rows"].as_array().unwrap().len(), 1);
        let packages = server
            .get(&format!("/api/v1/images/{name}/packages?text=openssl"), &viewer)
            .await
            .expect(200)
            .json();
        assert_eq!(packages["rows"][0]["worst_severity"], "critical");
    }
}

#[tokio::test]
async fn agents_get_the_report_as_it_was_pushed_and_contradictions_are_refused() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    let scan = report_json("h:5000/team/redis:1", 1);
    server.post("/api/v1/scans", &operator, &scan).await.expect(200);
    let agent = server.enrol("node-1").await;
    let fetched = server
        .get(&format!("/api/v1/agent/profiles/{}", digest(1)), &agent)
        .await
        .expect(200)
        .json();
    let sent: plimsoll_model::ScanReport = serde_json::from_value(scan.clone()).unwrap();
    assert_eq!(
        serde_json::from_value::<plimsoll_model::ScanReport>(fetched).unwrap(),
        sent
    );
    server
        .get(&format!("/api/v1/agent/profiles/{}", digest(9)), &agent)
        .await
        .expect(404);
    for (pointer, value) in [
        ("/schema", json!("plimsoll.scan/v2")),
        ("/matches/0/package", json!(7)),
        ("/profile/config_digest", json!(digest(3))),
    ] {
        let mut bad = scan.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        server.post("/api/v1/scans", &operator, &bad).await.expect(400);
    }
}
