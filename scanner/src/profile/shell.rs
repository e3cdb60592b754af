//! A shell script as a tree: what POSIX sh and bash entry scripts are made of, as far as it decides which programs run.

mod expansion;
mod lexer;
mod parser;
mod simple;

pub(crate) use parser::parse;

/// A parsed script.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Script {
    /// Its commands in order, up to the error.
    pub(crate) commands: Vec<Command>,
    /// Why the rest could not be read.
    pub(crate) error: Option<SyntaxError>,
}

/// Where and why a script could not be read further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// From 1.
    pub(crate) line: u32,
    /// Lower-case fragment.
    pub(crate) message: &'static str,
}

/// One command. Lists (`;`, `&`, `&&`, `||`) are flat: whether a command runs is not asked, only that it may.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Words, assignments and redirections.
    Simple(Simple),
    /// `a | b | c`.
    Pipeline(Vec<Command>),
    /// `{ … }` (same process) or `( … )` (a fork).
    Group {
        /// In order.
        commands: Vec<Command>,
        /// Runs in a process of its own.
        forks: bool,
        /// Of the whole group.
        redirects: Vec<Redirect>,
    },
    /// `a &`: left running beside the script.
    Background(Box<Command>),
    /// `name() { … }`.
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: std::sync::Arc<Vec<Command>>,
    },
    /// `for`, `select`, `while`, `until`.
    Loop {
        /// Variable of a `for` or `select`.
        variable: Option<String>,
        /// What it goes through; `None`: the positional parameters, or no `for` at all.
        words: Option<Vec<Word>>,
        /// Condition (for `while`, `until`), then body.
        body: Vec<Command>,
    },
    /// `if` with its conditions and branches, in order.
    If(Vec<Command>),
    /// `case`, and what only tests (`[[ … ]]`, `(( … ))`).
    Case {
        /// The word that is compared; all words of a test.
        words: Vec<Word>,
        /// Branches in order.
        arms: Vec<Arm>,
    },
}

/// One branch of a `case`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arm {
    /// Patterns that lead here.
    pub(crate) patterns: Vec<Word>,
    /// What is done then.
    pub(crate) body: Vec<Command>,
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Simple {
    /// Line that it starts on, from 1.
    pub(crate) line: u32,
    /// Its first line as written, for evidence.
    pub(crate) text: String,
    /// `NAME=value` before the words, and the arguments of `export`, `local`, `declare`, `readonly`, `typeset`.
    pub(crate) assignments: Vec<Assignment>,
    /// Command and arguments.
    pub(crate) words: Vec<Word>,
    /// In order.
    pub(crate) redirects: Vec<Redirect>,
}

/// `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    /// Variable.
    pub(crate) name: String,
    /// `+=`.
    pub(crate) appends: bool,
    /// One word, or the words of `( … )`.
    pub(crate) value: Vec<Word>,
    /// `name=( … )`.
    pub(crate) is_array: bool,
}

/// One redirection to or from a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redirect {
    /// Line, from 1.
    pub(crate) line: u32,
    /// The file is opened for writing.
    pub(crate) writes: bool,
    /// File name, text of a here-string, or descriptor number.
    pub(crate) target: Word,
    /// `target` is a file name, not a descriptor or text.
    pub(crate) is_file: bool,
}

/// One word before expansion.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Word(pub(crate) Vec<Part>);

/// A piece of a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Plain text; `quoted` text is never a pattern.
    Text {
        /// Without its quotes.
        text: String,
        /// By quotes or a backslash.
        quoted: bool,
    },
    /// `$name`, `${name…}`.
    Parameter(Parameter),
    /// `$( … )`, `` `…` ``, `<( … )`, `>( … )`.
    Substitution(Vec<Command>),
    /// `$(( … ))` and other text that only the running shell knows; what is nested in it is kept.
    Computed(Vec<Part>),
}

/// A parameter expansion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// Name, digit(s), or one of `@*#?-$!`.
    pub(crate) name: String,
    /// All elements: `${name[@]}`, `$@`.
    pub(crate) all: bool,
    /// Inside double quotes.
    pub(crate) quoted: bool,
    /// What is done to it.
    pub(crate) operation: Operation,
}

/// What an expansion does to its parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// Nothing.
    Plain,
    /// `:-`, `-`, `:=`, `=`: the word if the parameter is unset.
    Default(Word),
    /// Anything else; the operand is kept for what is nested in it.
    Other(Word),
}
