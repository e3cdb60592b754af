//! Bytes of a script in, words out: quotes, expansions, here-documents.

use super::{Command, Operation, Parameter, Part, SyntaxError, Word, expansion::Parts, parser::Parser};
use crate::profile::limits::MAX_SHELL_DEPTH;

/// A here-document whose body starts after the next newline.
#[derive(Debug)]
pub(super) struct PendingDocument {
    pub(super) delimiter: Vec<u8>,
    pub(super) strips_tabs: bool,
    pub(super) expands: bool,
}

/// Bytes that end an unquoted word.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, offset: usize) -> Option<u8> {
        self.text.get(self.at + offset).copied()
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes one byte and counts lines.
    pub(super) fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text.as_bytes());
        if found {
            for _ in 0..text.len() {
                self.bump();
            }
        }
        found
    }

    pub(super) fn error(&self, message: &'static str) -> SyntaxError {
        SyntaxError {
            line: self.line,
            message,
        }
    }

    /// One level deeper; the caller must call [`Self::leave`] when this succeeds.
    pub(super) fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_SHELL_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Blanks, continued lines, and a comment up to the end of its line.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => {
                    self.bump();
                }
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => {
                    self.bump();
                    self.bump();
                }
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.bump();
                    }
                }
                _ => return,
            }
        }
    }

    /// Blanks and newlines; bodies of here-documents are read where they stand.
    pub(super) fn skip_lines(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.bump();
            self.read_documents()?;
        }
    }

    fn read_documents(&mut self) -> Result<(), SyntaxError> {
        for document in std::mem::take(&mut self.documents) {
            let start = self.at;
            let mut end = self.text.len();
            while self.at < self.text.len() {
                let line_start = self.at;
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.bump();
                }
                let mut line = &self.text[line_start..self.at];
                while document.strips_tabs && line.first() == Some(&b'\t') {
                    line = &line[1..];
                }
                // A document inside `$( … )` may share its last line with the closing bracket in old shells; not here.
                let found = line == document.delimiter;
                self.bump();
                if found {
                    end = line_start;
                    break;
                }
            }
            if document.expands {
                let commands = self.nested_commands(start, end)?;
                self.from_documents.extend(commands);
            }
        }
        Ok(())
    }

    /// Commands of the substitutions in a stretch of double-quoted-like text.
    fn nested_commands(&mut self, start: usize, end: usize) -> Result<Vec<Command>, SyntaxError> {
        self.enter()?;
        let mut inner = Parser::within(self, &self.text[start..end.max(start)]);
        let mut commands = Vec::new();
        while let Some(byte) = inner.peek() {
            match byte {
                b'\\' => {
                    inner.bump();
                    inner.bump();
                }
                b'$' | b'`' => {
                    let mut parts = Parts::default();
                    inner.dollar_or_backtick(&mut parts, true)?;
                    collect_commands(parts.finish(), &mut commands);
                }
                _ => {
                    inner.bump();
                }
            }
        }
        self.leave();
        Ok(commands)
    }

    /// The word at the cursor; `None` when there is none.
    pub(super) fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let start = self.at;
        let mut parts = Parts::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'<' | b'>' if self.peek_at(1) == Some(b'(') && self.at == start => {
                    self.bump();
                    self.bump();
                    let commands = self.commands_until_bracket()?;
                    parts.part(Part::Substitution(commands));
                }
                // Extended patterns: `@(a|b)`, `!(*.sql)`.
                b'(' if self.at > start && matches!(self.text[self.at - 1], b'@' | b'!' | b'?' | b'*' | b'+') => {
                    self.balanced(b'(', b')')?;
                    parts.part(Part::Computed(Vec::new()));
                }
                byte if is_meta(byte) => break,
                _ => self.word_piece(byte, &mut parts)?,
            }
        }
        if self.at == start {
            return Ok(None);
        }
        Ok(Some(Word(parts.finish())))
    }

    pub(super) fn word_piece(&mut self, byte: u8, parts: &mut Parts) -> Result<(), SyntaxError> {
        match byte {
            b'\\' => {
                self.bump();
                match self.bump() {
                    Some(b'\n') | None => {}
                    Some(escaped) => parts.byte(escaped, true),
                }
            }
            b'\'' => self.single_quotes(parts)?,
            b'"' => self.double_quotes(parts)?,
            b'$' | b'`' => self.dollar_or_backtick(parts, false)?,
            _ => {
                self.bump();
                parts.byte(byte, false);
            }
        }
        Ok(())
    }

    fn single_quotes(&mut self, parts: &mut Parts) -> Result<(), SyntaxError> {
        let opening = self.error("quote that nobody closes");
        self.bump();
        parts.mark_quoted();
        loop {
            match self.bump() {
                Some(b'\'') => return Ok(()),
                Some(byte) => parts.byte(byte, true),
                None => return Err(opening),
            }
        }
    }

    fn double_quotes(&mut self, parts: &mut Parts) -> Result<(), SyntaxError> {
        let opening = self.error("quote that nobody closes");
        self.enter()?;
        self.bump();
        parts.mark_quoted();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.bump();
                    self.leave();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.bump();
                    match self.bump() {
                        Some(byte @ (b'"' | b'\\' | b'$' | b'`')) => parts.byte(byte, true),
                        Some(b'\n') => {}
                        Some(byte) => {
                            parts.byte(b'\\', true);
                            parts.byte(byte, true);
                        }
                        None => return Err(opening),
                    }
                }
                Some(b'$' | b'`') => self.dollar_or_backtick(parts, true)?,
                Some(byte) => {
                    self.bump();
                    parts.byte(byte, true);
                }
                None => return Err(opening),
            }
        }
    }

    /// `$'…'` with its escapes; only those matter that change where it ends or what a path is.
    pub(super) fn dollar_quotes(&mut self, parts: &mut Parts) -> Result<(), SyntaxError> {
        let opening = self.error("quote that nobody closes");
        self.eat("$'");
        parts.mark_quoted();
        loop {
            match self.bump() {
                Some(b'\'') => return Ok(()),
                Some(b'\\') => match self.bump() {
                    Some(b'n') => parts.byte(b'\n', true),
                    Some(b't') => parts.byte(b'\t', true),
                    Some(byte) => parts.byte(byte, true),
                    None => return Err(opening),
                },
                Some(byte) => parts.byte(byte, true),
                None => return Err(opening),
            }
        }
    }
}

fn collect_commands(parts: Vec<Part>, commands: &mut Vec<Command>) {
    for part in parts {
        match part {
            Part::Substitution(found) => commands.extend(found),
            Part::Computed(nested) => collect_commands(nested, commands),
            Part::Parameter(Parameter {
                operation: Operation::Default(word) | Operation::Other(word),
                ..
            }) => collect_commands(word.0, commands),
            _ => {}
        }
    }
}
