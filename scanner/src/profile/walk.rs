//! A parsed script in, the programs it starts out: an interpreter that takes every branch and knows what may be known.
//!
//! Conditions are not evaluated. Values are sets of possible texts; positional parameters are a short list of possible
//! argument lists, so that `set -- redis-server "$@"` in one branch does not hide the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use plimsoll_model::{Confidence, FileKind, PathPattern, Program};

use super::{
    explorer::{Call, Explorer, Launch, ScriptWrite},
    limits::{MAX_ALTERNATIVES, MAX_ARGUMENTS, MAX_CALLS, MAX_HOOKS},
    lookup::normalise,
    shell::{self, Arm, Assignment, Command, Operation, Part, Script, Simple, Word},
    value::{Files, Value, hash_of},
};

mod builtins;
mod expand;

/// A script that runs.
pub(super) struct Walk<'w, 'a> {
    explorer: &'w mut Explorer<'a>,
    /// The shell that runs it: who starts what it starts.
    program: Program,
    /// Its path, or `/bin/sh -c`, for people.
    shown: String,
    /// `$0`.
    name: String,
    /// The call that started it.
    call: Call,
    variables: BTreeMap<String, Value>,
    arrays: BTreeMap<String, Vec<Value>>,
    functions: BTreeMap<String, Arc<Vec<Command>>>,
    /// Functions with arguments, and sourced files, that were already followed: hashes, since lists may be long.
    seen: BTreeSet<u64>,
    /// Functions and files around the present command.
    depth: u32,
    /// What the last command of the script itself started.
    last: Option<Launch>,
    /// What the script started with `&` last.
    left_running: Option<Launch>,
    /// What a script of the same name leads to, around which this one is only a wrapper.
    wrapped: Option<Launch>,
    /// The present command is one of those that are left running.
    is_background: bool,
}

