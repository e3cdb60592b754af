//! What is wrong with a rule file: code, place, message, and what was probably meant.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::{
    RuleFile,
    limits::{MAX_DEAR_HINTS, MAX_DIAGNOSTICS},
    text::{Lines, Place},
};

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
    /// What it is in: `rule "Shell in container"`. Empty for the file as a whole.
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
    /// Ours: a limit was hit.
    LoadErrLimit,
    /// An unknown source; the rule is skipped.
    LoadUnknownSource,
    /// A comparison with `<NA>`.
    LoadUnsafeNaCheck,
    /// A condition that nearly every event type passes.
    LoadNoEvttype,
    /// An unknown field in a rule that asks to be skipped for it.
    LoadUnknownFilter,
    /// A macro that nothing uses.
    LoadUnusedMacro,
    /// A list that nothing uses.
    LoadUnusedList,
    /// An unknown item, such as `- rul: …`.
    LoadUnknownItem,
    /// An item, key or field that upstream gave up.
    LoadDeprecatedItem,
    /// An exception is appended without values.
    LoadAppendNoValues,
    /// Two exceptions of one name.
    LoadExceptionNameNotUnique,
    /// A macro name that conditions cannot refer to.
    LoadInvalidMacroName,
    /// A list name that conditions cannot refer to.
    LoadInvalidListName,
    /// A condition that loads and is suspicious.
    LoadCompileCondition,
    /// A key that means nothing in its item.
    LoadUnknownKey,
    /// Ours: a rule that no sensor of this agent can make true.
    LoadNeverFires,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names are the enum's own, in upper case with underscores, as Falco prints them.
        for (index, character) in format!("{self:?}").chars().enumerate() {
            if index > 0 && character.is_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", character.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

impl Diagnostic {
    /// The diagnostic as lines with the source and a caret under the place. `source` is the file's text; without it only
    /// the message is shown.
    pub fn render(&self, source: Option<&str>, is_coloured: bool) -> String {
        let level = match self.severity {
            DiagnosticSeverity::Error => Level::ERROR,
            DiagnosticSeverity::Warning => Level::WARNING,
        };
        let title = if self.item.is_empty() {
            visible(&self.message)
        } else {
            format!("{}: {}", visible(&self.item), visible(&self.message))
        };
        let code = self.code.to_string();
        let mut group = Group::with_title(level.primary_title(title.as_str()).id(code.as_str()));
        let around = source.map(|text| Window::around(text, &self.span));
        if let Some(window) = &around {
            group = group.element(
                Snippet::source(window.text.as_str())
                    .line_start(window.first_line)
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(window.span.clone())),
            );
        }
        let hint = self.hint.as_deref().map(visible);
        if let Some(hint) = &hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if is_coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = renderer.render(&[group]).to_string();
        if around.is_none() && !self.file.is_empty() {
            text.push_str(&format!(
                "\n  --> {}:{}:{}",
                visible(&self.file),
                self.line,
                self.column
            ));
        }
        text
    }
}

/// Rule files are hostile: control characters must not reach a terminal.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The lines around a place, so that rendering costs the same in a file of 10 MB as in a small one.
struct Window {
    text: String,
    first_line: usize,
    span: Range<usize>,
}

/// Longest line part that is shown around a place, bytes.
const MAX_LINE_BYTES: usize = 400;

impl Window {
    fn around(text: &str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end.max(span.start)).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let from = floor_boundary(text, line_start.max(start.saturating_sub(MAX_LINE_BYTES / 2)));
        // A span over many lines (a whole rule) is shown by its first line.
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let to = floor_boundary(text, line_end.min(start + MAX_LINE_BYTES));
        let shown = text[from..to].replace(
            |character: char| character.is_control() && character != '\t',
            "\u{fffd}",
        );
        let marked_start = text[from..start].chars().map(shown_width).sum::<usize>();
        let marked = text[start..end.min(to).max(start)]
            .chars()
            .map(shown_width)
            .sum::<usize>();
        // At least one character is marked, where there is one.
        let marked = marked.max(shown[marked_start..].chars().next().map_or(0, char::len_utf8));
        Self {
            first_line: memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count() + 1,
            span: marked_start..marked_start + marked,
            text: shown,
        }
    }
}

