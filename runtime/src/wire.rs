//! Bytes from the kernel in, [`RawEvent`]s and [`RawProcess`]es out. The layout is that of `bpf/record.h`; bytes that do
//! not follow it are an error, never a guess.

use plimsoll_model::{Credentials, ExeFile, FileAccess, SocketAddress, Transport};

use crate::{
    raw::{RawEvent, RawKind, RawTask, Verdict},
    snapshot::RawProcess,
};

mod call;
mod cursor;
mod path;

use cursor::Cursor;

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
pub const KINDS: [&str; 12] = [
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
];

/// Where the texts of records with texts begin: behind the longest fixed part, `struct exec_record`.
const TEXT_AT: usize = HEAD_BYTES + 56;
const HEAD_BYTES: usize = 16 + TASK_BYTES;
const TASK_BYTES: usize = 112;

/// Longest texts that the kernel side sends, `bpf/path.h`; texts beyond are marked as cut.
const FILENAME_BYTES: usize = 1024;
const ARGS_BYTES: usize = 4096;
/// Longest path as a caller wrote it, and longest text argument of a call; the NUL included.
const ASKED_BYTES: usize = 4000;

/// Decodes one record of the ring buffer.
pub fn decode(bytes: &[u8]) -> Result<RawEvent, WireError> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u32()?;
    let cpu = cursor.u32()?;
    let time_ns = cursor.u64()?;
    let task = read_task(&mut cursor)?;
    let kind = match kind {
        1 => read_exec(&mut cursor)?,
        2 => RawKind::Fork {
            child: Box::new(read_task(&mut cursor)?),
        },
        3 => RawKind::Exit { status: cursor.i32()? },
        4 => read_cgroup(&mut cursor)?,
        5 => read_open(&mut cursor)?,
        6 => read_connect(&mut cursor)?,
        7 => read_address(&mut cursor).map(|(address, transport)| RawKind::Bind { address, transport })?,
        8 => read_address(&mut cursor).map(|(address, transport)| RawKind::Listen { address, transport })?,
        10 => call::read(&mut cursor).map(|call| RawKind::Call(Box::new(call)))?,
        11 => read_load(&mut cursor)?,
        other => return Err(WireError::Kind(other)),
    };
    Ok(RawEvent {
        time_ns,
        cpu,
        task,
        kind,
    })
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
    let task = read_task(&mut cursor)?;
    let exec = ExecFixed::read(&mut cursor)?;
    let (exe, exe_file) = exec.read_exe(&mut cursor)?;
    let cwd = path::absolute(cursor.bytes(exec.cwd_length)?, exec.cwd_flags);
    Ok((
        RawProcess {
            task,
            exe,
            args: Vec::new(),
            cwd,
            exe_file,
        },
        cursor.position(),
    ))
}

struct ExecFixed {
    file: ExeFile,
    filename_length: usize,
    exe_length: usize,
    cwd_length: usize,
    args_length: usize,
    exe_flags: u32,
    cwd_flags: u32,
    args_total: usize,
    verdict: u32,
}

impl ExecFixed {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        Ok(Self {
            file: read_file(cursor)?,
            filename_length: cursor.length()?,
            exe_length: cursor.length()?,
            cwd_length: cursor.length()?,
            args_length: cursor.length()?,
            exe_flags: cursor.u32()?,
            cwd_flags: cursor.u32()?,
            args_total: cursor.length()?,
            verdict: cursor.u32()?,
        })
    }

    fn read_exe(&self, cursor: &mut Cursor<'_>) -> Result<(String, ExeFile), WireError> {
        let bytes = cursor.bytes(self.exe_length)?;
        let file = named(self.file, bytes, self.exe_flags);
        Ok((path::absolute(bytes, self.exe_flags), file))
    }
}

