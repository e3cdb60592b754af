//! Outputs against receivers that fail in every way, a real nats-server, and `kill -9`: no alert is lost, each has one id.

// All of it is test code, the functions that tests share too.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use bench::{Bench, PACE, capture, output_options, run};
use plimsoll_rules::RuleSet;
use plimsoll_runtime::{
    agent::{self, Options},
    capture,
    output::{OutputOptions, Pace, ServerOptions},
};
use receiver::{Receiver, Reply, Request};
use serde_json::json;

mod bench;
mod nats;
mod receiver;
mod server;

/// A child of this test is told by it where to work.
const CHILD: &str = "PLIMSOLL_TEST_OUTPUT_FOLDER";

/// Ids that a webhook took.
type Taken = Arc<Mutex<Vec<String>>>;

fn hook_id(request: &Request) -> String {
    request.body["output_fields"]["plimsoll.id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn hook(taken: &Taken, mut reply: impl FnMut(usize) -> Option<Reply> + Send + 'static) -> Receiver {
    let (taken, mut count) = (Arc::clone(taken), 0);
    Receiver::start(move |request| {
        count += 1;
        reply(count).unwrap_or_else(|| {
            taken.lock().unwrap().push(hook_id(&request));
            Reply::Json(200, json!({}))
        })
    })
}

fn set(taken: &Taken) -> BTreeSet<String> {
    taken.lock().unwrap().iter().cloned().collect()
}

fn to_webhook(bench: &Bench, receiver: &Receiver, pace: Pace) -> OutputOptions {
    OutputOptions {
        webhook: Some(format!("{}/alerts", receiver.url)),
        pace,
        ..bench.options()
    }
}

/// All alerts came; gives how often any of them came.
fn check_delivered(bench: &Bench, taken: &Taken, alerts: u64, outputs: OutputOptions) -> usize {
    let summary = bench.run(alerts, outputs);
    assert_eq!((summary.outputs[0].delivered, summary.outputs[0].waiting), (alerts, 0));
    assert_eq!(set(taken), bench.file_ids());
    taken.lock().unwrap().len()
}

#[test]
fn a_webhook_that_fails_gets_every_alert_once() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let receiver = hook(&taken, |count| match count % 6 {
        1 => Some(Reply::Json(500, json!({}))),
        2 => Some(Reply::Drop),
        4 => Some(Reply::Json(429, json!({}))),
        _ => None,
    });
    let count = check_delivered(&bench, &taken, 20, to_webhook(&bench, &receiver, PACE));
    assert_eq!(count, 20, "what was taken is not sent again");
    let notices = bench.notices();
    assert!(
        notices.iter().any(|text| text.contains("does not take alerts")),
        "{notices:?}"
    );
    assert!(notices.iter().any(|text| text.contains("works again")), "{notices:?}");
}

/// What is taken as late as that may be sent again: nobody can tell late from never.
#[test]
fn a_webhook_that_hangs_gets_every_alert() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let receiver = hook(&taken, |count| matches!(count, 3 | 9).then_some(Reply::Hang));
    let pace = Pace {
        request: Duration::from_millis(500),
        ..PACE
    };
    let count = check_delivered(&bench, &taken, 20, to_webhook(&bench, &receiver, pace));
    assert!(count >= 20);
}

#[test]
fn a_webhook_that_is_slow_is_waited_for_alert_by_alert() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let pace = Pace {
        request: Duration::from_millis(600),
        ..PACE
    };
    // All of them take longer than any batch may; each alone does not.
    let receiver = hook(&taken, |_| {
        thread::sleep(Duration::from_millis(150));
        None
    });
    check_delivered(&bench, &taken, 20, to_webhook(&bench, &receiver, pace));
}

#[test]
fn an_alert_that_is_refused_for_its_content_does_not_hold_up_the_others() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let mut poison = None;
    let log = Arc::clone(&taken);
    let receiver = Receiver::start(move |request| {
        let id = hook_id(&request);
        if *poison.get_or_insert_with(|| id.clone()) == id {
            return Reply::Json(422, json!({}));
        }
        log.lock().unwrap().push(id);
        Reply::Json(204, json!({}))
    });
    let summary = bench.run(
        5,
        OutputOptions {
            webhook: Some(receiver.url.clone()),
            ..bench.options()
        },
    );
    let output = &summary.outputs[0];
    assert_eq!((output.delivered, output.refused, output.waiting), (4, 1, 0));
    assert!(
        bench.notices().iter().any(|text| text.contains("refuses 1 alerts")),
        "{:?}",
        bench.notices()
    );
}

#[test]
fn a_dead_output_holds_up_no_other_and_its_alerts_wait_for_the_next_start() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let receiver = hook(&taken, |_| None);
    let dead = OutputOptions {
        webhook: Some(receiver.url.clone()),
        // Nobody listens there.
        nats: Some("nats://127.0.0.1:9".to_owned()),
        pace: Pace {
            drain: Duration::from_millis(500),
            ..PACE
        },
        ..bench.options()
    };
    let seen = Arc::clone(&taken);
    let summary = bench.run_until(10, dead, move || set(&seen).len() == 10);
    assert_eq!(
        set(&taken),
        bench.file_ids(),
        "the other output waited for the dead one"
    );
    let nats = summary.outputs.iter().find(|output| output.name == "nats").unwrap();
    assert_eq!((nats.delivered, nats.waiting), (0, 10));
}

#[test]
fn addresses_that_would_leak_or_cannot_work_are_refused() {
    let bench = Bench::new();
    let path = bench.folder.path().join("capture");
    capture(&path, 1);
    let server = |url: &str| OutputOptions {
        server: Some(ServerOptions {
            url: url.to_owned(),
            enrolment_token: Some("x".to_owned()),
            ca: None,
            allow_plain: false,
        }),
        ..bench.options()
    };
    let webhook = |url: &str| OutputOptions {
        webhook: Some(url.to_owned()),
        ..bench.options()
    };
    for (outputs, expected) in [
        (server("http://192.0.2.1"), "plain http"),
        (server("nonsense"), "address"),
        (webhook("ftp://user:hunter2@host/"), "scheme"),
        (webhook("@/nowhere"), "/nowhere"),
    ] {
        let options = Options {
            images: bench.folder.path().to_owned(),
            pull: None,
            rules: RuleSet::default(),
            node: None,
            enforcement: None,
            record: None,
            logbook: None,
            sinks: Vec::new(),
            outputs: Some(outputs),
            notice: Box::new(|_| {}),
        };
        let error = agent::replay(options, &capture::Recorded::new(&path))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}

/// Runs in a child of the next test, which kills it.
#[test]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let dead = OutputOptions {
        webhook: Some("http://127.0.0.1:9/".to_owned()),
        ..output_options(&folder)
    };
    run(&folder, 4_000, dead, &Arc::default(), Vec::new());
}

#[test]
fn kill_9_under_load_with_a_dead_output_loses_nothing_that_was_told() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed"])
        .env(CHILD, bench.folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while bench.file_ids().len() < 300 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        assert!(since.elapsed() < Duration::from_secs(60), "it tells nothing");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let told = bench.file_ids();
    let receiver = hook(&taken, |_| None);
    let summary = bench.run(
        0,
        OutputOptions {
            webhook: Some(receiver.url.clone()),
            ..bench.options()
        },
    );
    assert_eq!((summary.outputs[0].lost, summary.outputs[0].waiting), (0, 0));
    let taken = set(&taken);
    let missing: Vec<&String> = told.difference(&taken).collect();
    assert!(missing.is_empty(), "{} of {} are missing", missing.len(), told.len());
}
