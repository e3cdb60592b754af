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

use super::{CALL_PREFIX, KernelTypes, TASK_ITERATOR};
use crate::sensor::{Hook, Program};

/// More do not help: programs are few.
const MAX_LOADERS: usize = 4;

/// Loads what can be loaded of `programs`, and the task iterator. What is refused is tried again where it is attached, and said
/// there.
pub(super) fn load_ahead(object: &mut Ebpf, programs: &[Program], types: &KernelTypes) {
    let wanted = object.programs_mut().filter_map(|(name, program)| {
        let hook = programs.iter().find(|one| one.name == name).map(|one| one.hook);
        (hook.is_some() || name == TASK_ITERATOR).then_some((hook, program))
    });
    let queue = Mutex::new(wanted.collect::<Vec<_>>());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let loaders = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_LOADERS));
    thread::scope(|scope| {
        for _ in 0..loaders {
            scope.spawn(|| {
                while let Some((hook, program)) = next() {
                    if let Err(error) = load(hook, program, types) {
                        tracing::debug!(%error, "program not loaded ahead");
                    }
                }
            });
        }
    });
}

/// `None`: the task iterator.
fn load(hook: Option<Hook>, program: &mut Loaded, types: &KernelTypes) -> Result<(), ProgramError> {
    match hook {
        None => <&mut Iter>::try_from(program)?.load("task", &types.hooks),
        Some(Hook::Lsm(hook)) => <&mut Lsm>::try_from(program)?.load(hook, &types.hooks),
        Some(Hook::Fexit(function)) => <&mut FExit>::try_from(program)?.load(function, &types.hooks),
        Some(Hook::SystemCall(call)) => {
            <&mut FExit>::try_from(program)?.load(&format!("{CALL_PREFIX}{call}"), &types.hooks)
        }
        Some(Hook::BtfTracepoint(tracepoint)) => {
            <&mut BtfTracePoint>::try_from(program)?.load(tracepoint, &types.hooks)
        }
        Some(Hook::CgroupSockAddr) => <&mut CgroupSockAddr>::try_from(program)?.load(),
        Some(Hook::CgroupSock) => <&mut CgroupSock>::try_from(program)?.load(),
        Some(Hook::Tracepoint(_)) => <&mut TracePoint>::try_from(program)?.load(),
    }
}
