//! A real server process is killed again and again while agents send alerts: what it acknowledged is there afterwards.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

const ROUNDS: usize = 12;
const SENDERS: usize = 2;
const BATCH: usize = 20;

struct Running {
    child: Child,
    address: SocketAddr,
    password: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: the server gets no chance to write anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples/server")
}

fn start(database: &Path) -> Running {
    let mut child = Command::new(example())
        .arg(database)
        .arg("0")
        .stdout(Stdio::piped())
        .spawn()
        .expect(
            "run `cargo build -p plimsoll-web --example server` first, or all tests: cargo builds examples with them",
        );
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut word = |name: &str| {
        let line = lines.next().expect("the server says where it is").unwrap();
        line.strip_prefix(name).expect(name).trim().to_owned()
    };
    let password = word("password");
    let address = word("address").parse().unwrap();
    Running {
        child,
        address,
        password,
    }
}

/// One request on a connection of its own; `None` when the server is gone before the answer is whole.
fn request(address: SocketAddr, head: &str, headers: &str, body: Option<&Value>) -> Option<(u16, String, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), serde_json::from_str(body).unwrap_or_default()))
}

/// Cookie and CSRF headers of a session.
fn log_in(address: SocketAddr, password: &str) -> String {
    let body = json!({"name": "admin", "password": password});
    let (status, head, me) = request(address, "POST /api/v1/session", "", Some(&body)).unwrap();
    assert_eq!(status, 200, "{me}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    format!(
        "cookie: {cookie}\r\nx-csrf-token: {}\r\n",
        me["csrf_token"].as_str().unwrap()
    )
}

fn enrol(address: SocketAddr, session: &str, node: &str) -> String {
    let (_, _, made) = request(address, "POST /api/v1/enrolment-tokens", session, Some(&json!({}))).unwrap();
    let body = json!({"token": made["token"], "node": node});
    let (_, _, enrolled) = request(address, "POST /api/v1/agents/enrol", "", Some(&body)).unwrap();
    format!("authorization: Bearer {}\r\n", enrolled["token"].as_str().unwrap())
}

fn alert(id: &str) -> Value {
    json!({"schema": "plimsoll.alert/v1", "id": id, "time_ns": 1_000_000_000_u64, "priority": "warning", "rule": "r",
        "summary": "s", "reasons": [], "node": "n", "container_id": null, "container_name": null, "runtime": null, "image": null,
        "pod": null, "phase": null, "process": {"pid": 1, "exe": "/bin/sh", "command_line": "sh", "euid": 0}, "ancestry": [],
        "observed": "x".repeat(500), "expected": [], "executable": null, "techniques": [], "lost_events": 0, "allow": null,
        "follow_ups": [], "count": 1})
}

/// Sends new batches until the server is gone; notes what it acknowledged.
fn send(address: SocketAddr, agent: &str, prefix: &str, acknowledged: &Mutex<BTreeSet<String>>, count: &AtomicUsize) {
    for batch in 0.. {
        let alerts: Vec<Value> = (0..BATCH).map(|n| alert(&format!("{prefix}-{batch}-{n}"))).collect();
        let Some((200, _, answer)) = request(
            address,
            "POST /api/v1/agent/alerts",
            agent,
            Some(&json!({"alerts": alerts})),
        ) else {
            return;
        };
        let ids: Vec<String> = serde_json::from_value(answer["acknowledged"].clone()).unwrap();
        assert_eq!(ids.len(), BATCH, "{answer}");
        count.fetch_add(ids.len(), Ordering::SeqCst);
        acknowledged.lock().unwrap().extend(ids);
    }
}

fn stored(address: SocketAddr, session: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let head = format!("GET /api/v1/alerts?limit=500{cursor}");
        let (status, _, page) = request(address, &head, session, None).unwrap();
        assert_eq!(status, 200, "{page}");
        ids.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[test]
fn no_acknowledged_alert_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("plimsoll.db");
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut server = start(&database);
    let mut session = log_in(server.address, &server.password);
    let body = json!({"current": server.password, "new": "entirely new words"});
    assert_eq!(
        request(server.address, "POST /api/v1/me/password", &session, Some(&body))
            .unwrap()
            .0,
        204
    );
    let agents: Vec<String> = (0..SENDERS)
        .map(|n| enrol(server.address, &session, &format!("node-{n}")))
        .collect();
    for round in 0..ROUNDS {
        let (count, has_ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let goal = BATCH * (1 + round * 2);
        thread::scope(|scope| {
            let senders: Vec<_> = agents
                .iter()
                .enumerate()
                .map(|(n, agent)| {
                    let (address, acknowledged, count) = (server.address, &acknowledged, &count);
                    scope.spawn(move || send(address, agent, &format!("r{round}s{n}"), acknowledged, count))
                })
                .collect();
            // In the middle of a batch, at a different place each round.
            while count.load(Ordering::SeqCst) < goal {
                assert!(!has_ended.load(Ordering::SeqCst));
                has_ended.store(senders.iter().all(|sender| sender.is_finished()), Ordering::SeqCst);
                thread::yield_now();
            }
            server.child.kill().unwrap();
        });
        drop(server);
        server = start(&database);
        if round == 0 {
            session = log_in(server.address, "entirely new words");
        }
    }
    let stored = stored(server.address, &session);
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged.difference(&stored).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged alerts are lost, the first are {:?}",
        lost.len(),
        acknowledged.len(),
        &lost[..lost.len().min(5)]
    );
    assert!(
        acknowledged.len() >= ROUNDS * BATCH,
        "only {} were acknowledged",
        acknowledged.len()
    );
    assert_eq!(stored.len() % BATCH, 0, "a batch is stored as a whole or not at all");
}
