//! Policies in, entries of the kernel's maps out. The layout is that of `bpf/policy.h`.

use std::collections::HashMap as StdMap;

use aya::{
    Ebpf,
    maps::{HashMap, MapData, PerCpuArray},
};
use plimsoll_model::{PathPattern, ProcessKey};

use super::{
    Mode, Paths, PeerRule, Policy,
    paths::{Automaton, Rounding, compile},
};
use crate::{
    limits::MAX_SET_EDGES,
    load::{refused, take},
    sensor::SensorError,
};

/// `MAX_PEERS` of `bpf/policy.h`.
pub(crate) const MAX_PEERS: usize = 8;
const EDGE_NAME: usize = 28;
const TOLD_NAME: usize = 32;
const POLICY_BYTES: usize = 48 + 8 * MAX_PEERS;
/// Number of the set of all paths; that of the empty set is 0.
const EVERYTHING: u32 = 1;

const REFUSE_DRIFT: u32 = 1;
const REFUSE_CONNECTS: u32 = 2;

type PolicyBytes = [u8; POLICY_BYTES];

/// What the kernel side decided and did not tell, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Writes that profiles expect and no rule asks for.
    pub expected_writes: u64,
    /// Acts that a milder mode than enforcing let pass.
    pub would_refuse: u64,
    /// Acts that were refused, or whose process was killed or stopped.
    pub refused: u64,
    /// Processes that could not be given their parent's policy because the table was full.
    pub uninherited: u64,
}

impl Tallies {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            expected_writes: self.expected_writes + other.expected_writes,
            would_refuse: self.would_refuse + other.would_refuse,
            refused: self.refused + other.refused,
            uninherited: self.uninherited + other.uninherited,
        }
    }
}

/// The maps of `bpf/policy.h`.
pub struct Tables {
    edges: HashMap<MapData, [u8; 4 + EDGE_NAME], [u8; 8]>,
    processes: HashMap<MapData, [u8; 16], PolicyBytes>,
    containers: HashMap<MapData, u64, PolicyBytes>,
    tallies: PerCpuArray<MapData, u64>,
    sets: StdMap<(Vec<PathPattern>, Rounding), u32>,
    next_node: u32,
    used_edges: usize,
}

impl Tables {
    /// Takes the maps over. `told_names`: components whose files are told in any case.
    pub(crate) fn take(object: &mut Ebpf, told_names: &[String]) -> Result<Self, SensorError> {
        let mut names: HashMap<_, [u8; TOLD_NAME], u8> =
            HashMap::try_from(take(object, "told_names")?).map_err(refused("told_names"))?;
        for name in told_names {
            names.insert(padded(name), 1, 0).map_err(refused("told_names"))?;
        }
        let map = |error| refused("policies")(error);
        Ok(Self {
            edges: HashMap::try_from(take(object, "edges")?).map_err(refused("edges"))?,
            processes: HashMap::try_from(take(object, "process_policies")?).map_err(map)?,
            containers: HashMap::try_from(take(object, "container_policies")?).map_err(map)?,
            tallies: PerCpuArray::try_from(take(object, "tallies")?).map_err(refused("tallies"))?,
            sets: StdMap::new(),
            next_node: EVERYTHING + 1,
            used_edges: 0,
        })
    }

    /// Whether all these names fit: others would be told wherever they are.
    pub(crate) fn can_tell(names: &[String]) -> bool {
        names.len() <= 256 && names.iter().all(|name| name.len() < TOLD_NAME)
    }

    /// From now on this holds for the program that a process ran when its exec counter was `exec_id`, and its children.
    pub fn set_process(&mut self, key: ProcessKey, exec_id: u64, policy: &Policy) -> Result<(), SensorError> {
        let bytes = self.encode(policy, exec_id, 0)?;
        self.processes
            .insert(process_key(key), bytes, 0)
            .map_err(refused("process_policies"))
    }

    /// The process has ended, or has nothing of its own any more.
    pub fn forget_process(&mut self, key: ProcessKey) {
        // Mostly the kernel side has done it when the process ended.
        let _ = self.processes.remove(&process_key(key));
    }

    /// From now on this holds for processes of a cgroup, in that mount namespace, that have no policy of their own.
    pub fn set_container(&mut self, cgroup_id: u64, mount_namespace: u32, policy: &Policy) -> Result<(), SensorError> {
        let bytes = self.encode(policy, 0, mount_namespace)?;
        self.containers
            .insert(cgroup_id, bytes, 0)
            .map_err(refused("container_policies"))
    }

