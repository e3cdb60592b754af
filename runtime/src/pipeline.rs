//! Raw events in, alerts out: state, identity, phase, profile check, rules, causes, in this order and on one thread.
//!
//! Nothing here waits, reads a file or asks the clock: identities come as answers, time comes with events and ticks. So a
//! capture that is replayed takes the same way.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use plimsoll_model::{Accounts, Container, Event, EventKind, LossReason, Note, ProcessKey};
use plimsoll_policy::Judgement;
use plimsoll_rules::RuleSet;

use crate::{
    alert::{Causes, Told},
    enforce::Guard,
    identity::{Answer, Asker, Question},
    images::{KnownImage, ReportSource},
    limits::{LOSS_MEMORY_NS, MAX_CGROUPS, MAX_CONTAINERS, MAX_WAIT_NS, MAX_WAITING, MAX_WAITING_PER_CGROUP},
    logbook::{Logbook, Running},
    meter::Meter,
    phase::Sandbox,
    raw::{RawEvent, RawKind, RawTask},
    snapshot::RawProcess,
    state::{ProcessTree, Seen},
};

mod check;
mod guard;
mod places;

pub(crate) use guard::{Telling, outcome};

use places::Place;

/// What comes out.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// News about an alert.
    Told(Told),
    /// Something that whoever runs the agent should know; one line.
    Notice(String),
    /// A cgroup was found to be a container's: a capture records it.
    Identified(Box<Container>),
    /// For the kernel side.
    Telling(Telling),
}

/// Whose a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// A container's: by its cgroup, or by the namespaces that it entered.
    Inside,
    /// The host's.
    Outside,
    /// Its cgroup's identity has been asked for.
    Open,
}

/// Everything that is given to a pipeline at its start.
pub(crate) struct Setup {
    /// Node's name.
    pub(crate) node: Arc<str>,
    /// Its users and groups; `None` in a replay.
    pub(crate) accounts: Option<Arc<Accounts>>,
    /// Makes alert ids differ between boots.
    pub(crate) boot_id: String,
    /// Wall clock minus boot clock.
    pub(crate) boot_offset_ns: u64,
    /// Inode number of the host's mount namespace: see [`host_mount_namespace`].
    pub(crate) host_mount_namespace: u32,
    /// Rules to evaluate.
    pub(crate) rules: Arc<RuleSet>,
    /// Folder of scan reports, for advice only.
    pub(crate) images_folder: String,
    /// Who is asked about cgroups; `None` in a replay, where all containers are known at the start.
    pub(crate) asker: Option<Asker>,
    /// Makes policies for the kernel side; `None` where nobody listens.
    pub(crate) guard: Option<Guard>,
}

/// Events and alerts so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events taken in.
    pub events: u64,
    /// Alerts told.
    pub alerts: u64,
    /// Events that became part of an alert that had been told.
    pub followed: u64,
    /// Events lost in the kernel's ring buffer.
    pub lost_in_ring: u64,
    /// Events lost in the agent's own queue.
    pub lost_in_queue: u64,
    /// Events that could not be decoded.
    pub undecodable: u64,
    /// Processes that the full tree did not take.
    pub untracked_processes: u64,
    /// Containers seen.
    pub containers: u64,
    /// Of these, with a scan report of their image.
    pub known_images: u64,
    /// Containers that no engine's file named in time.
    pub unknown_containers: u64,
    /// Times that other rules were taken over.
    pub rule_changes: u64,
    /// Times that other rules could not be used, and those that ran stayed.
    pub refused_rule_changes: u64,
}

/// The pipeline.
pub(crate) struct Pipeline {
    setup: Setup,
    tree: ProcessTree,
    places: HashMap<u64, Place>,
    sandboxes: HashMap<Arc<str>, Sandbox>,
    by_mount_namespace: HashMap<u32, Arc<str>>,
    /// Processes that entered a container by its namespaces and kept the host's cgroup (nsenter), and their children.
    strangers: HashMap<ProcessKey, Arc<str>>,
    waiting: usize,
    causes: Causes,
    /// What it does, for whoever runs it.
    pub(crate) meter: Meter,
    losses: VecDeque<(u64, u64)>,
    noticed: HashSet<String>,
    counts: Counts,
    told: Vec<Told>,
    /// What containers did and what their profiles said of it, where somebody asked for that.
    pub(crate) observed: Option<Vec<Observed>>,
    /// Every event that rules were asked about, where somebody asked for that.
    pub(crate) placed: Option<Vec<Event>>,
    /// What images use, and what may be learned, where somebody asked for that.
    pub(crate) logbook: Option<Logbook>,
}

