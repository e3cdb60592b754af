//! Which events of upstream's table are read, what their parameters are called, and what becomes of them
//! (falcosecurity/libs `driver/event_table.c`). A call has an event when it begins and one when it has returned; of old ones
//! the first holds what newer ones tell at the end, so both are read together.

use plimsoll_model::SystemCall;

use SystemCall as C;

/// One type of event.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number: of the event at the call's end, which is odd, or of an event that is no call's.
    pub(crate) number: u16,
    /// Parameters of the event at the call's beginning, whose number is one less.
    pub(crate) enter: &'static [&'static str],
    /// Its own.
    pub(crate) exit: &'static [&'static str],
    pub(crate) act: Act,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Exec,
    Clone,
    Exit,
    /// A file is opened; the name of the parameter with its path.
    Open(&'static str),
    Create,
    Close,
    /// A descriptor is given another number.
    Duplicate(SystemCall),
    /// fcntl(2), which can do that too.
    Control,
    Map,
    ChangeFolder,
    ChangeFolderTo,
    NewSession,
    Socket,
    Bind,
    Listen,
    Connect,
    /// A datagram may go to a new peer.
    Send,
    Accept(SystemCall),
    /// A call that is told as it is.
    Call(Shape),
    /// What Falco found out about a container: in four parameters, as JSON, or as JSON among other news.
    Container,
    ContainerJson(&'static str),
    /// The driver began to leave events out, or stopped doing so.
    Sampling,
}

/// How a call's parameters become arguments and texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) call: SystemCall,
    /// By the place of the argument.
    pub(crate) arguments: &'static [(usize, Numbered)],
    pub(crate) texts: &'static [Text],
    /// Parameter with the descriptor that the call is about.
    pub(crate) object: Option<&'static str>,
}

/// A number by its parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbered {
    Plain(&'static str),
    /// Flags of clone(2), numbered anew.
    Clone(&'static str),
    /// A request of ptrace(2), numbered anew.
    Ptrace(&'static str),
}

/// A text by its parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text {
    Plain(&'static str),
    /// A path, and the parameter with the folder that it begins at; without one, the working directory.
    Path(&'static str, Option<&'static str>),
}

use Numbered::{Clone as Cloned, Plain, Ptrace};
use Text::Path;

const fn row(number: u16, enter: &'static [&'static str], exit: &'static [&'static str], act: Act) -> Row {
    Row {
        number,
        enter,
        exit,
        act,
    }
}

const fn call(
    number: u16,
    enter: &'static [&'static str],
    exit: &'static [&'static str],
    call: SystemCall,
    arguments: &'static [(usize, Numbered)],
    texts: &'static [Text],
    object: Option<&'static str>,
) -> Row {
    let shape = Shape {
        call,
        arguments,
        texts,
        object,
    };
    row(number, enter, exit, Act::Call(shape))
}

/// The parameter of calls that are about a descriptor, the first one behind the result.
const FD: Option<&str> = Some("fd");

const OPENAT: &[&str] = &["dirfd", "name", "flags", "mode"];
const SENT: &[&str] = &["fd", "size", "tuple"];
const SEND: &[&str] = &["res", "data", "fd", "size", "tuple"];
const ACCEPT: &[&str] = &["fd", "tuple", "queuepct", "queuelen", "queuemax", "flags"];
const MMAP: &[&str] = &["addr", "length", "prot", "flags", "fd", "offset"];
const MAPPED: &[&str] = &[
    "res", "vm_size", "vm_rss", "vm_swap", "addr", "length", "prot", "flags", "fd", "offset",
];
const PATH: &[Text] = &[Path("path", None)];
const IDS: &[(usize, Numbered)] = &[(0, Plain("ruid")), (1, Plain("euid")), (2, Plain("suid"))];
const GROUP_IDS: &[(usize, Numbered)] = &[(0, Plain("rgid")), (1, Plain("egid")), (2, Plain("sgid"))];
const OWNER: &[(usize, Numbered)] = &[(1, Plain("uid")), (2, Plain("gid"))];
const OWNER_OF: &[(usize, Numbered)] = &[(0, Plain("fd")), (1, Plain("uid")), (2, Plain("gid"))];
const RENAMED: &[Text] = &[Path("oldpath", Some("olddirfd")), Path("newpath", Some("newdirfd"))];
const RENAME: &[(usize, Numbered)] = &[(0, Plain("olddirfd")), (2, Plain("newdirfd")), (4, Plain("flags"))];
const LINKED: &[Text] = &[Path("oldpath", Some("olddir")), Path("newpath", Some("newdir"))];
const LINK: &[(usize, Numbered)] = &[(0, Plain("olddir")), (2, Plain("newdir"))];

