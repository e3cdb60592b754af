//! The arguments of a program that only prepares and then becomes another (`gosu`, `tini`, `env`) in, that other's
//! arguments out.

use super::value::Value;

/// How one wrapper's command line is read: options, operands, then the command.
struct Wrapper {
    names: &'static [&'static str],
    /// Options that take the next argument as their value.
    valued: &'static [&'static str],
    /// Operands before the command; the first is the user where `user_operand` is set.
    operands: usize,
    user_operand: bool,
    /// Options whose value is the user.
    user_options: &'static [&'static str],
    /// `NAME=value` may stand before the command.
    assignments: bool,
    /// Options whose value is text for the user's shell.
    text_options: &'static [&'static str],
}

const PLAIN: Wrapper = Wrapper {
    names: &[],
    valued: &[],
    operands: 0,
    user_operand: false,
    user_options: &[],
    assignments: false,
    text_options: &[],
};

const AS_USER: Wrapper = Wrapper {
    operands: 1,
    user_operand: true,
    ..PLAIN
};

const ALL: &[Wrapper] = &[
    Wrapper {
        names: &["gosu", "su-exec", "s6-setuidgid", "setuidgid"],
        ..AS_USER
    },
    Wrapper {
        names: &["chpst"],
        valued: &["-e", "-/", "-n", "-m", "-l", "-L"],
        user_options: &["-u", "-U"],
        ..PLAIN
    },
    Wrapper {
        names: &["tini", "tini-static", "docker-init", "catatonit"],
        valued: &["-p", "-e"],
        ..PLAIN
    },
    Wrapper {
        names: &["dumb-init"],
        valued: &["-r", "--rewrite"],
        ..PLAIN
    },
    Wrapper {
        names: &["setpriv"],
        valued: &[
            "--regid",
            "--groups",
            "--inh-caps",
            "--bounding-set",
            "--ambient-caps",
            "--securebits",
            "--pdeathsig",
        ],
        user_options: &["--reuid", "--ruid", "--euid"],
        ..PLAIN
    },
    Wrapper {
        names: &["runuser"],
        valued: &["-g", "--group", "-G", "--supp-group", "-s", "--shell", "-w"],
        user_options: &["-u", "--user"],
        text_options: &["-c", "--command"],
        ..PLAIN
    },
    Wrapper {
        names: &["su"],
        valued: &["-g", "--group", "-G", "--supp-group", "-s", "--shell", "-w"],
        text_options: &["-c", "--command"],
        operands: 1,
        user_operand: true,
        ..PLAIN
    },
    Wrapper {
        names: &["sudo"],
        valued: &["-g", "-p", "-C", "-D", "-h"],
        user_options: &["-u", "--user"],
        assignments: true,
        ..PLAIN
    },
    Wrapper {
        names: &["env"],
        valued: &["-u", "--unset", "-C", "--chdir"],
        assignments: true,
        ..PLAIN
    },
    Wrapper {
        names: &["nice", "ionice"],
        valued: &["-n", "--adjustment", "-c", "--class"],
        ..PLAIN
    },
    Wrapper {
        names: &["nohup", "setsid", "time", "unbuffer", "s6-svscan-exec"],
        ..PLAIN
    },
    Wrapper {
        names: &["stdbuf"],
        valued: &["-i", "-o", "-e"],
        ..PLAIN
    },
    Wrapper {
        names: &["timeout"],
        valued: &["-s", "--signal", "-k", "--kill-after"],
        operands: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["chroot"],
        valued: &[],
        user_options: &["--userspec"],
        operands: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["numactl"],
        valued: &["-i", "-N", "-m", "-C"],
        ..PLAIN
    },
    Wrapper {
        names: &["taskset"],
        operands: 1,
        ..PLAIN
    },
    Wrapper {
        names: &["xargs"],
        valued: &[
            "-n",
            "-P",
            "-I",
            "-L",
            "-d",
            "-s",
            "-a",
            "-E",
            "--max-args",
            "--max-procs",
            "--replace",
            "--delimiter",
            "--arg-file",
        ],
        ..PLAIN
    },
];

/// What a wrapper starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inner {
    /// Command and arguments; empty when the wrapper starts nothing by arguments.
    pub(crate) argv: Vec<Value>,
    /// Text that the user's shell runs (`su -c`).
    pub(crate) text: Option<Value>,
    /// Name or number of the user that it becomes; `None` when it stays who it is.
    pub(crate) user: Option<Value>,
}