/// Something that a container of a scanned image did.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What it did, in which phase.
    pub event: Event,
    /// What the image's profile says of it.
    pub judgement: Judgement,
}

impl Pipeline {
    /// A pipeline that has seen nothing yet.
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            tree: ProcessTree::new(setup.boot_offset_ns),
            setup,
            places: HashMap::new(),
            sandboxes: HashMap::new(),
            by_mount_namespace: HashMap::new(),
            strangers: HashMap::new(),
            waiting: 0,
            causes: Causes::default(),
            meter: Meter::default(),
            losses: VecDeque::new(),
            noticed: HashSet::new(),
            counts: Counts::default(),
            told: Vec::new(),
            observed: None,
            placed: None,
            logbook: None,
        }
    }

    /// Processes in the tree, and events that wait for an identity.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.tree.len(), self.waiting)
    }

    /// Counts so far.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            untracked_processes: self.tree.untracked(),
            ..self.counts.clone()
        }
    }

    /// Takes in a process that ran before the agent, parents first.
    pub(crate) fn seed(&mut self, raw: RawProcess, out: &mut Vec<Output>) {
        let seen = self.tree.adopt(raw);
        self.route(seen, out);
    }

    /// Takes in a cgroup that exists, so that nobody needs to be asked about the host's.
    pub(crate) fn know(&mut self, cgroup_id: u64, path: String, out: &mut Vec<Output>) {
        self.meet(Question::new(cgroup_id, 0, Some(path)), None, out);
    }

    /// Takes in one event.
    pub(crate) fn push(&mut self, raw: RawEvent, out: &mut Vec<Output>) {
        self.counts.events += 1;
        match &raw.kind {
            RawKind::CgroupMade { cgroup_id, path } => return self.made(&raw, *cgroup_id, path, out),
            RawKind::CgroupEntered { cgroup_id, path } => self.entered(&raw, *cgroup_id, path, out),
            _ => {}
        }
        let Some(seen) = self.tree.apply(raw) else { return };
        match seen.event.kind {
            EventKind::Lost { count, reason } => self.lose(seen.event.time_ns, count, reason, out),
            _ => self.route(seen, out),
        }
        self.drain_told(out);
    }

    /// Takes in what a cgroup is, and processes what waited for it.
    pub(crate) fn answer(&mut self, cgroup_id: u64, answer: Answer, out: &mut Vec<Output>) {
        let answer = match answer {
            Answer::Report { image } => return self.report(cgroup_id, image, out),
            Answer::Notes(notes) => return self.say_notes(notes, out),
            answer => answer,
        };
        let mut known_as = None;
        let mut queue = VecDeque::new();
        match self.places.remove(&cgroup_id) {
            Some(Place::Waiting(waiting)) => {
                self.waiting -= waiting.queue.len();
                queue = waiting.queue;
            }
            Some(Place::Container(id)) => known_as = Some(id),
            Some(Place::Host) | None => {}
        }
        let place = match answer {
            Answer::Gone { container } if queue.iter().any(|seen| self.is_confined(seen)) => {
                Place::Container(self.welcome(*container, None, out))
            }
            Answer::Host | Answer::Gone { .. } | Answer::Report { .. } | Answer::Notes(_) => Place::Host,
            Answer::Container {
                container,
                image,
                notes,
            } => {
                self.say_notes(notes, out);
                if let Some(id) = known_as {
                    self.rename(&id, &container.id);
                }
                Place::Container(self.welcome(*container, image, out))
            }
        };
        self.settle(cgroup_id, place);
        for seen in queue {
            self.route(seen, out);
        }
        self.drain_told(out);
    }

    /// The scan of a running container's image came, or a newer one: from now on its profile judges.
    fn report(&mut self, cgroup_id: u64, image: Arc<KnownImage>, out: &mut Vec<Output>) {
        let Some(Place::Container(id)) = self.places.get(&cgroup_id) else {
            return;
        };
        let id = Arc::clone(id);
        self.unguard_all(&id, out);
        let Some(sandbox) = self.sandboxes.get_mut(&id) else {
            return;
        };
        let tree = &self.tree;
        let word = match sandbox.image {
            Some(_) => "another",
            None => {
                self.counts.known_images += 1;
                "a"
            }
        };
        sandbox.learn(image, |key| tree.process(key));
        let text = format!(
            "container {} has {word} scan report now: its profile judges it",
            sandbox.container.name
        );
        out.push(Output::Notice(text));
        self.guard_all(&id, out);
    }

    /// Other rules from the next event on, and where the kernel side was replaced, who makes its policies: all processes get
    /// theirs anew.
    pub(crate) fn change_rules(&mut self, rules: Arc<RuleSet>, guard: Option<Option<Guard>>, out: &mut Vec<Output>) {
        self.counts.rule_changes += 1;
        out.push(Output::Notice(format!(
            "{} rules are in force now",
            rules.rules().len()
        )));
        self.setup.rules = rules;
        let Some(guard) = guard else { return };
        self.setup.guard = guard;
        let ids: Vec<Arc<str>> = self.sandboxes.keys().cloned().collect();
        for id in ids {
            self.guard_all(&id, out);
        }
    }

    /// There are other rules, and they cannot be used.
    pub(crate) fn refuse_rules(&mut self, why: &str, out: &mut Vec<Output>) {
        self.counts.refused_rule_changes += 1;
        out.push(Output::Notice(format!(
            "new rules cannot be used, those that run stay: {why}"
        )));
    }

    /// Whose a task is, as far as it is known now.
    pub(crate) fn belongs(&self, task: &RawTask) -> Belongs {
        match self.places.get(&task.cgroup_id) {
            Some(Place::Container(_)) => Belongs::Inside,
            Some(Place::Waiting(_)) => Belongs::Open,
            Some(Place::Host) | None if self.by_mount_namespace.contains_key(&task.mount_namespace) => Belongs::Inside,
            Some(Place::Host) | None => Belongs::Outside,
        }
    }

    /// Containers with processes, and where their scan came from.
    pub(crate) fn running(&self) -> impl Iterator<Item = (Arc<Container>, Option<ReportSource>)> {
        let running = self.sandboxes.values().filter(|sandbox| !sandbox.is_empty());
        running.map(|sandbox| {
            let source = sandbox.image.as_ref().map(|image| image.source);
            (Arc::clone(&sandbox.container), source)
        })
    }

    fn say_notes(&mut self, notes: Vec<Note>, out: &mut Vec<Output>) {
        for note in notes {
            self.notice(format!("scan report {}: {}", note.subject, note.detail), out);
        }
    }

    /// Tells what is due at this wall-clock time, and gives up on identities that take too long.
    pub(crate) fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        self.wait_from(now_ns);
        self.give_up_before(now_ns.saturating_sub(MAX_WAIT_NS), out);
        self.causes.advance(now_ns, &mut self.told);
        self.drain_told(out);
        if let Some(logbook) = self.logbook.as_mut().filter(|logbook| logbook.is_due(now_ns)) {
            let running = self.sandboxes.iter().filter(|(_, sandbox)| !sandbox.is_empty());
            let known = running.filter_map(|(id, sandbox)| {
                Some(Running {
                    id,
                    image: sandbox.image.as_ref()?,
                    is_joined: sandbox.is_joined,
                })
            });
            logbook.tick(now_ns, known);
        }
    }

    /// The stream has ended: processes and tells all that waits.
    pub(crate) fn finish(&mut self, out: &mut Vec<Output>) {
        self.give_up_before(u64::MAX, out);
        self.causes.finish(&mut self.told);
        self.drain_told(out);
    }

    /// To the container it belongs to, or into the queue of its cgroup.
    fn route(&mut self, seen: Seen, out: &mut Vec<Output>) {
        let process = &seen.event.process;
        let (cgroup_id, pid, time_ns) = (process.cgroup_id, process.key.pid, seen.event.time_ns);
        if !self.places.contains_key(&cgroup_id) {
            self.meet(Question::new(cgroup_id, pid, None), Some(time_ns), out);
        }
        match self.places.get_mut(&cgroup_id) {
            Some(Place::Waiting(waiting)) => {
                waiting.ask(pid, self.setup.asker.as_ref());
                waiting.take(seen);
                self.waiting += 1;
                self.meter.waited += 1;
                if waiting.queue.len() > MAX_WAITING_PER_CGROUP {
                    self.give_up(cgroup_id, out);
                } else if self.waiting > MAX_WAITING {
                    self.give_up_before(u64::MAX, out);
                }
            }
            Some(Place::Container(id)) => {
                let id = Arc::clone(id);
                self.inside(&id, seen, out);
            }
            Some(Place::Host) | None => match self.stranger(&seen) {
                Some(id) => self.inside(&id, seen, out),
                None => self.on_host(&seen),
            },
        }
    }

    /// Whether its process is in namespaces of its own, as containers' are.
    fn is_confined(&self, seen: &Seen) -> bool {
        let process = &seen.event.process;
        process.container_pid != process.key.pid && seen.mount_namespace != self.setup.host_mount_namespace
    }

    /// The container that a process with the host's cgroup works in.
    fn stranger(&mut self, seen: &Seen) -> Option<Arc<str>> {
        let process = &seen.event.process;
        if let Some(id) = self.strangers.get(&process.key) {
            let id = Arc::clone(id);
            match &seen.event.kind {
                EventKind::Fork { child } => {
                    self.strangers.insert(child.key, Arc::clone(&id));
                }
                EventKind::Exit { .. } => {
                    self.strangers.remove(&process.key);
                }
                _ => {}
            }
            return Some(id);
        }
        let is_exec = matches!(seen.event.kind, EventKind::Exec { .. });
        let id = self.by_mount_namespace.get(&seen.mount_namespace).filter(|_| is_exec)?;
        let id = Arc::clone(id);
        if self.strangers.len() < MAX_CGROUPS {
            self.strangers.insert(process.key, Arc::clone(&id));
        }
        Some(id)
    }

    fn inside(&mut self, id: &Arc<str>, seen: Seen, out: &mut Vec<Output>) {
        let Some(sandbox) = self.sandboxes.get(id) else {
            self.on_host(&seen);
            return;
        };
        let before = sandbox.mount_namespace;
        let change = self.change(id, &seen);
        if seen.event.sequence > 0 {
            self.check_in(id, seen, out);
        } else if let Some(sandbox) = self.sandboxes.get_mut(id) {
            sandbox.seed(&seen);
        }
        if let Some(change) = change {
            self.guard(id, change, out);
        }
        let after = self.sandboxes.get(id).and_then(|sandbox| sandbox.mount_namespace);
        // Numbers of namespaces are used again: a container that has ended has none.
        if before != after {
            before.map(|namespace| self.by_mount_namespace.remove(&namespace));
            after.map(|namespace| self.by_mount_namespace.insert(namespace, Arc::clone(id)));
            self.guard_container(id, out);
        }
        self.drain_told(out);
    }

    fn lose(&mut self, now_ns: u64, count: u64, reason: LossReason, out: &mut Vec<Output>) {
        let (counter, place) = match reason {
            LossReason::RingBuffer => (&mut self.counts.lost_in_ring, "in the kernel's ring buffer"),
            LossReason::Queue => (&mut self.counts.lost_in_queue, "in the agent's queue"),
            LossReason::Decode => (&mut self.counts.undecodable, "because they could not be decoded"),
        };
        *counter += count;
        if let Some(logbook) = &mut self.logbook {
            logbook.lost(count);
        }
        self.losses.push_back((now_ns, count));
        out.push(Output::Notice(format!("{count} events were lost {place}")));
    }

    fn lost_before(&mut self, now_ns: u64) -> u64 {
        while self
            .losses
            .front()
            .is_some_and(|(at, _)| at.saturating_add(LOSS_MEMORY_NS) < now_ns)
        {
            self.losses.pop_front();
        }
        self.losses.iter().map(|(_, count)| count).sum()
    }

    fn drain_told(&mut self, out: &mut Vec<Output>) {
        for told in self.told.drain(..) {
            if let Told::New(alert) = &told {
                self.counts.alerts += 1;
                self.meter.alerted(&alert.rule);
            }
            out.push(Output::Told(told));
        }
    }

    /// Says something once.
    fn notice(&mut self, text: String, out: &mut Vec<Output>) {
        if self.noticed.len() < MAX_CONTAINERS && self.noticed.insert(text.clone()) {
            out.push(Output::Notice(text));
        }
    }
}

/// The mount namespace of the host, from a snapshot: that of its first process or of the kernel's threads. 0 when neither
/// is listed; then only a process's parent tells whether it has left its engine's.
pub(crate) fn host_mount_namespace<'p>(processes: impl IntoIterator<Item = &'p RawProcess>) -> u32 {
    let is_first = |process: &&RawProcess| matches!(process.task.pid, 1 | 2);
    let first = processes.into_iter().find(is_first);
    first.map_or(0, |process| process.task.mount_namespace)
}

#[cfg(test)]
mod tests;
