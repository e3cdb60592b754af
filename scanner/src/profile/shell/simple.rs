//! Parser state at a command in, simple commands, assignments and redirections out.

use super::{
    Assignment, Command, Part, Redirect, Simple, SyntaxError, Word,
    lexer::{PendingDocument, is_name_byte},
    parser::Parser,
};
use crate::profile::limits::MAX_QUOTE_BYTES;

/// Builtins whose arguments may be assignments.
const DECLARATIONS: &[&str] = &["export", "local", "declare", "readonly", "typeset"];

impl Parser<'_> {
    pub(super) fn simple_or_function(&mut self) -> Result<Option<Command>, SyntaxError> {
        let start = self.at;
        let mut simple = Simple {
            line: self.line,
            ..Simple::default()
        };
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.extend(redirect);
                continue;
            }
            let takes_assignments = simple.words.is_empty() || declares(&simple.words);
            if takes_assignments && let Some(assignment) = self.assignment()? {
                simple.assignments.push(assignment);
                continue;
            }
            match self.word()? {
                Some(word) => simple.words.push(word),
                None => break,
            }
            if let [Word(parts)] = simple.words.as_slice()
                && let [Part::Text { text, quoted: false }] = parts.as_slice()
                && self.is_function_bracket()
            {
                let name = text.clone();
                return self.function(name).map(Some);
            }
        }
        if self.at == start {
            return Ok(None);
        }
        simple.text = first_line(&self.text[start..self.at]);
        Ok(Some(Command::Simple(simple)))
    }

    /// Takes `()` after a name.
    fn is_function_bracket(&mut self) -> bool {
        let blanks = self
            .rest()
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        if self.peek_at(blanks) != Some(b'(') {
            return false;
        }
        let inner = self.rest()[blanks + 1..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        if self.peek_at(blanks + 1 + inner) != Some(b')') {
            return false;
        }
        self.at += blanks + inner + 2;
        true
    }

    /// `NAME=`, `NAME+=`, `NAME[…]=` at the cursor, with its value.
    fn assignment(&mut self) -> Result<Option<Assignment>, SyntaxError> {
        let rest = self.rest();
        let mut length = rest.iter().take_while(|byte| is_name_byte(**byte)).count();
        if length == 0 || rest[0].is_ascii_digit() {
            return Ok(None);
        }
        let name = String::from_utf8_lossy(&rest[..length]).into_owned();
        let mut is_element = false;
        if rest.get(length) == Some(&b'[') {
            let Some(close) = rest[length..].iter().take(256).position(|&byte| byte == b']') else {
                return Ok(None);
            };
            length += close + 1;
            is_element = true;
        }
        let appends = rest.get(length) == Some(&b'+');
        length += usize::from(appends);
        if rest.get(length) != Some(&b'=') || rest[..length].contains(&b'\n') {
            return Ok(None);
        }
        self.at += length + 1;
        let is_array = self.peek() == Some(b'(');
        let value = match is_array {
            true => self.array()?,
            false => self.word()?.into_iter().collect(),
        };
        Ok(Some(Assignment {
            name,
            appends: appends || is_element,
            value,
            is_array: is_array || is_element,
        }))
    }

    fn array(&mut self) -> Result<Vec<Word>, SyntaxError> {
        self.bump();
        let mut words = Vec::new();
        loop {
            self.skip_lines()?;
            match self.word()? {
                Some(word) => words.push(word),
                None if self.eat(")") => return Ok(words),
                None => return Err(self.error("array that nobody closes")),
            }
        }
    }

    /// `Some(None)` for one that opens nothing worth keeping.
    pub(super) fn redirect(&mut self) -> Result<Option<Option<Redirect>>, SyntaxError> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_both = digits == 0 && self.rest().starts_with(b"&>");
        if !is_both && !matches!(self.peek_at(digits), Some(b'<' | b'>')) {
            return Ok(None);
        }
        if !is_both && self.peek_at(digits + 1) == Some(b'(') {
            return Ok(None);
        }
        self.at += digits;
        let line = self.line;
        for (operator, writes, is_file) in [
            ("&>>", true, true),
            ("&>", true, true),
            ("<<<", false, false),
            (">>", true, true),
            (">|", true, true),
            (">&", true, false),
            ("<&", false, false),
            ("<>", true, true),
            (">", true, true),
        ] {
            if self.eat(operator) {
                return self.redirect_target(line, writes, is_file).map(Some);
            }
        }
        if self.eat("<<") {
            self.document()?;
            return Ok(Some(None));
        }
        self.eat("<");
        self.redirect_target(line, false, true).map(Some)
    }

    fn redirect_target(&mut self, line: u32, writes: bool, is_file: bool) -> Result<Option<Redirect>, SyntaxError> {
        self.skip_blanks();
        let target = self.word()?.ok_or_else(|| self.error("redirection without a target"))?;
        Ok(Some(Redirect {
            line,
            writes,
            target,
            is_file,
        }))
    }

    /// After `<<`: notes that a body follows the line.
    fn document(&mut self) -> Result<(), SyntaxError> {
        let strips_tabs = self.eat("-");
        self.skip_blanks();
        let word = self.word()?.ok_or_else(|| self.error("here-document without an end"))?;
        let mut delimiter = Vec::new();
        let mut expands = true;
        for part in word.0 {
            if let Part::Text { text, quoted } = part {
                delimiter.extend(text.into_bytes());
                expands &= !quoted;
            }
        }
        self.documents.push(PendingDocument {
            delimiter,
            strips_tabs,
            expands,
        });
        Ok(())
    }
}

fn declares(words: &[Word]) -> bool {
    matches!(words[0].0.as_slice(), [Part::Text { text, .. }] if DECLARATIONS.contains(&text.as_str()))
}

/// The command's first line for people; lines that go on after a backslash are one.
fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace("\\\n", " ");
    let line = text.lines().next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_QUOTE_BYTES) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
