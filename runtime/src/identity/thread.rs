//! The identity thread: questions about cgroups in, answers out. It may wait for an engine to write its files; the
//! pipeline never does.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use plimsoll_model::{Container, ContainerRuntime, Note};

use super::{Case, Cgroups, Identified, identify, recognise};
use crate::{
    images::{Images, KnownImage},
    limits::{LOOKUP_PAUSE, MAX_LOOKUP, MAX_QUESTIONS},
};

/// Which cgroup is this?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Its id.
    pub(crate) cgroup_id: u64,
    /// A process in it.
    pub(crate) pid: i32,
    /// Its path, where the kernel told it.
    pub(crate) path: Option<String>,
}

/// What a cgroup is.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// No container's.
    Host,
    /// A container's.
    Container {
        /// The container; its runtime is `Unknown` when no engine's file named it in time.
        container: Box<Container>,
        /// The scan of its image.
        image: Option<Arc<KnownImage>>,
        /// Reports that could not be read while looking for it.
        notes: Vec<Note>,
    },
}

/// The pipeline's end of the thread.
#[derive(Debug, Clone)]
pub(crate) struct Asker(SyncSender<Question>);

impl Asker {
    /// An asker whose questions a test reads.
    #[cfg(test)]
    pub(crate) fn for_test() -> (Self, Receiver<Question>) {
        let (sender, receiver) = sync_channel(MAX_QUESTIONS);
        (Self(sender), receiver)
    }

    /// Whether the question was taken; a full queue takes none.
    pub(crate) fn ask(&self, question: Question) -> bool {
        match self.0.try_send(question) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// Starts the thread. It ends when the asker is dropped.
pub(crate) fn start(
    cgroups: Cgroups,
    images: Images,
    answer: impl FnMut(u64, Answer) -> bool + Send + 'static,
) -> std::io::Result<(Asker, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(MAX_QUESTIONS);
    let lookup = Lookup {
        cgroups,
        images,
        answer,
        open: VecDeque::new(),
    };
    let handle = thread::Builder::new()
        .name("identity".to_owned())
        .spawn(move || lookup.run(&receiver))?;
    Ok((Asker(sender), handle))
}

struct Lookup<A> {
    cgroups: Cgroups,
    images: Images,
    answer: A,
    open: VecDeque<(Question, Instant)>,
}

impl<A: FnMut(u64, Answer) -> bool> Lookup<A> {
    fn run(mut self, questions: &Receiver<Question>) {
        loop {
            let next = match self.open.is_empty() {
                true => questions.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => questions.recv_timeout(LOOKUP_PAUSE),
            };
            match next {
                Ok(question) => self.open.push_back((question, Instant::now())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.open
                .extend(questions.try_iter().map(|question| (question, Instant::now())));
            for (question, since) in std::mem::take(&mut self.open) {
                match self.look_up(&question, since.elapsed() >= MAX_LOOKUP) {
                    None => self.open.push_back((question, since)),
                    Some(answer) => {
                        if !(self.answer)(question.cgroup_id, answer) {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// `None`: not yet.
    fn look_up(&mut self, question: &Question, is_last_try: bool) -> Option<Answer> {
        let known = question.path.clone();
        let path = known.or_else(|| self.cgroups.path_of(question.cgroup_id, question.pid));
        let Some(path) = path else {
            return is_last_try.then(|| self.unknown(question, "", ""));
        };
        let Some((runtime, container_id)) = recognise(&path) else {
            return Some(Answer::Host);
        };
        if let Some(identified) = identify(std::path::Path::new("/"), question.cgroup_id, &path, question.pid) {
            return Some(self.known(identified));
        }
        // Any name may be a plain runc's: without a state file it is somebody's own cgroup. The file is there before the
        // first process is.
        if runtime == ContainerRuntime::Runc || (runtime == ContainerRuntime::Containerd && !path.starts_with("/kube"))
        {
            return is_last_try.then_some(Answer::Host);
        }
        is_last_try.then(|| self.unknown(question, &path, container_id))
    }

    fn known(&mut self, identified: Identified) -> Answer {
        let Identified { container, diff_ids } = identified;
        let mut notes = Vec::new();
        let mut image = container
            .image
            .as_ref()
            .and_then(|image| self.images.find(image, &diff_ids));
        if image.is_none()
            && let Some(wanted) = &container.image
        {
            match self.images.refresh() {
                Ok(found) => notes = found,
                Err(error) => tracing::warn!(%error, "folder of scan reports not read"),
            }
            image = self.images.find(wanted, &diff_ids);
        }
        Answer::Container {
            container: Box::new(container),
            image,
            notes,
        }
    }

    fn unknown(&self, question: &Question, path: &str, container_id: &str) -> Answer {
        Answer::Container {
            container: Box::new(unknown_container(question.cgroup_id, path, container_id)),
            image: None,
            notes: Vec::new(),
        }
    }
}

/// A container that nobody could name in time.
pub(crate) fn unknown_container(cgroup_id: u64, cgroup_path: &str, container_id: &str) -> Container {
    let id = match container_id {
        "" => format!("cgroup-{cgroup_id}"),
        id => id.to_owned(),
    };
    let root = PathBuf::new();
    Case {
        cgroup_id,
        cgroup_path,
        container_id: &id,
        pid: 0,
        root: &root,
    }
    .container(ContainerRuntime::Unknown)
}
