//! Object files in, loaded and attached programs out.

use std::{
    fs::File,
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use aya::{
    Btf, Ebpf, EbpfLoader, include_bytes_aligned,
    maps::Array,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSock, CgroupSockAddr, FExit, Iter, Lsm, ProgramError, TracePoint,
        links::FdLink,
    },
};

use crate::{
    enforce::pins,
    reason::chain,
    sensor::{GUARDS, Hook, Plan, Program, SensorError},
};

mod ahead;
mod memory;
mod misses;
mod tracefs;

pub(crate) use memory::{give_back, give_back_start};
pub(crate) use misses::Misses;
pub(crate) use tracefs::keep_in_sight;

use ahead::load_ahead;
use tracefs::with_tracefs;

static SENSORS: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensors.bpf.o"));
static PROBE: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probe.bpf.o"));

/// What the programs' constants are set to before they are loaded.
pub(crate) struct Constants {
    /// See [`crate::read::Filter::containers_only`].
    pub(crate) containers_only: bool,
    /// Which opens for reading leave the kernel: `enum` of `bpf/file.h`.
    pub(crate) reads: u8,
    /// Also those whose caller wrote `..`.
    pub(crate) reads_with_dots: bool,
    /// Opens carry the path as the caller wrote it.
    pub(crate) ask_paths: bool,
    /// Execs carry their environment.
    pub(crate) ask_environment: bool,
    /// Opens by io_uring are seen by nothing else.
    pub(crate) opens_by_ring: bool,
    /// Size of the ring buffer in bytes: a power of two, at least a page.
    pub(crate) ring_bytes: u32,
    /// Policies are kept, and what for.
    pub(crate) guards: Guards,
}

/// Which programs of `bpf/guard.h` are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Guards {
    /// Policies of processes are kept in the kernel.
    pub(crate) keep: bool,
    /// Those that refuse, where this kernel has them.
    pub(crate) refuse: bool,
    /// Rules ask for components of paths by name.
    pub(crate) names: bool,
    /// The signal that a process gets where nothing can refuse; 0: none.
    pub(crate) signal: u8,
    /// What refuses stays when the agent ends.
    pub(crate) pin: bool,
}

/// The running kernel's types: ours to find hooks, the loader's to relocate fields (it takes no borrowed ones before it
/// has read its own). Reading takes about 45 ms each and megabytes of memory, so all loading shares one.
pub(crate) struct KernelTypes {
    hooks: Btf,
    loader: Mutex<EbpfLoader<'static>>,
}

impl std::fmt::Debug for KernelTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelTypes").finish_non_exhaustive()
    }
}

impl KernelTypes {
    /// The shared ones, or new ones when nobody holds any.
    pub(crate) fn shared() -> Result<Arc<Self>, SensorError> {
        static SHARED: Mutex<Weak<KernelTypes>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(types) = shared.upgrade() {
            return Ok(types);
        }
        let (hooks, loader) = thread::scope(|scope| {
            let loader = scope.spawn(EbpfLoader::new);
            (Btf::from_sys_fs(), loader.join())
        });
        let hooks = hooks.map_err(|error| SensorError::Load {
            reason: format!("read /sys/kernel/btf/vmlinux: {}", chain(&error)),
        })?;
        let loader = loader.map_err(|_| SensorError::Load {
            reason: "the loader panicked over the kernel's types".to_owned(),
        })?;
        let types = Arc::new(Self {
            hooks,
            loader: Mutex::new(loader),
        });
        *shared = Arc::downgrade(&types);
        Ok(types)
    }

    fn load(&self, bytes: &[u8], constants: Option<&Constants>) -> Result<Ebpf, SensorError> {
        let mut loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(constants) = constants {
            // Objects that are loaded later by the same loader do not have these constants.
            loader
                .override_global("containers_only", byte(u8::from(constants.containers_only)), false)
                .override_global("reads", byte(constants.reads), false)
                .override_global("reads_with_dots", byte(u8::from(constants.reads_with_dots)), false)
                .override_global("ask_paths", byte(u8::from(constants.ask_paths)), false)
                .override_global("ask_environment", byte(u8::from(constants.ask_environment)), false)
                .override_global("opens_by_ring", byte(u8::from(constants.opens_by_ring)), false)
                .override_global("has_policies", byte(u8::from(constants.guards.keep)), false)
                .override_global("has_told_names", byte(u8::from(constants.guards.names)), false)
                .override_global("signal_instead", byte(constants.guards.signal), false)
                .map_max_entries("events", constants.ring_bytes);
        }
        loader
            .load(bytes)
            .map_err(|error| SensorError::Load { reason: chain(&error) })
    }
}

/// The loader keeps borrows for as long as it lives.
fn byte(value: u8) -> &'static u8 {
    match value {
        0 => &0,
        1 => &1,
        2 => &2,
        9 => &9,
        _ => &19,
    }
}

