//! A stand-in for `plimsoll serve`, and what the agent makes of its answers.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use plimsoll_runtime::output::{OutputOptions, Pace, ServerOptions};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, PACE},
    receiver::{Receiver, Reply, Request},
};

/// A server that enrols, and takes alerts as `take` says.
fn server(log: &Arc<Mutex<Vec<Request>>>, mut take: impl FnMut(usize, &[Value]) -> Reply + Send + 'static) -> Receiver {
    let (log, mut batches) = (Arc::clone(log), 0);
    Receiver::start(move |request| {
        let reply = match request.line.as_str() {
            "POST /api/v1/agents/enrol" if request.body["token"] == "letmein" => {
                Reply::Json(200, json!({"id": 1, "node": request.body["node"], "token": "own"}))
            }
            _ if request.token.as_deref() != Some("own") => Reply::Json(401, json!({})),
            "POST /api/v1/agent/heartbeat" => Reply::Json(204, json!(null)),
            "POST /api/v1/agent/alerts" => {
                batches += 1;
                take(batches, request.body["alerts"].as_array().unwrap())
            }
            _ => Reply::Json(404, json!({})),
        };
        log.lock().unwrap().push(request);
        reply
    })
}

fn ids(alerts: &[Value]) -> Vec<String> {
    alerts
        .iter()
        .map(|alert| alert["id"].as_str().unwrap().to_owned())
        .collect()
}

/// How many requests of this kind have been answered.
fn count(log: &Mutex<Vec<Request>>, line: &str) -> usize {
    log.lock()
        .unwrap()
        .iter()
        .filter(|request| request.line == line)
        .count()
}

fn to_server(bench: &Bench, receiver: &Receiver, token: Option<&str>) -> OutputOptions {
    OutputOptions {
        server: Some(ServerOptions {
            url: receiver.url.clone(),
            enrolment_token: token.map(str::to_owned),
            ca: None,
            allow_plain: false,
        }),
        ..bench.options()
    }
}

#[test]
fn only_what_a_server_acknowledges_is_settled() {
    let (bench, log) = (Bench::new(), Arc::default());
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&acknowledged);
    let receiver = server(&log, move |batch, alerts| {
        let ids = ids(alerts);
        // It takes half of them, then fails, then rejects one.
        let taken = match batch {
            1 => ids[..ids.len() / 2].to_vec(),
            2 => return Reply::Json(503, json!({})),
            _ => ids[1..].to_vec(),
        };
        let rejected: Vec<Value> = match batch {
            1 => Vec::new(),
            _ => vec![json!({"id": ids[0], "reason": "another node's"})],
        };
        kept.lock().unwrap().extend(taken.clone());
        Reply::Json(200, json!({"acknowledged": taken, "rejected": rejected}))
    });
    let summary = bench.run(40, to_server(&bench, &receiver, Some("letmein")));
    let output = &summary.outputs[0];
    assert_eq!((output.delivered + output.refused, output.waiting), (40, 0));
    assert!(output.refused > 0);
    let acknowledged = acknowledged.lock().unwrap();
    let once: BTreeSet<&String> = acknowledged.iter().collect();
    assert_eq!(
        once.len(),
        acknowledged.len(),
        "what was acknowledged is not sent again"
    );
    assert_eq!(once.len() as u64, output.delivered);
}

#[test]
fn an_agent_enrols_once_keeps_its_token_to_itself_and_says_how_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let (bench, log) = (Bench::new(), Arc::default());
    let receiver = server(&log, |_, alerts| {
        Reply::Json(200, json!({"acknowledged": ids(alerts), "rejected": []}))
    });
    let token = bench.folder.path().join("enrolment");
    fs::write(&token, "letmein\n").unwrap();
    let secret = format!("@{}", token.display());
    assert_eq!(
        bench.run(3, to_server(&bench, &receiver, Some(&secret))).outputs[0].delivered,
        3
    );
    let seen = Arc::clone(&log);
    let has_beaten = move || count(&seen, "POST /api/v1/agent/heartbeat") > 0;
    let summary = bench.run_until(4, to_server(&bench, &receiver, None), has_beaten);
    assert_eq!(summary.outputs[0].delivered, 4);
    let own = bench.folder.path().join("state/server.token");
    assert_eq!(fs::read_to_string(&own).unwrap(), "own");
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(count(&log, "POST /api/v1/agents/enrol"), 1);
    let log = log.lock().unwrap();
    let beat = log
        .iter()
        .find(|request| request.line == "POST /api/v1/agent/heartbeat")
        .unwrap();
    assert_eq!(beat.body["version"], env!("CARGO_PKG_VERSION"));
    assert!(beat.body["containers"].is_array());
}

#[test]
fn a_token_that_the_server_refuses_is_said_and_alerts_wait() {
    let (bench, log) = (Bench::new(), Arc::default());
    let receiver = server(&log, |_, _| {
        Reply::Json(200, json!({"acknowledged": [], "rejected": []}))
    });
    // Whoever asks again has said that it was refused.
    let seen = Arc::clone(&log);
    let has_asked_again = move || count(&seen, "POST /api/v1/agents/enrol") > 1;
    let wrong = OutputOptions {
        pace: Pace {
            drain: Duration::from_millis(600),
            ..PACE
        },
        ..to_server(&bench, &receiver, Some("guess"))
    };
    assert_eq!(bench.run_until(3, wrong, has_asked_again).outputs[0].waiting, 3);
    let notices = bench.notices();
    assert!(
        notices.iter().any(|text| text.contains("enrolment token")),
        "{notices:?}"
    );
    assert!(notices.iter().all(|text| !text.contains("guess")), "{notices:?}");
}

#[test]
fn a_server_that_is_not_there_does_not_hold_up_the_end() {
    let bench = Bench::new();
    let nobody = OutputOptions {
        server: Some(ServerOptions {
            url: "http://127.0.0.1:9".to_owned(),
            enrolment_token: Some("letmein".to_owned()),
            ca: None,
            allow_plain: false,
        }),
        pace: Pace {
            drain: Duration::from_millis(300),
            ..PACE
        },
        ..bench.options()
    };
    let since = std::time::Instant::now();
    assert_eq!(bench.run(3, nobody).outputs[0].waiting, 3);
    assert!(since.elapsed() < PACE.request / 2, "it waited {:?}", since.elapsed());
}