/// Reads a wrapper's arguments, `argv[0]` not included. `None` when `name` is no wrapper.
pub(crate) fn unwrap(name: &str, arguments: &[Value]) -> Option<Inner> {
    let wrapper = ALL.iter().find(|wrapper| wrapper.names.contains(&name))?;
    let mut inner = Inner::default();
    let mut operands = wrapper.operands;
    let mut at = 0;
    let mut options_end = false;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.text().unwrap_or_default();
        if !options_end && text == "--" {
            options_end = true;
            continue;
        }
        // A lone `-` is an operand, but for su it asks for a login shell.
        if !options_end && text.starts_with('-') && (text.len() > 1 || name == "su") {
            let (option, value) = match text.split_once('=') {
                Some((option, value)) => (option, Some(Value::from(value))),
                None => (text, None),
            };
            let takes = |list: &[&str]| list.contains(&option);
            let known = takes(wrapper.valued) || takes(wrapper.user_options) || takes(wrapper.text_options);
            if !known {
                continue;
            }
            let value = value.or_else(|| {
                let next = arguments.get(at).cloned();
                at += 1;
                next
            });
            if takes(wrapper.user_options) {
                inner.user = value;
            } else if takes(wrapper.text_options) {
                inner.text = value;
            }
            continue;
        }
        if wrapper.assignments && text.split_once('=').is_some_and(|(name, _)| !name.contains('/')) {
            continue;
        }
        if operands > 0 {
            if wrapper.user_operand && operands == wrapper.operands {
                inner.user = Some(argument.clone());
            }
            operands -= 1;
            continue;
        }
        // `runuser USER -c …` and `su USER -c …`: what follows the user are options and the shell's arguments.
        let asks_shell = !wrapper.text_options.is_empty() && (name == "su" || inner.user.is_none());
        if asks_shell {
            inner.user.get_or_insert_with(|| argument.clone());
            continue;
        }
        inner.argv = arguments[at - 1..].to_vec();
        break;
    }
    Some(inner)
}

/// The commands of `find … -exec COMMAND … ;` and its kin, each with its arguments.
pub(crate) fn find_commands(arguments: &[Value]) -> Vec<Vec<Value>> {
    let mut commands = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if matches!(argument.text(), Some("-exec" | "-execdir" | "-ok" | "-okdir")) {
            commands.push(
                rest.by_ref()
                    .take_while(|word| !matches!(word.text(), Some(";" | "+")))
                    .cloned()
                    .collect(),
            );
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_command_behind_a_wrapper() {
        for (line, argv, user) in [
            (
                "gosu redis redis-server --port 1",
                "redis-server --port 1",
                Some("redis"),
            ),
            ("tini -g -- nginx -g x", "nginx -g x", None),
            ("tini -e 143 -s nginx", "nginx", None),
            ("dumb-init --rewrite 15:3 -- app", "app", None),
            (
                "setpriv --reuid=999 --regid 999 --clear-groups app a",
                "app a",
                Some("999"),
            ),
            ("runuser -u web -- app", "app", Some("web")),
            ("env -i A=1 -u B app B=2", "app B=2", None),
            ("timeout -k 5 10s app", "app", None),
            ("nice -n 5 app -n 3", "app -n 3", None),
            ("sudo -u web -E app", "app", Some("web")),
            ("xargs -0 -n 1 rm -f", "rm -f", None),
        ] {
            let words: Vec<Value> = line.split(' ').map(Value::from).collect();
            let inner = unwrap(words[0].text().unwrap(), &words[1..]).unwrap();
            let found: Vec<&str> = inner.argv.iter().filter_map(Value::text).collect();
            assert_eq!(found.join(" "), argv, "{line}");
            assert_eq!(inner.user.as_ref().and_then(Value::text), user, "{line}");
        }
        assert_eq!(unwrap("redis-server", &[]), None);
    }

    #[test]
    fn finds_the_text_that_su_gives_to_a_shell() {
        for line in [
            "su - web -c id",
            "su web -s /bin/sh -c id",
            "runuser web -c id",
            "su -c id web",
        ] {
            let words: Vec<Value> = line.split(' ').map(Value::from).collect();
            let inner = unwrap(words[0].text().unwrap(), &words[1..]).unwrap();
            assert_eq!(inner.text.as_ref().and_then(Value::text), Some("id"), "{line}");
            assert_eq!(inner.user.as_ref().and_then(Value::text), Some("web"), "{line}");
        }
    }

    #[test]
    fn finds_commands_of_find() {
        let words: Vec<Value> = ". -exec chown redis {} + -o -execdir rm {} ;"
            .split(' ')
            .map(Value::from)
            .collect();
        let found: Vec<String> = find_commands(&words)
            .iter()
            .map(|command| command.iter().filter_map(Value::text).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(found, ["chown redis {}", "rm {}"]);
    }
}
