//! Refusals that outlive the agent, with a real one and a real server: killed with SIGKILL, it neither sets the workload
//! free nor holds it up; the next agent takes over; one that is not to enforce ends them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use plimsoll_tests::{
    agent::Agent,
    command,
    container::{self, Container},
    machine,
};

const TEST: &str = "refusals_outlive_a_killed_agent_and_the_next_one_takes_over";
/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(120);
/// TEST-NET-1 (RFC 5737): in a container without a network nobody gets there, for another reason.
const FOREIGN: &str = "192.0.2.1";

/// A BPF file system where pins are kept, as systemd mounts it; taken off again if it was not there.
struct BpfFileSystem {
    is_ours: bool,
}

impl BpfFileSystem {
    fn mounted() -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let is_ours = !mounts.lines().any(|line| line.split(' ').nth(1) == Some("/sys/fs/bpf"));
        if is_ours {
            let status = Command::new("mount")
                .args(["-t", "bpf", "none", "/sys/fs/bpf"])
                .status();
            assert!(status.unwrap().success());
        }
        Self { is_ours }
    }
}

impl Drop for BpfFileSystem {
    fn drop(&mut self) {
        let _ = command::plimsoll()
            .args(["agent", "release"])
            .stdout(Stdio::null())
            .status();
        if self.is_ours {
            let _ = Command::new("umount").arg("/sys/fs/bpf").status();
        }
    }
}

/// redis, asked to become the replica of somebody it has no business with: it tries again each second.
struct Server(Container);

impl Server {
    fn start() -> Self {
        let server = Self(Container::start("redis", &[], &[]).unwrap());
        server.0.wait_for(&["redis-cli", "PING"], "PONG").unwrap();
        server
    }

    fn dial_out(&self) {
        self.0.beside(&["redis-cli", "REPLICAOF", FOREIGN, "6379"]).unwrap();
    }

    /// How often it said that it could not connect, and for which of two reasons: refused, no network.
    fn outcomes(&self) -> (usize, usize) {
        let output = container::podman().args(["logs", &self.0.id]).output().unwrap();
        let log = [output.stdout, output.stderr].concat();
        let log = String::from_utf8_lossy(&log).into_owned();
        let count = |reason: &str| {
            let wanted = format!("Unable to connect to MASTER: {reason}");
            log.matches(&wanted).count()
        };
        (count("Operation not permitted"), count("Network is unreachable"))
    }

    /// Waits for two more attempts that end one way, and gives how many ended the other way meanwhile.
    fn wait_for(&self, what: &str, wanted: fn((usize, usize)) -> usize, other: fn((usize, usize)) -> usize) -> usize {
        let before = self.outcomes();
        let deadline = Instant::now() + LIMIT;
        loop {
            // It serves meanwhile: nobody holds it up.
            assert_eq!(self.0.beside(&["redis-cli", "PING"]).unwrap(), "PONG", "{what}");
            let now = self.outcomes();
            if wanted(now) >= wanted(before) + 2 {
                return other(now) - other(before);
            }
            assert!(Instant::now() < deadline, "{what}: {before:?} became {now:?}");
        }
    }
}

fn refused(outcomes: (usize, usize)) -> usize {
    outcomes.0
}

fn unreachable(outcomes: (usize, usize)) -> usize {
    outcomes.1
}

fn enforcing(images: &Path) -> Agent {
    let options = [
        "--enforce",
        "enforce",
        "--enforce-confidence",
        "b",
        "--enforce-stays",
        "--images",
    ];
    Agent::start(options.map(Path::new).into_iter().chain([images])).unwrap()
}

fn kill(agent: &Agent) {
    agent.signal("KILL").unwrap();
}

#[test]
fn refusals_outlive_a_killed_agent_and_the_next_one_takes_over() {
    if let Some(reason) = machine::why_no_bpf().or_else(container::why_no_images) {
        return machine::say_skipped(TEST, &reason);
    }
    let _pins = BpfFileSystem::mounted();
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path();
    let archive = container::demo_folder().join("images/redis.docker.tar");
    let report = format!("json={}", images.join("redis.json").display());
    let scan = command::scan(&format!("docker-archive:{}", archive.display()), &["--output", &report]);
    assert_eq!(scan.code, Some(0), "{scan:?}");
    let server = Server::start();
    let agent = enforcing(images);
    server.dial_out();
    let alert = agent.next_alert(&server.0.id).unwrap();
    assert_eq!(alert.rule, "unexpected-connect");
    assert!(serde_json::to_string(&alert).unwrap().contains("refused"), "{alert:?}");
    assert_eq!(server.wait_for("with the agent", refused, unreachable), 0);

    kill(&agent);
    drop(agent);
    assert_eq!(server.wait_for("after SIGKILL", refused, unreachable), 0);

    let next = enforcing(images);
    let alert = next.next_alert(&server.0.id).unwrap();
    assert_eq!(alert.rule, "unexpected-connect", "the next agent tells of it again");
    // Ten seconds after its start only the next one's programs are left.
    let pinned = format!("_{}_", next.pid());
    let deadline = Instant::now() + LIMIT;
    let are_its_own = || {
        let names = std::fs::read_dir("/sys/fs/bpf/plimsoll").unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .all(|name| name.contains(&pinned))
    };
    while !are_its_own() {
        assert!(Instant::now() < deadline, "the first agent's programs are still there");
        assert_eq!(server.wait_for("while it takes over", refused, unreachable), 0);
    }
    assert_eq!(server.wait_for("after it took over", refused, unreachable), 0);
    kill(&next);
    drop(next);

    let last = Agent::start([Path::new("--images"), images]).unwrap();
    server.wait_for("with an agent that does not enforce", unreachable, refused);
    assert_eq!(server.wait_for("ever after", unreachable, refused), 0);
    drop(last);
}
