//! Processes, threads and descriptors as they are at one moment of a capture.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use plimsoll_model::{Credentials, ExeFile};
use plimsoll_runtime::{raw::RawTask, snapshot::RawProcess};

use super::containers::{Containers, HOST_CGROUP};
use crate::{
    cursor::low,
    limits::{MAX_DESCRIPTORS, MAX_THREADS},
    snapshot::{Descriptor, Listed},
};

/// Stands for the host's mount namespace. Captures do not tell namespaces: the host has one, each container another.
pub(super) const HOST_NAMESPACE: u32 = 1;

/// A process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    /// As its next event will say.
    pub(super) task: RawTask,
    /// These are shared with children until they change.
    pub(super) exe: Arc<str>,
    pub(super) args: Arc<Vec<String>>,
    pub(super) cwd: Arc<str>,
    pub(super) exe_file: ExeFile,
    /// Shared with the child until one of them changes it.
    pub(super) descriptors: Arc<HashMap<i64, Descriptor>>,
    /// Libraries that were told of its program.
    pub(super) libraries: HashSet<Arc<str>>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct World {
    by_pid: HashMap<i32, Process>,
    pids: HashMap<i64, i32>,
    /// Descriptors that were listed, by thread, before the processes are taken in.
    listed: HashMap<i64, HashMap<i64, Descriptor>>,
    pub(super) containers: Containers,
    /// Something was not remembered.
    pub(super) is_full: bool,
}

impl World {
    /// A descriptor of the snapshot.
    pub(super) fn list(&mut self, tid: i64, number: i64, descriptor: Option<Descriptor>) {
        if self.listed.len() >= MAX_THREADS && !self.listed.contains_key(&tid) {
            self.is_full = true;
            return;
        }
        let own = self.listed.entry(tid).or_default();
        if let Some(descriptor) = descriptor {
            match own.len() < MAX_DESCRIPTORS {
                true => drop(own.insert(number, descriptor)),
                false => self.is_full = true,
            }
        }
    }

    /// Takes in the processes of the snapshot; `false` when there are too many.
    pub(super) fn adopt(&mut self, mut listed: Vec<Listed>, boot_ns: u64) -> bool {
        let is_whole = listed.len() <= MAX_THREADS;
        listed.truncate(MAX_THREADS);
        for one in &listed {
            self.pids.insert(one.tid, low(one.pid));
        }
        for one in listed.into_iter().filter(|one| one.tid == one.pid) {
            let descriptors = self.listed.remove(&one.tid).unwrap_or_default();
            let cgroup_id = self.containers.cgroup(&one.cgroups);
            let parent = self.pids.get(&one.parent_tid).copied().unwrap_or(low(one.parent_tid));
            let pid = low(one.pid);
            let task = RawTask {
                pid,
                tid: pid,
                start_time_ns: boot_ns,
                parent_pid: parent,
                parent_start_time_ns: boot_ns,
                container_pid: known_id(one.inner_pid).unwrap_or(pid),
                mount_namespace: namespace(cgroup_id),
                cgroup_id,
                credentials: Credentials {
                    uid: one.uid,
                    gid: one.gid,
                    euid: one.uid,
                    egid: one.gid,
                    login_uid: one.login_uid,
                    capabilities: one.effective,
                    permitted_capabilities: one.permitted,
                },
                session_id: known_id(one.session).unwrap_or(0),
                container_group_id: known_id(one.inner_group).unwrap_or(0),
                tty: one.tty,
                comm: one.comm,
                ..RawTask::nobody()
            };
            let exe = executable(&one.exe, &one.called, &one.cwd, &task.comm);
            let called = std::iter::once(one.called).filter(|called| !called.is_empty());
            let process = Process {
                exe: exe.into(),
                args: Arc::new(called.chain(one.args).collect()),
                cwd: trimmed(&one.cwd).into(),
                exe_file: ExeFile {
                    inode: one.inode,
                    is_upper_layer: one.is_upper_layer,
                    is_memfd: one.is_memfd,
                    ..ExeFile::default()
                },
                descriptors: Arc::new(descriptors),
                libraries: HashSet::new(),
                task,
            };
            self.by_pid.insert(pid, process);
        }
        self.listed.clear();
        is_whole
    }

