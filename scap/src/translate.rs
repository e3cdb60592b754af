//! Blocks in, items of a recording out: keeps processes, descriptors and containers as the capture tells of them, joins the
//! beginning and the end of a call, and says of each what a sensor would have said.

use std::collections::HashMap;

use plimsoll_model::{LossReason, Note, NoteKind};
use plimsoll_runtime::{
    capture::{Item, VERSION},
    raw::{RawEvent, RawKind, RawTask},
};

use crate::{
    ScapError,
    blocks::{Blocks, EventLayout, Kind},
    cursor::{number, text},
    event::{self, Event},
    limits::{MAX_PENDING, MAX_PENDING_BYTES, MAX_SNAPSHOT_BYTES},
    snapshot::{self, Listed, Machine},
    table::{self, Act, Row},
};

mod calls;
mod containers;
mod files;
mod life;
mod sockets;
mod world;

use world::World;

/// The parameters of a call, by their names: those of its end, else of its beginning.
#[derive(Debug, Clone, Copy)]
struct Parameters<'a> {
    row: &'static Row,
    exit: &'a [&'a [u8]],
    enter: &'a [Vec<u8>],
}

impl<'a> Parameters<'a> {
    /// `None` for what the capture does not tell; empty is not telling.
    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        let place = |names: &[&str]| names.iter().position(|known| *known == name);
        let at_end = place(self.row.exit).and_then(|at| self.exit.get(at)).copied();
        at_end
            .filter(|bytes| !bytes.is_empty())
            .or_else(|| {
                place(self.row.enter)
                    .and_then(|at| self.enter.get(at))
                    .map(Vec::as_slice)
            })
            .filter(|bytes| !bytes.is_empty())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.bytes(name).and_then(number)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(text)
    }

    /// What the call returned: its first parameter.
    fn result(&self) -> Option<i64> {
        let bytes = self.exit.first()?;
        // A result that may be of several types has the number of its type in front.
        number(match bytes {
            [_, rest @ ..] if rest.len() == 8 => rest,
            bytes => bytes,
        })
    }
}

/// When and where an event happened.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time_ns: u64,
    cpu: u32,
    tid: i64,
}

/// Goes through a capture.
struct Translation<'t> {
    take: &'t mut dyn FnMut(Item),
    world: World,
    machine: Machine,
    listed: Vec<Listed>,
    has_begun: bool,
    pending: HashMap<i64, (u16, Vec<Vec<u8>>)>,
    pending_bytes: usize,
    snapshot_bytes: usize,
    undecodable: u64,
    passed_over: u64,
    newest_ns: u64,
    notes: Vec<Note>,
}

/// Reads all blocks.
pub(crate) fn translate(mut blocks: Blocks<'_>, take: &mut dyn FnMut(Item)) -> Result<Vec<Note>, ScapError> {
    let mut translation = Translation {
        take,
        world: World::default(),
        machine: Machine {
            name: String::new(),
            boot_ns: 0,
        },
        listed: Vec::new(),
        has_begun: false,
        pending: HashMap::new(),
        pending_bytes: 0,
        snapshot_bytes: 0,
        undecodable: 0,
        passed_over: 0,
        newest_ns: 0,
        notes: Vec::new(),
    };
    loop {
        let count = blocks.count();
        match blocks.next_block()? {
            Some((kind, body)) => translation.block(count, kind, body),
            None => break,
        }
    }
    if let Some(why) = blocks.broken {
        let detail = format!("{why}; what follows was not read");
        let subject = format!("block {}", blocks.count() + 1);
        translation.notes.push(Note::new(NoteKind::Unreadable, subject, detail));
    }
    Ok(translation.finish())
}

