//! The process tree: raw events in, events with immutable process snapshots out. Bounded; a pid that is used again is
//! another process.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use plimsoll_model::{Credentials, Event, EventKind, ExeFile, Process, ProcessKey};

use crate::{
    limits::{EXIT_GRACE_NS, MAX_CHAIN, MAX_ENVIRONMENTS, MAX_PROCESSES},
    raw::{RawEvent, RawKind, RawTask, Verdict},
    snapshot::RawProcess,
};

/// An event with its process, not yet placed in a container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// The event; container and phase are not known yet.
    pub(crate) event: Event,
    /// Of the task, after the event.
    pub(crate) mount_namespace: u32,
    /// Where the parent lives; `None` when it is not known.
    pub(crate) parent: Option<Home>,
    /// Key of the real parent.
    pub(crate) parent_key: ProcessKey,
    /// Of the task, or of the child that it made: see [`RawTask::exec_id`].
    pub(crate) exec_id: u64,
    /// What a policy in the kernel made of it.
    pub(crate) verdict: Option<Verdict>,
    /// Who the process was when it was last seen, where it has become somebody else since.
    pub(crate) before: Option<Credentials>,
}

/// Where a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    /// Its cgroup.
    pub(crate) cgroup_id: u64,
    /// Its mount namespace.
    pub(crate) mount_namespace: u32,
}

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    home: Home,
    exec_id: u64,
}

/// All processes that are known to run, and those that ended a moment ago.
#[derive(Debug)]
pub(crate) struct ProcessTree {
    by_pid: HashMap<i32, Entry>,
    dead: VecDeque<(u64, ProcessKey)>,
    /// Of programs that are about to be executed, by pid: what is told right before the exec.
    environments: HashMap<i32, Vec<String>>,
    boot_offset_ns: u64,
    sequence: u64,
    untracked: u64,
}

impl ProcessTree {
    /// An empty tree. `boot_offset_ns` turns the sensors' clock into wall-clock time.
    pub(crate) fn new(boot_offset_ns: u64) -> Self {
        Self {
            by_pid: HashMap::new(),
            dead: VecDeque::new(),
            environments: HashMap::new(),
            boot_offset_ns,
            sequence: 0,
            untracked: 0,
        }
    }

    /// A process as it is now.
    pub(crate) fn process(&self, key: ProcessKey) -> Option<&Process> {
        self.find(key).map(|entry| &*entry.process)
    }

    /// See [`RawTask::exec_id`]; `None` for a process that is not known.
    pub(crate) fn exec_id(&self, key: ProcessKey) -> Option<u64> {
        self.find(key).map(|entry| entry.exec_id)
    }

    /// Processes that were not remembered because the tree was full.
    pub(crate) fn untracked(&self) -> u64 {
        self.untracked
    }

    /// Processes in the tree.
    pub(crate) fn len(&self) -> usize {
        self.by_pid.len()
    }

    /// Takes in a process that ran before the agent, parents first. What the stream said of it already wins.
    pub(crate) fn adopt(&mut self, raw: RawProcess) -> Seen {
        let key = key_of(&raw.task);
        let known = self.find(key).map(|entry| Arc::clone(&entry.process));
        let process = known.unwrap_or_else(|| {
            let process = Arc::new(Process {
                exe: raw.exe,
                args: raw.args,
                cwd: raw.cwd,
                exe_file: raw.exe_file,
                parent: self.parent_of(&raw.task),
                ..bare(&raw.task)
            });
            self.insert(Arc::clone(&process), &raw.task);
            process
        });
        self.seen(
            0,
            0,
            0,
            &raw.task,
            Arc::clone(&process),
            EventKind::Fork { child: process },
        )
    }

