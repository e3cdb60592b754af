//! One running container's processes: in which phase each is, judged by lineage, and which alert it belongs to.
//!
//! The first process is the *lead*. It is in its entrypoint until it executes the image's main program, then it serves.
//! Children take their parent's phase as it is when they are made, so a helper that the entrypoint left running stays an
//! entrypoint's helper, and a server that the entrypoint starts for a moment (PostgreSQL's initdb) is not yet serving. A
//! process that nobody in the container made came from outside: it is the runtime's own until it executes a program in
//! the container's mount namespace, then it is the container's first process, a health check, or a session.

use std::{collections::HashMap, sync::Arc};

use plimsoll_model::{Container, EventKind, ExecutableOrigin, Phase, Process, ProcessKey};
use plimsoll_policy::{CompiledProfile, Entry};

use crate::{images::KnownImage, limits::MAX_PROCESSES_PER_CONTAINER, state::Seen};

/// A running container and its processes.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// What its engine says of it.
    pub(crate) container: Arc<Container>,
    /// The scan of its image; `None` when there is none.
    pub(crate) image: Option<Arc<KnownImage>>,
    /// Set once the first program runs in it.
    pub(crate) mount_namespace: Option<u32>,
    /// Some of it happened before it could be watched: it ran before the agent, or before its image's scan came.
    pub(crate) is_joined: bool,
    host_mount_namespace: u32,
    first: Option<ProcessKey>,
    roles: HashMap<ProcessKey, Role>,
}

#[derive(Debug, Clone)]
struct Role {
    phase: Phase,
    /// When it executes the main program, the container serves.
    is_lead: bool,
    /// The alert that it is a consequence of.
    cause: Option<u64>,
    /// Where its program comes from, once somebody asked.
    origin: Option<Arc<ExecutableOrigin>>,
}

/// Where an event is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Phase in which it was done: an exec that ends the entrypoint is still the entrypoint's. `None` when the origin of
    /// the process was lost.
    pub(crate) phase: Option<Phase>,
    /// For an exec: who asked for it.
    pub(crate) entry: Entry,
    /// The open alert that the process is a consequence of.
    pub(crate) cause: Option<u64>,
}

/// First processes that only start and reap others: a child leads. Supervisors start several; the one that executes the
/// main program serves.
const WRAPPERS: &[&str] = &[
    "tini",
    "tini-static",
    "docker-init",
    "dumb-init",
    "catatonit",
    "podman-init",
    "s6-svscan",
    "s6-supervise",
    "runsvdir",
    "runsv",
];
/// Where podman mounts the init of `--init`.
const MOUNTED_INIT: &str = "/dev/init";
const SHELLS: &[&str] = &["sh", "dash", "bash", "ash", "busybox"];

impl Sandbox {
    /// A container whose processes are not known yet.
    pub(crate) fn new(container: Arc<Container>, image: Option<Arc<KnownImage>>, host_mount_namespace: u32) -> Self {
        Self {
            container,
            image,
            mount_namespace: None,
            is_joined: false,
            host_mount_namespace,
            first: None,
            roles: HashMap::new(),
        }
    }

    fn profile(&self) -> Option<&CompiledProfile> {
        self.image.as_ref().map(|image| &image.profile)
    }

    /// Whether a process belongs to the container: by its cgroup, or because it entered by the namespaces alone.
    pub(crate) fn holds(&self, process: &Process) -> bool {
        process.cgroup_id == self.container.cgroup_id || self.roles.contains_key(&process.key)
    }

    /// In which phase a process is; `None` for one that is not placed.
    pub(crate) fn phase_of(&self, key: ProcessKey) -> Option<Phase> {
        self.roles.get(&key).map(|role| role.phase)
    }

    /// All processes that are placed.
    pub(crate) fn keys(&self) -> Vec<ProcessKey> {
        self.roles.keys().copied().collect()
    }

