//! `evt.*`: the event itself.

use std::fmt::Write;

use plimsoll_model::{CallObject, Event, EventKind, FileAccess};

use super::{
    Argument, Context, Field, FieldType, KindSet, Value,
    argument::Takes,
    call,
    context::{Slot, with_buffer},
    flags::{error_name, write_open_flags},
    process::write_arguments,
};

/// Number that stands for the descriptor of a successful open: sensors do not record the real one.
pub(crate) const SOME_DESCRIPTOR: i64 = i32::MAX as i64;

/// The name of `evt.type` that is shown; conditions compare with all of [`KindSet::event_types`].
pub(crate) fn event_type(event: &Event) -> Option<&'static str> {
    if let EventKind::Call(call) = &event.kind {
        return Some(call.call.as_str());
    }
    let kind = KindSet::EACH[KindSet::position(event)?];
    kind.event_types().first().copied()
}

/// What the call returned: 0 or more for success, else a negative error number.
fn result(event: &Event) -> i64 {
    match &event.kind {
        EventKind::Open { error, .. } if *error == 0 => SOME_DESCRIPTOR,
        EventKind::Open { error, .. } | EventKind::Connect { error, .. } => i64::from(*error),
        EventKind::Fork { child } => i64::from(child.key.pid),
        EventKind::Call(call) => call.result,
        _ => 0,
    }
}

fn result_name(event: &Event) -> &'static str {
    match i32::try_from(result(event)) {
        Ok(number) if number < 0 => error_name(-number).unwrap_or("UNKNOWN"),
        _ => "SUCCESS",
    }
}

fn is_open(event: &Event, wanted: impl Fn(FileAccess) -> bool) -> bool {
    matches!(&event.kind, EventKind::Open { access, .. } if wanted(*access))
}

fn time<'c>(context: &'c Context<'c>) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(i128::from(context.event()?.time_ns)).ok()
}

fn shown_time(context: &Context<'_>, format: &str, show: &mut dyn FnMut(Value<'_>)) {
    let Some(time) = time(context) else { return };
    with_buffer(|buffer| {
        let _ = write!(buffer, "{}", time.strftime(format));
        show(Value::Text(buffer));
    });
}

fn nanoseconds(context: &Context<'_>) -> Option<i64> {
    i64::try_from(context.event()?.time_ns).ok()
}

/// One argument of the event by upstream's name. Only those that our sensors know have a value.
fn argument(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let Some(event) = context.event() else { return };
    match (&event.kind, argument.as_str()) {
        (EventKind::Call(call), name) => call::argument(call, name, show),
        (EventKind::Open { path, .. }, "name" | "path" | "pathname" | "filename") => show(Value::Text(path)),
        (EventKind::Open { flags, created, .. }, "flags") => with_buffer(|buffer| {
            write_open_flags(*flags, *created, buffer);
            show(Value::Text(buffer));
        }),
        (EventKind::Open { inode, .. }, "ino") if *inode != 0 => {
            show(Value::Number(i64::try_from(*inode).unwrap_or(i64::MAX)));
        }
        (EventKind::Open { .. }, "fd") | (EventKind::Connect { .. } | EventKind::Exec { .. }, "res") => {
            show(Value::Number(result(event)));
        }
        (EventKind::Exec { filename, .. }, "filename" | "pathname" | "path") => show(Value::Text(filename)),
        (EventKind::Exec { .. }, "exe") => {
            if let Some(first) = event.process.args.first() {
                show(Value::Text(first));
            }
        }
        (EventKind::Exec { .. }, "exepath" | "trusted_exepath") => show(Value::Text(&event.process.exe)),
        (EventKind::Exec { .. }, "args") => with_buffer(|buffer| {
            write_arguments(&event.process, buffer);
            show(Value::Text(buffer));
        }),
        (EventKind::Exec { .. }, "comm") => show(Value::Text(&event.process.comm)),
        (EventKind::Exec { .. }, "cwd") => show(Value::Text(&event.process.cwd)),
        (EventKind::Exec { .. }, "uid") => show(Value::Number(i64::from(event.process.credentials.euid))),
        (EventKind::Exec { .. }, "flags") => with_buffer(|buffer| {
            write_exec_flags(event, buffer);
            show(Value::Text(buffer));
        }),
        (EventKind::Exit { status }, "status") => show(Value::Number(i64::from(*status))),
        (EventKind::Exit { status }, "ret") => show(Value::Number(i64::from((status >> 8) & 0xff))),
        (EventKind::Exit { status }, "sig") => show(Value::Number(i64::from(status & 0x7f))),
        _ => {}
    }
}

