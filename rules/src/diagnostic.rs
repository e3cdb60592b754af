//! What is wrong with a rule file: code, place, message, and what was probably meant.

use std::ops::Range;

use serde::Serialize;

/// One error or warning about a rule file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Falco's code.
    pub code: Code,
    /// Whether it stops the load.
    pub severity: DiagnosticSeverity,
    /// Name of the file, as given in [`crate::RuleFile::name`].
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of the file that it is about.
    pub span: Range<usize>,
    /// What it is in: `rule "Shell in container": condition`. Empty for the file as a whole.
    pub item: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to do; `None` when there is nothing useful to say.
    pub hint: Option<String>,
}

/// Whether a diagnostic stops the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticSeverity {
    /// Nothing is loaded.
    Error,
    /// The file is loaded.
    Warning,
}

/// Falco's loader codes, under Falco's names, and two of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The file could not be read.
    LoadErrFileRead,
    /// Not YAML.
    LoadErrYamlParse,
    /// YAML of the wrong shape.
    LoadErrYamlValidate,
    /// A condition that cannot be compiled.
    LoadErrCompileCondition,
    /// An output that cannot be compiled.
    LoadErrCompileOutput,
    /// Well-formed items that contradict each other.
    LoadErrValidate,
    /// An unknown source; the rule is skipped.
    LoadUnknownSource,
    /// A comparison with `<NA>`.
    LoadUnsafeNaCheck,
    /// A condition that every event type passes.
    LoadNoEvttype,
    /// An unknown field in a rule that asks to be skipped for it.
    LoadUnknownFilter,
    /// A macro that nothing uses.
    LoadUnusedMacro,
    /// A list that nothing uses.
    LoadUnusedList,
    /// An unknown item, such as `- rul: …`.
    LoadUnknownItem,
    /// An item or key that upstream gave up.
    LoadDeprecatedItem,
    /// Exception without values.
    LoadAppendNoValues,
    /// Two exceptions of one name.
    LoadExceptionNameNotUnique,
    /// A macro name that conditions cannot refer to.
    LoadInvalidMacroName,
    /// A list name that conditions cannot refer to.
    LoadInvalidListName,
    /// A condition that loads and is suspicious.
    LoadCompileCondition,
    /// Ours: a rule that no sensor can make true.
    LoadNeverFires,
    /// Ours: a limit was hit.
    LoadErrLimit,
}
