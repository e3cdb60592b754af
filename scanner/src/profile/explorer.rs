//! A command line in, everything it leads to out: which program starts which, up to the image's main program.
//!
//! The command is followed through scripts (shebangs, the shell language), wrappers (`gosu`, `tini`, `env`) and commands
//! that start commands (`find -exec`, `sh -c`). What cannot be followed is kept as a reason not to judge.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Applet, Confidence, Identity, Note, NoteKind, PathPattern, Program};

use super::{
    accounts,
    limits::{MAX_CALLS, MAX_COMMANDS, MAX_EVIDENCE, MAX_SHEBANGS},
    lookup::{Located, Lookup, SHELLS, base_name, folder_name, normalise},
    shell::{self, Script},
    value::{Value, hash_of},
    walk::Walk,
    wrappers,
};

/// Interpreters whose first operand is a script; versions are cut off (`python3.11`).
const INTERPRETERS: &[&str] = &[
    "python", "node", "nodejs", "ruby", "perl", "php", "lua", "Rscript", "tclsh",
];

/// One program starts another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edge {
    /// Who asks; `None`: the container runtime.
    pub(crate) from: Option<Program>,
    /// What starts.
    pub(crate) to: Program,
    /// For people.
    pub(crate) because: String,
    /// How sure.
    pub(crate) confidence: Confidence,
    /// It happens while the container serves, because the main program's own files say so.
    pub(crate) serves: bool,
}

/// A program with the arguments it was started with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Launch {
    /// As the kernel reports it.
    pub(crate) program: Program,
    /// The path that it was executed by, links not resolved.
    pub(crate) invoked: String,
    /// Name it was called by, then arguments as far as they are known.
    pub(crate) argv: Vec<String>,
    /// The user that a wrapper changed to; `None`: the container's.
    pub(crate) user: Option<Identity>,
}

/// A place where a script does what only running it would show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Opening {
    /// For people: `line 12 of /entry.sh: eval "$x"`.
    pub(crate) place: String,
    /// For people: `evaluates text that is made while it runs`.
    pub(crate) what: String,
}

/// A file that a script writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScriptWrite {
    /// Absolute.
    pub(crate) path: String,
    /// For people.
    pub(crate) because: String,
}

/// Everything that a command line leads to.
#[derive(Debug)]
pub(crate) struct Explorer<'a> {
    /// Where names are looked up.
    pub(crate) lookup: &'a Lookup<'a>,
    /// In the order they were found, without duplicates.
    pub(crate) edges: Vec<Edge>,
    /// Reasons not to judge.
    pub(crate) openings: BTreeSet<Opening>,
    /// Weak evidence for writes.
    pub(crate) writes: BTreeSet<ScriptWrite>,
    /// Changes of user.
    pub(crate) becomes: Vec<(Program, Identity, String)>,
    /// What the first process runs before the main program.
    pub(crate) chain: Vec<Program>,
    /// What the first process becomes in the end.
    pub(crate) main: Option<Launch>,
    /// Programs that the main program, a process manager, keeps running.
    pub(crate) services: Vec<Launch>,
    /// Trouble.
    pub(crate) notes: BTreeSet<Note>,
    /// How often each edge was found.
    edge_counts: BTreeMap<(Option<Program>, Program), usize>,
    /// Scripts with arguments that were already followed, and what they started in the end.
    seen: BTreeMap<u64, Option<Launch>>,
    /// Commands that may still be followed.
    pub(super) commands_left: u32,
}

/// One call of a program.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Who asks; `None`: the container runtime.
    pub(crate) from: Option<Program>,
    /// For people.
    pub(crate) because: String,
    /// How sure.
    pub(crate) confidence: Confidence,
    /// The container's first process becomes this program.
    pub(crate) is_first: bool,
    /// As in [`Edge::serves`].
    pub(crate) serves: bool,
    /// User at that moment, when a wrapper changed it.
    pub(crate) user: Option<Identity>,
    /// Calls around it.
    pub(crate) depth: u32,
    /// Folders that a script put before `PATH`.
    pub(crate) path: Vec<String>,
}

