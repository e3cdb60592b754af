//! `proc.*`, `thread.*`, `user.*`, `group.*`: who did it.

use plimsoll_model::{Accounts, Process, User};

use super::{
    Argument, Context, Field, FieldType, Shape, Value,
    argument::Takes,
    context::{Slot, with_buffer},
    names::write_capabilities,
};

/// The arguments behind the program's own name, joined by blanks.
pub(crate) fn write_arguments(process: &Process, out: &mut String) {
    for (index, argument) in process.args.iter().skip(1).enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(argument);
    }
}

fn write_line(first: &str, process: &Process, out: &mut String) {
    out.push_str(first);
    if process.args.len() > 1 {
        out.push(' ');
        write_arguments(process, out);
    }
}

fn parent<'c>(context: &'c Context<'c>) -> Option<&'c Process> {
    context.ancestor(1)
}

/// The ancestor with the number in brackets, or all ancestors.
fn ancestors(
    context: &Context<'_>,
    argument: &Argument,
    show: &mut dyn FnMut(Value<'_>),
    value: for<'p> fn(&'p Process) -> Option<Value<'p>>,
) {
    let Some(process) = context.process() else { return };
    match argument.index {
        Some(index) => {
            if let Some(value) = process.lineage().nth(index).and_then(value) {
                show(value);
            }
        }
        None => process.lineage().skip(1).filter_map(value).for_each(show),
    }
}

fn ancestor_lines(
    context: &Context<'_>,
    argument: &Argument,
    show: &mut dyn FnMut(Value<'_>),
    write: fn(&Process, &mut String),
) {
    let Some(process) = context.process() else { return };
    let (skip, take) = argument.index.map_or((1, usize::MAX), |index| (index, 1));
    for ancestor in process.lineage().skip(skip).take(take) {
        with_buffer(|buffer| {
            write(ancestor, buffer);
            show(Value::Text(buffer));
        });
    }
}

/// The process that leads the session, when it is among the ancestors.
fn session_leader<'c>(context: &'c Context<'c>) -> Option<&'c Process> {
    let process = context.process()?;
    process
        .lineage()
        .find(|ancestor| ancestor.key.pid == process.session_id)
}

/// Captures of older agents do not say.
fn group(context: &Context<'_>) -> Option<i32> {
    Some(context.process()?.container_group_id).filter(|id| *id != 0)
}

/// What the sensor told, which is what loaded rules name.
fn environment(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let Some(process) = context.process() else { return };
    let name = argument.as_str();
    if !name.is_empty() {
        let values = process.environment.iter().filter_map(|text| text.split_once('='));
        if let Some((_, value)) = values.into_iter().find(|(known, _)| *known == name) {
            show(Value::Text(value));
        }
    } else if !process.environment.is_empty() {
        show(Value::Text(&process.environment.join(" ")));
    }
}

fn first_argument(process: &Process) -> Option<Value<'_>> {
    process.args.first().map(|text| Value::Text(text))
}

/// Users and groups where it happened: the container's own, or the machine's.
fn accounts<'c>(context: &'c Context<'c>) -> Option<&'c Accounts> {
    match &context.event()?.container {
        Some(container) => container.details.accounts.as_deref(),
        None => context.observation()?.host_accounts,
    }
}

fn user<'c>(context: &'c Context<'c>) -> Option<&'c User> {
    accounts(context)?.user(context.process()?.credentials.euid)
}

/// Root is called so everywhere, also where nobody could read the list.
fn name_or_root(name: Option<&str>, id: u32) -> Option<Value<'_>> {
    name.or((id == 0).then_some("root")).map(Value::Text)
}

fn argument_value(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let Some(process) = context.process() else { return };
    match argument.index {
        Some(index) => {
            if let Some(text) = process.args.get(index + 1) {
                show(Value::Text(text));
            }
        }
        None => show(context.cached(Slot::Arguments, |out| write_arguments(process, out))),
    }
}

