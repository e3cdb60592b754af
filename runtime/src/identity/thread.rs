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
    time::{Duration, Instant},
};

use plimsoll_model::{Container, ContainerImage, ContainerRuntime, Digest, Note};

use super::{Case, Cgroups, Identified, Order, accounts, identify, recognise, runc};
use crate::{
    images::{Images, KnownImage, Puller},
    limits::{GONE_REST, LOOKUP_PAUSE, MAX_LOOKUP, MAX_QUESTIONS, MAX_ROOT_WAIT, MAX_WATCHED, RECHECK, REPORT_REST},
    load,
    output::ReportDesk,
};

/// Which cgroup is this?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Its id.
    pub(crate) cgroup_id: u64,
    /// A process in it; 0: none is known.
    pub(crate) pid: i32,
    /// Its path, where the kernel told it.
    pub(crate) path: Option<String>,
    /// What the process that made it was told, where that is a container runtime of the host.
    pub(crate) order: Option<Order>,
}

impl Question {
    /// About a cgroup of which nobody knows who made it.
    pub(crate) fn new(cgroup_id: u64, pid: i32, path: Option<String>) -> Self {
        Self {
            cgroup_id,
            pid,
            path,
            order: None,
        }
    }
}

/// What a cgroup is.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// No container's.
    Host,
    /// A cgroup that any engine or nobody may have made, and that is gone: a container's, if its processes were in
    /// namespaces of their own.
    Gone {
        /// Then, this one.
        container: Box<Container>,
    },
    /// A container that is known already: a scan of its image came late, or another one.
    Report {
        /// The scan.
        image: Arc<KnownImage>,
    },
    /// Reports could not be read while they were looked for again.
    Notes(Vec<Note>),
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

/// Starts the thread. It ends when the asker is dropped. Reports that are nowhere are asked for at the desk, and at the
/// images' registries.
pub(crate) fn start(
    cgroups: Cgroups,
    images: Images,
    desk: Arc<ReportDesk>,
    puller: Option<Puller>,
    answer: impl FnMut(u64, Answer) -> bool + Send + 'static,
) -> std::io::Result<(Asker, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(MAX_QUESTIONS);
    let lookup = Lookup {
        cgroups,
        images,
        desk,
        puller,
        answer,
        open: VecDeque::new(),
        running: VecDeque::new(),
        rechecked: Instant::now(),
        rechecks: 0,
    };
    let handle = thread::Builder::new()
        .name("identity".to_owned())
        .spawn(move || lookup.run(&receiver))?;
    Ok((Asker(sender), handle))
}

/// Rechecks between two times that freed memory is given back.
const GIVE_BACK_EVERY: u64 = 100;

struct Lookup<A> {
    cgroups: Cgroups,
    images: Images,
    desk: Arc<ReportDesk>,
    puller: Option<Puller>,
    answer: A,
    open: VecDeque<Open>,
    /// Containers that run, oldest first: the report of their image may come, or change.
    running: VecDeque<Running>,
    rechecked: Instant,
    /// How often.
    rechecks: u64,
}

/// A question that has no answer yet.
struct Open {
    question: Question,
    since: Instant,
    /// Who it is, as soon as that is known: its root may still be put together.
    found: Option<(Box<Identified>, Instant)>,
}

impl Open {
    fn new(question: Question) -> Self {
        Self {
            question,
            since: Instant::now(),
            found: None,
        }
    }
}

struct Running {
    cgroup_id: u64,
    cgroup_path: String,
    image: ContainerImage,
    diff_ids: Vec<Digest>,
    /// The report that judges it.
    report: Option<Arc<KnownImage>>,
}

