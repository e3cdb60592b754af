//! Attached sensors for a test: waits for events, with a deadline instead of sleeps.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use plimsoll_runtime::{
    raw::{RawEvent, RawKind},
    read::{Eyes, Filter},
    sensor::{Kernel, Needs, Plan, plan},
    snapshot::RawProcess,
};

/// Longest wait for an event that has happened already or is about to.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Watch {
    eyes: Eyes,
    plan: Plan,
    waiting: Vec<RawEvent>,
}

impl Watch {
    /// All needs, the host included; `None` when this machine does not allow it.
    pub(crate) fn everything() -> Option<Self> {
        Self::open(false, None)
    }

    /// All needs, containers only.
    pub(crate) fn containers() -> Option<Self> {
        Self::open(true, None)
    }

    /// All needs and a small ring buffer.
    pub(crate) fn with_ring(bytes: u32) -> Option<Self> {
        Self::open(false, Some(bytes))
    }

    fn open(containers_only: bool, ring_bytes: Option<u32>) -> Option<Self> {
        let kernel = Kernel::probe();
        let plan = plan(&Needs::all(), &kernel);
        if !plan.is_complete() {
            let required = std::env::var_os("PLIMSOLL_REQUIRE_SENSORS").is_some();
            assert!(
                !required,
                "sensors are missing where the test run requires them all:\n{plan}"
            );
            eprintln!("SKIPPED: this machine or user may not attach all sensors:\n{plan}");
            return None;
        }
        let filter = Filter { containers_only };
        let eyes = match ring_bytes {
            Some(bytes) => Eyes::open_with_ring(&plan, &filter, bytes),
            None => Eyes::open(&plan, &filter),
        };
        let eyes = eyes.unwrap_or_else(|error| panic!("failed to {error}"));
        Some(Self {
            eyes,
            plan,
            waiting: Vec::new(),
        })
    }

    /// The next event that `test` accepts; those before it are dropped.
    pub(crate) fn wait_for(&mut self, what: &str, test: impl Fn(&RawEvent) -> bool) -> RawEvent {
        self.collect_until(what, &test, &test)
            .pop()
            .expect("collecting ends with an event")
    }

    /// Events that `keep` accepts, up to and with the first of them that `is_last`.
    pub(crate) fn collect_until(
        &mut self,
        what: &str,
        keep: impl Fn(&RawEvent) -> bool,
        is_last: impl Fn(&RawEvent) -> bool,
    ) -> Vec<RawEvent> {
        let deadline = Instant::now() + DEADLINE;
        let mut kept = Vec::new();
        loop {
            let end = self.waiting.iter().position(|event| keep(event) && is_last(event));
            let length = end.map_or(self.waiting.len(), |index| index + 1);
            kept.extend(self.waiting.drain(..length).filter(|event| keep(event)));
            if end.is_some() {
                return kept;
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not arrive; kept {kept:?}; lost {}",
                self.lost()
            );
            self.eyes
                .next_batch(Duration::from_millis(100), &mut self.waiting)
                .unwrap();
        }
    }

    /// Everything up to and with the first report of a loss.
    pub(crate) fn take_all_until_lost(&mut self) -> Vec<RawEvent> {
        self.collect_until(
            "a report of loss",
            |_| true,
            |event| matches!(event.kind, RawKind::Lost { .. }),
        )
    }

    pub(crate) fn snapshot(&mut self) -> Vec<RawProcess> {
        self.eyes.snapshot().unwrap()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.eyes.lost().total()
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn cgroup_root(&self) -> Option<PathBuf> {
        self.plan.cgroup_root.clone()
    }
}

/// Runs a command to its end, whatever it says; returns the pid that it had.
pub(crate) fn spawn(command: &mut Command) -> u32 {
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    pid
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