/// Bytes that a character takes after control characters were replaced.
fn shown_width(character: char) -> usize {
    if character.is_control() && character != '\t' {
        '\u{fffd}'.len_utf8()
    } else {
        character.len_utf8()
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Collects diagnostics while files are loaded.
pub(crate) struct Collector<'a> {
    files: &'a [RuleFile],
    lines: Vec<Lines>,
    found: Vec<Diagnostic>,
    error_count: usize,
}

/// What one diagnostic says, before its place is turned into line and column.
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) place: Place,
    pub(crate) item: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Finding {
    pub(crate) fn new(code: Code, place: Place, item: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            place,
            item: item.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl<'a> Collector<'a> {
    pub(crate) fn new(files: &'a [RuleFile]) -> Self {
        Self {
            files,
            lines: files.iter().map(|file| Lines::of(&file.text)).collect(),
            found: Vec::new(),
            error_count: 0,
        }
    }

    pub(crate) fn error(&mut self, finding: Finding) {
        self.error_count += 1;
        self.add(DiagnosticSeverity::Error, finding);
    }

    pub(crate) fn warn(&mut self, finding: Finding) {
        self.add(DiagnosticSeverity::Warning, finding);
    }

    /// Whether further errors would not be reported.
    pub(crate) fn is_full(&self) -> bool {
        self.error_count >= 2 * MAX_DIAGNOSTICS
    }

    /// Whether an error may still be given a hint that takes long to find.
    pub(crate) fn has_room_for_hints(&self) -> bool {
        self.error_count < MAX_DEAR_HINTS
    }

    /// The line of a place, from 1; 0 when there is no such file.
    pub(crate) fn line(&self, place: &Place) -> usize {
        self.lines
            .get(place.file)
            .map_or(0, |lines| lines.find(place.span.start).0)
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.error_count > 0
    }

    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.found
    }

    fn add(&mut self, severity: DiagnosticSeverity, finding: Finding) {
        if self.found.len() >= MAX_DIAGNOSTICS && severity == DiagnosticSeverity::Warning {
            return;
        }
        if self.found.len() >= 2 * MAX_DIAGNOSTICS {
            return;
        }
        let (file, text) = self
            .files
            .get(finding.place.file)
            .map_or((String::new(), ""), |file| (file.name.clone(), file.text.as_str()));
        let start = floor_boundary(text, finding.place.span.start);
        let (line, line_start) = self
            .lines
            .get(finding.place.file)
            .map_or((1, 0), |lines| lines.find(start));
        self.found.push(Diagnostic {
            code: finding.code,
            severity,
            file,
            line,
            column: text[line_start..start].chars().count() + 1,
            span: start..finding.place.span.end.max(start),
            item: finding.item,
            message: finding.message,
            hint: finding.hint,
        });
    }
}

/// The candidate that a misspelt word was probably meant to be: at most a third of its letters away.
pub(crate) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    const MAX_WORD_BYTES: usize = 64;
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let most = (word.len() / 3).clamp(1, 4);
    candidates
        .filter(|candidate| candidate.len() <= MAX_WORD_BYTES && candidate.len().abs_diff(word.len()) <= most)
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_meant() {
        let fields = ["proc.name", "proc.pname", "fd.name"];
        assert_eq!(nearest("proc.nmae", fields.into_iter()), Some("proc.name"));
        assert_eq!(nearest("zzz", fields.into_iter()), None);
    }

    #[test]
    fn shows_the_line_with_a_caret() {
        let text = "- rule: x\n  condition: proc.nmae = \u{1b}a\n";
        let diagnostic = Diagnostic {
            code: Code::LoadErrCompileCondition,
            severity: DiagnosticSeverity::Error,
            file: "a.yaml".to_owned(),
            line: 2,
            column: 14,
            span: 23..32,
            item: "rule \"x\"".to_owned(),
            message: "unknown field proc.nmae".to_owned(),
            hint: Some("did you mean proc.name?".to_owned()),
        };
        let shown = diagnostic.render(Some(text), false);
        assert!(
            shown.contains("error[LOAD_ERR_COMPILE_CONDITION]: rule \"x\": unknown field proc.nmae"),
            "{shown}"
        );
        assert!(shown.contains("a.yaml:2:14"), "{shown}");
        assert!(shown.contains("^^^^^^^^^"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
