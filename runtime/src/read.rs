//! The ring buffer in, [`RawEvent`]s out, loss counted.

use std::{
    collections::VecDeque,
    io,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    maps::{HashMap, MapData, PerCpuArray, RingBuf},
};
use plimsoll_rules::{Environment, ReadPaths, RuleSet};

use crate::{
    enforce::{Instead, Tables},
    limits,
    load::{self, Constants, Guards, KernelTypes, refused, take},
    raw::RawEvent,
    sensor::{Plan, SensorError},
    snapshot::{self, RawProcess},
    wire,
};

mod intake;
mod losses;
mod places;
mod rings;

pub use losses::Losses;

use intake::Intake;
use losses::Ledger;

/// What may leave the kernel; derived from loaded rules and profiles. Fork, exec and exit always may: the process tree
/// is built from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only containers' events leave the kernel (processes in another pid or mount namespace than the host's first
    /// process).
    pub containers_only: bool,
    /// Which opens for reading leave the kernel.
    pub reads: ReadPaths,
    /// Opens carry the path as the caller wrote it, read from the caller's memory.
    pub asked_paths: bool,
    /// Which variables of environments execs carry; all others are dropped where they are read.
    pub environment: Environment,
}

impl Filter {
    /// Lets through what these rules can match, and what profiles judge.
    pub fn for_rules(rules: &RuleSet) -> Self {
        let wants = rules.wants();
        let host = wants.host;
        let reads = rules.read_paths();
        Self {
            containers_only: !(host.open_read
                || host.open_write
                || host.connect
                || host.bind
                || host.listen
                || !host.calls.is_empty()),
            asked_paths: wants.asked_paths || reads.with_dots,
            environment: rules.environment(),
            reads,
        }
    }
}

/// What is decided in the kernel.
#[derive(Debug, Clone, Copy)]
pub struct GuardOptions<'a> {
    /// Components of paths whose files are told in any case, as rules ask for them.
    pub told_names: &'a [String],
    /// Some policy may refuse something; then, what happens where this kernel cannot refuse.
    pub refuse: Option<Instead>,
    /// What refuses stays when the agent ends.
    pub outlives_agent: bool,
}

/// The attached sensors. Everything is detached when it is dropped.
pub struct Eyes {
    ring: RingBuf<MapData>,
    lost_by_kernel: PerCpuArray<MapData, u64>,
    ignored_cgroups: HashMap<MapData, u64, u8>,
    losses: Ledger,
    counted_at: Instant,
    intake: Intake,
    /// What the snapshot found, not told yet.
    found: VecDeque<RawEvent>,
    /// Holds programs and links.
    object: Ebpf,
    misses: load::Misses,
}

impl Eyes {
    /// Loads and attaches what `plan` says. Fails when the process tree cannot be kept, or a planned program is refused.
    pub fn open(plan: &Plan, filter: &Filter) -> Result<Self, SensorError> {
        Self::open_with_ring(plan, filter, limits::RING_BYTES)
    }

    /// The same with a ring buffer of `ring_bytes`, a power of two and at least one page.
    pub fn open_with_ring(plan: &Plan, filter: &Filter, ring_bytes: u32) -> Result<Self, SensorError> {
        Self::load(plan, filter, ring_bytes, Guards::default())
    }

    /// The same, with tables of policies: nothing is kept back and nothing refused until they are filled.
    pub fn open_guarded(
        plan: &Plan,
        filter: &Filter,
        options: &GuardOptions<'_>,
    ) -> Result<(Self, Tables), SensorError> {
        let signal = options.refuse.filter(|_| !plan.can_refuse).map_or(0, Instead::signal);
        let guards = Guards {
            keep: true,
            refuse: options.refuse.is_some(),
            names: !options.told_names.is_empty(),
            signal,
            pin: options.outlives_agent && options.refuse.is_some(),
        };
        let mut eyes = Self::load(plan, filter, limits::RING_BYTES, guards)?;
        let tables = Tables::take(&mut eyes.object, options.told_names)?;
        Ok((eyes, tables))
    }

    fn load(plan: &Plan, filter: &Filter, ring_bytes: u32, guards: Guards) -> Result<Self, SensorError> {
        plan.require_tree()?;
        let constants = Constants {
            containers_only: filter.containers_only,
            reads: places::mode(plan, &filter.reads),
            reads_with_dots: filter.reads.with_dots,
            ask_paths: filter.asked_paths,
            ask_environment: !filter.environment.is_empty(),
            opens_by_ring: rings::hide_opens(plan),
            ring_bytes,
            guards,
        };
        let mut object = load::load_sensors(plan, &constants, &*KernelTypes::shared()?)?;
        places::fill(&mut object, &filter.reads)?;
        rings::fill(&mut object, plan)?;
        Ok(Self {
            ring: RingBuf::try_from(take(&mut object, "events")?).map_err(refused("events"))?,
            lost_by_kernel: PerCpuArray::try_from(take(&mut object, "lost")?).map_err(refused("lost"))?,
            ignored_cgroups: HashMap::try_from(take(&mut object, "ignored_cgroups")?)
                .map_err(refused("ignored_cgroups"))?,
            losses: Ledger::default(),
            counted_at: Instant::now(),
            intake: Intake::new(filter.environment.clone()),
            found: VecDeque::new(),
            misses: load::Misses::open(&object),
            object,
        })
    }

