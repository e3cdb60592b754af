//! What each cgroup is: the host's, a container's, or not known yet; then its events wait, bounded in number and time.

use std::{collections::VecDeque, sync::Arc};

use plimsoll_model::{Container, ContainerRuntime};

use super::{Belongs, Output, Pipeline};
use crate::{
    identity::{Answer, Asker, Order, Question, recognise, unknown_container},
    images::KnownImage,
    limits::{MAX_CGROUPS, MAX_CONTAINERS, MAX_WAITING},
    phase::Sandbox,
    raw::RawEvent,
    state::{Seen, key_of},
};

#[derive(Debug)]
pub(super) enum Place {
    Host,
    Container(Arc<str>),
    Waiting(Box<Waiting>),
}

#[derive(Debug)]
pub(super) struct Waiting {
    /// When the first of the events that wait happened; `None`: it was there before the agent, and is waited for from the
    /// next tick on.
    pub(super) since_ns: Option<u64>,
    is_asked: bool,
    pub(super) question: Question,
    pub(super) queue: VecDeque<Seen>,
}

impl Pipeline {
    pub(super) fn settle(&mut self, cgroup_id: u64, place: Place) {
        // Cgroups come and go; those of the host are cheap to ask about again.
        if self.places.len() >= MAX_CGROUPS {
            let before = self.places.len();
            let sandboxes = &self.sandboxes;
            self.places.retain(|_, place| match place {
                Place::Host => false,
                Place::Container(id) => sandboxes.get(id).is_some_and(|sandbox| !sandbox.is_empty()),
                Place::Waiting(waiting) => !waiting.queue.is_empty(),
            });
            self.meter.forgotten += (before - self.places.len()) as u64;
        }
        self.places.insert(cgroup_id, place);
    }

    /// A cgroup was made: its maker may be a runtime that was told which container to run.
    pub(super) fn made(&mut self, raw: &RawEvent, cgroup_id: u64, path: &str, out: &mut Vec<Output>) {
        let maker = &raw.task;
        // A container's own processes may be called as they like.
        let is_hosts = maker.container_pid == maker.pid && self.belongs(maker) != Belongs::Inside;
        let maker = self.tree.process(key_of(maker)).filter(|_| is_hosts);
        let question = Question {
            order: maker.and_then(|maker| Order::of(maker.name(), &maker.args, &maker.cwd)),
            ..Question::new(cgroup_id, 0, Some(path.to_owned()))
        };
        self.meet(question, Some(self.wall_ns(raw)), out);
    }

    /// A process was put into a cgroup: from now on there is somebody to look at.
    pub(super) fn entered(&mut self, raw: &RawEvent, cgroup_id: u64, path: &str, out: &mut Vec<Output>) {
        match self.places.get_mut(&cgroup_id) {
            Some(Place::Waiting(waiting)) => waiting.ask(raw.task.pid, self.setup.asker.as_ref()),
            Some(Place::Container(_) | Place::Host) => {}
            None => {
                let question = Question::new(cgroup_id, raw.task.pid, Some(path.to_owned()));
                self.meet(question, Some(self.wall_ns(raw)), out);
            }
        }
    }

    fn wall_ns(&self, raw: &RawEvent) -> u64 {
        raw.time_ns.saturating_add(self.setup.boot_offset_ns)
    }

    /// A cgroup is seen for the first time: asks who it is, as soon as a process in it is known.
    pub(super) fn meet(&mut self, question: Question, now_ns: Option<u64>, out: &mut Vec<Output>) {
        let (cgroup_id, pid) = (question.cgroup_id, question.pid);
        if self.setup.asker.is_none() {
            // A replay was told all containers before.
            self.places.entry(cgroup_id).or_insert(Place::Host);
            return;
        }
        if question.path.as_deref().is_some_and(|path| recognise(path).is_none()) {
            self.settle(cgroup_id, Place::Host);
            return;
        }
        if question.path.is_some()
            && let Some(Place::Waiting(waiting)) = self.places.get_mut(&cgroup_id)
        {
            waiting.question = Question {
                pid: waiting.question.pid,
                ..question
            };
            return;
        }
        let mut waiting = Waiting {
            since_ns: now_ns,
            is_asked: false,
            question,
            queue: VecDeque::new(),
        };
        // A new cgroup is empty: its engine has not written anything yet, and there is no process to look at.
        if pid != 0 {
            waiting.ask(pid, self.setup.asker.as_ref());
        }
        self.settle(cgroup_id, Place::Waiting(Box::new(waiting)));
        if self.waiting >= MAX_WAITING {
            self.give_up_before(u64::MAX, out);
        }
    }