impl<A: FnMut(u64, Answer) -> bool> Lookup<A> {
    fn run(mut self, questions: &Receiver<Question>) {
        loop {
            let next = match (self.open.is_empty(), self.running.is_empty()) {
                (true, true) => questions.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (true, false) => questions.recv_timeout(RECHECK),
                (false, _) => questions.recv_timeout(LOOKUP_PAUSE),
            };
            match next {
                Ok(question) => self.open.push_back(Open::new(question)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.open.extend(questions.try_iter().map(Open::new));
            for mut open in std::mem::take(&mut self.open) {
                match self.look_up(&mut open) {
                    None => self.open.push_back(open),
                    Some(answer) => {
                        if !(self.answer)(open.question.cgroup_id, answer) {
                            return;
                        }
                    }
                }
            }
            if !self.running.is_empty() && self.rechecked.elapsed() >= RECHECK && !self.recheck() {
                return;
            }
        }
    }

    /// Looks for reports that came or changed while their containers run. False: nobody listens any more.
    fn recheck(&mut self) -> bool {
        self.rechecked = Instant::now();
        self.rechecks += 1;
        if self.rechecks % GIVE_BACK_EVERY == 1 {
            load::give_back();
        }
        let mut notes = self.refresh(REPORT_REST);
        notes.extend(self.puller.iter().flat_map(Puller::notes));
        if !notes.is_empty() && !(self.answer)(0, Answer::Notes(notes)) {
            return false;
        }
        for mut one in std::mem::take(&mut self.running) {
            if !self.cgroups.exists(&one.cgroup_path) {
                continue;
            }
            match self.images.find(&one.image, &one.diff_ids) {
                Some(image) if one.report.as_ref().is_some_and(|known| Arc::ptr_eq(known, &image)) => {}
                Some(image) => {
                    one.report = Some(Arc::clone(&image));
                    let advice = self.images.learned_elsewhere(&image);
                    let answers = [
                        Some((one.cgroup_id, Answer::Report { image })),
                        advice.map(|note| (0, Answer::Notes(vec![note]))),
                    ];
                    for (cgroup_id, answer) in answers.into_iter().flatten() {
                        if !(self.answer)(cgroup_id, answer) {
                            return false;
                        }
                    }
                }
                None if one.report.is_none() => self.want(&one.image),
                // Its file is gone or is about another image now: what was known of this one stays true.
                None => {}
            }
            self.running.push_back(one);
        }
        true
    }

    fn refresh(&mut self, rest: Duration) -> Vec<Note> {
        self.images.refresh(rest).unwrap_or_else(|error| {
            tracing::warn!(%error, "folder of scan reports not read");
            Vec::new()
        })
    }

    fn want(&self, image: &ContainerImage) {
        if let Some(digest) = image.config_digest.or(image.manifest_digest) {
            self.desk.want(digest);
        }
        if let Some(puller) = &self.puller {
            puller.want(image);
        }
    }

    /// `None`: not yet.
    fn look_up(&mut self, open: &mut Open) -> Option<Answer> {
        if let Some((identified, since)) = open.found.take() {
            return self.settle(open, identified, since);
        }
        let (question, age) = (&open.question, open.since.elapsed());
        let is_last_try = age >= MAX_LOOKUP;
        let known = question.path.clone();
        let path = known.or_else(|| self.cgroups.path_of(question.cgroup_id, question.pid));
        let Some(path) = path else {
            // All of the machine may be in this one.
            if !self.cgroups.is_mounted() {
                return Some(Answer::Host);
            }
            return is_last_try.then(|| self.unknown(question, "", ""));
        };
        let Some((runtime, container_id)) = recognise(&path) else {
            return Some(Answer::Host);
        };
        if let Some(identified) = identify(std::path::Path::new("/"), question.cgroup_id, &path, question.pid) {
            return self.settle(open, Box::new(identified), Instant::now());
        }
        // Any name may be a plain runc's: without a state file or an order it is somebody's own cgroup. The file is there
        // before the first process is.
        let is_any_name = runtime == ContainerRuntime::Runc
            || (runtime == ContainerRuntime::Containerd && !path.starts_with("/kube"));
        if !is_any_name {
            return is_last_try.then(|| self.unknown(question, &path, container_id));
        }
        // A container can be shorter than the time that it takes to look.
        let is_gone = !self.cgroups.exists(&path);
        if let Some(order) = question
            .order
            .as_ref()
            .filter(|order| order.container_id == container_id)
        {
            let case = Case {
                cgroup_id: question.cgroup_id,
                cgroup_path: &path,
                container_id,
                pid: question.pid,
                root: std::path::Path::new("/"),
            };
            let identified = runc::ordered(&case, runtime, order, !is_gone && !is_last_try)?;
            return self.settle(open, Box::new(identified), Instant::now());
        }
        // Its events may still be on their way.
        if is_gone && age >= GONE_REST {
            let container = Box::new(unknown_container(question.cgroup_id, &path, container_id));
            return Some(Answer::Gone { container });
        }
        is_last_try.then_some(Answer::Host)
    }

    /// Reads the container's users as soon as its processes have a root of their own. `None`: they have none yet.
    fn settle(&mut self, open: &mut Open, mut identified: Box<Identified>, since: Instant) -> Option<Answer> {
        let container = &mut identified.container;
        let inside = self.cgroups.processes(&container.cgroup_path);
        let asked = [open.question.pid, container.init_pid];
        let known = asked.into_iter().filter(|pid| *pid > 0 && inside.is_empty());
        let rooted = known
            .chain(inside.iter().copied())
            .find(|pid| accounts::has_own_root(*pid));
        let is_coming = rooted.is_none() && since.elapsed() < MAX_ROOT_WAIT && !inside.is_empty();
        if is_coming {
            open.found = Some((identified, since));
            return None;
        }
        container.details.accounts = rooted.and_then(accounts::of_process).map(Arc::new);
        Some(self.known(*identified))
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
            notes = self.refresh(Duration::ZERO);
            image = self.images.find(wanted, &diff_ids);
            if image.is_none() {
                self.want(wanted);
            }
        }
        notes.extend(image.as_ref().and_then(|image| self.images.learned_elsewhere(image)));
        if let Some(wanted) = &container.image {
            if self.running.len() >= MAX_WATCHED {
                self.running.pop_front();
            }
            self.running.push_back(Running {
                cgroup_id: container.cgroup_id,
                cgroup_path: container.cgroup_path.clone(),
                image: wanted.clone(),
                diff_ids,
                report: image.clone(),
            });
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
