//! Arguments of system calls by upstream's names, and the files and sockets that calls are about.

use std::{borrow::Cow, fmt::Write};

use plimsoll_model::{Call, CallObject, SystemCall};

use super::{
    Value,
    context::with_buffer,
    names::{write_names, write_number_of},
};

/// How an argument is shown.
#[derive(Debug, Clone, Copy)]
enum Shown {
    /// A text argument as it was given, by its place among the call's texts.
    Text(usize),
    /// The same as a path, made absolute.
    Path(usize),
    /// A signed number, by its place among the call's arguments.
    Number(usize),
    /// Flags or a constant: name of their table.
    Named(usize, &'static str),
    /// Permissions, octal.
    Mode(usize),
    /// What it returned.
    Result,
    /// The file that its descriptor stands for.
    Object,
}

use Shown::{Mode, Named, Number, Object, Path, Text};
use SystemCall as C;

/// Upstream's names of a call's arguments, in upstream's order (falcosecurity/libs `driver/event_table.c`).
#[rustfmt::skip]
fn arguments(call: SystemCall) -> &'static [(&'static str, Shown)] {
    match call {
        C::Unlink | C::Rmdir => &[("path", Path(0))],
        C::Unlinkat => &[("dirfd", Number(0)), ("name", Path(0)), ("flags", Named(2, "AT"))],
        C::Mkdir => &[("path", Path(0)), ("mode", Mode(1))],
        C::Mkdirat => &[("dirfd", Number(0)), ("path", Path(0)), ("mode", Mode(2))],
        C::Rename => &[("oldpath", Path(0)), ("newpath", Path(1))],
        C::Renameat => &[("olddirfd", Number(0)), ("oldpath", Path(0)), ("newdirfd", Number(2)), ("newpath", Path(1))],
        C::Renameat2 => &[("olddirfd", Number(0)), ("oldpath", Path(0)), ("newdirfd", Number(2)), ("newpath", Path(1))],
        C::Link => &[("oldpath", Path(0)), ("newpath", Path(1))],
        C::Linkat => &[("olddir", Number(0)), ("oldpath", Path(0)), ("newdir", Number(2)), ("newpath", Path(1))],
        C::Symlink => &[("target", Text(0)), ("linkpath", Path(1))],
        C::Symlinkat => &[("target", Text(0)), ("linkdirfd", Number(1)), ("linkpath", Path(1))],
        C::Chmod => &[("filename", Path(0)), ("mode", Mode(1))],
        C::Fchmod => &[("fd", Number(0)), ("mode", Mode(1))],
        C::Fchmodat | C::Fchmodat2 => &[("dirfd", Number(0)), ("filename", Path(0)), ("mode", Mode(2))],
        C::Chown | C::Lchown => &[("path", Path(0)), ("uid", Number(1)), ("gid", Number(2))],
        C::Fchown => &[("fd", Number(0)), ("uid", Number(1)), ("gid", Number(2))],
        C::Fchownat => &[("dirfd", Number(0)), ("pathname", Path(0)), ("uid", Number(2)), ("gid", Number(3))],
        C::Setuid => &[("uid", Number(0))],
        C::Setgid => &[("gid", Number(0))],
        C::Setreuid => &[("ruid", Number(0)), ("euid", Number(1))],
        C::Setregid => &[("rgid", Number(0)), ("egid", Number(1))],
        C::Setresuid => &[("ruid", Number(0)), ("euid", Number(1)), ("suid", Number(2))],
        C::Setresgid => &[("rgid", Number(0)), ("egid", Number(1)), ("sgid", Number(2))],
        C::Setns => &[("fd", Number(0)), ("nstype", Named(1, "CLONE"))],
        C::Unshare => &[("flags", Named(0, "CLONE"))],
        C::Mount => &[("dev", Text(0)), ("dir", Path(1)), ("type", Text(2)), ("flags", Named(3, "MS"))],
        C::MoveMount => &[("dev", Text(0)), ("dir", Path(1))],
        C::Umount2 => &[("name", Path(0)), ("flags", Named(1, "MNT"))],
        C::PivotRoot => &[("newpath", Path(0)), ("oldpath", Path(1))],
        C::Chroot => &[("path", Path(0))],
        C::Ptrace => &[("request", Named(0, "PTRACE")), ("pid", Number(1))],
        C::ProcessVmWritev => &[("pid", Number(0))],
        C::InitModule => &[("length", Number(1)), ("uargs", Text(0))],
        C::FinitModule => &[("fd", Number(0)), ("name", Object), ("uargs", Text(0)), ("flags", Named(2, "MODULE"))],
        C::Bpf => &[("cmd", Named(0, "BPF")), ("fd", Shown::Result)],
        C::MemfdCreate => &[("name", Text(0)), ("flags", Named(1, "MFD")), ("fd", Shown::Result)],
        C::Dup => &[("oldfd", Number(0)), ("fd", Shown::Result)],
        C::Dup2 => &[("oldfd", Number(0)), ("newfd", Number(1)), ("fd", Shown::Result)],
        C::Dup3 => &[("oldfd", Number(0)), ("newfd", Number(1)), ("flags", Number(2)), ("fd", Shown::Result)],
        C::Socket => &[("domain", Named(0, "AF")), ("type", Number(1)), ("proto", Number(2)), ("fd", Shown::Result)],
        C::Accept | C::Accept4 => &[("fd", Shown::Result)],
        C::Userfaultfd => &[("flags", Number(0)), ("res_or_fd", Shown::Result)],
        C::IoUringSetup => &[("entries", Number(0)), ("res", Shown::Result)],
        C::Capset | C::Recvfrom => &[],
    }
}