fn write_exec_flags(event: &Event, out: &mut String) {
    let file = &event.process.exe_file;
    for (is_set, name) in [
        (file.is_upper_layer, "EXE_UPPER_LAYER"),
        (file.is_memfd, "EXE_FROM_MEMFD"),
    ] {
        if is_set {
            if !out.is_empty() {
                out.push('|');
            }
            out.push_str(name);
        }
    }
    if out.is_empty() {
        out.push('0');
    }
}

fn arguments<'c>(context: &'c Context<'c>) -> Option<Value<'c>> {
    let event = context.event()?;
    Some(context.cached(Slot::Flags, |out| match &event.kind {
        EventKind::Open {
            path, flags, created, ..
        } => {
            let _ = write!(out, "res={} name={path} flags=", result(event));
            write_open_flags(*flags, *created, out);
        }
        EventKind::Exec { filename, .. } => {
            let _ = write!(out, "res=0 filename={filename} args=");
            write_arguments(&event.process, out);
        }
        EventKind::Connect { address, error, .. } => {
            let _ = write!(out, "res={error} tuple={}:{}", address.ip, address.port);
        }
        EventKind::Bind { address, .. } | EventKind::Listen { address, .. } => {
            let _ = write!(out, "res=0 addr={}:{}", address.ip, address.port);
        }
        EventKind::Fork { child } => {
            let _ = write!(out, "res={}", child.key.pid);
        }
        EventKind::Exit { status } => {
            let _ = write!(out, "status={status}");
        }
        EventKind::Call(call) => call::write_all(call, out),
        _ => {}
    }))
}

