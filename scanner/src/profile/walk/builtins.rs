//! One command with its values in: what the shell does itself is done here, the rest is started.

use super::{Frame, Walk};
use crate::profile::{
    lookup::base_name,
    shell::{self, Simple},
    value::Value,
};

/// Builtins that start nothing and change nothing that is followed here.
const QUIET: &[&str] = &[
    ":", "[", "alias", "bg", "bind", "break", "caller", "cd", "continue", "declare", "dirs", "disown", "echo",
    "enable", "exit", "export", "false", "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let",
    "local", "logout", "popd", "printf", "pushd", "pwd", "readonly", "return", "shopt", "suspend", "test", "times",
    "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
];

/// Commands whose operands are files that they make or change: name, and whether only the last one is.
const WRITERS: &[(&str, bool)] = &[
    ("mkdir", false),
    ("touch", false),
    ("tee", false),
    ("rm", false),
    ("truncate", false),
    ("cp", true),
    ("mv", true),
    ("ln", true),
    ("install", true),
];

/// Files that are sourced for their variables only.
const PLAIN_VARIABLES: &[&str] = &["/etc/os-release", "/usr/lib/os-release", "/etc/lsb-release"];

impl Walk<'_, '_> {
    /// Runs one command; `argv` is not empty.
    pub(super) fn execute(&mut self, mut argv: Vec<Value>, simple: &Simple, frame: &mut Frame, positional: &[Value]) {
        let mut is_exec = false;
        loop {
            match argv.first().and_then(Value::text) {
                Some("exec") => {
                    is_exec = true;
                    argv.remove(0);
                    skip_options(&mut argv, &["-a"]);
                }
                Some("builtin") => {
                    argv.remove(0);
                }
                Some("command") => {
                    argv.remove(0);
                    // `command -v x` only asks.
                    if argv
                        .first()
                        .and_then(Value::text)
                        .is_some_and(|text| text.starts_with("-v") || text.starts_with("-V"))
                    {
                        return;
                    }
                    skip_options(&mut argv, &[]);
                }
                _ => break,
            }
        }
        let Some(name) = argv.first().cloned() else {
            return;
        };
        let arguments = &argv[1..];
        match &name {
            Value::Unknown => self.open(simple, "the command is only known when it runs"),
            Value::Files(files) => self.hooks(files, false, arguments, simple, frame),
            Value::Texts(names) => {
                for name in names.clone() {
                    self.one(&name, arguments, simple, frame, positional, is_exec);
                }
            }
        }
    }

    fn one(
        &mut self,
        name: &str,
        arguments: &[Value],
        simple: &Simple,
        frame: &mut Frame,
        positional: &[Value],
        is_exec: bool,
    ) {
        if !is_exec && self.functions.contains_key(name) {
            self.call_function(name, arguments, frame);
            return;
        }
        match name {
            "." | "source" if !is_exec => self.source_command(arguments, simple, frame),
            "eval" if !is_exec => self.evaluate(arguments, simple, frame),
            "set" if !is_exec => set(arguments, frame),
            "shift" if !is_exec => {
                let count = arguments
                    .first()
                    .and_then(Value::text)
                    .and_then(|text| text.parse().ok());
                frame.may_be(positional.iter().skip(count.unwrap_or(1)).cloned().collect());
            }
            "trap" if !is_exec => {
                if let Some(text) = arguments.first().and_then(Value::text) {
                    self.text(text, simple, frame);
                }
            }
            "read" | "mapfile" | "readarray" if !is_exec => {
                let value = frame.input.clone().unwrap_or(Value::Unknown);
                for name in arguments
                    .iter()
                    .filter_map(Value::text)
                    .filter(|text| !text.starts_with('-'))
                {
                    self.variables.insert(name.to_owned(), value.clone());
                }
            }
            name if !is_exec && QUIET.contains(&name) => {
                if self.depth == 0 && name != "exit" {
                    self.last = None;
                }
            }
            _ => self.program(name, arguments, simple, frame, is_exec),
        }
    }

