//! Queued scans: run as a child process, whose failure is told and harms nothing.

use std::{ffi::OsString, path::Path};

use serde_json::{Value, json};

use super::{fixture::report_json, harness::Harness};
use crate::{server::Extent, service, store::Role};

/// A command that ignores the reference and does what the script says.
fn script(text: &str) -> Vec<OsString> {
    ["/bin/sh", "-c", text, "scan"].map(OsString::from).into()
}

/// Queues one scan, lets the server run it, and gives the request as it ended.
async fn run(server: &Harness, command: Vec<OsString>) -> Value {
    let operator = server.log_in_as(Role::Operator).await;
    server
        .post(
            "/api/v1/scan-requests",
            &operator,
            &json!({"reference": "h:5000/team/redis:1"}),
        )
        .await
        .expect(200);
    let tasks = service::start(&server.app, Extent::Whole, Some(command), None);
    let ended = async {
        loop {
            let list = server.get("/api/v1/scan-requests", &operator).await.json();
            if !matches!(list["rows"][0]["state"].as_str(), Some("queued" | "running")) {
                return list["rows"][0].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), ended)
        .await
        .expect("the scan ends");
    drop(tasks);
    ended
}

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("report.json");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_scan_is_stored() {
    let server = Harness::new();
    let path = write(server.folder.path(), &report_json("h:5000/team/redis:1", 1).to_string());
    // Exit code 5 is an incomplete scan: its report is a report.
    let ended = run(&server, script(&format!("echo talk >&2; cat '{path}'; exit 5"))).await;
    assert_eq!((&ended["state"], &ended["error"]), (&json!("done"), &Value::Null));
    let viewer = server.log_in_as(Role::Viewer).await;
    let images = server.get("/api/v1/images?text=team/redis", &viewer).await.json();
    assert_eq!(images["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_fails_says_why() {
    for (command, expected) in [
        (script("echo 'error: no such image' >&2; exit 3"), "no such image"),
        (
            script("echo '{\"schema\": \"plimsoll.scan/v9\"}'; exit 0"),
            "exit status: 0",
        ),
        (script("kill -9 $$"), "signal: 9"),
        (vec![OsString::from("/nonexistent")], "start the scan"),
        (script("head -c 100000 /dev/zero >&2; exit 1"), "exit status: 1"),
    ] {
        let server = Harness::new();
        let ended = run(&server, command).await;
        assert_eq!(ended["state"], "failed", "{ended}");
        let error = ended["error"].as_str().unwrap();
        assert!(error.contains(expected) && error.len() < 5_000, "{error}");
    }
}