macro_rules! exec_names {
    ($($name:literal)*) => {
        &["res", "exe", "args", "tid", "pid", "ptid", "cwd", "fdlimit", $($name,)*]
    };
}

macro_rules! exec_names_with_memory {
    ($($name:literal)*) => {
        exec_names!["pgft_maj" "pgft_min" "vm_size" "vm_rss" "vm_swap" $($name)*]
    };
}

const EXEC_OLD: &[&str] = exec_names_with_memory!["comm" "cgroups" "env" "tty"];
const EXEC: &[&str] = exec_names_with_memory!["comm" "cgroups" "env" "tty" "vpgid" "loginuid" "flags" "cap_inheritable"
    "cap_permitted" "cap_effective" "exe_ino" "exe_ino_ctime" "exe_ino_mtime" "uid" "trusted_exepath" "pgid" "gid"
    "filename"];
const CLONE_OLDER: &[&str] = exec_names_with_memory!["flags" "uid" "gid"];
const CLONE_OLD: &[&str] = exec_names_with_memory!["comm" "flags" "uid" "gid"];
const CLONE: &[&str] =
    exec_names_with_memory!["comm" "cgroups" "flags" "uid" "gid" "vtid" "vpid" "pidns_init_start_ts"];

/// All that is read, by number.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row(3, &["name", "flags", "mode"], &["fd", "name", "flags", "mode", "dev", "ino"], Act::Open("name")),
    row(5, &["fd"], &["res", "fd"], Act::Close),
    row(13, &[], exec_names![], Act::Exec),
    row(15, &[], exec_names!["flags" "uid" "gid"], Act::Clone),
    row(16, &[], &[], Act::Exit),
    row(19, &["domain", "type", "proto"], &["fd", "domain", "type", "proto", "flags"], Act::Socket),
    row(21, &["fd"], &["res", "addr", "fd"], Act::Bind),
    row(23, &["fd", "addr"], &["res", "tuple", "fd", "addr"], Act::Connect),
    row(25, &["fd", "backlog"], &["res", "fd", "backlog"], Act::Listen),
    row(27, &[], ACCEPT, Act::Accept(C::Accept)),
    row(29, SENT, SEND, Act::Send),
    row(31, SENT, SEND, Act::Send),
    call(35, &["fd", "size"], &["res", "data", "tuple", "fd", "size"], C::Recvfrom, &[], &[Text::Plain("data")], FD),
    row(49, SENT, SEND, Act::Send),
    row(57, &["flags"], ACCEPT, Act::Accept(C::Accept4)),
    row(59, &["name", "mode"], &["fd", "name", "mode", "dev", "ino", "creat_flags"], Act::Create),
    row(95, &[], &["res", "path"], Act::ChangeFolder),
    row(97, &["fd"], &["res", "fd"], Act::ChangeFolderTo),
    call(99, &["path", "mode"], &["res"], C::Mkdir, &[(1, Plain("mode"))], PATH, None),
    call(101, &["path"], &["res"], C::Rmdir, &[], PATH, None),
    row(103, OPENAT, &["fd"], Act::Open("name")),
    call(105, &["oldpath", "newpath"], &["res"], C::Link, &[], LINKED, None),
    call(107, &["olddir", "oldpath", "newdir", "newpath"], &["res"], C::Linkat, LINK, LINKED, None),
    call(109, &["path"], &["res"], C::Unlink, &[], PATH, None),
    call(111, &["dirfd", "name"], &["res"], C::Unlinkat, &[(0, Plain("dirfd"))], &[Path("name", Some("dirfd"))], None),
    row(125, &["fd"], &["res"], Act::Duplicate(C::Dup)),
    row(148, &[], &["ratio"], Act::Sampling),
    row(151, &["fd", "cmd"], &["res", "fd", "cmd", "arg"], Act::Control),
    row(155, &[], exec_names_with_memory![], Act::Exec),
    row(157, &[], CLONE_OLDER, Act::Clone),
    row(161, MMAP, MAPPED, Act::Map),
    row(163, MMAP, MAPPED, Act::Map),
    call(169, &["request", "pid"], &["res", "addr", "data", "request", "pid"], C::Ptrace, &[(0, Ptrace("request")), (1, Plain("pid"))], &[], None),
    row(173, &[], exec_names_with_memory!["env"], Act::Exec),
    call(175, &[], &["res", "oldpath", "newpath"], C::Rename, &[], RENAMED, None),
    call(177, &[], &["res", "olddirfd", "oldpath", "newdirfd", "newpath"], C::Renameat, RENAME, RENAMED, None),
    call(179, &[], &["res", "target", "linkpath"], C::Symlink, &[], &[Text::Plain("target"), Path("linkpath", None)], None),
    call(181, &[], &["res", "target", "linkdirfd", "linkpath"], C::Symlinkat, &[(1, Plain("linkdirfd"))], &[Text::Plain("target"), Path("linkpath", Some("linkdirfd"))], None),
    row(183, &[], CLONE_OLDER, Act::Clone),
    row(185, &[], CLONE_OLDER, Act::Clone),
    row(186, &[], &["status", "ret", "sig", "core", "reaper_tid"], Act::Exit),
    call(193, &["ruid", "euid", "suid"], &["res", "ruid", "euid", "suid"], C::Setresuid, IDS, &[], None),
    call(195, &["rgid", "egid", "sgid"], &["res", "rgid", "egid", "sgid"], C::Setresgid, GROUP_IDS, &[], None),
    call(199, &["uid"], &["res", "uid"], C::Setuid, &[(0, Plain("uid"))], &[], None),
    call(201, &["gid"], &["res", "gid"], C::Setgid, &[(0, Plain("gid"))], &[], None),
    row(215, &[], exec_names_with_memory!["comm" "env"], Act::Exec),
    row(217, &[], CLONE_OLD, Act::Clone),
    row(219, &[], CLONE_OLD, Act::Clone),
    row(221, &[], CLONE_OLD, Act::Clone),
    row(223, &[], CLONE, Act::Clone),
    row(225, &[], CLONE, Act::Clone),
    row(227, &[], CLONE, Act::Clone),
    row(228, &[], &["id", "type", "name", "image"], Act::Container),
    row(231, &[], exec_names_with_memory!["comm" "cgroups" "env"], Act::Exec),
    call(241, &["fd", "nstype"], &["res", "fd", "nstype"], C::Setns, &[(0, Plain("fd")), (1, Cloned("nstype"))], &[], FD),
    row(247, &[], ACCEPT, Act::Accept(C::Accept)),
    row(249, &["flags"], ACCEPT, Act::Accept(C::Accept4)),
    call(257, &["flags"], &["res", "dev", "dir", "type", "flags"], C::Mount, &[(3, Plain("flags"))], &[Text::Plain("dev"), Path("dir", None), Text::Plain("type")], None),
    call(259, &["flags"], &["res", "name"], C::Umount2, &[(1, Plain("flags"))], &[Path("name", None)], None),
    call(267, &[], &["res", "path"], C::Chroot, &[], PATH, None),
    row(272, &[], &["json"], Act::ContainerJson("json")),
    row(275, &[], &["res"], Act::NewSession),
    call(277, &["mode"], &["res", "path", "mode"], C::Mkdir, &[(1, Plain("mode"))], PATH, None),
    call(279, &[], &["res", "path"], C::Rmdir, &[], PATH, None),
    row(283, &[], EXEC_OLD, Act::Exec),
    call(285, &["flags"], &["res", "flags"], C::Unshare, &[(0, Cloned("flags"))], &[], None),
    row(289, &["filename"], EXEC_OLD, Act::Exec),
    row(293, &["filename"], EXEC, Act::Exec),
    call(297, &["cmd"], &["res_or_fd"], C::Bpf, &[(0, Plain("cmd"))], &[], None),
    call(301, &[], &["res", "path"], C::Unlink, &[], PATH, None),
    call(303, &[], &["res", "dirfd", "name", "flags"], C::Unlinkat, &[(0, Plain("dirfd")), (2, Plain("flags"))], &[Path("name", Some("dirfd"))], None),
    call(305, &[], &["res", "dirfd", "path", "mode"], C::Mkdirat, &[(0, Plain("dirfd")), (2, Plain("mode"))], &[Path("path", Some("dirfd"))], None),
    row(307, OPENAT, &["fd", "dirfd", "name", "flags", "mode", "dev", "ino"], Act::Open("name")),
    call(309, &[], &["res", "oldpath", "newpath"], C::Link, &[], LINKED, None),
    call(311, &[], &["res", "olddir", "oldpath", "newdir", "newpath", "flags"], C::Linkat, LINK, LINKED, None),
    call(313, &[], &["res", "dirfd", "filename", "mode"], C::Fchmodat, &[(0, Plain("dirfd")), (2, Plain("mode"))], &[Path("filename", Some("dirfd"))], None),
    call(315, &[], &["res", "filename", "mode"], C::Chmod, &[(1, Plain("mode"))], &[Path("filename", None)], None),
    call(317, &[], &["res", "fd", "mode"], C::Fchmod, &[(0, Plain("fd")), (1, Plain("mode"))], &[], FD),
    call(319, &[], &["res", "olddirfd", "oldpath", "newdirfd", "newpath", "flags"], C::Renameat2, RENAME, RENAMED, None),
    call(321, &[], &["res", "flags"], C::Userfaultfd, &[(0, Plain("flags"))], &[], None),
    row(324, &[], &["json"], Act::ContainerJson("json")),
    row(327, &["dirfd", "name", "flags", "mode", "resolve"], &["fd", "dirfd", "name", "flags", "mode", "resolve", "dev", "ino"], Act::Open("name")),
    row(331, &["dirfd", "pathname", "flags"], EXEC, Act::Exec),
    row(335, &[], CLONE, Act::Clone),
    row(337, &[], &["fd", "mountfd", "flags", "path", "dev", "ino"], Act::Open("path")),
    call(339, &[], &["res", "entries", "sq_entries", "cq_entries", "flags"], C::IoUringSetup, &[(0, Plain("entries"))], &[], None),
    call(353, &[], &["res", "cap_inheritable", "cap_permitted", "cap_effective"], C::Capset, &[], &[], None),
    row(363, &["fd"], &["res", "oldfd", "newfd"], Act::Duplicate(C::Dup2)),
    row(365, &["fd"], &["res", "oldfd", "newfd", "flags"], Act::Duplicate(C::Dup3)),
    row(367, &["fd"], &["res", "oldfd"], Act::Duplicate(C::Dup)),
    call(369, &["cmd"], &["fd", "cmd"], C::Bpf, &[(0, Plain("cmd"))], &[], None),
    call(379, &[], &["res", "path", "uid", "gid"], C::Chown, OWNER, PATH, None),
    call(381, &[], &["res", "path", "uid", "gid"], C::Lchown, OWNER, PATH, None),
    call(383, &[], &["res", "fd", "uid", "gid"], C::Fchown, OWNER_OF, &[], FD),
    call(385, &[], &["res", "dirfd", "pathname", "uid", "gid", "flags"], C::Fchownat, &[(0, Plain("dirfd")), (2, Plain("uid")), (3, Plain("gid"))], &[Path("pathname", Some("dirfd"))], None),
    call(387, &[], &["res", "name"], C::Umount2, &[], &[Path("name", None)], None),
    row(389, &["flags"], ACCEPT, Act::Accept(C::Accept4)),
    call(391, &["flags"], &["res", "name", "flags"], C::Umount2, &[(1, Plain("flags"))], &[Path("name", None)], None),
    row(402, &[], &["plugin_id", "name", "data"], Act::ContainerJson("data")),
    call(405, &[], &["fd", "name", "flags"], C::MemfdCreate, &[(1, Plain("flags"))], &[Text::Plain("name")], None),
    call(411, &[], &["res", "img", "length", "uargs"], C::InitModule, &[(1, Plain("length"))], &[Text::Plain("uargs")], None),
    call(413, &[], &["res", "fd", "uargs", "flags"], C::FinitModule, &[(0, Plain("fd")), (2, Plain("flags"))], &[Text::Plain("uargs")], FD),
    call(423, &[], &["res", "pid", "data"], C::ProcessVmWritev, &[(0, Plain("pid"))], &[], None),
    call(427, &[], &["res", "ruid", "euid"], C::Setreuid, IDS, &[], None),
    call(429, &[], &["res", "rgid", "egid"], C::Setregid, GROUP_IDS, &[], None),
];

/// The row of an event by its number.
pub(crate) fn find(number: u16) -> Option<&'static Row> {
    let at = ROWS.binary_search_by_key(&number, |row| row.number).ok()?;
    ROWS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_name_parameters_that_there_are() {
        for pair in ROWS.windows(2) {
            assert!(pair[0].number < pair[1].number, "{}", pair[1].number);
        }
        for row in ROWS {
            let has = |name: &str| row.exit.contains(&name) || row.enter.contains(&name);
            match row.act {
                Act::Open(name) | Act::ContainerJson(name) => assert!(has(name), "{}: {name}", row.number),
                Act::Call(shape) => {
                    for text in shape.texts {
                        let (Text::Plain(name) | Path(name, _)) = text;
                        assert!(has(name), "{}: {name}", row.number);
                    }
                    assert!(shape.object.is_none_or(has), "{}", row.number);
                }
                _ => {}
            }
        }
    }
}