    /// Where an exec that was refused would have been placed. Nothing changes: the process goes on as what it is.
    pub(crate) fn peek(&self, seen: &Seen) -> Placed {
        let process = &seen.event.process;
        let role = self.role_of(seen);
        let (mut phase, mut entry) = (role.as_ref().map(|role| role.phase), Entry::Inside);
        if phase == Some(Phase::Init) && self.is_inside(seen) {
            let is_probe = self
                .profile()
                .is_some_and(|profile| profile.is_health_check(&process.args));
            (phase, entry) = match self.first {
                None => (Some(Phase::Entrypoint), Entry::First),
                Some(_) if is_probe => (Some(Phase::Probe), Entry::Outside),
                Some(_) => (Some(Phase::Session), Entry::Outside),
            };
        }
        Placed {
            phase,
            entry,
            cause: role.and_then(|role| role.cause),
        }
    }

    /// Whether no process is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.roles.is_empty()
    }

    /// The scan of the image came while the container runs. Places that only a profile can tell are looked at again: who
    /// serves, who was started by the server, who is a health check.
    pub(crate) fn learn<'p>(&mut self, image: Arc<KnownImage>, find: impl Fn(ProcessKey) -> Option<&'p Process>) {
        self.is_joined |= self.image.is_none();
        self.image = Some(image);
        let Some(image) = &self.image else { return };
        let profile = &image.profile;
        let leads: Vec<ProcessKey> = self
            .roles
            .iter()
            .filter(|(_, role)| role.is_lead)
            .map(|(key, _)| *key)
            .collect();
        let serves = |process: &Process| leads.contains(&process.key) && profile.is_main(process);
        for (key, role) in &mut self.roles {
            role.origin = None;
            let Some(process) = find(*key) else { continue };
            if role.phase == Phase::Entrypoint && process.lineage().any(serves) {
                role.phase = Phase::Serving;
            } else if role.phase == Phase::Session && profile.is_health_check(&process.args) {
                role.phase = Phase::Probe;
            }
        }
    }

    /// Places a process that ran before the agent; parents come first.
    pub(crate) fn seed(&mut self, seen: &Seen) {
        let process = &seen.event.process;
        self.is_joined = true;
        let Some(mut role) = self.role_of(seen) else { return };
        if role.phase == Phase::Init && self.is_inside(seen) {
            role = self.enter(process, seen.mount_namespace).0;
        }
        self.lead_on(process, &mut role);
        self.set(process.key, role);
    }

    /// Takes in one event and says where it is placed.
    pub(crate) fn advance(&mut self, seen: &Seen) -> Placed {
        let process = &seen.event.process;
        let Some(mut role) = self.role_of(seen) else {
            return Placed {
                phase: None,
                entry: Entry::Inside,
                cause: None,
            };
        };
        let mut entry = Entry::Inside;
        let mut phase = role.phase;
        let cause = role.cause;
        match &seen.event.kind {
            EventKind::Exec { .. } => {
                if role.phase == Phase::Init && self.is_inside(seen) {
                    (role, entry) = self.enter(process, seen.mount_namespace);
                    phase = role.phase;
                }
                self.lead_on(process, &mut role);
                role.origin = None;
                self.set(process.key, role);
            }
            EventKind::Fork { child } => {
                self.set(process.key, role.clone());
                let is_lead = role.is_lead && self.is_wrapper(process);
                self.set(child.key, Role { is_lead, ..role });
            }
            EventKind::Exit { .. } => {
                self.roles.remove(&process.key);
                if self.first == Some(process.key) {
                    self.first = None;
                }
                if self.roles.is_empty() {
                    self.mount_namespace = None;
                }
            }
            EventKind::Listen { address, transport } => {
                let serves = self
                    .profile()
                    .is_some_and(|profile| profile.is_main(process) && profile.serves_port(address.port, *transport));
                // An entry script that stays runs the server as its child. Servers that scripts start for a moment, to
                // prepare data, keep off the network.
                if serves && role.phase == Phase::Entrypoint {
                    role.phase = Phase::Serving;
                    phase = Phase::Serving;
                }
                self.set(process.key, role);
            }
            _ => self.set(process.key, role),
        }
        Placed {
            phase: Some(phase),
            entry,
            cause,
        }
    }

    /// From now on this process and what it starts are consequences of an alert. The lead is not: an alert about how the
    /// container was started must not take in all that its server does later.
    pub(crate) fn blame(&mut self, key: ProcessKey, alert: u64) {
        if let Some(role) = self.roles.get_mut(&key).filter(|role| !role.is_lead) {
            role.cause = Some(alert);
        }
    }

    /// Where the program of a process comes from; `None` without a scan.
    pub(crate) fn origin(&mut self, process: &Process) -> Option<Arc<ExecutableOrigin>> {
        let image = self.image.as_ref()?;
        match self.roles.get_mut(&process.key) {
            Some(role) => Some(Arc::clone(
                role.origin.get_or_insert_with(|| Arc::new(image.origin(process))),
            )),
            None => Some(Arc::new(image.origin(process))),
        }
    }

    /// The role that a process has, has from its ancestors, or has because it comes from outside. `None` when the event
    /// that made it was lost.
    fn role_of(&self, seen: &Seen) -> Option<Role> {
        let process = &seen.event.process;
        if let Some(role) = self.roles.get(&process.key) {
            return Some(role.clone());
        }
        let ancestor = process.lineage().skip(1).find_map(|one| self.roles.get(&one.key));
        let parent = self.roles.get(&seen.parent_key).or(ancestor);
        if let Some(parent) = parent {
            let made_by = process.parent.as_deref();
            return Some(Role {
                is_lead: parent.is_lead && made_by.is_some_and(|made_by| self.is_wrapper(made_by)),
                ..parent.clone()
            });
        }
        let from_outside = match seen.parent {
            Some(home) => home.cgroup_id != self.container.cgroup_id || self.first.is_none(),
            // Nothing is known of the parent: only a new container's runtime may come out of nowhere.
            None => self.first.is_none() || process.container_pid == 1,
        };
        from_outside.then_some(Role {
            phase: Phase::Init,
            is_lead: false,
            cause: None,
            origin: None,
        })
    }

    /// Whether the task has left the engine's mount namespace. An engine may live in one of its own.
    fn is_inside(&self, seen: &Seen) -> bool {
        let own = seen.mount_namespace;
        let has_left =
            own != self.host_mount_namespace && seen.parent.is_none_or(|parent| own != parent.mount_namespace);
        has_left || self.mount_namespace == Some(own)
    }

    /// A process from outside executes its first program inside.
    fn enter(&mut self, process: &Process, mount_namespace: u32) -> (Role, Entry) {
        let init_pid = self.container.init_pid;
        let is_first = process.container_pid == 1 || (init_pid != 0 && process.key.pid == init_pid);
        let role = |phase, is_lead| Role {
            phase,
            is_lead,
            cause: None,
            origin: None,
        };
        if self.first.is_none() && (is_first || init_pid == 0) {
            self.first = Some(process.key);
            self.mount_namespace = Some(mount_namespace);
            return (role(Phase::Entrypoint, true), Entry::First);
        }
        // Before the first process, a hook of the runtime; its descendants too.
        if self.first.is_none() {
            return (role(Phase::Init, false), Entry::Inside);
        }
        let is_probe = self
            .profile()
            .is_some_and(|profile| profile.is_health_check(&process.args));
        let phase = if is_probe { Phase::Probe } else { Phase::Session };
        (role(phase, false), Entry::Outside)
    }

    fn lead_on(&self, process: &Process, role: &mut Role) {
        let is_main = self.profile().is_some_and(|profile| profile.is_main(process));
        if role.is_lead && role.phase == Phase::Entrypoint && is_main {
            role.phase = Phase::Serving;
        }
    }

    /// A lead that makes a child to lead in its place: an init, a shell that was given a command line (the shell form of
    /// ENTRYPOINT and CMD), or another program that the image's entrypoint begins with and that is not its main one. An
    /// entry *script* is none of these: what it starts and waits for is its helper, a server for a moment included.
    fn is_wrapper(&self, process: &Process) -> bool {
        let name = process.name();
        if WRAPPERS.contains(&name) || process.exe == MOUNTED_INIT {
            return true;
        }
        if SHELLS.contains(&name) {
            return process.args.get(1).is_some_and(|argument| argument == "-c");
        }
        self.profile()
            .is_some_and(|profile| profile.is_entry_executable(process) && !profile.is_main(process))
    }

    fn set(&mut self, key: ProcessKey, role: Role) {
        if self.roles.len() < MAX_PROCESSES_PER_CONTAINER || self.roles.contains_key(&key) {
            self.roles.insert(key, role);
        }
    }
}

#[cfg(test)]
mod tests;
