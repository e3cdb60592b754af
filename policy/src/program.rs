//! Who a process is: executable and arguments in, the profile's idea of a program out.

use std::borrow::Cow;

use plimsoll_model::{Applet, PathPattern, Process, Program};

use crate::{files::join, limits::MAX_SCRIPT_ARGUMENTS};

/// Whether a process runs this program: the executable and, where the profile tells its roles apart, the applet.
pub fn matches_program(program: &Program, process: &Process) -> bool {
    program.path.matches(&process.exe) && matches_applet(program, process)
}

pub(crate) fn matches_applet(program: &Program, process: &Process) -> bool {
    match &program.applet {
        None => true,
        Some(Applet::Name(name)) => applet_name(process) == Some(name.as_str()),
        Some(Applet::Script(script)) => script_of(process).is_some_and(|path| path == script.as_str()),
    }
}

/// The program that a process runs, as exactly as it can be told: what a suggested fact names.
pub fn identify(process: &Process) -> Program {
    let script = script_of(process).map(|path| Applet::Script(path.into_owned()));
    let renamed = applet_name(process).filter(|name| *name != process.name());
    Program {
        path: PathPattern(process.exe.clone()),
        applet: script.or_else(|| renamed.map(|name| Applet::Name(name.to_owned()))),
    }
}

/// Base name of `argv[0]`. Login shells start it with `-`; servers that rewrite their title put words after it
/// (`redis-server *:6379`, `nginx: master process`), which only a snapshot of a running process shows.
pub(crate) fn applet_name(process: &Process) -> Option<&str> {
    let first = process.args.first()?.split(' ').next()?;
    let name = first.rsplit('/').next().unwrap_or(first);
    let name = name.strip_prefix('-').unwrap_or(name);
    Some(name.strip_suffix(':').unwrap_or(name))
}

/// Interpreters, by the beginning of their name (`python3.11`, `perl5.36`), and which one-letter options mean that the
/// program is on the command line, and which take a value of their own.
const INTERPRETERS: &[(&str, &str, &[&str])] = &[
    ("sh", "cs", &["-o", "+o"]),
    ("bash", "cs", &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"]),
    ("dash", "cs", &["-o", "+o"]),
    ("ash", "cs", &["-o", "+o"]),
    ("ksh", "cs", &["-o", "+o"]),
    ("zsh", "cs", &["-o", "+o"]),
    ("busybox", "cs", &[]),
    ("python", "cm", &["-W", "-X", "--check-hash-based-pycs"]),
    ("perl", "eE", &["-I", "-M", "-m"]),
    ("ruby", "e", &["-I", "-r"]),
    ("node", "ep", &["-r", "--require", "--import"]),
    ("php", "rBR", &["-c", "-d"]),
    ("lua", "e", &["-l"]),
    ("env", "", &[]),
];

fn interpreter(name: &str) -> Option<&'static (&'static str, &'static str, &'static [&'static str])> {
    INTERPRETERS.iter().find(|(prefix, ..)| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
        })
    })
}

/// Absolute path of the script that an interpreter was told to run; `None` for other programs, for `-c` and for a
/// script on standard input. Links are not resolved.
pub(crate) fn script_of(process: &Process) -> Option<Cow<'_, str>> {
    let (prefix, inline, with_value) = interpreter(process.name())?;
    let mut arguments = process.args.iter().skip(1).take(MAX_SCRIPT_ARGUMENTS);
    if *prefix == "busybox" {
        let applet = match applet_name(process)? {
            "busybox" => arguments.next()?.as_str(),
            applet => applet,
        };
        interpreter(applet)?;
    }
    while let Some(argument) = arguments.next() {
        if with_value.contains(&argument.as_str()) {
            arguments.next();
        } else if *prefix == "env" {
            // `#!/usr/bin/env bash` runs `env bash script`: the script is behind the interpreter's name.
            if argument.starts_with('/') {
                return Some(absolute(process, argument));
            }
        } else if let Some(letters) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            if !letters.starts_with('-') && letters.contains(|letter| inline.contains(letter)) {
                return None;
            }
        } else if !argument.starts_with('+') {
            return Some(absolute(process, argument));
        }
    }
    None
}

fn absolute<'a>(process: &Process, path: &'a str) -> Cow<'a, str> {
    let is_normal = path.starts_with('/') && !path.contains("//") && !path.contains("/.");
    if is_normal {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(join(&process.cwd, path))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use plimsoll_model::{Credentials, ExeFile, ProcessKey};

    use super::*;

    pub(crate) fn process(exe: &str, args: &[&str]) -> Process {
        Process {
            key: ProcessKey {
                pid: 100,
                start_time_ns: 1,
            },
            container_pid: 7,
            container_group_id: 7,
            group_id: 7,
            environment: Vec::new(),
            parent: None,
            comm: String::new(),
            exe: exe.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            cwd: "/work".to_owned(),
            tty: 0,
            session_id: 0,
            credentials: Credentials::default(),
            exe_file: ExeFile::default(),
            cgroup_id: 5,
        }
    }

    pub(crate) fn child_of(parent: &Arc<Process>, exe: &str, args: &[&str]) -> Process {
        Process {
            parent: Some(Arc::clone(parent)),
            ..process(exe, args)
        }
    }

    #[test]
    fn finds_the_script_that_an_interpreter_runs() {
        for (exe, args, expected) in [
            ("/usr/bin/bash", &["bash", "/e.sh"][..], Some("/e.sh")),
            ("/usr/bin/dash", &["/bin/sh", "-e", "./e.sh", "x"], Some("/work/e.sh")),
            ("/usr/bin/bash", &["bash", "-o", "pipefail", "../e.sh"], Some("/e.sh")),
            ("/usr/bin/bash", &["bash", "-ec", "id", "/e.sh"], None),
            ("/usr/bin/bash", &["-bash"], None),
            (
                "/usr/bin/python3.11",
                &["python3", "-u", "-W", "ignore", "/a.py"],
                Some("/a.py"),
            ),
            ("/usr/bin/python3.11", &["python3", "-m", "http.server"], None),
            ("/usr/bin/env", &["/usr/bin/env", "bash", "/e.sh"], Some("/e.sh")),
            ("/bin/busybox", &["sh", "/e.sh"], Some("/e.sh")),
            ("/bin/busybox", &["busybox", "sh", "/e.sh"], Some("/e.sh")),
            ("/bin/busybox", &["cat", "/e.sh"], None),
            ("/usr/bin/shred", &["shred", "/e.sh"], None),
            ("/usr/bin/redis-server", &["redis-server", "/etc/redis.conf"], None),
        ] {
            assert_eq!(script_of(&process(exe, args)).as_deref(), expected, "{exe} {args:?}");
        }
    }

    #[test]
    fn tells_the_roles_of_one_executable_apart() {
        let program = |applet| Program {
            path: "/usr/bin/redis-check-rdb".into(),
            applet,
        };
        let named = |name: &str| program(Some(Applet::Name(name.to_owned())));
        for (argv0, expected) in [
            ("redis-server", true),
            ("/usr/bin/redis-server", true),
            ("redis-server *:6379", true),
            ("redis-check-rdb", false),
            ("evil/redis-server-x", false),
        ] {
            let process = process("/usr/bin/redis-check-rdb", &[argv0]);
            assert_eq!(matches_program(&named("redis-server"), &process), expected, "{argv0}");
            assert!(matches_program(&program(None), &process));
        }
        let other = process("/usr/bin/other", &["redis-server"]);
        assert!(!matches_program(&named("redis-server"), &other));
    }
}