pub(super) const FIELDS: &[Field] = &[
    Field::number(
        "evt.num",
        "Number of the event in this agent's stream, from 1.",
        |c, _| i64::try_from(c.event()?.sequence).ok().map(Value::Number),
    ),
    Field::many(
        "evt.time",
        FieldType::Text,
        "Time of day (UTC) with nanoseconds.",
        |c, _, show| {
            shown_time(c, "%H:%M:%S.%9f", show);
        },
    ),
    Field::many(
        "evt.time.s",
        FieldType::Text,
        "Time of day (UTC) to the second.",
        |c, _, show| {
            shown_time(c, "%H:%M:%S", show);
        },
    ),
    Field::many(
        "evt.time.iso8601",
        FieldType::Text,
        "Date and time (UTC), ISO 8601 with nanoseconds.",
        |c, _, show| {
            shown_time(c, "%Y-%m-%dT%H:%M:%S.%9f+0000", show);
        },
    ),
    Field::many(
        "evt.datetime",
        FieldType::Text,
        "Date and time (UTC) with nanoseconds.",
        |c, _, show| {
            shown_time(c, "%Y-%m-%d %H:%M:%S.%9f", show);
        },
    ),
    Field::many(
        "evt.datetime.s",
        FieldType::Text,
        "Date and time (UTC) to the second.",
        |c, _, show| {
            shown_time(c, "%Y-%m-%d %H:%M:%S", show);
        },
    ),
    Field::number("evt.rawtime", "Nanoseconds since the Unix epoch.", |c, _| {
        nanoseconds(c).map(Value::Number)
    }),
    Field::number("evt.rawtime.s", "Whole seconds since the Unix epoch.", |c, _| {
        nanoseconds(c).map(|time| Value::Number(time / 1_000_000_000))
    }),
    Field::number("evt.rawtime.ns", "Nanoseconds within the second.", |c, _| {
        nanoseconds(c).map(|time| Value::Number(time % 1_000_000_000))
    }),
    Field::text(
        "evt.type",
        "What happened, by the name of the system call. An event answers to all equivalent calls: a file that was opened is `open`, `openat` and `openat2`.",
        |c, _| event_type(c.event()?).map(Value::Text),
    ),
    Field::text("syscall.type", "The same as `evt.type`.", |c, _| {
        event_type(c.event()?).map(Value::Text)
    }),
    Field::text("evt.dir", "Always `<`: events are seen when they are done.", |c, _| {
        c.event().map(|_| Value::Text("<"))
    }),
    Field::text("evt.category", "`file`, `net` or `process`.", |c, _| {
        Some(Value::Text(match &c.event()?.kind {
            EventKind::Open { .. } => "file",
            EventKind::Connect { .. }
            | EventKind::ConnectLocal { .. }
            | EventKind::Bind { .. }
            | EventKind::Listen { .. } => "net",
            EventKind::Call(call) if matches!(call.object, CallObject::Socket { .. }) => "net",
            EventKind::Call(call) if !call.texts.is_empty() => "file",
            _ => "process",
        }))
    }),
    Field::text("evt.source", "`syscall`.", |c, _| {
        c.event().map(|_| Value::Text("syscall"))
    }),
    Field::text("evt.hostname", "Name of this node.", |c, _| {
        Some(Value::Text(c.observation()?.node))
    }),
    Field::number("evt.cpu", "Processor that it happened on.", |c, _| {
        Some(Value::Number(i64::from(c.event()?.cpu)))
    }),
    Field::text("evt.args", "The event's arguments as one text.", |c, _| arguments(c)),
    Field::many(
        "evt.arg",
        FieldType::Text,
        "One argument of the event: `evt.arg.flags`, `evt.arg[flags]`.",
        argument,
    )
    .takes(Takes::Required),
    Field::many("evt.rawarg", FieldType::Text, "As `evt.arg`.", argument).takes(Takes::Required),
    Field::text("evt.res", "`SUCCESS`, or the name of the error.", |c, _| {
        Some(Value::Text(result_name(c.event()?)))
    }),
    Field::number("evt.rawres", "What the call returned; errors are negative.", |c, _| {
        Some(Value::Number(result(c.event()?)))
    }),
    Field::bool("evt.failed", "Whether the call failed.", |c, _| {
        Some(Value::Bool(result(c.event()?) < 0))
    }),
    Field::bool("evt.is_open_read", "A file was opened for reading.", |c, _| {
        Some(Value::Bool(is_open(c.event()?, |access| access != FileAccess::Write)))
    }),
    Field::bool("evt.is_open_write", "A file was opened for writing.", |c, _| {
        Some(Value::Bool(is_open(c.event()?, FileAccess::can_write)))
    }),
    Field::bool("evt.is_open_create", "The open made the file.", |c, _| {
        let event = c.event()?;
        Some(Value::Bool(matches!(
            &event.kind,
            EventKind::Open { created: true, .. }
        )))
    }),
];

