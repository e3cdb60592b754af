//! A cursor over a condition's text that recognises the grammar's tokens where it stands.

use super::escape::unescape;

/// Where the parser stands.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Skips blanks; whether there was one.
    pub(crate) fn blank(&mut self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\u{8}', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
        rest.len() != trimmed.len()
    }

    /// Takes exactly this text.
    pub(crate) fn literal(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes this word and the blank that must follow it.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.literal(word) && self.blank() {
            return true;
        }
        self.at = before;
        false
    }

    fn take(&mut self, length: usize) -> &'t str {
        let token = &self.text[self.at..self.at + length];
        self.at += length;
        token
    }

    /// `[a-zA-Z][a-zA-Z0-9_]*`
    pub(crate) fn identifier(&mut self) -> Option<&'t str> {
        match identifier_length(self.rest().as_bytes()) {
            0 => None,
            length => Some(self.take(length)),
        }
    }

    /// Two or more identifiers joined by dots.
    pub(crate) fn field_name(&mut self) -> Option<&'t str> {
        let bytes = self.rest().as_bytes();
        let mut end = identifier_length(bytes);
        let mut parts = usize::from(end > 0);
        while end > 0 && bytes.get(end) == Some(&b'.') {
            let length = identifier_length(&bytes[end + 1..]);
            if length == 0 {
                break;
            }
            end += 1 + length;
            parts += 1;
        }
        (parts > 1).then(|| self.take(end))
    }

    /// What stands in a field's square brackets without quotes.
    pub(crate) fn bare_argument(&mut self) -> Option<&'t str> {
        self.run(|character| !matches!(character, '[' | ']' | '"' | '\'') && !character.is_whitespace())
    }

    /// A constant without quotes.
    pub(crate) fn bare(&mut self) -> Option<&'t str> {
        self.run(|character| !matches!(character, '(' | ')' | '"' | '\'' | '=' | ',') && !character.is_whitespace())
    }

    fn run(&mut self, accept: impl Fn(char) -> bool) -> Option<&'t str> {
        let rest = self.rest();
        let length = rest.find(|character| !accept(character)).unwrap_or(rest.len());
        (length > 0).then(|| self.take(length))
    }

    /// A hexadecimal or decimal number.
    pub(crate) fn number(&mut self) -> Option<&'t str> {
        let bytes = self.rest().as_bytes();
        let length = hexadecimal_length(bytes).max(decimal_length(bytes));
        (length > 0).then(|| self.take(length))
    }

    /// A quoted constant, escapes resolved. `None`: there is no quote here, or none that closes it.
    pub(crate) fn quoted(&mut self) -> Option<Result<String, String>> {
        let rest = self.rest();
        let quote = rest
            .chars()
            .next()
            .filter(|character| matches!(character, '"' | '\''))?;
        let mut previous = '\\';
        for (offset, character) in rest.char_indices() {
            if offset > 0 && character == quote && previous != '\\' {
                let inner = &rest[1..offset];
                self.at += offset + 1;
                return Some(unescape(inner, quote));
            }
            // The opening quote itself does not end an empty string's escape.
            previous = character;
        }
        None
    }
}

fn identifier_length(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    bytes
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        .unwrap_or(bytes.len())
}

fn hexadecimal_length(bytes: &[u8]) -> usize {
    if !matches!(bytes, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit()) {
        return 0;
    }
    2 + bytes[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
}

/// `[+-]?[0-9]+[.]?[0-9]*([eE][+-][0-9]+)?`
fn decimal_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(end);
    if whole == 0 {
        return 0;
    }
    end += whole;
    if bytes.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) && matches!(bytes.get(end + 1), Some(b'+' | b'-')) {
        let exponent = digits(end + 2);
        if exponent > 0 {
            end += 2 + exponent;
        }
    }
    end
}
