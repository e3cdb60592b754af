//! Words in, values out: parameters, substitutions that only name files, patterns.

use super::Walk;
use crate::profile::{
    limits::MAX_ARGUMENTS,
    lookup::{base_name, folder_name, normalise},
    shell::{Command, Operation, Parameter, Part, Simple, Word},
    value::Value,
};

impl Walk<'_, '_> {
    /// The words that a word becomes.
    pub(super) fn fields(&self, word: &Word, positional: &[Value]) -> Vec<Value> {
        let mut parts = word
            .0
            .iter()
            .filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
        if let (Some(Part::Parameter(parameter)), None) = (parts.next(), parts.next()) {
            if parameter.all {
                return self.all(parameter, positional);
            }
            let value = self.parameter(parameter, positional);
            if !parameter.quoted
                && let Some(text) = value.text()
                && (text.is_empty() || text.contains(char::is_whitespace))
            {
                return text.split_whitespace().map(Value::from).collect();
            }
            return vec![value];
        }
        vec![self.value(word, positional)]
    }

    /// The one word that a word becomes, fields not split.
    pub(super) fn value(&self, word: &Word, positional: &[Value]) -> Value {
        let mut value = Value::from("");
        let mut is_pattern = false;
        let mut is_alone = true;
        for part in word
            .0
            .iter()
            .filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()))
        {
            let next = match part {
                Part::Text { text, quoted } => {
                    // A lone `[` is the test command.
                    is_pattern |= !quoted && (text.contains(['*', '?']) || text.contains('[') && text.contains(']'));
                    // A brace expansion is several words.
                    match !quoted && text.contains('{') && text.contains(',') {
                        true => Value::Unknown,
                        false => Value::from(text.as_str()),
                    }
                }
                Part::Parameter(parameter) if parameter.all => match self.all(parameter, positional).as_slice() {
                    [one] => one.clone(),
                    _ => Value::Unknown,
                },
                Part::Parameter(parameter) => self.parameter(parameter, positional),
                Part::Substitution(commands) => self.substitution(commands, positional),
                Part::Computed(_) => Value::Unknown,
            };
            value = if is_alone { next } else { value.then(next) };
            is_alone = false;
        }
        match value.text() {
            Some(text) if is_pattern && text.starts_with('/') => Value::files(text.replace('?', "*")),
            Some(_) if is_pattern => Value::Unknown,
            _ => value,
        }
    }

    /// The known text of a word, with variables in place of what is unknown: for `eval`.
    pub(super) fn known_parts(&self, word: &Word, positional: &[Value]) -> String {
        let mut text = String::new();
        for part in &word.0 {
            let known = self.value(&Word(vec![part.clone()]), positional);
            match known.text() {
                Some(known) => text.push_str(known),
                None => text.push_str(" \"$_\" "),
            }
        }
        text
    }

    fn all(&self, parameter: &Parameter, positional: &[Value]) -> Vec<Value> {
        if let Operation::Other(_) = parameter.operation {
            return vec![Value::Unknown];
        }
        let found = match parameter.name.as_str() {
            "@" | "*" => positional.to_vec(),
            name => match self.arrays.get(name) {
                Some(array) => array.clone(),
                None => self.variables.get(name).cloned().into_iter().collect(),
            },
        };
        match &parameter.operation {
            Operation::Default(word) if found.is_empty() => self.fields(word, positional),
            _ => found,
        }
    }

    fn parameter(&self, parameter: &Parameter, positional: &[Value]) -> Value {
        let known = match parameter.name.as_str() {
            "0" | "BASH_SOURCE" => Some(Value::from(self.name.as_str())),
            name if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                let index: usize = name.parse().unwrap_or(usize::MAX);
                Some(
                    positional
                        .get(index.wrapping_sub(1))
                        .cloned()
                        .unwrap_or_else(|| Value::from("")),
                )
            }
            "PWD" => Some(Value::from(self.explorer.lookup.working_dir.as_str())),
            name => self.variables.get(name).cloned().or_else(|| {
                let declared = self
                    .explorer
                    .lookup
                    .environment
                    .get(name)
                    .map(|value| Value::from(*value));
                // An array's name alone is its first element.
                declared.or_else(|| self.arrays.get(name).and_then(|array| array.first().cloned()))
            }),
        };
        match &parameter.operation {
            Operation::Plain => known.unwrap_or(Value::Unknown),
            Operation::Default(word) => match known {
                Some(known) if known.text() != Some("") => known,
                _ => self.value(word, positional),
            },
            Operation::Other(_) => Value::Unknown,
        }
    }

    /// What a substitution prints, where that can be said without running it.
    fn substitution(&self, commands: &[Command], positional: &[Value]) -> Value {
        if let Some(files) = commands
            .iter()
            .find_map(|command| self.listed_files(command, positional))
        {
            return files;
        }
        match commands {
            [Command::Simple(simple)] => self.printed(simple, positional),
            // `$(cd "$(dirname "$0")" && pwd)`
            [Command::Simple(first), Command::Simple(second)] => {
                let first = self.argv(first, positional);
                let second = self.argv(second, positional);
                match (first.as_slice(), second.first().and_then(Value::text)) {
                    ([cd, .., folder], Some("pwd")) if cd.text() == Some("cd") => folder.clone(),
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }

    fn printed(&self, simple: &Simple, positional: &[Value]) -> Value {
        let argv = self.argv(simple, positional);
        let words: Option<Vec<&str>> = argv.iter().map(Value::text).collect();
        let lookup = &self.explorer.lookup;
        match words.as_deref() {
            Some(["pwd"]) => Value::from(lookup.working_dir.as_str()),
            Some(["echo", text] | ["printf", "%s", text]) => Value::from(*text),
            Some(["dirname", rest @ .., path]) if rest.is_empty() || rest == ["--"] => Value::from(folder_name(path)),
            Some(["basename", path]) => Value::from(base_name(path)),
            Some(["basename", path, suffix]) => {
                let name = base_name(path);
                Value::from(name.strip_suffix(suffix).unwrap_or(name))
            }
            Some(["realpath" | "readlink", .., path]) => Value::from(lookup.resolve(path).as_str()),
            Some(["which" | "type", .., name] | ["command", "-v", name]) => match lookup.find(name, &[]) {
                Some(located) => Value::from(located.invoked.as_str()),
                None => Value::from(""),
            },
            _ => Value::Unknown,
        }
    }

    /// Files that a command lists: `find FOLDER …`, `ls FOLDER`, at the head of a pipeline too.
    pub(super) fn listed_files(&self, command: &Command, positional: &[Value]) -> Option<Value> {
        let simple = match command {
            Command::Simple(simple) => simple,
            Command::Pipeline(members) => return self.listed_files(members.first()?, positional),
            _ => return None,
        };
        let argv = self.argv(simple, positional);
        let name = base_name(argv.first()?.text()?);
        if !["find", "ls", "run-parts"].contains(&name) {
            return None;
        }
        let operand = argv[1..].iter().find(|value| match value.text() {
            Some(text) => !text.starts_with('-'),
            None => true,
        })?;
        match operand {
            Value::Files(_) => Some(operand.clone()),
            operand => {
                let folder = normalise(operand.text()?, &self.explorer.lookup.working_dir);
                (folder != "/").then(|| Value::files(format!("{folder}/**")))
            }
        }
    }

    fn argv(&self, simple: &Simple, positional: &[Value]) -> Vec<Value> {
        simple
            .words
            .iter()
            .flat_map(|word| self.fields(word, positional))
            .take(MAX_ARGUMENTS)
            .collect()
    }
}