fn read_exec(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let fixed = ExecFixed::read(cursor)?;
    let filename = limited_text(cursor.bytes(fixed.filename_length)?, FILENAME_BYTES);
    let (exe, exe_file) = fixed.read_exe(cursor)?;
    let cwd = path::absolute(cursor.bytes(fixed.cwd_length)?, fixed.cwd_flags);
    let args = split_args(cursor.bytes(fixed.args_length)?, fixed.args_length < fixed.args_total);
    let act = RawKind::Exec {
        filename,
        exe,
        args,
        cwd,
        exe_file,
    };
    judged(fixed.verdict, act)
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

/// Arguments as the kernel lays them out: each ended by a NUL. `is_cut` marks the last one.
pub(crate) fn split_args(bytes: &[u8], is_cut: bool) -> Vec<String> {
    let ended = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if ended.is_empty() && bytes.is_empty() {
        return if is_cut { vec!["…".to_owned()] } else { Vec::new() };
    }
    let mut args: Vec<String> = ended
        .split(|&byte| byte == 0)
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect();
    if is_cut && let Some(last) = args.last_mut() {
        last.push('…');
    }
    args
}

/// Longest argument text that any sensor reads, in bytes.
pub(crate) const fn args_limit() -> usize {
    ARGS_BYTES
}

fn read_open(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let inode = cursor.u64()?;
    let mode = cursor.u32()?;
    let flags = cursor.u32()?;
    let length = cursor.length()?;
    let path_flags = cursor.u32()?;
    let asked_length = cursor.length()?;
    let verdict = cursor.u32()?;
    cursor.seek(TEXT_AT)?;
    let asked = Some(asked_length)
        .filter(|&length| length > 0)
        .map(|length| cursor.bytes(length).map(|bytes| limited_text(bytes, ASKED_BYTES)))
        .transpose()?;
    let act = RawKind::Open {
        path: path::absolute(cursor.bytes(length)?, path_flags),
        flags,
        // include/linux/fs.h: FMODE_READ 1, FMODE_WRITE 2, FMODE_CREATED 0x100000 (since 4.19).
        access: match mode & 3 {
            3 => FileAccess::ReadWrite,
            2 => FileAccess::Write,
            _ => FileAccess::Read,
        },
        created: mode & 0x10_0000 != 0,
        inode,
        asked,
    };
    judged(verdict, act)
}

fn read_load(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let file = read_file(cursor)?;
    let length = cursor.length()?;
    let flags = cursor.u32()?;
    cursor.seek(TEXT_AT)?;
    let bytes = cursor.bytes(length)?;
    Ok(RawKind::Load {
        path: path::absolute(bytes, flags),
        file: named(file, bytes, flags),
    })
}

fn read_file(cursor: &mut Cursor<'_>) -> Result<ExeFile, WireError> {
    Ok(ExeFile {
        device: cursor.u64()?,
        inode: cursor.u64()?,
        is_upper_layer: cursor.u32()? != 0,
        is_memfd: false,
        is_deleted: cursor.u32()? != 0,
    })
}

/// With what its path says of it: a memfd never had a name that could have been deleted.
fn named(file: ExeFile, path: &[u8], flags: u32) -> ExeFile {
    let is_memfd = path::is_memfd(path, flags);
    ExeFile {
        is_memfd,
        is_deleted: file.is_deleted && !is_memfd,
        ..file
    }
}

fn read_cgroup(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let cgroup_id = cursor.u64()?;
    let length = cursor.length()?;
    cursor.seek(TEXT_AT)?;
    Ok(RawKind::CgroupMade {
        cgroup_id,
        path: text(cursor.bytes(length)?),
    })
}

fn read_connect(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let (address, transport) = read_address(cursor)?;
    judged(u32::from(cursor.u16()?), RawKind::Connect { address, transport })
}

fn read_address(cursor: &mut Cursor<'_>) -> Result<(SocketAddress, Transport), WireError> {
    let ip: [u8; 16] = cursor.array()?;
    let family = cursor.u16()?;
    let port = cursor.u16()?;
    let protocol = cursor.u16()?;
    let ip = match family {
        2 => std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).into(),
        10 => std::net::Ipv6Addr::from(ip).to_canonical(),
        other => return Err(WireError::Family(other)),
    };
    let transport = match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => Transport::Other,
    };
    Ok((SocketAddress { ip, port }, transport))
}

fn read_task(cursor: &mut Cursor<'_>) -> Result<RawTask, WireError> {
    let mut task = RawTask {
        start_time_ns: cursor.u64()?,
        parent_start_time_ns: cursor.u64()?,
        cgroup_id: cursor.u64()?,
        pid: cursor.i32()?,
        tid: cursor.i32()?,
        parent_pid: cursor.i32()?,
        container_pid: cursor.i32()?,
        pid_namespace: cursor.u32()?,
        mount_namespace: cursor.u32()?,
        credentials: Credentials {
            uid: cursor.u32()?,
            gid: cursor.u32()?,
            euid: cursor.u32()?,
            egid: cursor.u32()?,
            login_uid: Some(cursor.u32()?).filter(|&uid| uid != u32::MAX),
            capabilities: None,
        },
        session_id: cursor.i32()?,
        tty: encode_device(cursor.u32()?, cursor.u32()?),
        comm: text(&cursor.array::<16>()?),
        exec_id: 0,
    };
    task.credentials.capabilities = Some(cursor.u64()?);
    task.exec_id = cursor.u64()?;
    Ok(task)
}

/// As `stat(2)` and `/proc/PID/stat` write a device number (`new_encode_dev`).
fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Text up to its NUL, marked when the kernel side had no room for more.
fn limited_text(bytes: &[u8], limit: usize) -> String {
    let mut text = text(bytes);
    if bytes.len() >= limit {
        text.push('…');
    }
    text
}