impl Translation<'_> {
    fn block(&mut self, count: u64, kind: Kind, body: &[u8]) {
        if matches!(kind, Kind::Processes(_) | Kind::Descriptors { .. }) {
            self.snapshot_bytes += body.len();
            if self.snapshot_bytes > MAX_SNAPSHOT_BYTES {
                self.note_limit("processes");
                return;
            }
        }
        let is_whole = match kind {
            Kind::Machine => snapshot::machine(body).map(|machine| self.machine = machine).is_some(),
            Kind::Processes(version) => snapshot::processes(version, body, |listed| self.listed.push(listed)),
            Kind::Descriptors { has_lengths } => {
                let world = &mut self.world;
                snapshot::descriptors(has_lengths, body, |tid, number, descriptor| {
                    world.list(tid, number, descriptor);
                })
            }
            Kind::Event(layout) => {
                self.begin();
                self.event(layout, body);
                true
            }
            Kind::Other => true,
        };
        if !is_whole {
            let what = match kind {
                Kind::Machine => "the machine",
                Kind::Processes(_) => "a list of processes",
                _ => "a list of descriptors",
            };
            self.notes.push(Note::new(
                NoteKind::Unreadable,
                format!("block {}", count + 1),
                format!("{what} ends within an entry"),
            ));
        }
    }

    /// The first event: all that was there before has been read.
    fn begin(&mut self) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        (self.take)(Item::Start {
            version: VERSION,
            boot_id: String::new(),
            // Times are of the wall clock already.
            boot_offset_ns: 0,
            node: self.machine.name.clone(),
        });
        let listed = std::mem::take(&mut self.listed);
        if !self.world.adopt(listed, self.machine.boot_ns) {
            self.note_limit("processes");
        }
        for process in self.world.snapshot() {
            (self.take)(Item::Process(process));
        }
    }

    fn event(&mut self, layout: EventLayout, body: &[u8]) {
        let Some(number) = event::number_of(layout, body) else {
            self.undecodable += 1;
            return;
        };
        let own = table::find(number);
        let begins = table::find(number.saturating_add(1)).filter(|row| number % 2 == 0 && !row.enter.is_empty());
        let known = match (own, begins) {
            (Some(row), _) => row.exit.len(),
            (None, Some(row)) => row.enter.len(),
            (None, None) => {
                self.passed_over += u64::from(number % 2 == 1);
                return;
            }
        };
        let Some(event) = event::read(layout, body, known) else {
            self.undecodable += 1;
            return;
        };
        self.newest_ns = self.newest_ns.max(event.time_ns);
        match own {
            Some(row) => self.ended(row, &event),
            None => self.begun(&event),
        }
    }

    /// A call began: its parameters wait for its end.
    fn begun(&mut self, event: &Event<'_>) {
        let parameters: Vec<Vec<u8>> = event.parameters.iter().map(|bytes| bytes.to_vec()).collect();
        self.pending_bytes += parameters.iter().map(Vec::len).sum::<usize>();
        if self.pending.len() >= MAX_PENDING || self.pending_bytes > MAX_PENDING_BYTES {
            // Calls that never end, of threads whose end was lost; or such as have ended meanwhile, which are not counted off.
            let kept = self
                .pending
                .values()
                .flat_map(|(_, parameters)| parameters)
                .map(Vec::len)
                .sum::<usize>();
            self.pending_bytes = kept;
            if self.pending.len() >= MAX_PENDING || kept > MAX_PENDING_BYTES / 2 {
                self.pending.clear();
                self.pending_bytes = 0;
            }
        }
        self.pending.insert(event.tid, (event.number, parameters));
    }

    fn ended(&mut self, row: &'static Row, event: &Event<'_>) {
        let enter = match self.pending.remove(&event.tid) {
            Some((number, parameters)) if number.checked_add(1) == Some(row.number) => parameters,
            _ => Vec::new(),
        };
        let parameters = Parameters {
            row,
            exit: &event.parameters,
            enter: &enter,
        };
        let moment = Moment {
            time_ns: event.time_ns,
            cpu: u32::from(event.cpu),
            tid: event.tid,
        };
        if self.told(moment, parameters).is_none() {
            self.undecodable += 1;
        }
    }

    /// `None`: it lacks what its type cannot be without.
    fn told(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        match parameters.row.act {
            Act::Exec => self.exec(moment, parameters),
            Act::Clone => self.clone(moment, parameters),
            Act::Exit => self.exit(moment, parameters),
            Act::Open(name) => self.open(moment, parameters, name),
            Act::Create => self.create(moment, parameters),
            Act::Close => self.close(moment, parameters),
            Act::Duplicate(call) => self.duplicate(moment, parameters, call),
            Act::Control => self.control(moment, parameters),
            Act::Map => self.map(moment, parameters),
            Act::ChangeFolder => self.change_folder(moment, parameters),
            Act::ChangeFolderTo => self.change_folder_to(moment, parameters),
            Act::NewSession => self.new_session(moment, parameters),
            Act::Socket => self.socket(moment, parameters),
            Act::Bind => self.bind(moment, parameters),
            Act::Listen => self.listen(moment, parameters),
            Act::Connect => self.connect(moment, parameters),
            Act::Send => self.send(moment, parameters),
            Act::Accept(call) => self.accept(moment, parameters, call),
            Act::Call(shape) => self.call(moment, parameters, &shape),
            Act::Container => self.container(parameters),
            Act::ContainerJson(name) => self.container_json(parameters, name),
            Act::Sampling => {
                self.note_sampling();
                Some(())
            }
        }
    }

    fn tell(&mut self, moment: Moment, kind: RawKind) {
        let task = self.world.task(moment.tid);
        self.tell_of(moment, task, kind);
    }

    fn tell_of(&mut self, moment: Moment, task: RawTask, kind: RawKind) {
        (self.take)(Item::Event(RawEvent {
            time_ns: moment.time_ns,
            cpu: moment.cpu,
            task,
            kind,
        }));
    }

    fn note_sampling(&mut self) {
        let note = Note::new(
            NoteKind::Limit,
            "events",
            "the capture's driver left events out to keep up",
        );
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn note_limit(&mut self, what: &str) {
        let note = Note::new(NoteKind::Limit, what, "more than are kept; the rest is not told");
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn finish(mut self) -> Vec<Note> {
        self.begin();
        if self.undecodable > 0 {
            let lost = RawKind::Lost {
                count: self.undecodable,
                reason: LossReason::Decode,
            };
            let moment = Moment {
                time_ns: self.newest_ns,
                cpu: 0,
                tid: 0,
            };
            self.tell_of(moment, RawTask::nobody(), lost);
        }
        for container in self.world.containers.list() {
            (self.take)(Item::Container(container));
        }
        if self.world.is_full {
            self.note_limit("processes, descriptors or containers");
        }
        if self.passed_over > 0 {
            let detail = format!("{} of kinds that no sensor tells of were passed over", self.passed_over);
            self.notes.push(Note::new(NoteKind::Hint, "events", detail));
        }
        self.notes
    }
}
