//! From old sensors to new ones while both are attached: what either says in, each event once out.
//!
//! For one act the programs of both run one after the other, in the thread that acts, and each takes the time itself. So a
//! moment alone does not separate them: around it, acts of one thread that are equal and microseconds apart are one.

use std::collections::{HashMap, HashSet};

use crate::raw::{RawEvent, RawKind};

/// Before this long after the hand-over began, old sensors count; from then on, new ones.
const HALF_NS: u64 = 5_000_000;
/// A record may come into the ring this long after its time.
const GRACE_NS: u64 = 20_000_000;
/// The two programs of one act are not further apart.
const APART_NS: u64 = 50_000;

/// A hand-over that has begun.
pub(super) struct Handover {
    begun_ns: u64,
    old: Side,
    new: Side,
}

#[derive(Default)]
struct Side {
    events: Vec<RawEvent>,
    /// Everything up to here has come.
    until_ns: u64,
}

impl Side {
    fn take(&mut self, batch: Vec<RawEvent>, now_ns: u64) {
        let last = batch.iter().map(|event| event.time_ns).max();
        // Nothing more was there when it was looked for.
        self.until_ns = last.unwrap_or(now_ns).max(self.until_ns);
        self.events.extend(batch);
    }
}

impl Handover {
    /// Both sides are attached at `now_ns`, by the sensors' clock.
    pub(super) fn begin(now_ns: u64) -> Self {
        Self {
            begun_ns: now_ns,
            old: Side::default(),
            new: Side::default(),
        }
    }

    /// What the old sensors said; empty when they had said everything by `now_ns`.
    pub(super) fn hear_old(&mut self, batch: Vec<RawEvent>, now_ns: u64) {
        self.old.take(batch, now_ns);
    }

    /// What the new sensors said; empty when they had said everything by `now_ns`.
    pub(super) fn hear_new(&mut self, batch: Vec<RawEvent>, now_ns: u64) {
        self.new.take(batch, now_ns);
    }

    /// Whether both have said all that is to be compared.
    pub(super) fn is_over(&self) -> bool {
        self.old.until_ns.min(self.new.until_ns) > self.begun_ns + HALF_NS + GRACE_NS
    }

    /// Everything that was said since the beginning, each act once, by time.
    pub(super) fn finish(self) -> Vec<RawEvent> {
        let split_ns = self.begun_ns + HALF_NS;
        let twins = twins(&self.old.events, &self.new.events);
        let is_loss = |event: &RawEvent| matches!(event.kind, RawKind::Lost { .. });
        // New sensors may tell more of the same act, but an old event without a twin that came before the split is kept,
        // and a new one after it. In between both are whole: what only one of them has is new to the other.
        let mut all: Vec<RawEvent> = Vec::new();
        let taken: HashSet<usize> = twins
            .iter()
            .filter(|(old, _)| self.old.events[**old].time_ns < split_ns)
            .map(|(_, new)| *new)
            .collect();
        let begun_ns = self.begun_ns;
        for event in self.old.events {
            if event.time_ns < split_ns || is_loss(&event) {
                all.push(event);
            }
        }
        for (index, event) in self.new.events.into_iter().enumerate() {
            if is_loss(&event) || (event.time_ns >= begun_ns && !taken.contains(&index)) {
                all.push(event);
            }
        }
        all.sort_by_key(|event| event.time_ns);
        all
    }
}

/// Positions of events of both sides that are one act: each is the other's nearest, or they stand between two such acts of
/// their thread, as many on both sides. A thread may be held up between the programs of one act.
fn twins(old: &[RawEvent], new: &[RawEvent]) -> HashMap<usize, usize> {
    let (old_threads, new_threads) = (by_thread(old), by_thread(new));
    let mut twins = HashMap::new();
    for (thread, positions) in &old_threads {
        let Some(others) = new_threads.get(thread) else {
            continue;
        };
        for &position in positions {
            if let Some(other) = nearest(&old[position], new, others)
                && nearest(&new[other], old, positions) == Some(position)
            {
                twins.insert(position, other);
            }
        }
        let between = between(positions, others, &twins);
        twins.extend(
            between
                .into_iter()
                .filter(|(position, other)| is_same(&old[*position].kind, &new[*other].kind)),
        );
    }
    twins
}

/// What stands between two twins of one thread, in pairs.
fn between(old: &[usize], new: &[usize], twins: &HashMap<usize, usize>) -> Vec<(usize, usize)> {
    let places: HashMap<usize, usize> = new.iter().enumerate().map(|(place, other)| (*other, place)).collect();
    let mut pairs = Vec::new();
    // After the last twin on either side.
    let mut since: Option<(usize, usize)> = None;
    for (place, position) in old.iter().enumerate() {
        let Some(other) = twins.get(position).and_then(|twin| places.get(twin)) else {
            continue;
        };
        if let Some((old_since, new_since)) = since
            && let Some(others) = new.get(new_since..*other)
            && others.len() == place - old_since
        {
            pairs.extend(old[old_since..place].iter().copied().zip(others.iter().copied()));
        }
        since = Some((place + 1, other + 1));
    }
    pairs
}

/// Positions by thread, each list by time.
fn by_thread(events: &[RawEvent]) -> HashMap<(i32, u64), Vec<usize>> {
    let mut threads: HashMap<_, Vec<usize>> = HashMap::new();
    for (position, event) in events.iter().enumerate() {
        threads
            .entry((event.task.tid, event.task.start_time_ns))
            .or_default()
            .push(position);
    }
    for positions in threads.values_mut() {
        positions.sort_by_key(|position| events[*position].time_ns);
    }
    threads
}