/// Text up to its NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with `fixed` behind the head and `texts` where texts belong.
    fn record(kind: u32, fixed: &[u8], texts: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEAD_BYTES, 7);
        bytes.extend(fixed);
        if !texts.is_empty() {
            bytes.resize(TEXT_AT, 0);
            bytes.extend(texts);
        }
        bytes
    }

    fn numbers(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    fn exec(args_total: u32) -> Vec<u8> {
        // device, inode, upper, deleted; lengths of filename, exe, cwd, args; flags of exe and cwd; total; padding
        let fixed = numbers(&[1, 0, 2, 0, 1, 0, 3, 7, 1, 6, 1, 1, args_total, 0]);
        record(1, &fixed, b"sh\0sh\0bin\0\0a\0b c\0")
    }

    #[test]
    fn reads_texts_in_their_order() {
        let RawKind::Exec {
            filename,
            exe,
            args,
            cwd,
            exe_file,
        } = decode(&exec(6)).unwrap().kind
        else {
            panic!("not an exec")
        };
        assert_eq!((filename.as_str(), exe.as_str(), cwd.as_str()), ("sh", "/bin/sh", "/"));
        assert_eq!(args, ["a", "b c"]);
        assert_eq!((exe_file.device, exe_file.inode, exe_file.is_upper_layer), (1, 2, true));
    }

    #[test]
    fn a_loaded_file_is_told_with_where_it_lies() {
        let load = |path_flags: u32, text: &[u8]| {
            let length = u32::try_from(text.len()).unwrap();
            record(11, &numbers(&[5, 0, 6, 0, 1, 1, length, path_flags]), text)
        };
        let whole = load(1, b"x.so\0tmp\0");
        let file = ExeFile {
            device: 5,
            inode: 6,
            is_upper_layer: true,
            is_memfd: false,
            is_deleted: true,
        };
        let path = "/tmp/x.so".to_owned();
        assert_eq!(decode(&whole).unwrap().kind, RawKind::Load { path, file });
        // A file in memory has no name that could have been removed.
        let RawKind::Load { path, file } = decode(&load(2, b"memfd:x\0")).unwrap().kind else {
            panic!("not a load")
        };
        assert_eq!(
            (path.as_str(), file.is_memfd, file.is_deleted),
            ("memfd:x", true, false)
        );
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), Err(WireError::Short), "cut to {length}");
        }
    }

    #[test]
    fn cut_arguments_end_in_an_ellipsis() {
        let RawKind::Exec { args, .. } = decode(&exec(7)).unwrap().kind else {
            panic!("not an exec")
        };
        assert_eq!(args, ["a", "b c…"]);
        assert_eq!(split_args(b"", true), ["…"]);
        assert_eq!(split_args(b"", false), [""; 0]);
        assert_eq!(split_args(b"\0", false), [""]);
        assert_eq!(split_args(b"a\0\0", false), ["a", ""]);
    }

    #[test]
    fn a_record_that_ends_early_is_an_error() {
        let address = record(6, &[[1; 16].as_slice(), &[2, 0, 80, 0, 6, 0, 0, 0]].concat(), b"");
        for whole in [
            exec(6),
            address,
            record(2, &[1; TASK_BYTES], b""),
            record(3, &[0; 4], b""),
        ] {
            assert!(decode(&whole).is_ok());
            for length in 0..whole.len() {
                assert_eq!(
                    decode(&whole[..length]),
                    Err(WireError::Short),
                    "cut to {length} of {}",
                    whole.len()
                );
            }
        }
    }

    #[test]
    fn an_opinion_of_the_kernel_side_goes_with_the_act() {
        for (number, expected) in [
            (0, Ok(None)),
            (1, Ok(Some(Verdict::WouldRefuse))),
            (2, Ok(Some(Verdict::Refused))),
            (3, Ok(Some(Verdict::Signalled))),
            (4, Err(WireError::Verdict(4))),
        ] {
            let fixed = [[127; 16].as_slice(), &[2, 0, 80, 0, 6, 0, number, 0]].concat();
            let verdict = decode(&record(6, &fixed, b"")).map(|event| match event.kind {
                RawKind::Judged { verdict, act } => {
                    assert!(matches!(*act, RawKind::Connect { .. }), "{act:?}");
                    Some(verdict)
                }
                _ => None,
            });
            assert_eq!(verdict, expected, "{number}");
        }
    }

    #[test]
    fn what_we_never_send_is_an_error() {
        assert_eq!(decode(&record(77, &[], b"")), Err(WireError::Kind(77)));
        let unix = record(6, &[[1; 16].as_slice(), &[1, 0, 0, 0, 0, 0, 0, 0]].concat(), b"");
        assert_eq!(decode(&unix), Err(WireError::Family(1)));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let ip = "::ffff:10.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let event = decode(&record(6, &[ip.as_slice(), &[10, 0, 80, 0, 6, 0, 0, 0]].concat(), b"")).unwrap();
        let expected = SocketAddress {
            ip: "10.0.0.1".parse().unwrap(),
            port: 80,
        };
        assert_eq!(
            event.kind,
            RawKind::Connect {
                address: expected,
                transport: Transport::Tcp
            }
        );
    }
}
