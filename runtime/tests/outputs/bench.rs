//! Captures with as many alerts as a test wants, replayed into outputs.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use plimsoll_model::{Alert, Container, ContainerRuntime, Credentials, SocketAddress, Transport};
use plimsoll_rules::{RuleFile, RuleSet};
use plimsoll_runtime::{
    agent::{self, Options, Summary},
    capture::{Item, Recorded, VERSION, Writer},
    output::{OutputOptions, Pace},
    raw::{RawEvent, RawKind, RawTask},
    sink::{self, Sink, SinkOptions},
};
use serde_json::Value;

/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(120);
/// Tries follow each other fast, and nobody who works is given up, however slow the machine is. A test in which somebody
/// never answers shortens what it waits for.
pub(crate) const PACE: Pace = Pace {
    first_retry: Duration::from_millis(10),
    longest_retry: Duration::from_millis(50),
    request: LIMIT,
    heartbeat: Duration::from_millis(50),
    drain: LIMIT,
    ..Pace::NORMAL
};
pub(crate) const RULE: &str =
    "- rule: dials out\n  desc: a test\n  condition: evt.type = connect\n  output: dials out\n  priority: WARNING\n";
pub(crate) fn task(number: u64) -> RawTask {
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

pub(crate) fn container(number: u64) -> Container {
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
        details: plimsoll_model::ContainerDetails::default(),
    }
}

/// A capture in which so many containers dial out: one alert each.
pub(crate) fn capture(path: &Path, alerts: u64) {
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

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            notices: Arc::default(),
        }
    }

    pub(crate) fn options(&self) -> OutputOptions {
        output_options(self.folder.path())
    }

    /// Replays so many alerts into these outputs.
    pub(crate) fn run(&self, alerts: u64, outputs: OutputOptions) -> Summary {
        run(self.folder.path(), alerts, outputs, &self.notices, Vec::new())
    }

    /// The same, and the agent does not begin to end before `happened` says that what is waited for has come about.
    pub(crate) fn run_until(
        &self,
        alerts: u64,
        outputs: OutputOptions,
        happened: impl Fn() -> bool + Send + 'static,
    ) -> Summary {
        let hold: Box<dyn Sink> = Box::new(Hold(happened));
        run(self.folder.path(), alerts, outputs, &self.notices, vec![hold])
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap().clone()
    }

    pub(crate) fn file_ids(&self) -> BTreeSet<String> {
        file_ids(self.folder.path())
    }
}

/// A sink that takes its time: a replay waits for its sinks.
struct Hold<F>(F);

impl<F: Fn() -> bool + Send> Sink for Hold<F> {
    fn alert(&mut self, _: &Alert) -> io::Result<()> {
        let since = Instant::now();
        while !(self.0)() {
            if since.elapsed() > LIMIT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::yield_now();
        }
        Ok(())
    }
}

pub(crate) fn output_options(folder: &Path) -> OutputOptions {
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

pub(crate) fn run(
    folder: &Path,
    alerts: u64,
    outputs: OutputOptions,
    notices: &Arc<Mutex<Vec<String>>>,
    more_sinks: Vec<Box<dyn Sink>>,
) -> Summary {
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
    let mut sinks = vec![sink::find("file").unwrap().open(&file).unwrap()];
    sinks.extend(more_sinks);
    let options = Options {
        images: folder.join("images"),
        pull: None,
        rules: RuleSet::load(&files).unwrap().rules,
        node: None,
        enforcement: None,
        record: None,
        logbook: None,
        sinks,
        outputs: Some(outputs),
        notice: Box::new(move |text| notices.lock().unwrap().push(text.to_owned())),
    };
    agent::replay(options, &Recorded::new(&path)).unwrap()
}

pub(crate) fn file_ids(folder: &Path) -> BTreeSet<String> {
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