/// What a stretch of commands runs in.
#[derive(Debug, Clone)]
struct Frame {
    /// Lists that the positional parameters may be.
    positional: Vec<Vec<Value>>,
    /// In a process of its own: `exec` in it does not end the script.
    forks: bool,
    /// What `read` reads, when it is a list of files.
    input: Option<Value>,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) fn new(explorer: &'w mut Explorer<'a>, program: Program, shown: &str, name: &str, call: &Call) -> Self {
        Self {
            explorer,
            program,
            shown: shown.to_owned(),
            name: name.to_owned(),
            call: call.clone(),
            variables: BTreeMap::new(),
            arrays: BTreeMap::new(),
            functions: BTreeMap::new(),
            seen: BTreeSet::new(),
            depth: 0,
            last: None,
            left_running: None,
            wrapped: None,
            is_background: false,
        }
    }

    /// Walks the whole script. What its last command started, when that is no builtin; else what it left running.
    pub(super) fn script(mut self, script: &Script, arguments: &[Value]) -> Option<Launch> {
        let mut frame = Frame {
            positional: vec![arguments.to_vec()],
            forks: false,
            input: None,
        };
        self.commands(&script.commands, &mut frame);
        self.last.or(self.left_running).or(self.wrapped)
    }

    fn commands(&mut self, commands: &[Command], frame: &mut Frame) {
        for command in commands {
            self.command(command, frame);
        }
    }

    fn command(&mut self, command: &Command, frame: &mut Frame) {
        match command {
            Command::Simple(simple) => self.simple(simple, frame),
            Command::Pipeline(members) => {
                let mut input = None;
                for member in members {
                    let mut inner = Frame {
                        forks: true,
                        input: input.clone().or_else(|| frame.input.clone()),
                        ..frame.clone()
                    };
                    self.command(member, &mut inner);
                    input = input.or_else(|| self.listed_files(member, &first(frame)));
                }
            }
            Command::Group {
                commands,
                forks,
                redirects,
            } => {
                let mut inner = frame.clone();
                inner.forks |= forks;
                for redirect in redirects {
                    self.substitutions(&redirect.target, frame);
                    let value = self.value(&redirect.target, &first(frame));
                    if redirect.writes && redirect.is_file {
                        self.write(&value, redirect.line, "a redirection");
                    } else if let Value::Files(_) = value {
                        inner.input = Some(value);
                    }
                }
                self.commands(commands, &mut inner);
                if !forks {
                    frame.positional = inner.positional;
                }
            }
            Command::Background(command) => {
                let mut inner = Frame {
                    forks: true,
                    ..frame.clone()
                };
                let before = self.left_running.take();
                self.is_background = true;
                self.command(command, &mut inner);
                self.is_background = false;
                // The last one counts, as the last command does.
                self.left_running = self.left_running.take().or(before);
            }
            Command::Function { name, body } => {
                self.functions.insert(name.clone(), Arc::clone(body));
            }
            Command::Loop { variable, words, body } => self.loops(variable.as_deref(), words.as_deref(), body, frame),
            Command::If(body) => self.commands(body, frame),
            Command::Case { words, arms } => self.case(words, arms, frame),
        }
    }

    /// All arms; in each, the files that are compared are those whose names its patterns let through.
    fn case(&mut self, words: &[Word], arms: &[Arm], frame: &mut Frame) {
        for word in words.iter().chain(arms.iter().flat_map(|arm| &arm.patterns)) {
            self.substitutions(word, frame);
        }
        let compared = words.first().and_then(single_variable);
        let files = compared.and_then(|name| match self.variables.get(name) {
            Some(Value::Files(files)) => Some((name, files.clone())),
            _ => None,
        });
        for arm in arms {
            let Some((name, files)) = &files else {
                self.commands(&arm.body, frame);
                continue;
            };
            for pattern in &arm.patterns {
                let suffix = literal_suffix(pattern).unwrap_or_default();
                let narrowed = Files {
                    suffix: suffix.to_owned(),
                    ..files.clone()
                };
                self.variables.insert((*name).to_owned(), Value::Files(narrowed));
                self.commands(&arm.body, frame);
            }
            self.variables.insert((*name).to_owned(), Value::Files(files.clone()));
        }
    }

    fn loops(&mut self, variable: Option<&str>, words: Option<&[Word]>, body: &[Command], frame: &mut Frame) {
        for word in words.into_iter().flatten() {
            self.substitutions(word, frame);
        }
        if let Some(name) = variable {
            let mut value: Option<Value> = None;
            for positional in frame.positional.clone() {
                let fields = match words {
                    Some(words) => words.iter().flat_map(|word| self.fields(word, &positional)).collect(),
                    None => positional,
                };
                for field in fields {
                    value = Some(match value {
                        Some(value) => value.or(field),
                        None => field,
                    });
                }
            }
            self.variables.insert(name.to_owned(), value.unwrap_or(Value::Unknown));
        }
        self.commands(body, frame);
    }

    fn simple(&mut self, simple: &Simple, frame: &mut Frame) {
        if self.explorer.commands_left == 0 {
            self.explorer.limit("entry scripts have too many commands");
            self.open(simple, "too many commands were followed");
            return;
        }
        self.explorer.commands_left -= 1;
        let values = simple.assignments.iter().flat_map(|assignment| &assignment.value);
        let targets = simple.redirects.iter().map(|redirect| &redirect.target);
        for word in simple.words.iter().chain(values).chain(targets) {
            self.substitutions(word, frame);
        }
        for assignment in &simple.assignments {
            self.assign(assignment, &first(frame));
        }
        let mut input = None;
        for redirect in &simple.redirects {
            let value = self.value(&redirect.target, &first(frame));
            if redirect.writes && redirect.is_file {
                self.write(&value, redirect.line, &simple.text);
            } else if let Value::Files(_) = value {
                input = Some(value);
            }
        }
        let mut seen = BTreeSet::new();
        let input = input.or_else(|| frame.input.clone());
        let outer = std::mem::replace(&mut frame.input, input);
        for positional in frame.positional.clone() {
            let argv: Vec<Value> = simple
                .words
                .iter()
                .flat_map(|word| self.fields(word, &positional))
                .take(MAX_ARGUMENTS)
                .collect();
            if !argv.is_empty() && seen.insert(argv.clone()) {
                self.execute(argv, simple, frame, &positional);
            }
        }
        frame.input = outer;
    }

    /// Commands nested in a word run before it is used.
    fn substitutions(&mut self, word: &Word, frame: &Frame) {
        for part in &word.0 {
            self.part(part, frame);
        }
    }

    fn part(&mut self, part: &Part, frame: &Frame) {
        match part {
            Part::Text { .. } => {}
            Part::Substitution(commands) => {
                let mut inner = Frame {
                    forks: true,
                    ..frame.clone()
                };
                self.commands(commands, &mut inner);
            }
            Part::Computed(parts) => {
                for part in parts {
                    self.part(part, frame);
                }
            }
            Part::Parameter(parameter) => {
                if let Operation::Default(word) | Operation::Other(word) = &parameter.operation {
                    self.substitutions(word, frame);
                }
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment, positional: &[Value]) {
        let name = assignment.name.clone();
        if assignment.is_array {
            let fields: Vec<Value> = assignment
                .value
                .iter()
                .flat_map(|word| self.fields(word, positional))
                .take(MAX_ARGUMENTS)
                .collect();
            let array = self.arrays.entry(name).or_default();
            if !assignment.appends {
                array.clear();
            }
            array.extend(fields);
            array.truncate(MAX_ARGUMENTS);
            return;
        }
        let value = match assignment.value.first() {
            Some(word) => self.value(word, positional),
            None => Value::from(""),
        };
        // Branches are not told apart, so an earlier value stays possible.
        let value = match self.variables.remove(&name) {
            Some(_) if assignment.appends => Value::Unknown,
            Some(earlier) if earlier.text() != Some("") => earlier.or(value),
            _ => value,
        };
        self.variables.insert(name, value);
    }

    /// A function with arguments.
    fn call_function(&mut self, name: &str, arguments: &[Value], frame: &Frame) {
        let Some(body) = self.functions.get(name).cloned() else {
            return;
        };
        self.nested(name.to_owned(), &body, vec![arguments.to_vec()], frame);
    }

    /// Commands of a function, a sourced file or an evaluated text; once for each list of arguments.
    fn nested(&mut self, key: String, commands: &[Command], positional: Vec<Vec<Value>>, frame: &Frame) {
        if self.depth >= MAX_CALLS || !self.seen.insert(hash_of(&(key, &positional, self.is_background))) {
            return;
        }
        self.depth += 1;
        let mut inner = Frame {
            positional,
            ..frame.clone()
        };
        self.commands(commands, &mut inner);
        self.depth -= 1;
    }

    /// Starts a program that is not part of the shell.
    fn external(&mut self, argv: &[Value], simple: &Simple, is_first: bool) -> Option<Launch> {
        let is_literal = simple
            .words
            .iter()
            .take(2)
            .all(|word| word.0.iter().all(|part| matches!(part, Part::Text { .. })));
        let call = Call {
            from: Some(self.program.clone()),
            because: self.place(simple),
            confidence: if is_literal || is_first {
                Confidence::A
            } else {
                Confidence::B
            },
            is_first: is_first && self.call.is_first,
            serves: self.call.serves,
            user: self.call.user.clone(),
            depth: self.call.depth + 1,
            path: self.path(),
        };
        self.explorer.run_command(argv, &call)
    }

    /// Folders that the script itself puts into `PATH`.
    fn path(&self) -> Vec<String> {
        let texts = self.variables.get("PATH").map(Value::texts).unwrap_or_default();
        texts
            .iter()
            .flat_map(|text| text.split(':'))
            .map(str::to_owned)
            .collect()
    }

    /// Runs or reads the files of a hook folder that the image has, and says that a container may have more.
    fn hooks(&mut self, files: &Files, is_sourced: bool, arguments: &[Value], simple: &Simple, frame: &mut Frame) {
        let how = if is_sourced { "reads as commands" } else { "runs" };
        self.open(simple, &format!("{how} whatever a container has in {}", files.text()));
        let tree = self.explorer.lookup.tree;
        let set = PathPattern(files.pattern.clone());
        let folder = files.pattern.split('*').next().unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() {
            return;
        }
        let paths: Vec<String> = tree
            .below(folder)
            .filter(|entry| set.matches(&entry.path) && entry.path.ends_with(&files.suffix))
            .filter(|entry| {
                tree.resolve(&entry.path)
                    .is_some_and(|file| file.kind == FileKind::Regular)
            })
            .map(|entry| entry.path.clone())
            .collect();
        if paths.len() > MAX_HOOKS {
            self.explorer.limit("a hook folder has too many files");
        }
        for path in paths.into_iter().take(MAX_HOOKS) {
            if is_sourced {
                if path.ends_with("sh") {
                    self.source(&path, frame);
                }
                continue;
            }
            let argv: Vec<Value> = std::iter::once(Value::from(path.as_str()))
                .chain(arguments.iter().cloned())
                .collect();
            self.external(&argv, simple, false);
        }
    }

    /// Reads another file's commands into this shell.
    fn source(&mut self, path: &str, frame: &mut Frame) -> bool {
        let path = normalise(path, &self.explorer.lookup.working_dir);
        let Some(content) = self.explorer.lookup.content(&path) else {
            return false;
        };
        let script = shell::parse(content);
        if let Some(error) = &script.error {
            self.explorer
                .open(&format!("line {} of {path}", error.line), error.message);
        }
        let shown = std::mem::replace(&mut self.shown, path.clone());
        self.nested(path, &script.commands, frame.positional.clone(), frame);
        self.shown = shown;
        true
    }

    fn write(&mut self, value: &Value, line: u32, text: &str) {
        for path in value.texts() {
            if path.starts_with('/') && !path.starts_with("/dev/") {
                self.explorer.writes.insert(ScriptWrite {
                    path: normalise(path, "/"),
                    because: format!("line {line} of {}: {text}", self.shown),
                });
            }
        }
    }

    fn place(&self, simple: &Simple) -> String {
        format!("line {} of {}: {}", simple.line, self.shown, simple.text)
    }

    fn open(&mut self, simple: &Simple, what: &str) {
        let place = self.place(simple);
        self.explorer.open(&place, what);
    }
}

impl Frame {
    /// One more list that the positional parameters may be.
    fn may_be(&mut self, list: Vec<Value>) {
        // `set -- server "$@"` is for arguments that do not name the server yet.
        let repeats = self.positional.iter().any(|known| {
            list.split_first()
                .is_some_and(|(first, rest)| rest == known.as_slice() && known.first() == Some(first))
        });
        if !repeats && !self.positional.contains(&list) && self.positional.len() < MAX_ALTERNATIVES {
            self.positional.push(list);
        }
    }
}

/// `f` of `$f`, `"$f"` and `${f}`.
fn single_variable(word: &Word) -> Option<&str> {
    let mut parts = word
        .0
        .iter()
        .filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    match (parts.next(), parts.next()) {
        (Some(Part::Parameter(parameter)), None) => Some(&parameter.name),
        _ => None,
    }
}

/// `.sh` of the pattern `*.sh`.
fn literal_suffix(pattern: &Word) -> Option<&str> {
    match pattern.0.as_slice() {
        [Part::Text { text, quoted: false }] => text.strip_prefix('*').filter(|rest| !rest.contains(['*', '?', '['])),
        _ => None,
    }
}

/// The list that the positional parameters are at first.
fn first(frame: &Frame) -> Vec<Value> {
    frame.positional.first().cloned().unwrap_or_default()
}
