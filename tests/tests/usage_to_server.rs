//! What an image's containers use, from a real agent over a real server's API: what one run of the agent has written down is
//! told by the next one as soon as it is up.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use plimsoll_tests::{
    agent::Agent,
    command,
    container::{self, Container},
    machine,
};
use serde_json::Value;

const TEST: &str = "what_containers_use_is_told_to_a_server";
const NODE: &str = "node-of-this-test";
/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(120);

/// `plimsoll serve` on a port that the system chose; killed when dropped.
struct Server {
    child: Child,
    address: String,
    data: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let data = data.display().to_string();
        let mut child = command::plimsoll()
            .args(["serve", "--listen", "127.0.0.1:0", "--skip-scan-queue", "--data", &data])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = lines.map_while(Result::ok);
        let address = said.find_map(|line| Some(line.strip_prefix("listening on http://")?.to_owned()));
        let address = address.expect("it says where it listens");
        Self { child, address, data }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn token(&self, arguments: &[&str]) -> String {
        let made = command::run(["token", "--data", &self.data].iter().chain(arguments));
        assert_eq!(made.code, Some(0), "{made:?}");
        made.stdout.trim().to_owned()
    }

    /// The body of an answer that is well; `None` for any other answer.
    fn get(&self, path: &str, token: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("GET /api/v1{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        write!(stream, "{head}authorization: Bearer {token}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        head.starts_with("HTTP/1.1 200 ")
            .then(|| serde_json::from_str(body).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is our own child; there is nobody to tell when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_containers_use_is_told_to_a_server() {
    if let Some(reason) = machine::why_no_bpf().or_else(container::why_no_images) {
        return machine::say_skipped(TEST, &reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(at("images")).unwrap();
    let server = Server::start(&folder.path().join("data"));
    let operator = server.token(&["api", "test"]);

    // The image is scanned, for the agent and for the server.
    let archive = container::demo_folder().join("images/redis.docker.tar");
    let report = at("images/redis.json");
    let scan = command::plimsoll()
        .args(["scan", "--skip-vulnerabilities", "--server", &server.url(), "--output"])
        .arg(format!("json={report}"))
        .arg(format!("docker-archive:{}", archive.display()))
        .env("PLIMSOLL_TOKEN", &operator)
        .output()
        .unwrap();
    assert!(scan.status.success(), "{scan:?}");
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let path = format!("/images/{}/usage", report["image"]["config_digest"].as_str().unwrap());
    assert_eq!(server.get(&path, &operator), None, "nobody has used it yet");

    let agent = |more: &[&str]| {
        let (images, state, run, usage) = (at("images"), at("state"), at("run"), at("use.json"));
        let url = server.url();
        let own = [
            "--images", &images, "--state", &state, "--run", &run, "--usage", &usage, "--node", NODE, "--server", &url,
        ];
        Agent::start(own.iter().chain(more)).unwrap()
    };
    let first = agent(&["--enrolment-token", &server.token(&["enrolment"])]);
    let redis = Container::start("redis", &[], &[]).unwrap();
    // A session is a deviation. When it is told, what the container began with has been written down.
    redis.exec(&["true"]).unwrap();
    first.next_alert(&redis.id).unwrap();
    first.stop().unwrap();

    let _next = agent(&[]);
    let deadline = Instant::now() + LIMIT;
    let told = loop {
        if let Some(told) = server.get(&path, &operator) {
            break told;
        }
        assert!(Instant::now() < deadline, "the server was never told");
    };
    assert_eq!(told["nodes"][0]["node"], NODE, "{}", told["nodes"]);
    // The image's entrypoint is a script, and redis-server a link to a file of another package.
    let packages = told["packages"].as_array().unwrap();
    for name in ["dash", "redis-tools"] {
        let row = packages.iter().find(|row| row["name"] == name).unwrap();
        assert!(row["executed"].as_u64().unwrap() >= 1, "{row}");
    }
    assert!(
        packages.iter().any(|row| row["rung"] == "present"),
        "what is not used is listed, too"
    );
}
