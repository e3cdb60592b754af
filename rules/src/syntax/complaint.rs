//! What the parser says where it cannot go on.

use std::ops::Range;

use super::{
    ast::Operator,
    parser::{ParseError, Parser},
};

impl Parser<'_> {
    fn here(&self) -> Range<usize> {
        let length = self
            .cursor
            .rest()
            .find(|character: char| character.is_whitespace() || character == ')')
            .unwrap_or(self.cursor.rest().len())
            .max(self.cursor.rest().chars().next().map_or(0, char::len_utf8));
        if length == 0 {
            // At the end: the last byte of what is there.
            let end = self.cursor.text.trim_end().len();
            return end.saturating_sub(1)..end.max(1);
        }
        self.cursor.at..self.cursor.at + length
    }

    pub(super) fn expected(&self, message: &str) -> ParseError {
        ParseError {
            span: self.here(),
            message: message.to_owned(),
            hint: None,
        }
    }

    pub(super) fn trailing(&self) -> ParseError {
        let consumed = self.cursor.text[..self.cursor.at].trim_end();
        let last = consumed.rsplit(char::is_whitespace).next().unwrap_or("");
        let mut error = self.expected(&format!("unexpected token after '{last}', expecting 'or', 'and'"));
        if self.cursor.rest().starts_with(')') {
            error.hint = Some("this bracket closes nothing".to_owned());
        }
        error
    }

    pub(super) fn unknown_operator(&self) -> ParseError {
        let word = &self.cursor.text[self.here()];
        let known = || {
            ["exists"]
                .into_iter()
                .chain(Operator::ON_NUMBERS.into_iter().map(Operator::as_str))
                .chain(Operator::WITH_MODIFIER.into_iter().map(Operator::as_str))
                .chain(Operator::ON_LISTS.into_iter().map(Operator::as_str))
        };
        let listed = known().map(|token| format!("'{token}'")).collect::<Vec<_>>().join(", ");
        let mut error = self.expected(&format!("expected a valid check operator: one of {listed}"));
        error.hint = crate::diagnostic::nearest(word, known()).map(|token| format!("did you mean `{token}`?"));
        error
    }
}
