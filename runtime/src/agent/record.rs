//! What a replay needs of what the sensors say, into a capture file: everything of containers' processes, and of the host
//! only who brought these in, without arguments. A capture may be given away, and what else runs here is nobody's business.
//!
//! Whether an event is a container's may be known only a moment after it. So items wait, in order, until it is.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{File, OpenOptions},
    io::BufWriter,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use plimsoll_model::{Container, ExeFile, LossReason, ProcessKey};

use super::AgentError;
use crate::{
    capture::{CaptureError, Item, VERSION, Writer},
    limits::{EXIT_GRACE_NS, MAX_CHAIN, MAX_PROCESSES, MAX_RECORD_WAIT_NS, MAX_RECORD_WAITING},
    pipeline::{Belongs, Pipeline},
    raw::{RawEvent, RawKind, RawTask},
    snapshot::RawProcess,
    state::key_of,
};

/// An open capture.
pub(super) struct Recorder {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    waiting: VecDeque<Waiting>,
    newest_ns: u64,
    /// All processes as they were last seen, without arguments.
    known: HashMap<ProcessKey, RawProcess>,
    /// Those that the capture speaks of.
    told: HashSet<ProcessKey>,
    ended: VecDeque<(u64, ProcessKey)>,
    dropped: u64,
}

enum Waiting {
    Process(RawProcess),
    Event(RawEvent),
}

