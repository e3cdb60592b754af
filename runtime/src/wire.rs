//! Bytes from the kernel in, [`RawEvent`]s and [`RawProcess`]es out. The layout is that of `bpf/record.h`; bytes that do
//! not follow it are an error, never a guess.

use crate::{
    raw::{RawEvent, RawKind, Verdict},
    snapshot::RawProcess,
};

mod call;
mod cursor;
mod exec;
mod file;
mod path;
mod socket;
mod task;
mod text;

use cursor::Cursor;

pub(crate) use text::split_args;

/// Bytes that do not follow `bpf/record.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than the record's own lengths say.
    #[error("record ends early")]
    Short,
    /// A kind that we never send.
    #[error("unknown record kind {0}")]
    Kind(u32),
    /// A system call that we never send.
    #[error("unknown system call number {0}")]
    Call(u32),
    /// An opinion that we never have.
    #[error("unknown verdict {0}")]
    Verdict(u32),
    /// An address family other than IPv4 and IPv6.
    #[error("unknown address family {0}")]
    Family(u16),
}

/// Kinds of records in the order of `enum kind` in `bpf/record.h`, for people; the first is none.
pub const KINDS: [&str; 17] = [
    "",
    "exec",
    "fork",
    "exit",
    "cgroup made",
    "open",
    "connect",
    "bind",
    "listen",
    "process list",
    "system call",
    "load",
    "environment",
    "cgroup entered",
    "failed connect",
    "local connect",
    "capability",
];

/// Where the texts of records with texts begin: behind the longest fixed part, `struct exec_record`.
const TEXT_AT: usize = HEAD_BYTES + 56;
const HEAD_BYTES: usize = 16 + task::BYTES;

/// Longest texts that the kernel side sends, `bpf/path.h`; texts beyond are marked as cut.
const FILENAME_BYTES: usize = 1024;
const ARGS_BYTES: usize = 4096;
/// Longest path as a caller wrote it, and longest text argument of a call; the NUL included.
const ASKED_BYTES: usize = 4000;

/// Longest argument text that any sensor reads, in bytes.
pub(crate) const fn args_limit() -> usize {
    ARGS_BYTES
}

/// Decodes one record of the ring buffer.
pub fn decode(bytes: &[u8]) -> Result<RawEvent, WireError> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u32()?;
    let cpu = cursor.u32()?;
    let time_ns = cursor.u64()?;
    let task = task::read(&mut cursor)?;
    let kind = match kind {
        1 => exec::read(&mut cursor)?,
        2 => RawKind::Fork {
            child: Box::new(task::read(&mut cursor)?),
        },
        3 => RawKind::Exit { status: cursor.i32()? },
        4 => read_cgroup(&mut cursor).map(|(cgroup_id, path)| RawKind::CgroupMade { cgroup_id, path })?,
        5 => file::read_open(&mut cursor)?,
        6 => socket::read_connect(&mut cursor)?,
        7 => socket::read_address(&mut cursor).map(|(address, transport)| RawKind::Bind { address, transport })?,
        8 => socket::read_address(&mut cursor).map(|(address, transport)| RawKind::Listen { address, transport })?,
        10 => call::read(&mut cursor).map(|call| RawKind::Call(Box::new(call)))?,
        11 => file::read_load(&mut cursor)?,
        12 => exec::read_environment(&mut cursor)?,
        13 => read_cgroup(&mut cursor).map(|(cgroup_id, path)| RawKind::CgroupEntered { cgroup_id, path })?,
        14 => socket::read_failed_connect(&mut cursor)?,
        15 => socket::read_local(&mut cursor)?,
        16 => RawKind::UseCapability {
            number: u8::try_from(cursor.u32()?).unwrap_or(u8::MAX),
        },
        other => return Err(WireError::Kind(other)),
    };
    Ok(RawEvent {
        time_ns,
        cpu,
        task,
        kind,
    })
}

/// When a record's event happened; `None` for one that is too short.
pub(crate) fn time_ns(bytes: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip(8).and_then(|()| cursor.u64()).ok()
}

/// Decodes the first record of the task iterator's output; also says how many bytes it took. Arguments are not part of
/// it: only the process itself can read them.
pub(crate) fn decode_process(bytes: &[u8]) -> Result<(RawProcess, usize), WireError> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u32()?;
    if kind != 9 {
        return Err(WireError::Kind(kind));
    }
    cursor.skip(12)?;
    let task = task::read(&mut cursor)?;
    let process = exec::read_process(task, &mut cursor)?;
    Ok((process, cursor.position()))
}

/// The act with the kernel side's opinion, where it has one.
fn judged(verdict: u32, act: RawKind) -> Result<RawKind, WireError> {
    let verdict = match verdict {
        0 => return Ok(act),
        1 => Verdict::WouldRefuse,
        2 => Verdict::Refused,
        3 => Verdict::Signalled,
        other => return Err(WireError::Verdict(other)),
    };
    Ok(RawKind::Judged {
        verdict,
        act: Box::new(act),
    })
}

fn read_cgroup(cursor: &mut Cursor<'_>) -> Result<(u64, String), WireError> {
    let cgroup_id = cursor.u64()?;
    let length = cursor.length()?;
    cursor.seek(TEXT_AT)?;
    Ok((cgroup_id, text::until_nul(cursor.bytes(length)?)))
}

#[cfg(test)]
mod tests;