    /// Takes in one event. `None` for what is no event of a process (a new cgroup).
    pub(crate) fn apply(&mut self, raw: RawEvent) -> Option<Seen> {
        self.bury(raw.time_ns);
        let RawEvent {
            time_ns,
            cpu,
            task,
            kind,
        } = raw;
        let (verdict, kind) = match kind {
            RawKind::Judged { verdict, act } => (Some(verdict), *act),
            kind => (None, kind),
        };
        let known = self.find(key_of(&task)).map(|entry| entry.process.credentials);
        let before = known.filter(|known| *known != task.credentials);
        let (process, kind) = match kind {
            RawKind::Exec {
                filename,
                exe,
                args,
                cwd,
                exe_file,
            } => {
                let previous = self.current(&task);
                let args = match args.is_empty() {
                    // A refused exec: its arguments were never put where they could be read.
                    true if verdict == Some(Verdict::Refused) => vec![filename.clone()],
                    _ => args,
                };
                let process = Arc::new(Process {
                    parent: previous.parent.clone(),
                    exe,
                    args,
                    cwd,
                    exe_file,
                    environment: self.environments.remove(&task.pid).unwrap_or_default(),
                    ..bare(&task)
                });
                // A refused exec is judged as if it had happened; the process goes on as what it is.
                if verdict != Some(Verdict::Refused) {
                    self.insert(Arc::clone(&process), &task);
                }
                (process, EventKind::Exec { previous, filename })
            }
            RawKind::Fork { child } => {
                let parent = self.current(&task);
                let child = self.fork(&parent, &child);
                (parent, EventKind::Fork { child })
            }
            RawKind::Exit { status } => {
                let process = self.current(&task);
                self.dead.push_back((time_ns, process.key));
                (process, EventKind::Exit { status })
            }
            RawKind::Environment { variables } => {
                if self.environments.len() >= MAX_ENVIRONMENTS {
                    self.environments.clear();
                }
                self.environments.insert(task.pid, variables);
                return None;
            }
            RawKind::Lost { count, reason } => (Arc::new(bare(&task)), EventKind::Lost { count, reason }),
            other => (self.current(&task), observed(other, verdict)?),
        };
        self.sequence += 1;
        let seen = self.seen(self.sequence, time_ns, cpu, &task, process, kind);
        Some(Seen {
            verdict,
            before,
            ..seen
        })
    }

    fn seen(
        &self,
        sequence: u64,
        time_ns: u64,
        cpu: u32,
        task: &RawTask,
        process: Arc<Process>,
        kind: EventKind,
    ) -> Seen {
        let parent_key = ProcessKey {
            pid: task.parent_pid,
            start_time_ns: task.parent_start_time_ns,
        };
        Seen {
            event: Event {
                sequence,
                time_ns: time_ns.saturating_add(self.boot_offset_ns),
                cpu,
                process,
                container: None,
                phase: None,
                kind,
            },
            mount_namespace: task.mount_namespace,
            parent: self.find(parent_key).map(|entry| entry.home),
            parent_key,
            exec_id: task.exec_id,
            verdict: None,
            before: None,
        }
    }

    fn find(&self, key: ProcessKey) -> Option<&Entry> {
        self.by_pid.get(&key.pid).filter(|entry| entry.process.key == key)
    }

    fn parent_of(&self, task: &RawTask) -> Option<Arc<Process>> {
        let key = ProcessKey {
            pid: task.parent_pid,
            start_time_ns: task.parent_start_time_ns,
        };
        self.find(key).map(|entry| Arc::clone(&entry.process))
    }

    /// The process of a task as it is now: its snapshot, made anew when user, name, cgroup or terminal changed.
    fn current(&mut self, task: &RawTask) -> Arc<Process> {
        let key = key_of(task);
        let Some(entry) = self.find(key) else {
            let process = Arc::new(Process {
                parent: self.parent_of(task),
                ..bare(task)
            });
            self.insert(Arc::clone(&process), task);
            return process;
        };
        let known = &entry.process;
        let is_same = known.credentials == task.credentials
            && known.cgroup_id == task.cgroup_id
            && known.session_id == task.session_id
            && known.group_id == task.group_id
            && known.tty == task.tty
            && known.comm == task.comm
            && entry.home == home_of(task);
        if is_same {
            return Arc::clone(known);
        }
        let process = Arc::new(Process {
            parent: known.parent.clone(),
            exe: known.exe.clone(),
            args: known.args.clone(),
            cwd: known.cwd.clone(),
            exe_file: known.exe_file,
            environment: known.environment.clone(),
            ..bare(task)
        });
        self.insert(Arc::clone(&process), task);
        process
    }

    fn fork(&mut self, parent: &Arc<Process>, child: &RawTask) -> Arc<Process> {
        let chain = std::iter::successors(Some(parent), |process| process.parent.as_ref());
        let parent = match chain.take(MAX_CHAIN).count() < MAX_CHAIN {
            true => Arc::clone(parent),
            false => cut(parent),
        };
        let process = Arc::new(Process {
            exe: parent.exe.clone(),
            args: parent.args.clone(),
            cwd: parent.cwd.clone(),
            exe_file: parent.exe_file,
            environment: parent.environment.clone(),
            parent: Some(parent),
            ..bare(child)
        });
        self.insert(Arc::clone(&process), child);
        process
    }