/// What the functions behind system calls are called; they take the caller's registers.
const CALL_PREFIX: &str = if cfg!(target_arch = "x86_64") {
    "__x64_sys_"
} else {
    "__arm64_sys_"
};

/// A program that walks over what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    program: &'static str,
    /// What the kernel calls that which it walks over.
    target: &'static str,
}

/// Processes.
pub(crate) const TASKS: Walk = Walk {
    program: "on_task",
    target: "task",
};
/// Their descriptors.
pub(crate) const DESCRIPTORS: Walk = Walk {
    program: "on_task_file",
    target: "task_file",
};
const WALKS: &[Walk] = &[TASKS, DESCRIPTORS];

/// Loads the sensors' object and attaches what `plan` says; iterators are loaded, and started when they are asked for.
pub(crate) fn load_sensors(plan: &Plan, constants: &Constants, types: &KernelTypes) -> Result<Ebpf, SensorError> {
    let mut object = types.load(SENSORS, Some(constants))?;
    // Two needs can share a program.
    let mut programs: Vec<Program> = Vec::new();
    let guards = GUARDS.iter().filter(|guard| match guard.hook {
        Hook::Lsm(_) => constants.guards.refuse && plan.can_refuse,
        _ => constants.guards.keep,
    });
    // The last that is attached to a security hook is asked first: what it refuses, no sensor tells as done.
    for program in plan.ways().flat_map(|way| way.programs).chain(guards) {
        if !programs.contains(program) {
            programs.push(*program);
        }
    }
    load_ahead(&mut object, &programs, types);
    let tasks: &mut Iter = find(&mut object, TASKS.program)?;
    once_loaded(tasks.load(TASKS.target, &types.hooks)).map_err(|error| SensorError::Attach {
        program: TASKS.program,
        reason: explain(&error),
    })?;
    let cgroup_root = plan.cgroup_root.as_deref();
    with_tracefs(
        programs
            .iter()
            .any(|program| matches!(program.hook, Hook::Tracepoint(_))),
        || {
            programs.iter().try_for_each(|program| {
                match attach(&mut object, program, types, cgroup_root, constants.guards.pin) {
                    Err(error) if program.is_optional => {
                        tracing::debug!(program = program.name, %error, "optional program left out");
                        Ok(())
                    }
                    result => result,
                }
            })
        },
    )?;
    Ok(object)
}

/// Tries each of the probe object's do-nothing programs; all are off again when this returns.
pub(crate) fn probe(
    programs: &[Program],
    types: &KernelTypes,
    cgroup_root: Option<&Path>,
) -> Result<Vec<Result<(), SensorError>>, SensorError> {
    let mut object = types.load(PROBE, None)?;
    with_tracefs(true, || {
        let mut answers = Vec::new();
        for program in programs {
            let answer = attach(&mut object, program, types, cgroup_root, false);
            answers.push(match program.hook {
                Hook::Lsm(_) => answer.and_then(|()| check_lsm_is_called(&object, program.name)),
                _ => answer,
            });
        }
        Ok(answers)
    })
}

/// A kernel whose `lsm=` list lacks `bpf` attaches security programs and never calls them.
fn check_lsm_is_called(object: &Ebpf, program: &'static str) -> Result<(), SensorError> {
    let refused = |reason: String| SensorError::Attach { program, reason };
    let map = object
        .map(".bss")
        .ok_or_else(|| refused("has no call counter".to_owned()))?;
    let calls: Array<_, u64> = Array::try_from(map).map_err(|error| refused(chain(&error)))?;
    let opened = File::open("/proc/self/stat").map_err(|error| refused(format!("open /proc/self/stat: {error}")));
    match calls.get(&0, 0).map_err(|error| refused(chain(&error)))? {
        0 => opened.and(Err(refused(
            "`bpf` is not among the kernel's active security modules (lsm=)".to_owned(),
        ))),
        _ => Ok(()),
    }
}

/// Starts an iterator; reading the file to its end is one walk.
pub(crate) fn open_walk(object: &mut Ebpf, walk: Walk) -> Result<File, SensorError> {
    let refused = |reason: String| SensorError::Attach {
        program: walk.program,
        reason,
    };
    let program: &mut Iter = find(object, walk.program)?;
    let link = program.attach().map_err(|error| refused(explain(&error)))?;
    let link = program.take_link(link).map_err(|error| refused(explain(&error)))?;
    link.into_file().map_err(|error| refused(chain(&error)))
}

