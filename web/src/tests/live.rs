//! Live events: what a browser that listens gets to see.

use std::time::Duration;

use axum::{body::Body, http::Request};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    fixture::alert_json,
    harness::{Harness, Proof},
};
use crate::{limits, store::Role};

type Frames = axum::body::BodyDataStream;

async fn listen(server: &Harness, proof: &Proof) -> (u16, Frames) {
    let cookie = format!("plimsoll_session={}", proof.cookie.as_ref().unwrap());
    let request = Request::get("/api/v1/events")
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    (response.status().as_u16(), response.into_body().into_data_stream())
}

/// The next frame; `None` at the stream's end.
async fn next(frames: &mut Frames) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(20), frames.next())
        .await
        .expect("an event or the end");
    frame.map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap())
}

async fn send(server: &Harness, agent: &Proof, alerts: &[Value]) {
    server
        .post("/api/v1/agent/alerts", agent, &json!({"alerts": alerts}))
        .await
        .expect(200);
}

#[tokio::test]
async fn new_and_changed_alerts_are_told_once_and_hostile_names_stay_json() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let viewer = server.log_in_as(Role::Viewer).await;
    let (status, mut frames) = listen(&server, &viewer).await;
    assert_eq!(status, 200);
    let first = alert_json("a1", 1, "evil\n\ndata: {\"id\": \"forged\"}\n\n");
    let mut grown = first.clone();
    grown["count"] = json!(2);
    send(&server, &agent, std::slice::from_ref(&first)).await;
    send(&server, &agent, &[first]).await;
    send(&server, &agent, &[grown]).await;
    for count in [1, 2] {
        let frame = next(&mut frames).await.unwrap();
        let data: Vec<&str> = frame.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(data.len(), 1, "a name cannot begin another event: {frame}");
        let alert: Value = serde_json::from_str(data[0]).unwrap();
        assert_eq!((&alert["id"], &alert["count"]), (&json!("a1"), &json!(count)));
        assert!(frame.contains("event: alert"), "{frame}");
    }
    server.shutdown.send_replace(true);
    assert_eq!(next(&mut frames).await, None, "the stream ends with the server");
}

#[tokio::test]
async fn a_slow_listener_is_told_that_it_missed_some() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await;
    let viewer = server.log_in_as(Role::Viewer).await;
    let (_, mut frames) = listen(&server, &viewer).await;
    let alerts: Vec<Value> = (0..limits::LIVE_QUEUE_EVENTS + 10)
        .map(|n| alert_json(&format!("a{n}"), 1, "redis:1"))
        .collect();
    send(&server, &agent, &alerts).await;
    assert!(next(&mut frames).await.unwrap().contains("event: lagged"));
    assert!(next(&mut frames).await.unwrap().contains("event: alert"));
}

#[tokio::test]
async fn streams_are_few_and_given_back() {
    let server = Harness::new();
    let viewer = server.log_in_as(Role::Viewer).await;
    let mut open = Vec::new();
    for _ in 0..limits::MAX_LIVE_STREAMS {
        let (status, frames) = listen(&server, &viewer).await;
        assert_eq!(status, 200);
        open.push(frames);
    }
    assert_eq!(listen(&server, &viewer).await.0, 429);
    open.pop();
    assert_eq!(listen(&server, &viewer).await.0, 200);
}