    fn program(&mut self, name: &str, arguments: &[Value], simple: &Simple, frame: &Frame, is_exec: bool) {
        if let Some((_, only_last)) = WRITERS.iter().find(|(writer, _)| *writer == base_name(name)) {
            let operands = arguments
                .iter()
                .filter(|value| value.text().is_some_and(|text| text.starts_with('/')));
            let skipped = if *only_last {
                operands.clone().count().saturating_sub(1)
            } else {
                0
            };
            for value in operands.skip(skipped) {
                self.write(value, simple.line, &simple.text);
            }
        }
        let argv: Vec<Value> = std::iter::once(Value::from(name))
            .chain(arguments.iter().cloned())
            .collect();
        let launch = self.external(&argv, simple, is_exec && !frame.forks);
        if base_name(name) == base_name(&self.name) {
            self.wrapped = launch.clone().or(self.wrapped.take());
        }
        if !frame.forks {
            self.last = launch;
        } else if self.is_background {
            self.left_running = launch;
        }
    }

    fn source_command(&mut self, arguments: &[Value], simple: &Simple, frame: &mut Frame) {
        match arguments.first() {
            Some(Value::Texts(paths)) => {
                for path in paths.clone() {
                    if PLAIN_VARIABLES.contains(&path.as_str()) {
                        continue;
                    }
                    let exists = self.explorer.lookup.file(&path).is_some();
                    if !self.source(&path, frame) && exists {
                        self.open(
                            simple,
                            "reads commands from a file whose content was not kept by the scan",
                        );
                    }
                }
            }
            Some(Value::Files(files)) => self.hooks(&files.clone(), true, &[], simple, frame),
            _ => self.open(simple, "reads commands from a file that is only known when it runs"),
        }
    }

    /// Text that is put together while the script runs; what is unknown of it stays a variable.
    fn evaluate(&mut self, arguments: &[Value], simple: &Simple, frame: &mut Frame) {
        let mut is_known = true;
        let mut text = String::new();
        for argument in arguments {
            match argument.text() {
                Some(known) => text.push_str(known),
                None => {
                    is_known = false;
                    text.push_str("\"$_\"");
                }
            }
            text.push(' ');
        }
        if !is_known {
            self.open(simple, "evaluates text that is only known when it runs");
            // A text of known beginning still says which program it starts.
            if let [_, word] = simple.words.as_slice() {
                text = self.known_parts(word, &frame.positional.first().cloned().unwrap_or_default());
            }
            if text.trim_start().starts_with('"') {
                return;
            }
        }
        self.text(&text, simple, frame);
    }

    fn text(&mut self, text: &str, simple: &Simple, frame: &mut Frame) {
        let script = shell::parse(text.as_bytes());
        if let Some(error) = &script.error {
            self.open(simple, error.message);
        }
        let mut commands = script.commands;
        for command in &mut commands {
            if let shell::Command::Simple(nested) = command {
                nested.line = simple.line;
                nested.text.clone_from(&simple.text);
            }
        }
        self.nested(format!("text {text}"), &commands, frame.positional.clone(), frame);
    }
}

/// `set -- a b` and `set a b` change the positional parameters.
fn set(arguments: &[Value], frame: &mut Frame) {
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        match first.text() {
            Some("--") => {
                frame.may_be(more.to_vec());
                return;
            }
            Some(text) if text.starts_with(['-', '+']) => {
                let skipped = usize::from(text.ends_with('o'));
                rest = more.get(skipped..).unwrap_or_default();
            }
            _ => break,
        }
    }
    if !rest.is_empty() {
        frame.may_be(rest.to_vec());
    }
}

fn skip_options(argv: &mut Vec<Value>, valued: &[&str]) {
    while let Some(option) = argv.first().and_then(Value::text).map(str::to_owned) {
        if !option.starts_with('-') || option.len() < 2 {
            return;
        }
        argv.remove(0);
        if valued.contains(&option.as_str()) && !argv.is_empty() {
            argv.remove(0);
        }
        if option == "--" {
            return;
        }
    }
}
