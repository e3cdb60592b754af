//! Processes begin, run another program, change who they are, and end.

use std::{collections::HashSet, sync::Arc};

use plimsoll_model::ExeFile;
use plimsoll_runtime::raw::{RawKind, RawTask};

use super::{
    Moment, Parameters, Translation,
    world::{Process, executable, known_id, namespace, resolve},
};
use crate::{
    cursor::{low, low_bits},
    numbers::CLONE_THREAD,
    snapshot::texts,
};

/// Bits of `flags` of an exec.
const EXE_UPPER_LAYER: i64 = 1 << 1;
const EXE_FROM_MEMFD: i64 = 1 << 2;

impl Translation<'_> {
    /// A program was replaced. One that could not be is no event, as with our sensors.
    pub(super) fn exec(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? != 0 {
            return Some(());
        }
        let cgroup_id = self.cgroup(parameters);
        let parent = parameters.number("ptid").map(|tid| self.parent(tid));
        let process = self.world.get(moment.tid)?;
        let called = parameters.text("exe").unwrap_or_default();
        let task = &mut process.task;
        if let Some(cgroup_id) = cgroup_id {
            task.cgroup_id = cgroup_id;
            task.mount_namespace = namespace(cgroup_id);
        }
        // The first thing that is heard of it.
        if let Some((pid, start_time_ns)) = parent.filter(|_| task.parent_pid == 0) {
            (task.parent_pid, task.parent_start_time_ns) = (pid, start_time_ns);
        }
        task.comm = parameters
            .text("comm")
            .unwrap_or_else(|| called.rsplit('/').next().unwrap_or_default().chars().take(15).collect());
        who(task, parameters);
        if let Some(cwd) = parameters.text("cwd") {
            process.cwd = resolve("", &cwd).into();
        }
        let asked = parameters.text("filename").or_else(|| parameters.text("pathname"));
        let told = parameters
            .text("trusted_exepath")
            .or_else(|| asked.clone())
            .unwrap_or_default();
        process.exe = executable(&told, &called, &process.cwd, &process.task.comm).into();
        let rest = parameters.bytes("args").map(texts).unwrap_or_default();
        process.args = Arc::new(std::iter::once(called).chain(rest).collect());
        let flags = parameters.number("flags").unwrap_or(0);
        process.exe_file = ExeFile {
            inode: bits(parameters, "exe_ino").unwrap_or(0),
            is_upper_layer: flags & EXE_UPPER_LAYER != 0,
            is_memfd: flags & EXE_FROM_MEMFD != 0,
            ..ExeFile::default()
        };
        process.libraries = HashSet::new();
        let variables = parameters.bytes("env").map(texts).unwrap_or_default();
        let kind = RawKind::Exec {
            filename: asked.unwrap_or_else(|| process.exe.as_ref().to_owned()),
            exe: process.exe.as_ref().to_owned(),
            args: process.args.as_ref().clone(),
            cwd: process.cwd.as_ref().to_owned(),
            exe_file: process.exe_file,
        };
        if !variables.is_empty() {
            self.tell(moment, RawKind::Environment { variables });
        }
        self.tell(moment, kind);
        Some(())
    }

    /// A call that makes a process or thread returned: in the parent with the child's id, in the child with 0.
    pub(super) fn clone(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let result = parameters.result()?;
        if result < 0 {
            return Some(());
        }
        let (flags, pid) = (low_bits(parameters.number("flags")?), low(parameters.number("pid")?));
        if result > 0 {
            // Ids in the parent's own namespace say nothing of the child; the child says who it is itself.
            return Some(());
        }
        if flags & CLONE_THREAD != 0 {
            self.world.join(moment.tid, pid);
            return Some(());
        }
        let parent_tid = parameters.number("ptid")?;
        let cgroup_id = self.cgroup(parameters);
        let parent = self.world.task(parent_tid);
        let made = self.child(moment, parameters, cgroup_id, &parent);
        let child = Box::new(made.task.clone());
        if self.world.insert(made) {
            self.tell_of(moment, parent, RawKind::Fork { child });
        }
        Some(())
    }

    fn child(
        &mut self,
        moment: Moment,
        parameters: Parameters<'_>,
        cgroup_id: Option<u64>,
        parent: &RawTask,
    ) -> Process {
        let pid = low(moment.tid);
        let cgroup_id = cgroup_id.unwrap_or(parent.cgroup_id);
        let mut credentials = parent.credentials;
        for (name, id) in [("uid", &mut credentials.euid), ("gid", &mut credentials.egid)] {
            if let Some(told) = parameters.number(name) {
                *id = low_bits(told);
            }
        }
        let task = RawTask {
            pid,
            tid: pid,
            start_time_ns: moment.time_ns,
            parent_pid: parent.pid,
            parent_start_time_ns: parent.start_time_ns,
            container_pid: parameters.number("vpid").and_then(known_id).unwrap_or(pid),
            mount_namespace: namespace(cgroup_id),
            cgroup_id,
            credentials,
            comm: parameters.text("comm").unwrap_or_else(|| parent.comm.clone()),
            ..parent.clone()
        };
        let above = self.world.find(i64::from(parent.pid));
        Process {
            exe: above.map_or_else(|| "".into(), |above| Arc::clone(&above.exe)),
            args: above.map_or_else(Arc::default, |above| Arc::clone(&above.args)),
            cwd: above.map_or_else(|| "".into(), |above| Arc::clone(&above.cwd)),
            exe_file: above.map_or_else(ExeFile::default, |above| above.exe_file),
            descriptors: above.map_or_else(Arc::default, |above| Arc::clone(&above.descriptors)),
            libraries: HashSet::new(),
            task,
        }
    }

    /// A thread ended; the process with its first one.
    pub(super) fn exit(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let task = self.world.task(moment.tid);
        self.pending.remove(&moment.tid);
        if self.world.leave(moment.tid) {
            let status = low(parameters.number("status").unwrap_or(0));
            self.tell_of(moment, task, RawKind::Exit { status });
        }
        Some(())
    }

    pub(super) fn new_session(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? >= 0 {
            let task = &mut self.world.get(moment.tid)?.task;
            (task.session_id, task.tty) = (task.pid, 0);
        }
        Some(())
    }

    pub(super) fn change_folder(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? == 0 {
            let path = self.world.absolute(moment.tid, None, &parameters.text("path")?);
            self.world.get(moment.tid)?.cwd = path.into();
        }
        Some(())
    }

    pub(super) fn change_folder_to(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? == 0
            && let Some(folder) = self.world.folder(moment.tid, parameters.number("fd"))
        {
            let folder = folder.to_owned();
            self.world.get(moment.tid)?.cwd = folder.into();
        }
        Some(())
    }

    /// The cgroup that an event tells of; `None` when it tells none.
    fn cgroup(&mut self, parameters: Parameters<'_>) -> Option<u64> {
        let cgroups = texts(parameters.bytes("cgroups")?);
        Some(self.world.containers.cgroup(&cgroups))
    }

    /// Id and start of the process of a thread.
    fn parent(&mut self, tid: i64) -> (i32, u64) {
        match self.world.find(tid) {
            Some(parent) => (parent.task.pid, parent.task.start_time_ns),
            None => (low(tid), 0),
        }
    }
}