fn write(call: &Call, shown: Shown, out: &mut String) {
    let number = |index: usize| call.arguments.get(index).copied().unwrap_or(0);
    let _ = match shown {
        Text(index) => out.write_str(call.texts.get(index).map_or("", String::as_str)),
        Path(index) => out.write_str(&call.path(index)),
        // Descriptors, users and sizes are 32 bits wide; what is above them in a register means nothing.
        Number(index) => {
            let [a, b, c, d, ..] = number(index).to_le_bytes();
            write!(out, "{}", i32::from_le_bytes([a, b, c, d]))
        }
        Named(index, table @ ("PTRACE" | "BPF" | "AF")) => {
            write_number_of(table, number(index), out);
            Ok(())
        }
        Named(index, table) => {
            write_names(table, number(index), out);
            Ok(())
        }
        Mode(index) => write!(out, "0{:o}", number(index) & 0o7777),
        Shown::Result => write!(out, "{}", call.result),
        Object => out.write_str(object_path(call).unwrap_or("")),
    };
}

/// The file that a call's descriptor stands for.
pub(super) fn object_path(call: &Call) -> Option<&str> {
    match &call.object {
        CallObject::File { path } if matches!(call.call, C::Fchmod | C::Fchown | C::Setns | C::FinitModule) => {
            Some(path)
        }
        _ => None,
    }
}

/// One argument by upstream's name.
pub(super) fn argument(call: &Call, name: &str, show: &mut dyn FnMut(Value<'_>)) {
    if name == "res" {
        show(Value::Number(call.result));
        return;
    }
    let Some((_, shown)) = arguments(call.call).iter().find(|(known, _)| *known == name) else {
        return;
    };
    match *shown {
        Text(index) => {
            if let Some(text) = call.texts.get(index) {
                show(Value::Text(text));
            }
        }
        shown => with_buffer(|buffer| {
            write(call, shown, buffer);
            show(Value::Text(buffer));
        }),
    }
}

/// All arguments as one text.
pub(super) fn write_all(call: &Call, out: &mut String) {
    let _ = write!(out, "res={}", call.result);
    for (name, shown) in arguments(call.call) {
        let _ = write!(out, " {name}=");
        write(call, *shown, out);
    }
}

/// The path of a call that has one.
pub(super) fn one_path(call: &Call) -> Option<Cow<'_, str>> {
    if let Some(path) = object_path(call) {
        return Some(Cow::Borrowed(path));
    }
    let shown = arguments(call.call).iter().map(|(_, shown)| shown);
    let mut paths = shown.filter_map(|shown| match shown {
        Path(index) => Some(*index),
        _ => None,
    });
    match (paths.next(), paths.next()) {
        (Some(index), None) => Some(call.path(index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(call: SystemCall, arguments: [u64; 4], texts: &[&str]) -> Call {
        Call {
            call,
            result: 0,
            arguments,
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
            object: CallObject::File {
                path: "/srv/app".to_owned(),
            },
        }
    }

    #[test]
    fn shows_arguments_by_upstreams_names() {
        let at_cwd = 0xffff_ff9c;
        for (call, expected) in [
            (
                call(C::Symlinkat, [0, at_cwd, 0, 0], &["/etc/shadow", "../link"]),
                "res=0 target=/etc/shadow linkdirfd=-100 linkpath=/srv/link",
            ),
            (
                call(C::Fchmodat, [at_cwd, 0, 0o4755, 0], &["./tool"]),
                "res=0 dirfd=-100 filename=/srv/app/tool mode=04755",
            ),
            (
                call(C::Socket, [17, 3, 0, 0], &[]),
                "res=0 domain=17(AF_PACKET) type=3 proto=0 fd=0",
            ),
            (
                call(C::Ptrace, [16, 7, 0, 0], &[]),
                "res=0 request=16(PTRACE_ATTACH) pid=7",
            ),
            (
                call(C::Unshare, [0x1002_0000, 0, 0, 0], &[]),
                "res=0 flags=CLONE_NEWNS|CLONE_NEWUSER",
            ),
            (
                call(C::FinitModule, [5, 0, 0, 0], &["debug=1"]),
                "res=0 fd=5 name=/srv/app uargs=debug=1 flags=0",
            ),
        ] {
            let mut out = String::new();
            write_all(&call, &mut out);
            assert_eq!(out, expected);
        }
    }
}