/// Names that arguments of upstream's events have (falcosecurity/libs `driver/event_table.c`).
pub(super) const ARGUMENT_NAMES: &[&str] = &[
    "ID",
    "action",
    "addr",
    "arg",
    "arg2",
    "arg2_int",
    "arg2_str",
    "arg3",
    "arg4",
    "arg5",
    "args",
    "argument",
    "argv",
    "aux",
    "backlog",
    "cap_effective",
    "cap_inheritable",
    "cap_permitted",
    "cgroups",
    "clockid",
    "cmd",
    "comm",
    "container_id",
    "core",
    "cpu",
    "cpu_sys",
    "cpu_usr",
    "cq_entries",
    "creat_flags",
    "cur",
    "cwd",
    "data",
    "desc",
    "description",
    "dev",
    "dir",
    "dirfd",
    "domain",
    "dpid",
    "dqb_bhardlimit",
    "dqb_bsoftlimit",
    "dqb_btime",
    "dqb_curspace",
    "dqb_ihardlimit",
    "dqb_isoftlimit",
    "dqb_itime",
    "dqi_bgrace",
    "dqi_flags",
    "dqi_igrace",
    "egid",
    "entries",
    "env",
    "error",
    "euid",
    "event_data",
    "event_type",
    "exe",
    "exe_ino",
    "exe_ino_ctime",
    "exe_ino_mtime",
    "exe_ino_num",
    "exepath",
    "fd",
    "fd1",
    "fd2",
    "fd_in",
    "fd_out",
    "fd_type",
    "fdin",
    "fdlimit",
    "fdout",
    "fds",
    "features",
    "filename",
    "first",
    "flags",
    "gid",
    "home",
    "how",
    "id",
    "image",
    "img",
    "in_fd",
    "initval",
    "ino",
    "ino_num",
    "interval",
    "ip",
    "json",
    "key",
    "last",
    "len",
    "length",
    "level",
    "linkdirfd",
    "linkpath",
    "local_ip",
    "local_port",
    "loginuid",
    "mask",
    "max",
    "maxevents",
    "min_complete",
    "mnt_id",
    "mode",
    "mountfd",
    "msgcontrol",
    "name",
    "nativeID",
    "newcur",
    "newdir",
    "newdirfd",
    "newfd",
    "newmax",
    "newpath",
    "next",
    "nr_args",
    "nsems",
    "nsops",
    "nstype",
    "offin",
    "offout",
    "offset",
    "oldcur",
    "olddir",
    "olddirfd",
    "oldfd",
    "oldmax",
    "oldpath",
    "op",
    "opcode",
    "operation",
    "option",
    "optlen",
    "optname",
    "out_fd",
    "path",
    "pathname",
    "peer",
    "pgft_maj",
    "pgft_min",
    "pgid",
    "pgoffset",
    "pid",
    "pid_fd",
    "pidns_init_start_ts",
    "plugin_id",
    "pos",
    "ppid",
    "prot",
    "proto",
    "ptid",
    "queuelen",
    "queuemax",
    "queuepct",
    "quota_fmt",
    "quota_fmt_out",
    "quotafilepath",
    "ratio",
    "reaper_tid",
    "remote_ip",
    "remote_port",
    "request",
    "res",
    "res_or_fd",
    "resolve",
    "resource",
    "ret",
    "rgid",
    "root",
    "ruid",
    "scope",
    "sem_flg_0",
    "sem_flg_1",
    "sem_num_0",
    "sem_num_1",
    "sem_op_0",
    "sem_op_1",
    "semflg",
    "semid",
    "semnum",
    "sgid",
    "shell",
    "sid",
    "sig",
    "sigmask",
    "size",
    "sk_pointer",
    "sk_proto",
    "sk_type",
    "source",
    "special",
    "spid",
    "sq_entries",
    "sq_thread_cpu",
    "sq_thread_idle",
    "start_time",
    "status",
    "suid",
    "sun_path",
    "tags",
    "target",
    "target_fd",
    "tid",
    "timeout",
    "to_submit",
    "trusted_exepath",
    "tty",
    "tuple",
    "type",
    "uargs",
    "uid",
    "val",
    "value_bytebuf",
    "value_charbuf",
    "vm_rss",
    "vm_size",
    "vm_swap",
    "vpgid",
    "vpid",
    "vtgid",
    "vtid",
    "whence",
];