pub(super) const FIELDS: &[Field] = &[
    Field::text("proc.exe", "First argument: the program as it was called.", |c, _| {
        first_argument(c.process()?)
    }),
    Field::text("proc.pexe", "`proc.exe` of the parent.", |c, _| {
        first_argument(parent(c)?)
    }),
    Field::many(
        "proc.aexe",
        FieldType::Text,
        "`proc.exe` of an ancestor: `[1]` is the parent; without a number, of any ancestor.",
        |c, a, show| {
            ancestors(c, a, show, first_argument);
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::text("proc.exepath", "Path of the executable, links resolved.", |c, _| {
        Some(Value::Text(&c.process()?.exe))
    }),
    Field::text("proc.pexepath", "`proc.exepath` of the parent.", |c, _| {
        Some(Value::Text(&parent(c)?.exe))
    }),
    Field::many(
        "proc.aexepath",
        FieldType::Text,
        "`proc.exepath` of an ancestor; without a number, of any.",
        |c, a, show| {
            ancestors(c, a, show, |process| Some(Value::Text(&process.exe)));
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::text(
        "proc.name",
        "Short name (`comm`), at most 15 bytes. The process can change it.",
        |c, _| Some(Value::Text(&c.process()?.comm)),
    ),
    Field::text("proc.pname", "`proc.name` of the parent.", |c, _| {
        Some(Value::Text(&parent(c)?.comm))
    }),
    Field::many(
        "proc.aname",
        FieldType::Text,
        "`proc.name` of an ancestor: `[1]` is the parent; without a number, of any ancestor.",
        |c, a, show| {
            ancestors(c, a, show, |process| Some(Value::Text(&process.comm)));
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::many(
        "proc.args",
        FieldType::Text,
        "Arguments behind the program's name, joined by blanks; `[0]` is the first alone.",
        argument_value,
    )
    .takes(Takes::OptionalIndex),
    Field::many(
        "proc.aargs",
        FieldType::Text,
        "`proc.args` of an ancestor; without a number, of any.",
        |c, a, show| {
            ancestor_lines(c, a, show, write_arguments);
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::text("proc.cmdline", "Name and arguments.", |c, _| {
        let process = c.process()?;
        Some(c.cached(Slot::CommandLine, |out| write_line(&process.comm, process, out)))
    }),
    Field::text("proc.pcmdline", "`proc.cmdline` of the parent.", |c, _| {
        let process = parent(c)?;
        Some(c.cached(Slot::ParentCommandLine, |out| write_line(&process.comm, process, out)))
    }),
    Field::many(
        "proc.acmdline",
        FieldType::Text,
        "`proc.cmdline` of an ancestor; without a number, of any.",
        |c, a, show| {
            ancestor_lines(c, a, show, |process, out| write_line(&process.comm, process, out));
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::many(
        "proc.exeline",
        FieldType::Text,
        "First argument and the others.",
        |c, _, show| {
            let Some(process) = c.process() else { return };
            with_buffer(|buffer| {
                write_line(process.args.first().map_or("", String::as_str), process, buffer);
                show(Value::Text(buffer));
            });
        },
    ),
    Field::number(
        "proc.cmdnargs",
        "How many arguments there are behind the name.",
        |c, _| {
            let count = c.process()?.args.len().saturating_sub(1);
            i64::try_from(count).ok().map(Value::Number)
        },
    ),
    Field::number("proc.cmdlenargs", "Bytes of all arguments behind the name.", |c, _| {
        let length: usize = c.process()?.args.iter().skip(1).map(String::len).sum();
        i64::try_from(length).ok().map(Value::Number)
    }),
    Field::text("proc.cwd", "Working directory, with a slash at its end.", |c, _| {
        let process = c.process()?;
        if process.cwd.is_empty() {
            return None;
        }
        Some(c.cached(Slot::WorkingDirectory, |out| {
            out.push_str(&process.cwd);
            if !out.ends_with('/') {
                out.push('/');
            }
        }))
    }),
    Field::number(
        "proc.tty",
        "Device number of the controlling terminal; 0 for none.",
        |c, _| Some(Value::Number(i64::from(c.process()?.tty))),
    ),
    Field::number("proc.pid", "Process id on the host.", |c, _| {
        Some(Value::Number(i64::from(c.process()?.key.pid)))
    }),
    Field::number("proc.ppid", "Process id of the parent.", |c, _| {
        Some(Value::Number(i64::from(parent(c)?.key.pid)))
    }),
    Field::many(
        "proc.apid",
        FieldType::Number,
        "Process id of an ancestor; without a number, of any.",
        |c, a, show| {
            ancestors(c, a, show, |process| Some(Value::Number(i64::from(process.key.pid))));
        },
    )
    .takes(Takes::OptionalIndex)
    .shape(Shape::Any),
    Field::number("proc.vpid", "Process id inside its pid namespace.", |c, _| {
        Some(Value::Number(i64::from(c.process()?.container_pid)))
    }),
    Field::number("proc.pvpid", "Parent's process id inside its pid namespace.", |c, _| {
        Some(Value::Number(i64::from(parent(c)?.container_pid)))
    }),
    Field::number("proc.vpgid", "Process group inside its pid namespace.", |c, _| {
        group(c).map(|id| Value::Number(i64::from(id)))
    }),
    Field::number("proc.pgid", "Process group.", |c, _| {
        Some(c.process()?.group_id)
            .filter(|id| *id != 0)
            .map(|id| Value::Number(i64::from(id)))
    }),
    Field::many(
        "proc.env",
        FieldType::Text,
        "The environment that its program was started with: `proc.env[NAME]` is one variable's value, `proc.env` all of it. Missing for programs that ran before the agent.",
        environment,
    )
    .takes(Takes::Optional),
    Field::new(
        "proc.is_vpgid_leader",
        FieldType::Bool,
        "Whether it leads its process group.",
        super::Getter::One(|c, _| {
            group(c).map(|id| Value::Bool(Some(id) == c.process().map(|process| process.container_pid)))
        }),
    ),
    Field::number("proc.sid", "Session id.", |c, _| {
        Some(Value::Number(i64::from(c.process()?.session_id)))
    }),
    Field::text(
        "proc.sname",
        "`proc.name` of the session's leader, when it is an ancestor.",
        |c, _| Some(Value::Text(&session_leader(c)?.comm)),
    ),
    Field::text("proc.sid.exe", "`proc.exe` of the session's leader.", |c, _| {
        first_argument(session_leader(c)?)
    }),
    Field::text("proc.sid.exepath", "`proc.exepath` of the session's leader.", |c, _| {
        Some(Value::Text(&session_leader(c)?.exe))
    }),
    Field::bool("proc.is_sid_leader", "Whether it leads its session.", |c, _| {
        let process = c.process()?;
        Some(Value::Bool(process.session_id == process.key.pid))
    }),
    Field::bool(
        "proc.is_exe_upper_layer",
        "The executable was written after the container started.",
        |c, _| Some(Value::Bool(c.process()?.exe_file.is_upper_layer)),
    ),
    Field::bool(
        "proc.is_exe_from_memfd",
        "The executable is anonymous memory (`memfd_create`).",
        |c, _| Some(Value::Bool(c.process()?.exe_file.is_memfd)),
    ),
    Field::bool(
        "proc.is_exe_deleted",
        "The executable was unlinked (Plimsoll).",
        |c, _| Some(Value::Bool(c.process()?.exe_file.is_deleted)),
    ),
    Field::number("proc.exe_ino", "Inode number of the executable.", |c, _| {
        i64::try_from(c.process()?.exe_file.inode).ok().map(Value::Number)
    }),
    Field::many(
        "thread.cap_permitted",
        FieldType::Text,
        "Permitted capabilities: those that it may make effective.",
        |c, _, show| {
            let Some(bits) = c
                .process()
                .and_then(|process| process.credentials.permitted_capabilities)
            else {
                return;
            };
            with_buffer(|buffer| {
                write_capabilities(bits, buffer);
                show(Value::Text(buffer));
            });
        },
    ),
    Field::many(
        "thread.cap_effective",
        FieldType::Text,
        "Effective capabilities: `CAP_CHOWN CAP_SYS_ADMIN`.",
        |c, _, show| {
            let Some(bits) = c.process().and_then(|process| process.credentials.capabilities) else {
                return;
            };
            with_buffer(|buffer| {
                write_capabilities(bits, buffer);
                show(Value::Text(buffer));
            });
        },
    ),
    Field::number(
        "user.uid",
        "Effective user id, in the host's user namespace.",
        |c, _| Some(Value::Number(i64::from(c.process()?.credentials.euid))),
    ),
    Field::text(
        "user.name",
        "Name of the effective user, in the container's own /etc/passwd (outside: the machine's) as it was when the container \
         was first seen; `root` for user 0 in any case.",
        |c, _| name_or_root(user(c).map(|user| user.name.as_str()), c.process()?.credentials.euid),
    ),
    Field::text("user.homedir", "Home directory of the effective user, from the same list.", |c, _| {
        Some(Value::Text(&user(c)?.home))
    }),
    Field::text("user.shell", "Shell of the effective user, from the same list.", |c, _| {
        Some(Value::Text(&user(c)?.shell))
    }),
    Field::number(
        "user.loginuid",
        "User id at login; -1 when there was no login.",
        |c, _| Some(Value::Number(c.process()?.credentials.login_uid.map_or(-1, i64::from))),
    ),
    Field::text(
        "user.loginname",
        "Name of the user at login, in the machine's /etc/passwd; `root` for user 0 in any case.",
        |c, _| {
            let uid = c.process()?.credentials.login_uid?;
            let user = c.observation()?.host_accounts.and_then(|accounts| accounts.user(uid));
            name_or_root(user.map(|user| user.name.as_str()), uid)
        },
    ),
    Field::number(
        "group.gid",
        "Effective group id, in the host's user namespace.",
        |c, _| Some(Value::Number(i64::from(c.process()?.credentials.egid))),
    ),
    Field::text(
        "group.name",
        "Name of the effective group, from /etc/group as `user.name` is from /etc/passwd; `root` for group 0 in any case.",
        |c, _| {
            let gid = c.process()?.credentials.egid;
            let group = accounts(c).and_then(|accounts| accounts.group(gid));
            name_or_root(group.map(|group| group.name.as_str()), gid)
        },
    ),
];