    /// The processes that there are, parents first.
    pub(super) fn snapshot(&self) -> Vec<RawProcess> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        let mut todo: Vec<i32> = Vec::new();
        for (pid, process) in &self.by_pid {
            let parent = process.task.parent_pid;
            match parent != *pid && self.by_pid.contains_key(&parent) {
                true => children.entry(parent).or_default().push(*pid),
                false => todo.push(*pid),
            }
        }
        todo.sort_unstable_by(|a, b| b.cmp(a));
        let mut processes = Vec::new();
        let mut told = HashSet::new();
        loop {
            while let Some(pid) = todo.pop() {
                let Some(process) = self.by_pid.get(&pid).filter(|_| told.insert(pid)) else {
                    continue;
                };
                processes.push(RawProcess {
                    task: process.task.clone(),
                    exe: process.exe.as_ref().to_owned(),
                    args: process.args.as_ref().clone(),
                    cwd: process.cwd.as_ref().to_owned(),
                    exe_file: process.exe_file,
                });
                let mut next = children.remove(&pid).unwrap_or_default();
                next.sort_unstable_by(|a, b| b.cmp(a));
                todo.extend(next);
            }
            // Processes that are each other's parents, in a capture that lies.
            let Some(lying) = children.keys().min().copied() else {
                break;
            };
            todo.push(lying);
        }
        processes
    }

    /// The process of a thread.
    pub(super) fn pid(&self, tid: i64) -> i32 {
        self.pids.get(&tid).copied().unwrap_or(low(tid))
    }

    pub(super) fn find(&self, tid: i64) -> Option<&Process> {
        self.by_pid.get(&self.pid(tid))
    }

    /// The process of a thread, to change it; one that the capture never told of is made up. `None` when there are too many.
    pub(super) fn get(&mut self, tid: i64) -> Option<&mut Process> {
        let pid = self.pid(tid);
        if !self.by_pid.contains_key(&pid) {
            let task = RawTask {
                pid,
                tid: pid,
                container_pid: pid,
                mount_namespace: HOST_NAMESPACE,
                cgroup_id: HOST_CGROUP,
                ..RawTask::nobody()
            };
            let process = Process {
                task,
                exe: "".into(),
                args: Arc::default(),
                cwd: "".into(),
                exe_file: ExeFile::default(),
                descriptors: Arc::default(),
                libraries: HashSet::new(),
            };
            if !self.insert(process) {
                return None;
            }
        }
        self.by_pid.get_mut(&pid)
    }

    /// The task that an event of a thread names.
    pub(super) fn task(&mut self, tid: i64) -> RawTask {
        let task = self.get(tid).map(|process| process.task.clone());
        RawTask {
            tid: low(tid),
            ..task.unwrap_or_else(RawTask::nobody)
        }
    }

    /// A new process.
    pub(super) fn insert(&mut self, process: Process) -> bool {
        let pid = process.task.pid;
        if self.by_pid.len() >= MAX_THREADS && !self.by_pid.contains_key(&pid) {
            self.is_full = true;
            return false;
        }
        self.pids.insert(i64::from(pid), pid);
        self.by_pid.insert(pid, process);
        true
    }

    /// A new thread of a process.
    pub(super) fn join(&mut self, tid: i64, pid: i32) {
        match self.pids.len() < MAX_THREADS {
            true => drop(self.pids.insert(tid, pid)),
            false => self.is_full = true,
        }
    }

    /// A thread ended: `true` when it was its process's first, and with it the process.
    pub(super) fn leave(&mut self, tid: i64) -> bool {
        let pid = self.pid(tid);
        self.pids.remove(&tid);
        i64::from(pid) == tid && self.by_pid.remove(&pid).is_some()
    }

    pub(super) fn descriptor(&self, tid: i64, number: i64) -> Option<&Descriptor> {
        self.find(tid)?.descriptors.get(&number)
    }

    /// What a descriptor is from now on; `None`: nothing that anybody asks for.
    pub(super) fn set_descriptor(&mut self, tid: i64, number: i64, descriptor: Option<Descriptor>) {
        let Some(process) = self.get(tid) else { return };
        let is_known = process.descriptors.contains_key(&number);
        if descriptor.is_none() && !is_known {
            return;
        }
        if !is_known && process.descriptors.len() >= MAX_DESCRIPTORS {
            self.is_full = true;
            return;
        }
        let own = Arc::make_mut(&mut process.descriptors);
        match descriptor {
            Some(descriptor) => own.insert(number, descriptor),
            None => own.remove(&number),
        };
    }

    /// The folder that a relative path begins at: that of a descriptor, or the working directory.
    pub(super) fn folder(&self, tid: i64, descriptor: Option<i64>) -> Option<&str> {
        /// `AT_FDCWD`.
        const HERE: i64 = -100;
        match descriptor.filter(|number| *number != HERE) {
            Some(number) => match self.descriptor(tid, number)? {
                Descriptor::File(path) => Some(path),
                Descriptor::Socket { .. } => None,
            },
            None => self.find(tid).map(|process| process.cwd.as_ref()),
        }
    }

    /// A path as it was given, made absolute.
    pub(super) fn absolute(&self, tid: i64, descriptor: Option<i64>, path: &str) -> String {
        resolve(self.folder(tid, descriptor).unwrap_or(""), path)
    }
}

/// A namespace for each container.
pub(super) fn namespace(cgroup_id: u64) -> u32 {
    let number = cgroup_id.saturating_sub(HOST_CGROUP);
    HOST_NAMESPACE.saturating_add(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Ids that are not told are negative.
pub(super) fn known_id(id: i64) -> Option<i32> {
    Some(low(id)).filter(|id| *id >= 0)
}

/// The executable's path: as told, else by the name it was called by, else that name for want of a better one.
pub(super) fn executable(told: &str, called: &str, cwd: &str, comm: &str) -> String {
    if !told.is_empty() {
        return resolve(cwd, told);
    }
    match called.contains('/') {
        true => resolve(cwd, called),
        false => comm.to_owned(),
    }
}

fn trimmed(folder: &str) -> String {
    match folder.len() {
        0 | 1 => folder.to_owned(),
        _ => folder.trim_end_matches('/').to_owned(),
    }
}

/// `path` from `folder` on, without `.` and `..`; links are not known. A folder that is not known leaves it as it is.
pub(super) fn resolve(folder: &str, path: &str) -> String {
    let folder = match path.starts_with('/') {
        true => "",
        false if folder.starts_with('/') => folder,
        false => return path.to_owned(),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}