fn nearest(event: &RawEvent, others: &[RawEvent], positions: &[usize]) -> Option<usize> {
    let first = positions.partition_point(|position| others[*position].time_ns + APART_NS < event.time_ns);
    let near = positions[first..]
        .iter()
        .copied()
        .take_while(|position| others[*position].time_ns <= event.time_ns + APART_NS)
        .filter(|position| is_same(&others[*position].kind, &event.kind));
    near.min_by_key(|position| others[*position].time_ns.abs_diff(event.time_ns))
}

/// Filters differ in whether an open carries what the caller wrote.
fn is_same(one: &RawKind, other: &RawKind) -> bool {
    match (one, other) {
        (RawKind::Lost { .. }, _) | (_, RawKind::Lost { .. }) => false,
        (
            RawKind::Open { path, flags, inode, .. },
            RawKind::Open {
                path: other_path,
                flags: other_flags,
                inode: other_inode,
                ..
            },
        ) => (path, flags, inode) == (other_path, other_flags, other_inode),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::LossReason;

    use super::*;
    use crate::raw::RawTask;

    const BEGUN: u64 = 1_000_000_000;
    const SPLIT: u64 = BEGUN + HALF_NS;

    fn event(thread: i32, time_ns: u64, status: i32) -> RawEvent {
        RawEvent {
            time_ns,
            cpu: 0,
            task: RawTask {
                tid: thread,
                pid: thread,
                ..RawTask::nobody()
            },
            kind: RawKind::Exit { status },
        }
    }

    fn merge(old: Vec<RawEvent>, new: Vec<RawEvent>) -> Vec<(u64, i32)> {
        let mut handover = Handover::begin(BEGUN);
        handover.hear_old(old, BEGUN);
        handover.hear_new(new, BEGUN);
        let all = handover.finish();
        all.iter().map(|event| (event.time_ns, event.task.tid)).collect()
    }

    /// One thread does the same again and again, `step_ns` apart; new programs run `lag_ns` after (or before) old ones.
    fn check_loop(step_ns: u64, lag_ns: i64) {
        let times: Vec<u64> = (0..)
            .map(|number| BEGUN - 2_000 + number * step_ns)
            .take(2_000)
            .collect();
        let old: Vec<RawEvent> = times.iter().map(|time| event(7, *time, 0)).collect();
        let new = times.iter().map(|time| event(7, time.saturating_add_signed(lag_ns), 0));
        // New sensors were attached a moment before the hand-over began.
        let count = merge(old, new.collect()).len();
        assert_eq!(count, times.len(), "step {step_ns}, lag {lag_ns}");
    }

    #[test]
    fn each_act_is_told_once_whichever_program_runs_first() {
        for step_ns in [4_000, 9_000, 30_000, 1_000_000] {
            for lag_ns in [1_500, -1_500] {
                check_loop(step_ns, lag_ns);
            }
        }
    }

    #[test]
    fn a_thread_that_is_held_up_between_the_programs_acts_once() {
        const HELD_NS: u64 = 700_000;
        for held in [100, 700, 1_200] {
            let mut time_ns = BEGUN - 2_000;
            let (mut old, mut new) = (Vec::new(), Vec::new());
            for number in 0..2_000 {
                old.push(event(7, time_ns, 0));
                time_ns += 1_500 + if number == held { HELD_NS } else { 0 };
                new.push(event(7, time_ns, 0));
                time_ns += 4_000;
            }
            assert_eq!(merge(old, new).len(), 2_000, "held up at act {held}");
        }
    }

    #[test]
    fn what_only_new_sensors_see_is_told_from_the_beginning() {
        let told = merge(
            vec![event(1, BEGUN + 10, 0)],
            vec![event(1, BEGUN + 900, 0), event(2, BEGUN + 5, 1)],
        );
        assert_eq!(told, [(BEGUN + 5, 2), (BEGUN + 10, 1)]);
    }

    #[test]
    fn old_sensors_are_not_heard_after_the_split_and_no_loss_is_forgotten() {
        let loss = |time_ns| RawEvent {
            kind: RawKind::Lost {
                count: 3,
                reason: LossReason::RingBuffer,
            },
            ..event(0, time_ns, 0)
        };
        let old = vec![event(1, SPLIT - 1, 0), event(2, SPLIT + 100_000, 0), loss(SPLIT + 5)];
        let new = vec![loss(BEGUN - 9), event(1, SPLIT + 1, 0), event(2, SPLIT + 100_400, 0)];
        let told = merge(old, new);
        assert_eq!(
            told,
            [(BEGUN - 9, 0), (SPLIT - 1, 1), (SPLIT + 5, 0), (SPLIT + 100_400, 2)]
        );
    }

    #[test]
    fn it_is_over_when_both_have_caught_up() {
        let mut handover = Handover::begin(BEGUN);
        let late = SPLIT + GRACE_NS + 1;
        handover.hear_old(Vec::new(), late);
        handover.hear_new(vec![event(1, late - 10, 0)], late);
        assert!(!handover.is_over(), "the new side may still hold what is older");
        handover.hear_new(Vec::new(), late);
        assert!(handover.is_over());
    }
}
