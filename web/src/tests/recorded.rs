//! Every review that a real API server sent (`scripts/test-kubernetes.sh --save-reviews`), asked again.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use super::{
    fixture::report_json,
    harness::{Harness, Proof},
};
use crate::{admission::PATH, store::Role};

/// The container's image in most reviews, and what one of them changes it to.
const REDIS: &str = "127.0.0.1:5000/team/redis:1";
const CLEAN: &str = "127.0.0.1:5000/team/clean:1";
const INIT: &str = "127.0.0.1:5000/team/init:1";

/// File, what it does, and the image that it brings in besides the init container's; `None`: none at all.
const RECORDED: [(&str, &str, Option<&str>); 17] = [
    ("cronjob", "CREATE CronJob redis", Some(REDIS)),
    ("daemonset", "CREATE DaemonSet redis", Some(REDIS)),
    ("deployment", "CREATE Deployment redis", Some(REDIS)),
    ("deployment-apply", "CREATE Deployment applied", Some(REDIS)),
    ("deployment-dry-run", "CREATE Deployment redis", Some(REDIS)),
    ("deployment-image", "UPDATE Deployment redis", Some(CLEAN)),
    ("deployment-label", "UPDATE Deployment redis", None),
    ("ephemeral", "UPDATE Pod debugged", Some(REDIS)),
    ("ephemeral-before-1.23", "UPDATE EphemeralContainers redis", Some(REDIS)),
    ("job", "CREATE Job redis", Some(REDIS)),
    ("job-from-cronjob", "CREATE Job now", Some(REDIS)),
    ("pod", "CREATE Pod redis-x7k2p", Some(REDIS)),
    ("pod-clean", "CREATE Pod debugged", Some(CLEAN)),
    ("podtemplate", "CREATE PodTemplate redis", Some(REDIS)),
    ("replicaset", "CREATE ReplicaSet redis", Some(REDIS)),
    (
        "replicationcontroller",
        "CREATE ReplicationController redis",
        Some(REDIS),
    ),
    ("statefulset", "CREATE StatefulSet redis", Some(REDIS)),
];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reviews"))
}

/// A server that has scanned all three images, of which one is stopped.
async fn server_that_stops(stopped: &str) -> (Harness, Proof) {
    let server = Harness::new();
    let operator = server.log_in_as(Role::Operator).await;
    for (config, reference) in (1..).zip([REDIS, CLEAN, INIT]) {
        let mut report = report_json(reference, config);
        if reference != stopped {
            report["matches"] = json!([]);
        }
        server.post("/api/v1/scans", &operator, &report).await.expect(200);
    }
    (server, operator)
}

async fn newest_decision(server: &Harness, operator: &Proof) -> Value {
    let list = server.get("/api/v1/admission-decisions", operator).await.expect(200);
    list.json()["rows"][0].clone()
}

#[test]
fn no_recorded_review_is_left_out() {
    let files: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    let known = RECORDED.map(|(name, ..)| format!("{name}.json"));
    assert_eq!(files, BTreeSet::from(known));
}

#[tokio::test]
async fn what_a_real_api_server_asks_is_refused_for_the_image_that_it_brings_in_and_for_no_other() {
    for stopped in [REDIS, CLEAN, "none"] {
        let (server, operator) = server_that_stops(stopped).await;
        for (name, act, brings_in) in RECORDED {
            let review: Value =
                serde_json::from_slice(&fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap();
            let before = newest_decision(&server, &operator).await;
            let answer = server.post(PATH, &Proof::default(), &review).await.expect(200).json();
            let response = &answer["response"];
            assert_eq!(response["uid"], review["request"]["uid"], "{name}");
            let is_refused = brings_in == Some(stopped);
            assert_eq!(response["allowed"], !is_refused, "{name} with {stopped}: {response}");
            let decision = newest_decision(&server, &operator).await;
            if review["request"]["dryRun"] == true || brings_in.is_none() {
                assert_eq!(decision, before, "{name} leaves no trace");
                continue;
            }
            let detail = &decision["decision"];
            let word = |key: &str| detail[key].as_str().unwrap().to_owned();
            assert_eq!(
                format!("{} {} {}", word("operation"), word("kind"), word("name")),
                act,
                "{name}"
            );
            assert_eq!(
                (&detail["allowed"], &detail["namespace"], &detail["user"]),
                (
                    &json!(!is_refused),
                    &json!("shop"),
                    &review["request"]["userInfo"]["username"]
                ),
                "{name}"
            );
        }
    }
}
