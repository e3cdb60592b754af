//! Outputs against receivers that fail in every way, a real nats-server, and `kill -9`: no alert is lost, each has one id.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::BufRead as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use plimsoll_model::{Container, ContainerRuntime, Credentials, SocketAddress, Transport};
use plimsoll_rules::{RuleFile, RuleSet};
use plimsoll_runtime::{
    agent::{self, Options, Summary},
    capture::{Item, VERSION, Writer},
    output::{OutputOptions, Pace, ServerOptions},
    raw::{RawEvent, RawKind, RawTask},
    sink::{self, SinkOptions},
};
use receiver::{Receiver, Reply, Request};
use serde_json::{Value, json};

mod receiver;

const PACE: Pace = Pace {
    first_retry: Duration::from_millis(10),
    longest_retry: Duration::from_millis(50),
    request: Duration::from_millis(400),
    heartbeat: Duration::from_millis(50),
    drain: Duration::from_secs(20),
    ..Pace::NORMAL
};
const RULE: &str =
    "- rule: dials out\n  desc: a test\n  condition: evt.type = connect\n  output: dials out\n  priority: WARNING\n";
/// A child of this test is told by it where to work.
const CHILD: &str = "PLIMSOLL_TEST_OUTPUT_FOLDER";

fn task(number: u64) -> RawTask {
    let pid = 1_000 + i32::try_from(number).unwrap();
    RawTask {
        pid,
        tid: pid,
        start_time_ns: number + 1,
        container_pid: 1,
        mount_namespace: 77,
        cgroup_id: 100 + number,
        credentials: Credentials::default(),
        comm: "redis".to_owned(),
        ..RawTask::nobody()
    }
}

fn container(number: u64) -> Container {
    Container {
        id: format!("container-{number}"),
        name: format!("c{number}"),
        runtime: ContainerRuntime::Podman,
        image: None,
        cgroup_id: 100 + number,
        cgroup_path: String::new(),
        init_pid: 0,
        privileged: None,
        pod: None,
    }
}

/// A capture in which so many containers dial out: one alert each.
fn capture(path: &Path, alerts: u64) {
    let mut writer = Writer::new(File::create(path).unwrap()).unwrap();
    let start = Item::Start {
        version: VERSION,
        boot_id: "boot".to_owned(),
        boot_offset_ns: 1_700_000_000_000_000_000,
        node: "node".to_owned(),
    };
    writer.write(&start).unwrap();
    for number in 0..alerts {
        writer.write(&Item::Container(container(number))).unwrap();
    }
    for number in 0..alerts {
        let address = SocketAddress {
            ip: "192.0.2.1".parse().unwrap(),
            port: 4444,
        };
        let event = RawEvent {
            time_ns: 1_000_000_000 + number * 1_000_000,
            cpu: 0,
            task: task(number),
            kind: RawKind::Connect {
                address,
                transport: Transport::Tcp,
            },
        };
        writer.write(&Item::Event(event)).unwrap();
    }
    writer.flush().unwrap();
}

struct Bench {
    folder: tempfile::TempDir,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            notices: Arc::default(),
        }
    }

    fn options(&self) -> OutputOptions {
        output_options(self.folder.path())
    }

    /// Replays so many alerts into these outputs.
    fn run(&self, alerts: u64, outputs: OutputOptions) -> Summary {
        run(self.folder.path(), alerts, outputs, &self.notices)
    }

    fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap().clone()
    }

    fn file_ids(&self) -> BTreeSet<String> {
        file_ids(self.folder.path())
    }
}

fn output_options(folder: &Path) -> OutputOptions {
    OutputOptions {
        state: folder.join("state"),
        server: None,
        webhook: None,
        nats: None,
        nats_subject: "plimsoll.alerts".to_owned(),
        updates: false,
        pace: PACE,
    }
}

fn run(folder: &Path, alerts: u64, outputs: OutputOptions, notices: &Arc<Mutex<Vec<String>>>) -> Summary {
    let path = folder.join(format!("capture-{alerts}"));
    capture(&path, alerts);
    let file = SinkOptions {
        explain: false,
        updates: false,
        path: Some(folder.join("alerts.jsonl")),
    };
    let files = [RuleFile {
        name: "test.yaml".to_owned(),
        text: RULE.to_owned(),
    }];
    let notices = Arc::clone(notices);
    let options = Options {
        images: folder.join("images"),
        rules: RuleSet::load(&files).unwrap().rules,
        node: None,
        record: None,
        sinks: vec![sink::find("file").unwrap().open(&file).unwrap()],
        outputs: Some(outputs),
        notice: Box::new(move |text| notices.lock().unwrap().push(text.to_owned())),
    };
    agent::replay(options, &path).unwrap()
}