    /// A full tree refuses newcomers: a fork bomb must not push out the processes that explain it.
    fn insert(&mut self, process: Arc<Process>, task: &RawTask) {
        let pid = process.key.pid;
        if self.by_pid.len() >= MAX_PROCESSES && !self.by_pid.contains_key(&pid) {
            self.untracked += 1;
            return;
        }
        let entry = Entry {
            process,
            home: home_of(task),
            exec_id: task.exec_id,
        };
        self.by_pid.insert(pid, entry);
    }

    fn bury(&mut self, now_ns: u64) {
        while let Some(&(ended_ns, key)) = self.dead.front() {
            let is_due = ended_ns.saturating_add(EXIT_GRACE_NS) < now_ns || self.by_pid.len() >= MAX_PROCESSES;
            if !is_due {
                break;
            }
            self.dead.pop_front();
            if self.find(key).is_some() {
                self.by_pid.remove(&key.pid);
            }
        }
    }
}

pub(crate) fn key_of(task: &RawTask) -> ProcessKey {
    ProcessKey {
        pid: task.pid,
        start_time_ns: task.start_time_ns,
    }
}

fn home_of(task: &RawTask) -> Home {
    Home {
        cgroup_id: task.cgroup_id,
        mount_namespace: task.mount_namespace,
    }
}

/// What a process did that changes nothing about processes. `None` for what is no event of a process.
fn observed(kind: RawKind, verdict: Option<Verdict>) -> Option<EventKind> {
    let error = match verdict {
        Some(Verdict::Refused) => -libc::EPERM,
        _ => 0,
    };
    Some(match kind {
        RawKind::Open {
            path,
            flags,
            access,
            created,
            inode,
            asked,
        } => EventKind::Open {
            path,
            flags,
            access,
            created,
            inode,
            asked,
            error,
        },
        RawKind::Connect { address, transport } => EventKind::Connect {
            address,
            transport,
            error,
        },
        RawKind::ConnectFailed {
            address,
            transport,
            error,
        } => EventKind::Connect {
            address,
            transport,
            error,
        },
        RawKind::OpenFailed {
            error,
            path,
            flags,
            access,
            asked,
        } => EventKind::Open {
            path,
            flags,
            access,
            created: false,
            inode: 0,
            asked,
            error,
        },
        RawKind::Bind { address, transport } => EventKind::Bind { address, transport },
        RawKind::Listen { address, transport } => EventKind::Listen { address, transport },
        RawKind::Load { path, file } => EventKind::Load { path, file },
        RawKind::ConnectLocal { path } => EventKind::ConnectLocal { path },
        RawKind::UseCapability { number } => EventKind::UseCapability { number },
        RawKind::Call(call) => EventKind::Call(call),
        RawKind::Lost { count, reason } => EventKind::Lost { count, reason },
        RawKind::Exec { .. }
        | RawKind::Fork { .. }
        | RawKind::Exit { .. }
        | RawKind::CgroupMade { .. }
        | RawKind::CgroupEntered { .. }
        | RawKind::Environment { .. }
        | RawKind::Judged { .. } => return None,
    })
}

/// What a task says of itself; its program and parent are not known.
fn bare(task: &RawTask) -> Process {
    Process {
        key: key_of(task),
        container_pid: task.container_pid,
        parent: None,
        comm: task.comm.clone(),
        exe: String::new(),
        args: Vec::new(),
        cwd: String::new(),
        tty: task.tty,
        session_id: task.session_id,
        container_group_id: task.container_group_id,
        group_id: task.group_id,
        environment: Vec::new(),
        credentials: task.credentials,
        exe_file: ExeFile::default(),
        cgroup_id: task.cgroup_id,
    }
}

/// The same process with no more than [`plimsoll_model::MAX_ANCESTORS`] ancestors: a chain of forks whose parents end must not grow for
/// ever.
fn cut(process: &Arc<Process>) -> Arc<Process> {
    let kept: Vec<&Process> = process.lineage().collect();
    let mut parent = None;
    for ancestor in kept.into_iter().rev() {
        parent = Some(Arc::new(Process {
            parent: parent.take(),
            ..ancestor.clone()
        }));
    }
    parent.unwrap_or_else(|| Arc::clone(process))
}

#[cfg(test)]
mod tests;