    /// A container is there, or there again after a restart.
    pub(super) fn welcome(
        &mut self,
        container: Container,
        image: Option<Arc<KnownImage>>,
        out: &mut Vec<Output>,
    ) -> Arc<str> {
        let id: Arc<str> = container.id.as_str().into();
        self.counts.containers += 1;
        match (&image, &container.image) {
            (Some(_), _) => self.counts.known_images += 1,
            (None, Some(wanted)) => {
                let (reference, folder) = (&wanted.reference, &self.setup.images_folder);
                self.notice(
                    format!(
                        "image {reference} (container {}) has no scan report, so only rules judge it; to change that: \
                         plimsoll scan {reference} -o json={folder}/NAME.json",
                        container.name
                    ),
                    out,
                );
            }
            (None, None) => {
                if container.runtime == ContainerRuntime::Unknown {
                    self.counts.unknown_containers += 1;
                }
                self.notice(
                    format!(
                        "container {} comes from an image that its engine does not name, so only rules judge it",
                        container.name
                    ),
                    out,
                );
            }
        }
        out.push(Output::Identified(Box::new(container.clone())));
        let container = Arc::new(container);
        if self.sandboxes.len() >= MAX_CONTAINERS {
            let before = self.sandboxes.len();
            self.sandboxes.retain(|_, sandbox| !sandbox.is_empty());
            self.meter.forgotten += (before - self.sandboxes.len()) as u64;
        }
        match self.sandboxes.get_mut(&id) {
            Some(sandbox) => {
                sandbox.container = container;
                match image {
                    // Its processes were placed without knowing what each is.
                    Some(image) if sandbox.image.is_none() && !sandbox.is_empty() => {
                        let tree = &self.tree;
                        sandbox.learn(image, |key| tree.process(key));
                        self.guard_all(&id, out);
                    }
                    Some(image) => sandbox.image = Some(image),
                    None => {}
                }
            }
            None => {
                self.sandboxes.insert(
                    Arc::clone(&id),
                    Sandbox::new(container, image, self.setup.host_mount_namespace),
                );
            }
        }
        id
    }

    /// Starts the clock of those that were there before the agent.
    pub(super) fn wait_from(&mut self, now_ns: u64) {
        for place in self.places.values_mut() {
            if let Place::Waiting(waiting) = place {
                waiting.since_ns.get_or_insert(now_ns);
            }
        }
    }

    pub(super) fn give_up_before(&mut self, before_ns: u64, out: &mut Vec<Output>) {
        let mut late: Vec<(u64, u64)> = Vec::new();
        for (cgroup_id, place) in &self.places {
            if let Place::Waiting(waiting) = place
                && !waiting.queue.is_empty()
                && waiting.since_ns.unwrap_or(before_ns.saturating_sub(1)) < before_ns
            {
                late.push((waiting.since_ns.unwrap_or_default(), *cgroup_id));
            }
        }
        late.sort_unstable();
        for (_, cgroup_id) in late {
            self.give_up(cgroup_id, out);
        }
    }

    /// A container that was unknown has got its name: its processes keep their places.
    pub(super) fn rename(&mut self, old: &Arc<str>, new: &str) {
        if **old != *new
            && let Some(sandbox) = self.sandboxes.remove(old)
        {
            let new: Arc<str> = new.into();
            if let Some(namespace) = sandbox.mount_namespace {
                self.by_mount_namespace.insert(namespace, Arc::clone(&new));
            }
            self.sandboxes.entry(new).or_insert(sandbox);
        }
    }

    /// Nobody said in time who it is. When the answer comes after all, it counts from then on.
    pub(super) fn give_up(&mut self, cgroup_id: u64, out: &mut Vec<Output>) {
        let Some(Place::Waiting(waiting)) = self.places.get(&cgroup_id) else {
            return;
        };
        self.meter.timed_out += 1;
        let path = waiting.question.path.clone().unwrap_or_default();
        let container_id = recognise(&path).map_or("", |(_, id)| id);
        let container = Box::new(unknown_container(cgroup_id, &path, container_id));
        let answer = Answer::Container {
            container,
            image: None,
            notes: Vec::new(),
        };
        self.answer(cgroup_id, answer, out);
    }
}

impl Waiting {
    /// Asks once, about a process in it; a question that found no room is asked again with the next event.
    pub(super) fn ask(&mut self, pid: i32, asker: Option<&Asker>) {
        self.question.pid = pid;
        if !self.is_asked {
            self.is_asked = asker.is_some_and(|asker| asker.ask(self.question.clone()));
        }
    }

    /// Keeps an event until it is known whose it is. A cgroup can be made long before anything happens in it.
    pub(super) fn take(&mut self, seen: Seen) {
        if let Some(since_ns) = self.since_ns.as_mut().filter(|_| self.queue.is_empty()) {
            *since_ns = seen.event.time_ns.max(*since_ns);
        }
        self.queue.push_back(seen);
    }
}
