//! `$`, backticks and brackets at the cursor in, parts of a word out.

use super::{Command, Operation, Parameter, Part, SyntaxError, Word, lexer::is_name_byte, parser::Parser};

/// Collects text and other parts in order.
#[derive(Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    text: Vec<u8>,
    quoted: bool,
}

impl Parts {
    pub(super) fn byte(&mut self, byte: u8, quoted: bool) {
        if self.quoted != quoted {
            self.flush();
        }
        self.quoted = quoted;
        self.text.push(byte);
    }

    /// `''` is an empty word, not no word.
    pub(super) fn mark_quoted(&mut self) {
        self.flush();
        self.parts.push(Part::Text {
            text: String::new(),
            quoted: true,
        });
    }

    pub(super) fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text {
                text: String::from_utf8_lossy(&self.text).into_owned(),
                quoted: self.quoted,
            });
            self.text.clear();
        }
    }

    pub(super) fn part(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }

    pub(super) fn finish(mut self) -> Vec<Part> {
        self.flush();
        self.parts
    }
}

impl Parser<'_> {
    pub(super) fn dollar_or_backtick(&mut self, parts: &mut Parts, quoted: bool) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'`') {
            let commands = self.backticks()?;
            parts.part(Part::Substitution(commands));
            return Ok(());
        }
        match self.peek_at(1) {
            Some(b'(') if self.peek_at(2) == Some(b'(') && self.is_arithmetic() => {
                self.eat("$(");
                let nested = self.arithmetic()?;
                parts.part(Part::Computed(nested));
            }
            Some(b'(') => {
                self.eat("$(");
                let commands = self.commands_until_bracket()?;
                parts.part(Part::Substitution(commands));
            }
            Some(b'{') => {
                self.eat("${");
                let part = self.braced_parameter(quoted)?;
                parts.part(part);
            }
            Some(b'\'') if !quoted => self.dollar_quotes(parts)?,
            Some(b'"') if !quoted => {
                self.bump();
            }
            Some(byte) if is_name_byte(byte) || b"@*#?-$!".contains(&byte) => {
                self.bump();
                let name = self.parameter_name();
                let all = name == "@" || name == "*";
                parts.part(Part::Parameter(Parameter {
                    name,
                    all,
                    quoted,
                    operation: Operation::Plain,
                }));
            }
            _ => {
                self.bump();
                parts.byte(b'$', quoted);
            }
        }
        Ok(())
    }

    /// At a name, one digit, or one special character.
    fn parameter_name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() => {
                while self.peek().is_some_and(is_name_byte) {
                    self.bump();
                }
            }
            Some(_) => {
                self.bump();
            }
            None => {}
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    /// After `${`, up to and including `}`.
    fn braced_parameter(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        self.enter()?;
        let is_prefixed = matches!(self.peek(), Some(b'#' | b'!')) && self.peek_at(1) != Some(b'}');
        if is_prefixed {
            self.bump();
        }
        let start = self.at;
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                self.bump();
            }
        } else {
            self.parameter_name();
        }
        let mut name = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let mut all = name == "@" || name == "*";
        let mut is_element = false;
        if self.peek() == Some(b'[') {
            let from = self.at;
            self.balanced(b'[', b']')?;
            match &self.text[from..self.at] {
                b"[@]" | b"[*]" => all = true,
                // The only element with a meaning of its own that is known: the running script.
                b"[0]" if name == "BASH_SOURCE" => {}
                _ => is_element = true,
            }
        }
        if is_element {
            name.push_str("[]");
        }
        let is_default = [":-", "-", ":=", "="].iter().any(|operator| self.eat(operator));
        let operand = self.operand()?;
        self.leave();
        let operation = if is_prefixed {
            Operation::Other(operand)
        } else if is_default {
            Operation::Default(operand)
        } else if operand.0.is_empty() {
            Operation::Plain
        } else {
            Operation::Other(operand)
        };
        Ok(Part::Parameter(Parameter {
            name,
            all,
            quoted,
            operation,
        }))
    }

    /// Up to and including the `}` that ends an expansion.
    fn operand(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Parts::default();
        loop {
            match self.peek() {
                Some(b'}') => {
                    self.bump();
                    return Ok(Word(parts.finish()));
                }
                Some(byte) => self.word_piece(byte, &mut parts)?,
                None => return Err(self.error("expansion that nobody closes")),
            }
        }
    }

    fn backticks(&mut self) -> Result<Vec<Command>, SyntaxError> {
        let opening = self.error("backtick that nobody closes");
        self.enter()?;
        self.bump();
        let mut text = Vec::new();
        loop {
            match self.bump() {
                Some(b'`') => break,
                Some(b'\\') => match self.bump() {
                    Some(byte @ (b'`' | b'\\' | b'$')) => text.push(byte),
                    Some(byte) => text.extend([b'\\', byte]),
                    None => return Err(opening),
                },
                Some(byte) => text.push(byte),
                None => return Err(opening),
            }
        }
        let mut inner = Parser::within(self, &text);
        let commands = inner.whole()?;
        self.leave();
        Ok(commands)
    }

    /// Whether the `$((` or `((` at the cursor ends with `))`, so that it is no subshell in a substitution.
    pub(super) fn is_arithmetic(&self) -> bool {
        let mut depth = 0_u32;
        let mut previous = 0;
        for &byte in self.rest() {
            match byte {
                b'(' => depth += 1,
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return previous == b')';
                    }
                }
                b'\n' if depth <= 1 => return false,
                _ => {}
            }
            previous = byte;
        }
        false
    }

    /// At `(`: takes all up to its partner and keeps what is nested in it.
    pub(super) fn arithmetic(&mut self) -> Result<Vec<Part>, SyntaxError> {
        self.enter()?;
        let mut depth = 0_u32;
        let mut parts = Parts::default();
        loop {
            match self.peek() {
                Some(b'(') => {
                    depth += 1;
                    self.bump();
                }
                Some(b')') => {
                    self.bump();
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        // `$((…))`: the second bracket was opened by `$(`, before the cursor's start.
                        self.eat(")");
                        self.leave();
                        return Ok(parts.finish());
                    }
                }
                Some(b'$' | b'`') => self.dollar_or_backtick(&mut parts, true)?,
                Some(_) => {
                    self.bump();
                }
                None => return Err(self.error("arithmetic that nobody closes")),
            }
        }
    }

    /// At an opening bracket: takes all up to its partner, quotes skipped.
    pub(super) fn balanced(&mut self, open: u8, close: u8) -> Result<(), SyntaxError> {
        let mut depth = 0_u32;
        loop {
            let byte = self.bump().ok_or_else(|| self.error("bracket that nobody closes"))?;
            if byte == open {
                depth += 1;
            } else if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            } else if byte == b'\\' {
                self.bump();
            }
        }
    }
}