/// What an exec tells of who runs the program, as far as the capture's version tells it.
fn who(task: &mut RawTask, parameters: Parameters<'_>) {
    if let Some(tty) = parameters.number("tty") {
        task.tty = low_bits(tty);
    }
    if let Some(uid) = parameters.number("loginuid") {
        task.credentials.login_uid = Some(low_bits(uid)).filter(|uid| *uid != u32::MAX);
    }
    task.credentials.capabilities = bits(parameters, "cap_effective").or(task.credentials.capabilities);
    task.credentials.permitted_capabilities =
        bits(parameters, "cap_permitted").or(task.credentials.permitted_capabilities);
    for (name, id) in [("uid", &mut task.credentials.euid), ("gid", &mut task.credentials.egid)] {
        if let Some(told) = parameters.number(name) {
            *id = low_bits(told);
        }
    }
    if let Some(group) = parameters.number("vpgid").and_then(known_id) {
        task.container_group_id = group;
    }
    if let Some(group) = parameters.number("pgid").and_then(known_id) {
        task.group_id = group;
    }
}

/// A set of bits by its parameter.
fn bits(parameters: Parameters<'_>, name: &str) -> Option<u64> {
    parameters
        .number(name)
        .map(|bits| u64::from_le_bytes(bits.to_le_bytes()))
}
