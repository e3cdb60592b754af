//! Mixes of made-up kernel events, in the proportions of real machines: what benchmarks and properties feed to rules.
//!
//! A mix is the same on every machine: it is drawn from the tables below by a fixed sequence of numbers.

use std::{collections::HashMap, sync::Arc};

use plimsoll_model::Event;
use serde_json::{Value, json};

use crate::scenario::Sketch;

/// What happens how often, in parts of a hundred: exec, fork, exit, open for reading, open for writing, connect, bind,
/// listen.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Name for people.
    pub name: &'static str,
    parts: [usize; 8],
}

/// The mixes there are: a node on which services run and jobs start, and one that mostly opens files.
pub const ALL: [Mix; 2] = [
    Mix {
        name: "mixed",
        parts: [14, 15, 15, 34, 12, 8, 1, 1],
    },
    Mix {
        name: "open-heavy",
        parts: [2, 2, 2, 72, 20, 2, 0, 0],
    },
];

/// Executable, arguments, ancestors nearest first.
type Program = (&'static str, &'static [&'static str], &'static [&'static str]);

const PROGRAMS: [Program; 16] = [
    (
        "/usr/bin/redis-server",
        &["redis-server", "*:6379"],
        &["/usr/bin/conmon", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/sbin/nginx",
        &["nginx: worker process"],
        &["/usr/sbin/nginx", "/usr/bin/conmon", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/lib/postgresql/15/bin/postgres",
        &["postgres: checkpointer"],
        &["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/conmon"],
    ),
    (
        "/usr/bin/python3.11",
        &["python3", "/srv/app/manage.py", "runserver", "--noreload"],
        &[
            "/usr/bin/dash",
            "/usr/bin/containerd-shim-runc-v2",
            "/usr/lib/systemd/systemd",
        ],
    ),
    (
        "/usr/bin/node",
        &["node", "--max-old-space-size=512", "dist/server.js"],
        &["/usr/bin/npm", "/usr/bin/containerd-shim-runc-v2"],
    ),
    (
        "/opt/java/openjdk/bin/java",
        &[
            "java",
            "-Xmx512m",
            "-Dspring.profiles.active=prod",
            "-jar",
            "/app/app.jar",
        ],
        &["/usr/bin/containerd-shim-runc-v2", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/bin/dash",
        &["sh", "-c", "redis-cli ping | grep -q PONG"],
        &["/usr/bin/conmon", "/usr/bin/podman", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/bin/grep",
        &["grep", "-q", "PONG"],
        &["/usr/bin/dash", "/usr/bin/conmon", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/lib/systemd/systemd-journald",
        &["systemd-journald"],
        &["/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/bin/kubelet",
        &["kubelet", "--config=/var/lib/kubelet/config.yaml", "--node-ip=10.0.0.7"],
        &["/usr/lib/systemd/systemd"],
    ),
    ("/usr/bin/containerd", &["containerd"], &["/usr/lib/systemd/systemd"]),
    ("/usr/sbin/cron", &["cron", "-f"], &["/usr/lib/systemd/systemd"]),
    (
        "/usr/bin/run-parts",
        &["run-parts", "--report", "/etc/cron.hourly"],
        &["/usr/bin/dash", "/usr/sbin/cron", "/usr/lib/systemd/systemd"],
    ),
    (
        "/usr/bin/gcc-12",
        &[
            "gcc",
            "-O2",
            "-Wall",
            "-Iinclude",
            "-c",
            "src/main.c",
            "-o",
            "build/main.o",
        ],
        &["/usr/bin/make", "/usr/bin/bash", "/usr/bin/sshd", "/usr/bin/sshd"],
    ),
    (
        "/usr/bin/git",
        &["git", "status", "--porcelain"],
        &[
            "/usr/bin/bash",
            "/usr/bin/tmux",
            "/usr/bin/bash",
            "/usr/sbin/sshd",
            "/usr/lib/systemd/systemd",
        ],
    ),
    (
        "/usr/bin/date",
        &["date", "+%s"],
        &[
            "/usr/bin/bash",
            "/usr/bin/containerd-shim-runc-v2",
            "/usr/lib/systemd/systemd",
        ],
    ),
];

/// Programs of [`PROGRAMS`] from here to [`IN_CONTAINERS_AGAIN`] run on the host.
const ON_HOST: usize = 8;
const IN_CONTAINERS_AGAIN: usize = 15;

const READ: [&str; 24] = [
    "/etc/ld.so.cache",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libpthread.so.0",
    "/usr/lib/x86_64-linux-gnu/libssl.so.3",
    "/etc/localtime",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/proc/self/stat",
    "/proc/meminfo",
    "/proc/1234/cgroup",
    "/sys/fs/cgroup/cpu.max",
    "/sys/devices/system/cpu/online",
    "/usr/share/zoneinfo/UTC",
    "/srv/app/templates/index.html",
    "/srv/app/__pycache__/views.cpython-311.pyc",
    "/app/node_modules/express/lib/router/index.js",
    "/usr/share/nginx/html/index.html",
    "/var/lib/postgresql/data/base/16384/2619",
    "/home/build/src/include/config.h",
    "/home/build/src/.git/index",
    "/usr/lib/locale/locale-archive",
    "/dev/urandom",
];

const WRITTEN: [&str; 14] = [
    "/dev/null",
    "/var/log/nginx/access.log",
    "/var/log/journal/8a2c/system.journal",
    "/var/lib/postgresql/data/pg_wal/000000010000000000000001",
    "/var/lib/postgresql/data/base/pgsql_tmp/pgsql_tmp12.0",
    "/data/temp-12.rdb",
    "/data/appendonly.aof",
    "/tmp/upload-8f31.part",
    "/tmp/ccXb12aQ.s",
    "/home/build/src/build/main.o",
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io/a1b2/log.json",
    "/var/lib/kubelet/pods/11aa/volumes/data/state",
    "/srv/app/media/cache/1.jpg",
    "/proc/self/oom_score_adj",
];

const PEERS: [&str; 6] = [
    "10.0.0.5:5432",
    "10.96.0.1:443",
    "127.0.0.1:6379",
    "192.168.3.20:9092",
    "203.0.113.10:443",
    "[fd00::12]:8080",
];

/// Draws numbers: 64-bit linear congruential (Knuth, MMIX), upper half.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

impl Mix {
    /// So many events. Events of one process share it and its container, as the agent's events do.
    pub fn events(&self, count: usize) -> Vec<Event> {
        let mut numbers = Numbers(42);
        let mut processes = HashMap::new();
        (1..)
            .take(count)
            .map(|sequence| {
                let mut event = self.event(&mut numbers, &mut processes);
                event.sequence = sequence;
                event.time_ns += sequence * 1000;
                event
            })
            .collect()
    }

    fn event(&self, numbers: &mut Numbers, processes: &mut HashMap<(usize, usize), Event>) -> Event {
        let mut left = numbers.below(100);
        let kind = self.parts.iter().position(|part| {
            let is_here = left < *part;
            left = left.saturating_sub(*part);
            is_here
        });
        let index = numbers.below(PROGRAMS.len());
        let instance = numbers.below(INSTANCES);
        let more = match kind {
            None | Some(0) => json!({"event": "exec"}),
            Some(1) => json!({"event": "fork"}),
            Some(2) => json!({"event": "exit"}),
            Some(3) => json!({"event": "open", "path": numbers.one(&READ), "flags": 0o2_000_000}),
            Some(4) => {
                let (access, flags, created) = numbers.one(&[
                    ("write", 0o2101, true),
                    ("write", 0o1101, false),
                    ("read_write", 0o2, false),
                ]);
                json!({"event": "open", "path": numbers.one(&WRITTEN), "access": access, "flags": flags, "created": created})
            }
            Some(5) => json!({"event": "connect", "address": numbers.one(&PEERS)}),
            Some(6) => json!({"event": "bind", "address": "0.0.0.0:8080"}),
            Some(_) => json!({"event": "listen", "address": "0.0.0.0:8080"}),
        };
        let mut event = sketched(index, more);
        let first = processes.entry((index, instance)).or_insert_with(|| event.clone());
        event.process = Arc::clone(&first.process);
        event.container.clone_from(&first.container);
        event
    }
}

/// Processes of each program.
const INSTANCES: usize = 16;

/// An event of one of [`PROGRAMS`].
fn sketched(program: usize, what: Value) -> Event {
    let (exe, args, parents) = PROGRAMS[program];
    let is_host = (ON_HOST..IN_CONTAINERS_AGAIN).contains(&program);
    let mut sketch = json!({
        "exe": exe, "args": args, "parents": parents, "host": is_host, "uid": if is_host { 0 } else { 999 },
        "phase": "serving", "profile": !is_host,
    });
    if let (Value::Object(sketch), Value::Object(what)) = (&mut sketch, what) {
        sketch.extend(what);
    }
    let sketch: Sketch = serde_json::from_value(sketch).expect("the tables hold sketches");
    sketch.event().expect("the tables hold whole sketches")
}