    /// Lists the processes that run now, oldest first. Since the sensors are attached already, nothing falls between the
    /// two: a process may be in both this list and later events, never in neither.
    ///
    /// It comes from a BPF task iterator, so ids and start times are exactly those of events; only arguments are read
    /// from `/proc`, where a process may have overwritten them.
    ///
    /// Which sockets they hold is told by the next [`Self::next_batch`], as events: that they listen, and, where
    /// somebody asks for that, that they were put where standard streams are.
    pub fn snapshot(&mut self) -> Result<Vec<RawProcess>, SensorError> {
        let processes = snapshot::read_processes(load::open_walk(&mut self.object, load::TASKS)?)?;
        let found = load::open_walk(&mut self.object, load::DESCRIPTORS)
            .and_then(|file| snapshot::read_sockets(file, &processes));
        match found {
            Ok(found) => self.found.extend(found),
            // Everything else can be seen without it.
            Err(error) => tracing::warn!(%error, "sockets from before the agent not told"),
        }
        Ok(processes)
    }

    /// Waits up to `timeout` for events and appends what there is, at most [`limits::BATCH_EVENTS`], to `out`.
    ///
    /// The order is that of the ring buffer: what happened because of an event comes after it, whichever processor it
    /// was on, since a record is in the ring before the task goes on. Times of unrelated events on different processors
    /// may be out of order by microseconds.
    pub fn next_batch(&mut self, timeout: Duration, out: &mut Vec<RawEvent>) -> Result<(), SensorError> {
        let deadline = Instant::now() + timeout;
        let before = out.len();
        loop {
            self.drain(out, before);
            self.report_losses(out)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if out.len() > before || left.is_zero() {
                return Ok(());
            }
            // Records below the wake-up threshold are found by this timer.
            wait_readable(&self.ring, left.min(limits::POLL)).map_err(SensorError::Read)?;
        }
    }

    /// Counts what was lost up to this moment and tells it, without waiting until that is due again.
    pub fn count_losses(&mut self, out: &mut Vec<RawEvent>) -> Result<(), SensorError> {
        self.count()?;
        self.losses.tell(out);
        Ok(())
    }

    /// Counts what happened until `end_ns` and is still in the ring buffer as lost: nobody will read it.
    pub(crate) fn leave_rest(&mut self, end_ns: u64) {
        let ring = &mut self.ring;
        let left = std::iter::from_fn(|| ring.next().map(|record| wire::time_ns(&record)))
            .take_while(|time_ns| time_ns.is_none_or(|time_ns| time_ns <= end_ns));
        self.losses.sums.left += left.count() as u64;
    }

    /// Tells the kernel side that a cgroup, although in namespaces of its own, is not a container.
    pub fn ignore_cgroup(&mut self, cgroup_id: u64) -> Result<(), SensorError> {
        self.ignored_cgroups
            .insert(cgroup_id, 1, 0)
            .map_err(refused("ignored_cgroups"))
    }

    /// Takes [`Self::ignore_cgroup`] back: the cgroup is gone, or was a container after all.
    pub fn heed_cgroup(&mut self, cgroup_id: u64) -> Result<(), SensorError> {
        match self.ignored_cgroups.remove(&cgroup_id) {
            Ok(()) | Err(aya::maps::MapError::KeyNotFound) => Ok(()),
            Err(aya::maps::MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(refused("ignored_cgroups")(error)),
        }
    }

    /// What was lost since the start, as of the last [`Self::next_batch`].
    pub fn lost(&self) -> Losses {
        self.losses.sums
    }

    fn drain(&mut self, out: &mut Vec<RawEvent>, before: usize) {
        let found = self.found.len().min(limits::BATCH_EVENTS);
        out.extend(self.found.drain(..found));
        while out.len() - before < limits::BATCH_EVENTS {
            let Some(record) = self.ring.next() else { return };
            match self.intake.take(&record) {
                Ok(event) => out.extend(event),
                Err(_) => self.losses.sums.undecodable += 1,
            }
        }
    }

    fn report_losses(&mut self, out: &mut Vec<RawEvent>) -> Result<(), SensorError> {
        if self.counted_at.elapsed() >= limits::COUNT_LOSSES_EVERY {
            self.count()?;
        }
        self.losses.tell(out);
        Ok(())
    }

    fn count(&mut self) -> Result<(), SensorError> {
        self.counted_at = Instant::now();
        for (index, sum) in (0..).zip(&mut self.losses.sums.by_kernel) {
            let counters = self.lost_by_kernel.get(&index, 0).map_err(refused("lost"))?;
            *sum = counters.iter().sum();
        }
        self.losses.sums.missed = self.misses.count();
        Ok(())
    }
}

/// `CLOCK_BOOTTIME` in nanoseconds: the clock of [`RawEvent::time_ns`].
#[allow(unsafe_code)]
pub fn boot_time_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    debug_assert_eq!(result, 0, "CLOCK_BOOTTIME exists since Linux 2.6.39");
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[allow(unsafe_code)]
fn wait_readable(ring: &impl AsRawFd, timeout: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd: ring.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = libc::c_int::try_from(timeout.as_millis())
        .unwrap_or(libc::c_int::MAX)
        .max(1);
    // SAFETY: one valid pollfd, and the count says one.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        -1 => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
        _ => Ok(()),
    }
}