impl Recorder {
    /// Makes the file, readable by root only: containers' command lines are in it.
    pub(super) fn create(path: &Path, boot_id: &str, boot_offset_ns: u64, node: &str) -> Result<Self, AgentError> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| AgentError::Open {
                path: path.display().to_string(),
                source,
            })?;
        let writer = Writer::new(BufWriter::new(file)).map_err(|source| failed(path, source))?;
        let mut recorder = Self {
            path: path.to_owned(),
            writer,
            waiting: VecDeque::new(),
            newest_ns: 0,
            known: HashMap::new(),
            told: HashSet::new(),
            ended: VecDeque::new(),
            dropped: 0,
        };
        recorder.write(&Item::Start {
            version: VERSION,
            boot_id: boot_id.to_owned(),
            boot_offset_ns,
            node: node.to_owned(),
        })?;
        Ok(recorder)
    }

    /// A process that ran before.
    pub(super) fn process(&mut self, process: &RawProcess) {
        self.waiting.push_back(Waiting::Process(process.clone()));
    }

    pub(super) fn event(&mut self, event: &RawEvent) {
        self.newest_ns = self.newest_ns.max(event.time_ns);
        if self.waiting.len() >= MAX_RECORD_WAITING {
            self.dropped += 1;
        } else {
            self.waiting.push_back(Waiting::Event(event.clone()));
        }
    }

    pub(super) fn container(&mut self, container: Container) -> Result<(), AgentError> {
        let (container_id, details) = (container.id.clone(), container.details.clone());
        self.write(&Item::Container(container))?;
        self.write(&Item::Details { container_id, details })
    }

    /// Writes or drops what it is known of by now whose it is.
    pub(super) fn settle(&mut self, pipeline: &Pipeline) -> Result<(), AgentError> {
        while let Some(item) = self.waiting.pop_front() {
            if self.is_open(&item, pipeline) {
                self.waiting.push_front(item);
                break;
            }
            self.take(item, pipeline)?;
        }
        if self.dropped > 0 && self.waiting.len() < MAX_RECORD_WAITING / 2 {
            let kind = RawKind::Lost {
                count: std::mem::take(&mut self.dropped),
                reason: LossReason::Queue,
            };
            self.write(&Item::Event(RawEvent {
                time_ns: self.newest_ns,
                cpu: 0,
                task: RawTask::nobody(),
                kind,
            }))?;
        }
        Ok(())
    }

    /// The pipeline has ended: what nobody knows is not a container's.
    pub(super) fn finish(mut self, pipeline: &Pipeline) -> Result<(), AgentError> {
        while let Some(item) = self.waiting.pop_front() {
            self.take(item, pipeline)?;
        }
        self.writer.flush().map_err(|source| failed(&self.path, source))
    }

    fn is_open(&self, item: &Waiting, pipeline: &Pipeline) -> bool {
        let open = |task: &RawTask| pipeline.belongs(task) == Belongs::Open;
        match item {
            Waiting::Process(process) => open(&process.task),
            Waiting::Event(event) => {
                let is_late = event.time_ns.saturating_add(MAX_RECORD_WAIT_NS) < self.newest_ns;
                let child = match &event.kind {
                    RawKind::Fork { child } => open(child),
                    _ => false,
                };
                !is_late && (child || open(&event.task))
            }
        }
    }

    fn take(&mut self, item: Waiting, pipeline: &Pipeline) -> Result<(), AgentError> {
        match item {
            Waiting::Process(process) => self.take_process(process, pipeline),
            Waiting::Event(event) => self.take_event(event, pipeline),
        }
    }

    fn take_process(&mut self, process: RawProcess, pipeline: &Pipeline) -> Result<(), AgentError> {
        let key = key_of(&process.task);
        let bare = without_arguments(process.clone());
        self.know(bare.clone());
        if is_inside(&process.task, pipeline) {
            self.introduce(parent_of(&process.task), pipeline)?;
            self.told.insert(key);
            return self.write(&Item::Process(process));
        }
        // The host's first processes say which mount namespace is the host's.
        if matches!(process.task.pid, 1 | 2) {
            self.told.insert(key);
            return self.write(&Item::Process(bare));
        }
        Ok(())
    }

    fn take_event(&mut self, mut event: RawEvent, pipeline: &Pipeline) -> Result<(), AgentError> {
        self.forget_before(event.time_ns.saturating_sub(EXIT_GRACE_NS));
        let key = key_of(&event.task);
        let mut is_kept = is_inside(&event.task, pipeline);
        match &event.kind {
            RawKind::Lost { .. } => return self.write(&Item::Event(event)),
            RawKind::CgroupMade { .. } | RawKind::CgroupEntered { .. } => return Ok(()),
            RawKind::Fork { child } => is_kept |= is_inside(child, pipeline),
            _ => {}
        }
        if is_kept {
            self.introduce(key, pipeline)?;
        }
        match &mut event.kind {
            RawKind::Exec {
                exe,
                exe_file,
                args,
                cwd,
                filename,
            } => {
                self.know(RawProcess {
                    task: event.task.clone(),
                    exe: exe.clone(),
                    args: Vec::new(),
                    cwd: String::new(),
                    exe_file: *exe_file,
                });
                // One of the host's that brought somebody in may do so again as another program.
                if !is_kept && self.told.contains(&key) {
                    args.clear();
                    cwd.clear();
                    filename.clone_from(exe);
                    is_kept = true;
                }
            }
            RawKind::Fork { child } => {
                let parent = self.known.get(&key);
                let made = RawProcess {
                    task: (**child).clone(),
                    exe: parent.map_or_else(String::new, |parent| parent.exe.clone()),
                    args: Vec::new(),
                    cwd: String::new(),
                    exe_file: parent.map_or_else(ExeFile::default, |parent| parent.exe_file),
                };
                if is_kept {
                    self.told.insert(key_of(child));
                }
                self.know(made);
            }
            RawKind::Exit { .. } => {
                self.ended.push_back((event.time_ns, key));
                is_kept |= self.told.contains(&key);
            }
            _ => {}
        }
        if !is_kept {
            return Ok(());
        }
        if let Some(known) = self.known.get_mut(&key) {
            known.task = event.task.clone();
        }
        self.write(&Item::Event(event))
    }

    /// Tells of a process and its ancestors, up to the first one outside of containers.
    fn introduce(&mut self, key: ProcessKey, pipeline: &Pipeline) -> Result<(), AgentError> {
        let mut chain: Vec<RawProcess> = Vec::new();
        let mut next = key;
        while chain.len() < MAX_CHAIN
            && !self.told.contains(&next)
            && let Some(process) = self.known.get(&next)
        {
            let is_last = next != key && !is_inside(&process.task, pipeline);
            chain.push(process.clone());
            next = parent_of(&process.task);
            if is_last {
                break;
            }
        }
        for process in chain.into_iter().rev() {
            self.told.insert(key_of(&process.task));
            self.write(&Item::Process(process))?;
        }
        Ok(())
    }

    fn know(&mut self, process: RawProcess) {
        let key = key_of(&process.task);
        if self.known.len() < MAX_PROCESSES || self.known.contains_key(&key) {
            self.known.insert(key, process);
        }
    }

    /// Children of a process that ended may still name it for a while.
    fn forget_before(&mut self, before_ns: u64) {
        while let Some((_, key)) = self.ended.pop_front_if(|(ended_ns, _)| *ended_ns < before_ns) {
            self.known.remove(&key);
            self.told.remove(&key);
        }
    }

    fn write(&mut self, item: &Item) -> Result<(), AgentError> {
        self.writer.write(item).map_err(|source| failed(&self.path, source))
    }
}

fn is_inside(task: &RawTask, pipeline: &Pipeline) -> bool {
    pipeline.belongs(task) == Belongs::Inside
}

fn parent_of(task: &RawTask) -> ProcessKey {
    ProcessKey {
        pid: task.parent_pid,
        start_time_ns: task.parent_start_time_ns,
    }
}

fn without_arguments(process: RawProcess) -> RawProcess {
    RawProcess {
        args: Vec::new(),
        cwd: String::new(),
        ..process
    }
}

pub(super) fn failed(path: &Path, source: CaptureError) -> AgentError {
    AgentError::Capture {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