impl<'a> Explorer<'a> {
    /// Nothing explored yet.
    pub(crate) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self {
            lookup,
            edges: Vec::new(),
            openings: BTreeSet::new(),
            writes: BTreeSet::new(),
            becomes: Vec::new(),
            chain: Vec::new(),
            main: None,
            services: Vec::new(),
            notes: BTreeSet::new(),
            edge_counts: BTreeMap::new(),
            seen: BTreeMap::new(),
            commands_left: MAX_COMMANDS,
        }
    }

    /// Follows one call of `argv[0]` with arguments. What was started in the end; `None` when the image has no such
    /// program, or when it is a script or wrapper that leads nowhere known.
    pub(crate) fn run(&mut self, name: &str, arguments: &[Value], call: &Call) -> Option<Launch> {
        let located = self.lookup.find(name, &call.path)?;
        if call.depth > MAX_CALLS {
            self.open(&call.because, "calls are nested too deeply");
            self.limit("calls of programs are nested too deeply");
            return None;
        }
        let steps = self.steps(&located, name, arguments);
        let mut from = call.from.clone();
        for program in &steps {
            self.add_edge(from.take(), program.clone(), call);
            from = Some(program.clone());
        }
        let program = from?;
        if located.entry.shebang.is_some() {
            return self.run_script(program, &located.invoked, arguments, call, &steps);
        }
        let called = base_name(name);
        let own = base_name(&located.entry.path);
        let role = match &program.applet {
            Some(Applet::Name(applet)) => applet.clone(),
            _ => own.to_owned(),
        };
        if let Some(inner) = wrappers::unwrap(called, arguments).or_else(|| wrappers::unwrap(&role, arguments)) {
            self.enter_chain(std::slice::from_ref(&program), call);
            return self.run_inner(inner, &program, call);
        }
        // Erlang's launcher becomes the machine beside it.
        if role == "erlexec" {
            let machine = format!("{}/beam.smp", folder_name(&located.entry.path));
            return self.run(&machine, arguments, &call.by_program(&program, call.is_first));
        }
        if role == "find" {
            for command in wrappers::find_commands(arguments) {
                self.run_command(&command, &call.by_program(&program, false));
            }
        } else if SHELLS.contains(&role.as_str()) || SHELLS.contains(&own) {
            return self.run_shell(program, &located, arguments, call);
        }
        let launch = Launch {
            program,
            invoked: located.invoked,
            argv: std::iter::once(name.to_owned())
                .chain(arguments.iter().filter_map(Value::text).map(str::to_owned))
                .collect(),
            user: call.user.clone(),
        };
        if call.is_first && self.main.is_none() {
            self.main = Some(launch.clone());
        }
        Some(launch)
    }

    /// Follows a command whose name may have several values.
    pub(crate) fn run_command(&mut self, argv: &[Value], call: &Call) -> Option<Launch> {
        let (name, arguments) = argv.split_first()?;
        match name {
            Value::Texts(names) => {
                let mut found = None;
                for name in names {
                    found = self.run(name, arguments, call).or(found);
                }
                found
            }
            _ => {
                self.open(&call.because, "the command is only known when it runs");
                None
            }
        }
    }

    /// Programs that the kernel starts one after the other for one file: env and the interpreter for a script.
    fn steps(&mut self, located: &Located<'a>, name: &str, arguments: &[Value]) -> Vec<Program> {
        let mut steps = Vec::new();
        let Some(shebang) = &located.entry.shebang else {
            let program = self.lookup.program(located, name);
            steps.push(self.with_script(program, located, arguments));
            return steps;
        };
        let mut words: Vec<&str> = shebang.split_whitespace().collect();
        for _ in 0..MAX_SHEBANGS {
            let Some(interpreter) = words.first().and_then(|name| self.lookup.find(name, &[])) else {
                break;
            };
            if base_name(&interpreter.entry.path) == "env" || base_name(words[0]) == "env" {
                steps.push(self.lookup.program(&interpreter, words[0]));
                words.remove(0);
                words.retain(|word| !word.starts_with('-') && !word.contains('='));
                continue;
            }
            if let Some(next) = &interpreter.entry.shebang {
                words = next.split_whitespace().collect();
                continue;
            }
            steps.push(Program {
                path: PathPattern(interpreter.entry.path.clone()),
                applet: Some(Applet::Script(located.invoked.clone())),
            });
            break;
        }
        steps
    }

    /// `python3 /app/main.py` is known by its script.
    fn with_script(&self, program: Program, located: &Located<'_>, arguments: &[Value]) -> Program {
        let own = base_name(&located.entry.path).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        let first = arguments
            .iter()
            .find_map(|argument| argument.text().filter(|text| !text.starts_with('-')));
        let takes_script = INTERPRETERS.contains(&own)
            && arguments
                .first()
                .and_then(Value::text)
                .is_some_and(|text| !["-c", "-m", "-e", "-r"].contains(&text));
        match first.filter(|_| takes_script) {
            Some(script) => Program {
                path: program.path,
                applet: Some(Applet::Script(normalise(script, &self.lookup.working_dir))),
            },
            None => program,
        }
    }

    fn run_script(
        &mut self,
        program: Program,
        invoked: &str,
        arguments: &[Value],
        call: &Call,
        steps: &[Program],
    ) -> Option<Launch> {
        let is_shell = SHELLS.contains(&base_name(&program.path.0)) || base_name(&program.path.0) == "busybox";
        if !is_shell {
            let launch = Launch {
                program,
                invoked: invoked.to_owned(),
                argv: std::iter::once(invoked.to_owned())
                    .chain(arguments.iter().filter_map(Value::text).map(str::to_owned))
                    .collect(),
                user: call.user.clone(),
            };
            if call.is_first && self.main.is_none() {
                self.main = Some(launch.clone());
            }
            return Some(launch);
        }
        self.enter_chain(steps, call);
        self.walk_file(program, invoked, arguments, call)
    }

    /// `sh script`, `sh -c text`, or a shell that waits for commands.
    fn run_shell(
        &mut self,
        program: Program,
        located: &Located<'a>,
        arguments: &[Value],
        call: &Call,
    ) -> Option<Launch> {
        let mut at = 0;
        let mut takes_text = false;
        while let Some(option) = arguments
            .get(at)
            .and_then(Value::text)
            .filter(|text| text.starts_with(['-', '+']))
        {
            at += 1;
            takes_text |= !option.starts_with("--") && option.starts_with('-') && option.contains('c');
            // `-o pipefail`, `-euo pipefail`
            if !option.starts_with("--") && option.ends_with('o') {
                at += 1;
            }
        }
        let Some(operand) = arguments.get(at) else {
            let launch = Launch {
                program,
                invoked: located.invoked.clone(),
                argv: vec![located.invoked.clone()],
                user: call.user.clone(),
            };
            if call.is_first && self.main.is_none() {
                self.main = Some(launch.clone());
            }
            return Some(launch);
        };
        let rest = &arguments[at + 1..];
        if takes_text {
            self.enter_chain(std::slice::from_ref(&program), call);
            let Some(text) = operand.text() else {
                self.open(&call.because, "the shell's text is only known when it runs");
                return None;
            };
            let name = rest.first().and_then(Value::text).unwrap_or("sh").to_owned();
            let script = shell::parse(text.as_bytes());
            return self.walk(
                program,
                &format!("{} -c", located.invoked),
                &name,
                &script,
                rest.get(1..).unwrap_or_default(),
                call,
            );
        }
        let Some(path) = operand.text() else {
            self.open(&call.because, "the script is only known when it runs");
            return None;
        };
        let invoked = normalise(path, &self.lookup.working_dir);
        let program = Program {
            path: program.path,
            applet: Some(Applet::Script(invoked.clone())),
        };
        self.add_edge(call.from.clone(), program.clone(), call);
        self.enter_chain(std::slice::from_ref(&program), call);
        self.walk_file(program, &invoked, rest, call)
    }

    fn walk_file(&mut self, program: Program, invoked: &str, arguments: &[Value], call: &Call) -> Option<Launch> {
        let Some(content) = self.lookup.content(invoked) else {
            self.open(
                &call.because,
                &format!("the content of {invoked} was not kept by the scan"),
            );
            return None;
        };
        let key = hash_of(&(invoked, arguments));
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        self.seen.insert(key, None);
        let script = shell::parse(content);
        let launch = self.walk(program, invoked, invoked, &script, arguments, call);
        self.seen.insert(key, launch.clone());
        launch
    }

    fn walk(
        &mut self,
        program: Program,
        shown: &str,
        name: &str,
        script: &Script,
        arguments: &[Value],
        call: &Call,
    ) -> Option<Launch> {
        if let Some(error) = &script.error {
            let place = format!("line {} of {shown}", error.line);
            self.open(&place, error.message);
            self.notes.insert(Note::new(
                NoteKind::Unreadable,
                shown,
                format!("line {}: {}", error.line, error.message),
            ));
        }
        let last = Walk::new(self, program, shown, name, call).script(script, arguments);
        // A script that starts its last command without `exec` stays its parent; that command is the main program all
        // the same.
        if call.is_first && self.main.is_none() {
            self.main = last.clone();
        }
        last
    }

    fn run_inner(&mut self, inner: wrappers::Inner, program: &Program, call: &Call) -> Option<Launch> {
        let mut next = call.by_program(program, call.is_first);
        let account = inner
            .user
            .as_ref()
            .and_then(Value::text)
            .and_then(|name| accounts::find(self.lookup, name));
        if let Some(account) = &account {
            let change = (program.clone(), account.identity.clone(), call.because.clone());
            if !self.becomes.contains(&change) {
                self.becomes.push(change);
            }
            next.user = Some(account.identity.clone());
        }
        match inner.text {
            Some(text) => {
                let shell = account.map(|account| account.shell).filter(|shell| !shell.is_empty());
                let shell = shell.unwrap_or_else(|| "/bin/sh".to_owned());
                self.run(&shell, &[Value::from("-c"), text], &next)
            }
            None => self.run_command(&inner.argv, &next),
        }
    }

    fn enter_chain(&mut self, programs: &[Program], call: &Call) {
        if call.is_first && self.main.is_none() {
            for program in programs {
                if !self.chain.contains(program) {
                    self.chain.push(program.clone());
                }
            }
        }
    }

    fn add_edge(&mut self, from: Option<Program>, to: Program, call: &Call) {
        let count = self.edge_counts.entry((from.clone(), to.clone())).or_default();
        *count += 1;
        if *count > MAX_EVIDENCE {
            return;
        }
        let edge = Edge {
            from,
            to,
            because: call.because.clone(),
            confidence: call.confidence,
            serves: call.serves,
        };
        if !self.edges.contains(&edge) {
            self.edges.push(edge);
        }
    }

    /// Notes a reason not to judge.
    pub(crate) fn open(&mut self, place: &str, what: &str) {
        self.openings.insert(Opening {
            place: place.to_owned(),
            what: what.to_owned(),
        });
    }

    /// Notes that a limit was hit.
    pub(crate) fn limit(&mut self, what: &str) {
        self.notes.insert(Note::new(NoteKind::Limit, "profile", what));
    }
}

impl Call {
    /// The runtime's call of the container's first program.
    pub(crate) fn first(because: String) -> Self {
        Self {
            from: None,
            because,
            confidence: Confidence::A,
            is_first: true,
            serves: false,
            user: None,
            depth: 0,
            path: Vec::new(),
        }
    }

    /// A call that `program`, started by this one, makes in turn.
    pub(crate) fn by_program(&self, program: &Program, is_first: bool) -> Self {
        Self {
            from: Some(program.clone()),
            is_first,
            depth: self.depth + 1,
            ..self.clone()
        }
    }
}
