//! What agents say of what images use in; the ladder of an image's packages and vulnerabilities out.

use serde_json::{Value, json};

use super::{
    fixture::{digest, report_json},
    harness::{Harness, Proof},
};
use crate::store::Role;

const LIBRARY: &str = "/usr/lib/libssl.so.3";

/// A report in which openssl owns a library and zlib1g another one.
fn report() -> Value {
    let mut report = report_json("127.0.0.1:5000/redis:1", 1);
    let file = |path: &str, package: u32| {
        json!({"path": path, "kind": "regular", "mode": 420, "uid": 0, "gid": 0, "size_bytes": 9, "layer": 0,
            "package": package, "elf": {}})
    };
    report["files"] = json!([file(LIBRARY, 0), file("/usr/lib/libz.so.1", 1)]);
    report
}

fn usage(containers: u32, hours: u64, loaded: u64) -> Value {
    json!({"images": [{"config_digest": digest(1), "manifest_digest": digest(101), "reference": "redis:1",
        "window": {"from_ns": 1_000_000_000_u64, "to_ns": 2_000_000_000_u64, "containers": containers,
            "container_seconds": hours * 3600, "joined": 0, "lost_events": 0, "sees_loads": true},
        "files": [{"path": LIBRARY, "package": "pkg:deb/debian/openssl@3.0.11-1", "executed": 0, "loaded": loaded,
            "listens": false, "first_ns": 1_500_000_000_u64, "last_ns": 1_600_000_000_u64, "after_seconds": 5}],
        "dropped": 0}]})
}

async fn tell(server: &Harness, agent: &Proof, body: &Value) {
    server.post("/api/v1/agent/usage", agent, body).await.expect(204);
}

#[tokio::test]
async fn what_nodes_see_is_merged_and_puts_vulnerabilities_on_the_ladder() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    server.post("/api/v1/scans", &operator, &report()).await.expect(200);
    let path = format!("/api/v1/images/{}/usage", digest(1));
    server.get(&path, &operator).await.expect(404);
    let rows = format!("/api/v1/images/{}/vulnerabilities", digest(1));
    let before = server.get(&rows, &operator).await.expect(200).json();
    assert_eq!(before["rows"][0]["reach"], Value::Null);

    let (one, two) = (server.enrol("node-1").await, server.enrol("node-2").await);
    tell(&server, &one, &usage(1, 10, 2)).await;
    tell(&server, &one, &usage(1, 14, 3)).await;
    let alone = server.get(&path, &operator).await.expect(200).json();
    assert_eq!(
        alone["usage"]["window"]["container_seconds"],
        14 * 3600,
        "what was said before is replaced"
    );
    assert_eq!(
        alone["packages"][1]["is_idle"], false,
        "one container, 14 hours: not enough"
    );

    tell(&server, &two, &usage(2, 20, 4)).await;
    let by_manifest = format!("/api/v1/images/{}/usage", digest(101));
    for path in [path.as_str(), &by_manifest] {
        let all = server.get(path, &operator).await.expect(200).json();
        let nodes: Vec<&str> = all["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["node"].as_str().unwrap())
            .collect();
        assert_eq!(nodes.len(), 2);
        assert_eq!(all["usage"]["files"][0]["loaded"], 7);
        let packages: Vec<(&str, &str, bool)> = all["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let text = |name: &str| row[name].as_str().unwrap();
                (text("name"), text("rung"), row["is_idle"].as_bool().unwrap())
            })
            .collect();
        assert_eq!(packages, [("openssl", "loaded", false), ("zlib1g", "present", true)]);
    }
    let after = server.get(&rows, &operator).await.expect(200).json();
    let reach: Vec<&str> = (0..2).map(|at| after["rows"][at]["reach"].as_str().unwrap()).collect();
    assert_eq!(reach, ["loaded", "idle"]);
    assert!(after["rows"][0]["reach_because"].as_str().unwrap().contains(LIBRARY));
}

#[tokio::test]
async fn only_agents_tell_and_only_what_is_usage() {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    let agent = server.enrol("node-1").await;
    let path = "/api/v1/agent/usage";
    assert_ne!(server.post(path, &operator, &usage(1, 1, 1)).await.status.as_u16(), 204);
    let mut wrong = usage(1, 1, 1);
    wrong["images"][0]["config_digest"] = json!("sha1:00");
    server.post(path, &agent, &wrong).await.expect(400);
    wrong["images"][0]["config_digest"] = json!(digest(1));
    wrong["images"][0]["more"] = json!(1);
    server.post(path, &agent, &wrong).await.expect(400);
    let image = usage(1, 1, 1)["images"][0].clone();
    let many: Vec<Value> = (0..=crate::limits::MAX_USAGE_IMAGES).map(|_| image.clone()).collect();
    server.post(path, &agent, &json!({"images": many})).await.expect(400);
}