fn attach(
    object: &mut Ebpf,
    program: &Program,
    types: &KernelTypes,
    cgroup_root: Option<&Path>,
    may_pin: bool,
) -> Result<(), SensorError> {
    let refused = |reason: String| SensorError::Attach {
        program: program.name,
        reason,
    };
    let is_guard = GUARDS.contains(program);
    let result = match program.hook {
        Hook::Lsm(hook) => {
            let lsm: &mut Lsm = find(object, program.name)?;
            let link = once_loaded(lsm.load(hook, &types.hooks)).and_then(|()| lsm.attach());
            match link {
                Ok(id) if is_guard && may_pin => {
                    let link = lsm.take_link(id).map_err(|error| refused(explain(&error)))?;
                    pins::pin(FdLink::from(link), program.name)?;
                    Ok(())
                }
                other => other.map(drop),
            }
        }
        Hook::Fexit(function) => {
            let fexit: &mut FExit = find(object, program.name)?;
            once_loaded(fexit.load(function, &types.hooks)).and_then(|()| fexit.attach().map(drop))
        }
        Hook::SystemCall(call) => {
            let fexit: &mut FExit = find(object, program.name)?;
            once_loaded(fexit.load(&format!("{CALL_PREFIX}{call}"), &types.hooks))
                .and_then(|()| fexit.attach().map(drop))
        }
        Hook::BtfTracepoint(tracepoint) => {
            let tracing: &mut BtfTracePoint = find(object, program.name)?;
            let link = once_loaded(tracing.load(tracepoint, &types.hooks)).and_then(|()| tracing.attach());
            match link {
                Ok(id) if is_guard && may_pin => {
                    let link = tracing.take_link(id).map_err(|error| refused(explain(&error)))?;
                    pins::pin(FdLink::from(link), program.name)?;
                    Ok(())
                }
                other => other.map(drop),
            }
        }
        Hook::CgroupSockAddr | Hook::CgroupSock => return attach_to_cgroups(object, program, cgroup_root, may_pin),
        Hook::Tracepoint(name) => {
            let tracepoint: &mut TracePoint = find(object, program.name)?;
            once_loaded(tracepoint.load()).and_then(|()| tracepoint.attach("syscalls", name).map(drop))
        }
    };
    result.map_err(|error| refused(explain(&error)))
}

/// Attaches to the root of the cgroup v2 hierarchy. What can refuse a connection is pinned when refusals are to stay.
fn attach_to_cgroups(
    object: &mut Ebpf,
    program: &Program,
    cgroup_root: Option<&Path>,
    may_pin: bool,
) -> Result<(), SensorError> {
    let refused = |reason: String| SensorError::Attach {
        program: program.name,
        reason,
    };
    let path = cgroup_root.ok_or_else(|| refused("no cgroup v2 hierarchy is mounted".to_owned()))?;
    let cgroup = File::open(path).map_err(|error| refused(format!("open {}: {error}", path.display())))?;
    if program.hook == Hook::CgroupSock {
        let hook: &mut CgroupSock = find(object, program.name)?;
        let link = once_loaded(hook.load()).and_then(|()| hook.attach(cgroup.as_fd(), CgroupAttachMode::Single));
        return link.map(drop).map_err(|error| refused(explain(&error)));
    }
    let hook: &mut CgroupSockAddr = find(object, program.name)?;
    let id = once_loaded(hook.load())
        .and_then(|()| hook.attach(cgroup.as_fd(), CgroupAttachMode::Single))
        .map_err(|error| refused(explain(&error)))?;
    if may_pin {
        let link = hook.take_link(id).map_err(|error| refused(explain(&error)))?;
        let link = FdLink::try_from(link).map_err(|error| refused(chain(&error)))?;
        pins::pin(link, program.name)?;
    }
    Ok(())
}

/// Programs are loaded ahead, and one may be attached to several tracepoints.
fn once_loaded(result: Result<(), ProgramError>) -> Result<(), ProgramError> {
    match result {
        Err(ProgramError::AlreadyLoaded) => Ok(()),
        other => other,
    }
}

fn find<'a, P>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, SensorError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    object
        .program_mut(name)
        .ok_or(SensorError::Attach {
            program: name,
            reason: "is not in the object file".to_owned(),
        })?
        .try_into()
        .map_err(|error: ProgramError| SensorError::Attach {
            program: name,
            reason: chain(&error),
        })
}

/// Why a program was refused. The verifier's last lines say why it did; where it did not look at all, the system's
/// reason stands alone.
fn explain(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return chain(error);
    };
    let log = verifier_log.to_string();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => io_error.to_string(),
        count => format!(
            "{io_error}; verifier: {}",
            lines[count.saturating_sub(VERIFIER_LINES)..].join(" | ")
        ),
    }
}

/// A map of the object, to be used by one owner.
pub(crate) fn take(object: &mut Ebpf, map: &'static str) -> Result<aya::maps::Map, SensorError> {
    object.take_map(map).ok_or(SensorError::Map {
        map,
        reason: "is not in the object file".to_owned(),
    })
}

/// Says which map the kernel or the loader had something against.
pub(crate) fn refused(map: &'static str) -> impl Fn(aya::maps::MapError) -> SensorError {
    move |error| SensorError::Map {
        map,
        reason: chain(&error),
    }
}

/// Lines of the verifier's log that an error shows.
const VERIFIER_LINES: usize = 6;
