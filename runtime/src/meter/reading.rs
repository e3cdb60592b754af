//! One reading: everything that is counted, at one moment. What `plimsoll agent top` shows, as JSON.

use serde::{Deserialize, Serialize};

use super::{About, own::Own};
use crate::{output::SharedVitals, read::boot_time_ns, wire};

/// [`Reading::schema`].
pub const SCHEMA: &str = "plimsoll.agent-reading/v1";

/// Counters grow as long as the agent runs; the rest is as it is at the moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// [`SCHEMA`].
    pub schema: String,
    /// The agent's process.
    pub pid: u32,
    /// Version of the agent.
    pub version: String,
    /// Seconds since it was ready.
    pub up_seconds: f64,
    /// `CLOCK_BOOTTIME` of this reading, nanoseconds: rates are differences of two readings.
    pub taken_ns: u64,
    /// Events judged or on their way there.
    pub events: u64,
    /// Events by kind, most frequent first.
    pub kinds: Vec<Counted>,
    /// What was lost, and where; only places where something was.
    pub losses: Vec<Loss>,
    /// Alerts told.
    pub alerts: u64,
    /// Events that became part of an alert that had been told.
    pub followed: u64,
    /// Alerts by title: name of a rule or of a deviation.
    pub titles: Vec<Counted>,
    /// Rules by how often their conditions held.
    pub rules: Vec<Counted>,
    /// Programs by events, most first; counts of rare ones may be too high.
    pub programs: Vec<HotProgram>,
    /// Queues between threads.
    pub queues: Vec<Queue>,
    /// Outputs over the network.
    pub outputs: Vec<OutputReading>,
    /// Bytes that the spool takes on disk.
    pub spool_bytes: u64,
    /// Processes in the tree.
    pub processes: u64,
    /// Containers with processes.
    pub containers: u64,
    /// Events that wait for the identity of their cgroup now.
    pub waiting: u64,
    /// Events that waited for it.
    pub waited: u64,
    /// Cgroups whose identity did not come in time.
    pub timed_out: u64,
    /// Processes that the full tree did not take.
    pub untracked_processes: u64,
    /// Cgroups and ended containers that were forgotten because there were too many.
    pub forgotten: u64,
    /// Processor seconds, user and system.
    pub cpu_seconds: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// The most that it was.
    pub peak_bytes: u64,
    /// Threads of one name by processor time, most first.
    pub threads: Vec<ThreadReading>,
    /// Attached sensors: what they tell, and by which mechanism.
    pub sensors: Vec<(String, String)>,
}

/// A name and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Of a kind, a rule, a title.
    pub name: String,
    /// Since the start.
    pub count: u64,
}

/// Events that were lost in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// `kernel` (its ring buffer was full, or a hook was entered again), `queue`, `decode`, `outlet` (alerts that found no
    /// room on their way out).
    pub place: String,
    /// Kind of the kernel's record; empty where it is not known.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// A program, in one container or on the host, and its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotProgram {
    /// Executable; the short name where that is not known.
    pub program: String,
    /// Name of the container; `None` on the host.
    pub container: Option<String>,
    /// One of its processes.
    pub pid: i32,
    /// Since the start.
    pub events: u64,
}

/// A bounded queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// `batches` (of events, to the judging thread), `parcels` (alerts and notices, on their way out).
    pub name: String,
    /// In it now.
    pub depth: u64,
    /// At most.
    pub limit: u64,
}

/// An output over the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputReading {
    /// Its kind.
    pub name: String,
    /// Records that the other side took.
    pub delivered: u64,
    /// Records that wait on disk.
    pub waiting: u64,
    /// Records that it will never take.
    pub refused: u64,
    /// Records that were dropped before they could be sent.
    pub lost: u64,
}

/// Threads of one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadReading {
    /// Their name.
    pub name: String,
    /// Processor seconds, user and system.
    pub cpu_seconds: f64,
}

impl Reading {
    /// Takes one.
    pub(super) fn take(about: &About, vitals: &SharedVitals) -> Self {
        let own = Own::read();
        let queues = vitals.depths().read();
        let taken_ns = boot_time_ns();
        let vitals = vitals.lock();
        let (counts, meter) = (&vitals.counts, &vitals.meter);
        let outputs = vitals.outputs.iter().map(|output| OutputReading {
            name: output.name.to_owned(),
            delivered: output.delivered,
            waiting: output.waiting,
            refused: output.refused,
            lost: output.lost,
        });
        let mut losses: Vec<Loss> = wire::KINDS
            .iter()
            .zip(vitals.kernel_losses.by_kernel)
            .map(|(kind, count)| loss("kernel", kind, count))
            .collect();
        losses.push(loss("kernel", "entered again", vitals.kernel_losses.missed));
        losses.push(loss("queue", "", counts.lost_in_queue));
        losses.push(loss("decode", "", counts.undecodable));
        losses.push(loss("outlet", "", vitals.undelivered));
        losses.retain(|loss| loss.count > 0);
        Self {
            schema: SCHEMA.to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            up_seconds: taken_ns.saturating_sub(about.ready_ns) as f64 / 1e9,
            taken_ns,
            events: counts.events,
            kinds: meter.kinds(),
            losses,
            alerts: counts.alerts,
            followed: counts.followed,
            titles: meter.titles(),
            rules: meter.rules(),
            programs: meter.programs(),
            queues,
            outputs: outputs.collect(),
            spool_bytes: vitals.spool_bytes,
            processes: vitals.processes,
            containers: vitals.containers.len() as u64,
            waiting: vitals.waiting,
            waited: meter.waited,
            timed_out: meter.timed_out,
            untracked_processes: counts.untracked_processes,
            forgotten: meter.forgotten,
            cpu_seconds: own.cpu_seconds,
            resident_bytes: own.resident_bytes,
            peak_bytes: own.peak_bytes,
            threads: own.threads,
            sensors: vitals.sensors.clone(),
        }
    }
}

fn loss(place: &str, kind: &str, count: u64) -> Loss {
    Loss {
        place: place.to_owned(),
        kind: kind.to_owned(),
        count,
    }
}