    /// The container has ended.
    pub fn forget_container(&mut self, cgroup_id: u64) {
        let _ = self.containers.remove(&cgroup_id);
    }

    /// Counts so far.
    pub fn tallies(&self) -> Result<Tallies, SensorError> {
        let sum = |index: u32| -> Result<u64, SensorError> {
            let counters = self.tallies.get(&index, 0).map_err(refused("tallies"))?;
            Ok(counters.iter().sum())
        };
        Ok(Tallies {
            expected_writes: sum(0)?,
            would_refuse: sum(1)?,
            refused: sum(2)?,
            uninherited: sum(3)?,
        })
    }

    fn encode(&mut self, policy: &Policy, exec_id: u64, mount_namespace: u32) -> Result<PolicyBytes, SensorError> {
        let drift = policy.drift.as_ref();
        let flags = [
            (drift.is_some(), REFUSE_DRIFT),
            (policy.peers.is_some(), REFUSE_CONNECTS),
        ];
        let mode = policy.mode.map_or(0, |mode| match mode {
            Mode::Observe => 1,
            Mode::Alert => 2,
            Mode::Enforce => 3,
        });
        let numbers: [u32; 10] = [
            mount_namespace,
            mode,
            flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
            self.set(&policy.expected_writes, Rounding::Down)?,
            self.set(&policy.refused_writes, Rounding::Down)?,
            self.set(&policy.allowed_writes, Rounding::Up)?,
            self.set(&policy.refused_execs, Rounding::Down)?,
            self.set(&policy.allowed_execs, Rounding::Up)?,
            self.set(drift.unwrap_or(&Paths::Nothing), Rounding::Up)?,
            0,
        ];
        let mut bytes = exec_id.to_ne_bytes().to_vec();
        bytes.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        for PeerRule {
            scopes,
            transports,
            first,
            last,
        } in policy.peers.iter().flatten()
        {
            bytes.extend(
                [scopes, transports, first, last]
                    .iter()
                    .flat_map(|number| number.to_ne_bytes()),
            );
        }
        bytes.resize(POLICY_BYTES, 0);
        bytes.try_into().map_err(|_| SensorError::Map {
            map: "process_policies",
            reason: "a policy has more peers than fit".to_owned(),
        })
    }

    /// The number of a set. One that does not fit any more is rounded to nothing or everything.
    fn set(&mut self, paths: &Paths, rounding: Rounding) -> Result<u32, SensorError> {
        let patterns = match paths {
            Paths::Nothing => return Ok(0),
            Paths::Everything => return Ok(EVERYTHING),
            Paths::These(patterns) => patterns,
        };
        if let Some(&number) = self.sets.get(&(patterns.clone(), rounding)) {
            return Ok(number);
        }
        let full = match rounding {
            Rounding::Down => 0,
            Rounding::Up => EVERYTHING,
        };
        let number = match compile(patterns, rounding) {
            Automaton::Nothing => 0,
            Automaton::Everything => EVERYTHING,
            Automaton::Edges { edges, .. } if self.used_edges + edges.len() > MAX_SET_EDGES => return Ok(full),
            Automaton::Edges { edges, states } => {
                let base = self.next_node;
                self.next_node = base.saturating_add(states);
                self.used_edges += edges.len();
                for edge in &edges {
                    let mut key = [0; 4 + EDGE_NAME];
                    key[..4].copy_from_slice(&(base + edge.from).to_ne_bytes());
                    key[4..4 + edge.name.len()].copy_from_slice(edge.name.as_bytes());
                    let mut step = [0; 8];
                    step[..4].copy_from_slice(&edge.to.map_or(0, |to| base + to).to_ne_bytes());
                    step[4..].copy_from_slice(&edge.ends.to_ne_bytes());
                    self.edges.insert(key, step, 0).map_err(refused("edges"))?;
                }
                base
            }
        };
        self.sets.insert((patterns.clone(), rounding), number);
        Ok(number)
    }
}

fn process_key(key: ProcessKey) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.start_time_ns.to_ne_bytes());
    bytes[8..12].copy_from_slice(&key.pid.to_ne_bytes());
    bytes
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let length = text.len().min(N - 1);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes
}