fn file_ids(folder: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join("alerts.jsonl")).unwrap_or_default();
    // The last line may be half when the writer was killed.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

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

#[test]
fn a_webhook_that_fails_in_every_way_gets_every_alert() {
    let (bench, taken) = (Bench::new(), Taken::default());
    let receiver = hook(&taken, |count| match count % 6 {
        1 => Some(Reply::Json(500, json!({}))),
        2 => Some(Reply::Drop),
        3 if count < 10 => Some(Reply::Hang),
        4 => Some(Reply::Json(429, json!({}))),
        _ => None,
    });
    let summary = bench.run(
        20,
        OutputOptions {
            webhook: Some(format!("{}/alerts", receiver.url)),
            ..bench.options()
        },
    );
    assert_eq!((summary.outputs[0].delivered, summary.outputs[0].waiting), (20, 0));
    assert_eq!(set(&taken), bench.file_ids());
    assert_eq!(taken.lock().unwrap().len(), 20, "what was taken is not sent again");
    let notices = bench.notices();
    assert!(
        notices.iter().any(|text| text.contains("does not take alerts")),
        "{notices:?}"
    );
    assert!(notices.iter().any(|text| text.contains("works again")), "{notices:?}");
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
    let summary = bench.run(10, dead);
    let by_name = |name| summary.outputs.iter().find(|output| output.name == name).unwrap();
    assert_eq!((by_name("webhook").delivered, by_name("webhook").waiting), (10, 0));
    assert_eq!((by_name("nats").delivered, by_name("nats").waiting), (0, 10));
}

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
    assert_eq!(bench.run(4, to_server(&bench, &receiver, None)).outputs[0].delivered, 4);
    let own = bench.folder.path().join("state/server.token");
    assert_eq!(fs::read_to_string(&own).unwrap(), "own");
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    let log = log.lock().unwrap();
    let count = |line: &str| log.iter().filter(|request| request.line == line).count();
    assert_eq!(count("POST /api/v1/agents/enrol"), 1);
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
    let wrong = OutputOptions {
        pace: Pace {
            drain: Duration::from_millis(600),
            ..PACE
        },
        ..to_server(&bench, &receiver, Some("guess"))
    };
    assert_eq!(bench.run(3, wrong).outputs[0].waiting, 3);
    let notices = bench.notices();
    assert!(
        notices.iter().any(|text| text.contains("enrolment token")),
        "{notices:?}"
    );
    assert!(notices.iter().all(|text| !text.contains("guess")), "{notices:?}");
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
            rules: RuleSet::default(),
            node: None,
            record: None,
            sinks: Vec::new(),
            outputs: Some(outputs),
            notice: Box::new(|_| {}),
        };
        let error = agent::replay(options, &path).unwrap_err().to_string();
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
    run(&folder, 4_000, dead, &Arc::default());
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

struct Nats {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Nats {
    /// `None` where there is no nats-server.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("nats-server")
            .args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            eprintln!("SKIPPED: there is no nats-server here");
            return None;
        };
        let mut port = None;
        let log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("client connections on 127.0.0.1:") {
                port = Some(rest.to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            url: format!("nats://127.0.0.1:{}", port.expect("it says where it listens")),
            _folder: folder,
        })
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_nats_server_stores_each_alert_once_however_often_it_is_sent() {
    let Some(nats) = Nats::start() else { return };
    let bench = Bench::new();
    let options = || OutputOptions {
        nats: Some(nats.url.clone()),
        ..bench.options()
    };
    assert_eq!(bench.run(50, options()).outputs[0].delivered, 50);
    // As after a crash that lost the cursor: all is sent again.
    fs::write(bench.folder.path().join("state/spool/nats.cursor"), "damaged").unwrap();
    assert_eq!(bench.run(0, options()).outputs[0].delivered, 50);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let messages = runtime.block_on(async {
        let client = async_nats::connect(&nats.url).await.unwrap();
        let stream = async_nats::jetstream::new(client);
        let stream = stream.get_stream("PLIMSOLL_ALERTS").await.unwrap();
        stream.cached_info().state.messages
    });
    assert_eq!(messages, 50);
}
