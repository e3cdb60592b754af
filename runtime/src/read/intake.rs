//! Records as they lie in the ring in, events in the same order out.

use std::collections::VecDeque;

use plimsoll_rules::Environment;

use crate::{
    limits,
    raw::{RawEvent, RawKind},
    wire::{self, WireError},
};

/// Takes records in.
pub(super) struct Intake {
    recent_exits: RecentExits,
    environment: Environment,
}

impl Intake {
    /// Of environments it keeps what is asked for.
    pub(super) fn new(environment: Environment) -> Self {
        Self {
            recent_exits: RecentExits::default(),
            environment,
        }
    }

    /// `None` for what has been told already.
    pub(super) fn take(&mut self, record: &[u8]) -> Result<Option<RawEvent>, WireError> {
        let mut event = wire::decode(record)?;
        if self.recent_exits.is_repeated(&event) {
            return Ok(None);
        }
        if let RawKind::Environment { variables } = &mut event.kind {
            variables.retain(|variable| self.environment.asks_for(variable));
        }
        Ok(Some(event))
    }
}

/// Two last threads that end at once may each believe to be the last: the kernel side then sends two exits.
#[derive(Default)]
struct RecentExits(VecDeque<(i32, u64)>);

impl RecentExits {
    fn is_repeated(&mut self, event: &RawEvent) -> bool {
        if !matches!(event.kind, RawKind::Exit { .. }) {
            return false;
        }
        let key = (event.task.pid, event.task.start_time_ns);
        if self.0.contains(&key) {
            return true;
        }
        if self.0.len() == limits::RECENT_EXITS {
            self.0.pop_front();
        }
        self.0.push_back(key);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ProcessTree;

    const EXEC: u32 = 1;
    const FORK: u32 = 2;
    const EXIT: u32 = 3;
    const TASK_BYTES: usize = 128;

    /// `struct task_record`.
    fn task(pid: i32, parent: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let starts = [pid, parent].map(|pid| u64::from(pid.unsigned_abs()));
        starts.iter().for_each(|start| bytes.extend(start.to_ne_bytes()));
        bytes.extend(1u64.to_ne_bytes());
        [pid, pid, parent, pid]
            .iter()
            .for_each(|pid| bytes.extend(pid.to_ne_bytes()));
        bytes.resize(TASK_BYTES, 0);
        bytes
    }

    fn record(kind: u32, cpu: u32, time_ns: u64, pid: i32, parent: i32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = [kind.to_ne_bytes(), cpu.to_ne_bytes()].concat();
        bytes.extend(time_ns.to_ne_bytes());
        bytes.extend(task(pid, parent));
        bytes.extend(rest);
        bytes
    }

    /// `struct exec_record` of `sh`: lengths of file name, executable, folder and arguments, and flags.
    fn exec(cpu: u32, time_ns: u64, pid: i32, parent: i32) -> Vec<u8> {
        let fixed = [1u32, 0, 2, 0, 0, 0, 3, 3, 1, 3, 1, 1, 3, 0];
        let mut rest: Vec<u8> = fixed.iter().flat_map(|number| number.to_ne_bytes()).collect();
        rest.extend(b"sh\0sh\0\0sh\0");
        record(EXEC, cpu, time_ns, pid, parent, &rest)
    }

    fn taken(records: &[Vec<u8>]) -> (Vec<RawEvent>, usize) {
        let mut intake = Intake::new(Environment::default());
        let all: Vec<_> = records.iter().map(|record| intake.take(record)).collect();
        let undecodable = all.iter().filter(|event| event.is_err()).count();
        (all.into_iter().filter_map(Result::ok).flatten().collect(), undecodable)
    }

    #[test]
    fn the_rings_order_holds_where_the_clocks_of_processors_differ() {
        // A process is made on one processor; what it does on another one, whose clock is behind, came into the ring later.
        let records = [
            record(FORK, 0, 2_000, 10, 1, &task(11, 10)),
            exec(1, 1_990, 11, 10),
            record(FORK, 1, 1_995, 11, 10, &task(12, 11)),
            record(EXIT, 0, 1_980, 12, 11, &0i32.to_ne_bytes()),
        ];
        let (events, undecodable) = taken(&records);
        assert_eq!(undecodable, 0);
        let times: Vec<u64> = events.iter().map(|event| event.time_ns).collect();
        assert_eq!(times, [2_000, 1_990, 1_995, 1_980]);
        let mut tree = ProcessTree::new(0);
        let seen: Vec<_> = events.into_iter().filter_map(|event| tree.apply(event)).collect();
        let numbers: Vec<u64> = seen.iter().map(|seen| seen.event.sequence).collect();
        assert_eq!(numbers, [1, 2, 3, 4], "numbered as they came");
        let last = &seen.last().expect("four events").event.process;
        let pids: Vec<i32> = last.lineage().map(|process| process.key.pid).collect();
        assert_eq!(pids, [12, 11, 10]);
        assert_eq!(last.exe, "/sh", "inherited from the exec that came before the fork");
    }

    #[test]
    fn a_damaged_record_is_counted_and_hides_no_other() {
        let exit = |pid| record(EXIT, 0, 1, pid, 1, &0i32.to_ne_bytes());
        let mut damaged = exit(11);
        damaged.pop();
        let unknown = record(99, 0, 1, 11, 1, &[]);
        let (events, undecodable) = taken(&[exit(10), damaged, unknown, exit(12)]);
        let pids: Vec<i32> = events.iter().map(|event| event.task.pid).collect();
        assert_eq!((pids, undecodable), (vec![10, 12], 2));
    }

    #[test]
    fn an_end_that_two_threads_told_is_one() {
        let exit = |pid| record(EXIT, 0, 1, pid, 1, &0i32.to_ne_bytes());
        let (events, _) = taken(&[exit(10), exit(11), exit(10)]);
        let pids: Vec<i32> = events.iter().map(|event| event.task.pid).collect();
        assert_eq!(pids, [10, 11]);
    }
}
