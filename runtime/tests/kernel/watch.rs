//! Attached sensors for a test: waits for events, with a deadline instead of sleeps.

use std::{
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

use plimsoll_rules::{Environment, EventNeeds, ReadPaths, RuleFile, RuleSet};
use plimsoll_runtime::{
    enforce::{Instead, Tables},
    raw::{RawEvent, RawKind},
    read::{Eyes, Filter, GuardOptions, boot_time_ns},
    sensor::{Kernel, Needs, Plan, plan},
    snapshot::RawProcess,
};

/// Longest wait for an event that has happened already or is about to.
const DEADLINE: Duration = Duration::from_secs(20);

/// Probed once: its types take long to read, above all in an emulated machine.
static KERNEL: LazyLock<Kernel> = LazyLock::new(Kernel::probe);

pub(crate) struct Watch {
    eyes: Eyes,
    plan: Plan,
    waiting: Vec<RawEvent>,
}

impl Watch {
    /// The standing needs, the host included; `None` when this machine does not allow it.
    pub(crate) fn everything() -> Option<Self> {
        Self::open(&Needs::wanted_by(EventNeeds::default()), &filter(false), None)
    }

    /// The standing needs, containers only.
    pub(crate) fn containers() -> Option<Self> {
        Self::open(&Needs::wanted_by(EventNeeds::default()), &filter(true), None)
    }

    /// The standing needs and a small ring buffer.
    pub(crate) fn with_ring(bytes: u32) -> Option<Self> {
        Self::open(&Needs::wanted_by(EventNeeds::default()), &filter(false), Some(bytes))
    }

    /// What these rules want, and no more.
    pub(crate) fn for_rules(conditions: &[&str]) -> Option<Self> {
        let rules = rules(conditions);
        Self::open(&Needs::wanted_by(rules.wants()), &Filter::for_rules(&rules), None)
    }

    /// The standing needs, the host included, with tables of policies.
    pub(crate) fn guarded(told_names: &[String], outlives_agent: bool) -> Option<(Self, Tables)> {
        let plan = Self::plan_of(&Needs::wanted_by(EventNeeds::default()))?;
        let options = GuardOptions {
            told_names,
            refuse: Some(Instead::Kill),
            outlives_agent,
        };
        let (eyes, tables) =
            Eyes::open_guarded(&plan, &filter(false), &options).unwrap_or_else(|error| panic!("failed to {error}"));
        let watch = Self {
            eyes,
            plan,
            waiting: Vec::new(),
        };
        Some((watch, tables))
    }

    fn open(needs: &Needs, filter: &Filter, ring_bytes: Option<u32>) -> Option<Self> {
        let plan = Self::plan_of(needs)?;
        let eyes = match ring_bytes {
            Some(bytes) => Eyes::open_with_ring(&plan, filter, bytes),
            None => Eyes::open(&plan, filter),
        };
        let eyes = eyes.unwrap_or_else(|error| panic!("failed to {error}"));
        Some(Self {
            eyes,
            plan,
            waiting: Vec::new(),
        })
    }

    fn plan_of(needs: &Needs) -> Option<Plan> {
        let plan = plan(needs, &KERNEL);
        if !plan.is_complete() {
            let required = std::env::var_os("PLIMSOLL_REQUIRE_SENSORS").is_some();
            assert!(
                !required,
                "sensors are missing where the test run requires them all:\n{plan}"
            );
            eprintln!("SKIPPED: this machine or user may not attach all sensors:\n{plan}");
            return None;
        }
        Some(plan)
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

    /// What the process that has this pid did, up to its end.
    pub(crate) fn life_of(&mut self, pid: u32) -> Vec<RawEvent> {
        let is_its = |event: &RawEvent| event.task.pid.cast_unsigned() == pid;
        self.collect_until("the exit", is_its, |event| matches!(event.kind, RawKind::Exit { .. }))
    }

    /// Takes what has arrived, without waiting long.
    pub(crate) fn drain(&mut self, kept: &mut Vec<RawEvent>, keep: impl Fn(&RawEvent) -> bool) {
        self.eyes
            .next_batch(Duration::from_millis(20), &mut self.waiting)
            .unwrap();
        kept.extend(self.waiting.drain(..).filter(|event| keep(event)));
    }

    /// Takes everything that had happened before: events are in the ring when their cause goes on, and losses are counted
    /// within the time that this waits for silence.
    pub(crate) fn settle(&mut self, kept: &mut Vec<RawEvent>, keep: impl Fn(&RawEvent) -> bool) {
        let marker = spawn(Command::new("/bin/true").arg("marker"));
        let (until, ended_ns) = (Instant::now() + Duration::from_millis(600), boot_time_ns());
        let mut is_over = false;
        while !is_over || Instant::now() < until {
            assert!(Instant::now() < until + DEADLINE, "the marker did not arrive");
            self.eyes
                .next_batch(Duration::from_millis(20), &mut self.waiting)
                .unwrap();
            // A full ring loses the marker too; what comes after it, or nothing, says as well that all has been read.
            let mut told = self
                .waiting
                .iter()
                .filter(|event| !matches!(event.kind, RawKind::Lost { .. }));
            let is_empty = told.clone().next().is_none();
            is_over |=
                is_empty || told.any(|event| event.task.pid.cast_unsigned() == marker || event.time_ns > ended_ns);
            kept.extend(self.waiting.drain(..).filter(|event| keep(event)));
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

/// No reads, no asked paths.
fn filter(containers_only: bool) -> Filter {
    Filter {
        containers_only,
        reads: ReadPaths::default(),
        asked_paths: false,
        environment: Environment::default(),
    }
}

/// A rule for each condition.
pub(crate) fn rules(conditions: &[&str]) -> RuleSet {
    let rule = |(number, condition): (usize, &&str)| {
        format!("- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n")
    };
    let file = RuleFile {
        name: "rules.yaml".to_owned(),
        text: conditions.iter().enumerate().map(rule).collect(),
    };
    RuleSet::load(&[file])
        .unwrap_or_else(|errors| panic!("{errors:?}"))
        .rules
}

/// The exec of the process that has this pid.
pub(crate) fn is_exec_of(pid: u32) -> impl Fn(&RawEvent) -> bool {
    move |event| event.task.pid.cast_unsigned() == pid && matches!(event.kind, RawKind::Exec { .. })
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
