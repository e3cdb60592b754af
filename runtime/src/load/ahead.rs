//! Programs loaded side by side: the kernel's verifier is most of an agent's start, and it looks at several at once.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use aya::{
    Ebpf,
    programs::{
        BtfTracePoint, CgroupSock, CgroupSockAddr, FExit, Iter, Lsm, Program as Loaded, ProgramError, TracePoint,
    },
};

use super::{CALL_PREFIX, KernelTypes, WALKS, Walk};
use crate::sensor::{Hook, Program};

/// More do not help: programs are few.
const MAX_LOADERS: usize = 4;

/// What a program is for.
#[derive(Clone, Copy)]
enum Part {
    Attached(Hook),
    Walking(Walk),
}

/// Loads what can be loaded of `programs`, and the iterators. What is refused is tried again where it is attached, and said
/// there.
pub(super) fn load_ahead(object: &mut Ebpf, programs: &[Program], types: &KernelTypes) {
    let wanted = object.programs_mut().filter_map(|(name, program)| {
        let attached = programs.iter().find(|one| one.name == name);
        let walking = WALKS.iter().find(|one| one.program == name);
        let part = attached.map(|one| Part::Attached(one.hook));
        Some((part.or(walking.copied().map(Part::Walking))?, program))
    });
    let queue = Mutex::new(wanted.collect::<Vec<_>>());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let loaders = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_LOADERS));
    thread::scope(|scope| {
        for _ in 0..loaders {
            scope.spawn(|| {
                while let Some((part, program)) = next() {
                    if let Err(error) = load(part, program, types) {
                        tracing::debug!(%error, "program not loaded ahead");
                    }
                }
            });
        }
    });
}

fn load(part: Part, program: &mut Loaded, types: &KernelTypes) -> Result<(), ProgramError> {
    let hook = match part {
        Part::Walking(walk) => return <&mut Iter>::try_from(program)?.load(walk.target, &types.hooks),
        Part::Attached(hook) => hook,
    };
    match hook {
        Hook::Lsm(hook) => <&mut Lsm>::try_from(program)?.load(hook, &types.hooks),
        Hook::Fexit(function) => <&mut FExit>::try_from(program)?.load(function, &types.hooks),
        Hook::SystemCall(call) => <&mut FExit>::try_from(program)?.load(&format!("{CALL_PREFIX}{call}"), &types.hooks),
        Hook::BtfTracepoint(tracepoint) => <&mut BtfTracePoint>::try_from(program)?.load(tracepoint, &types.hooks),
        Hook::CgroupSockAddr => <&mut CgroupSockAddr>::try_from(program)?.load(),
        Hook::CgroupSock => <&mut CgroupSock>::try_from(program)?.load(),
        Hook::Tracepoint(_) => <&mut TracePoint>::try_from(program)?.load(),
    }
}
