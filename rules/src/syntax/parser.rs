//! Falco's condition grammar (falcosecurity/libs, `userspace/libsinsp/filter/parser.h`), by recursive descent.
//!
//! Where several readings are possible the order of attempts is upstream's, because rule files rely on it.

use std::ops::Range;

use super::{
    ast::{Constant, Expr, ExprKind, Modifier, Operand, OperandKind, Operator, Right, Transformer},
    lexer::Cursor,
};
use crate::limits::MAX_CONDITION_DEPTH;

/// Why a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// Bytes of the text.
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) hint: Option<String>,
}

/// Reads a whole condition.
pub(crate) fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser {
        cursor: Cursor { text, at: 0 },
        depth: 0,
    };
    parser.cursor.blank();
    if parser.cursor.is_at_end() {
        return Err(ParseError {
            span: 0..text.len(),
            message: "the condition is empty".to_owned(),
            hint: None,
        });
    }
    let expression = parser.or()?;
    parser.cursor.blank();
    if parser.cursor.is_at_end() {
        return Ok(expression);
    }
    Err(parser.trailing())
}

/// Where the parser stands, and how deep.
pub(super) struct Parser<'t> {
    pub(super) cursor: Cursor<'t>,
    depth: usize,
}

type Parsed<T> = Result<T, ParseError>;

impl Parser<'_> {
    fn or(&mut self) -> Parsed<Expr> {
        self.chain("or", Self::and, ExprKind::Or)
    }

    fn and(&mut self) -> Parsed<Expr> {
        self.chain("and", Self::not, ExprKind::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed<Expr>,
        join: fn(Vec<Expr>) -> ExprKind,
    ) -> Parsed<Expr> {
        self.cursor.blank();
        let start = self.cursor.at;
        let first = part(self)?;
        let mut parts = vec![first];
        let mut end = self.cursor.at;
        self.cursor.blank();
        while self.cursor.literal(word) {
            let next = if self.cursor.blank() {
                part(self)?
            } else if self.cursor.literal("(") {
                self.bracket()?
            } else {
                return Err(self.expected(&format!("expected blank or '(' after '{word}'")));
            };
            parts.push(next);
            end = self.cursor.at;
            self.cursor.blank();
        }
        if parts.len() > 1 {
            return Ok(Expr {
                kind: join(parts),
                span: start..end,
            });
        }
        parts.pop().ok_or_else(|| self.expected("expected a check"))
    }

    fn not(&mut self) -> Parsed<Expr> {
        self.cursor.blank();
        let start = self.cursor.at;
        let mut is_negated = false;
        while self.cursor.word("not") {
            is_negated = !is_negated;
        }
        let inner = if self.cursor.literal("not(") {
            is_negated = !is_negated;
            self.bracket()?
        } else {
            self.check()?
        };
        if !is_negated {
            return Ok(inner);
        }
        Ok(Expr {
            kind: ExprKind::Not(Box::new(inner)),
            span: start..self.cursor.at,
        })
    }

    /// What follows an opening bracket.
    fn bracket(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let opened = parser.cursor.at.saturating_sub(1);
            let inner = parser.or()?;
            parser.cursor.blank();
            if parser.cursor.literal(")") {
                return Ok(inner);
            }
            let mut error = parser.expected("expected a ')' token");
            if parser.cursor.is_at_end() {
                error.span = opened..opened + 1;
                error.hint = Some("this bracket is never closed".to_owned());
            }
            Err(error)
        })
    }

    fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_CONDITION_DEPTH {
            return Err(self.expected(&format!("nested deeper than {MAX_CONDITION_DEPTH} levels")));
        }
        let result = body(self);
        self.depth -= 1;
        result
    }

    fn check(&mut self) -> Parsed<Expr> {
        self.cursor.blank();
        let start = self.cursor.at;
        if self.cursor.literal("(") {
            return self.bracket();
        }
        if let Some(operand) = self.field_or_transformer()? {
            return self.comparison(operand, start);
        }
        if let Some(name) = self.cursor.identifier() {
            let name = name.to_owned();
            return Ok(Expr {
                kind: ExprKind::Macro(name),
                span: start..self.cursor.at,
            });
        }
        Err(self.expected("expected a '(' token, a field check, or an identifier"))
    }

    fn field_or_transformer(&mut self) -> Parsed<Option<Operand>> {
        let start = self.cursor.at;
        if let Some(name) = self.cursor.field_name() {
            let name = name.to_owned();
            return self.field(name, start).map(Some);
        }
        match self.transformer(false) {
            Some(transformer) => self.transformed(transformer, start).map(Some),
            None => Ok(None),
        }
    }

    fn field(&mut self, name: String, start: usize) -> Parsed<Operand> {
        let argument = self.field_argument()?;
        Ok(Operand {
            kind: OperandKind::Field { name, argument },
            span: start..self.cursor.at,
        })
    }

    fn field_argument(&mut self) -> Parsed<Option<String>> {
        if !self.cursor.literal("[") {
            return Ok(None);
        }
        let argument = match self.quoted()? {
            Some(text) => text,
            None => match self.cursor.bare_argument() {
                Some(text) => text.to_owned(),
                None => {
                    return Err(self.expected("expected a valid field argument: a quoted string or a bare string"));
                }
            },
        };
        if !self.cursor.literal("]") {
            return Err(self.expected("expected a ']' token"));
        }
        Ok(Some(argument))
    }

    fn quoted(&mut self) -> Parsed<Option<String>> {
        let start = self.cursor.at;
        match self.cursor.quoted() {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(message)) => Err(ParseError {
                span: start..self.cursor.at,
                message,
                hint: None,
            }),
        }
    }

    /// The name of a transformer and its opening bracket.
    fn transformer(&mut self, with_val: bool) -> Option<Transformer> {
        let found = Transformer::ALL.into_iter().find(|transformer| {
            (with_val || *transformer != Transformer::Val)
                && self
                    .cursor
                    .rest()
                    .strip_prefix(transformer.as_str())
                    .is_some_and(|rest| rest.starts_with('('))
        })?;
        self.cursor.at += found.as_str().len() + 1;
        Some(found)
    }

    fn transformed(&mut self, transformer: Transformer, start: usize) -> Parsed<Operand> {
        self.nested(|parser| {
            let mut arguments = Vec::new();
            loop {
                parser.cursor.blank();
                arguments.push(parser.transformer_argument(transformer == Transformer::Val)?);
                parser.cursor.blank();
                if !parser.cursor.literal(",") {
                    break;
                }
            }
            if !parser.cursor.literal(")") {
                return Err(parser.expected("expected a ')' token closing the transformer"));
            }
            let argument = parser.field_argument()?;
            Ok(Operand {
                kind: OperandKind::Transform {
                    transformer,
                    arguments,
                    argument,
                },
                span: start..parser.cursor.at,
            })
        })
    }

    fn transformer_argument(&mut self, fields_only: bool) -> Parsed<Operand> {
        let start = self.cursor.at;
        if !fields_only {
            if let Some(number) = self.cursor.number() {
                let number = number.to_owned();
                return Ok(self.literal_operand(number, start));
            }
            if let Some(text) = self.quoted()? {
                return Ok(self.literal_operand(text, start));
            }
            if self.cursor.literal("(") {
                return self.transformer_list(start);
            }
        }
        match self.field_or_transformer()? {
            Some(operand) => Ok(operand),
            None if fields_only => Err(self.expected("expected a field within 'val' transformer")),
            None => Err(self.expected(
                "expected field transformer argument: field, transformer, quoted string, number, or transformer list",
            )),
        }
    }

    fn literal_operand(&self, text: String, start: usize) -> Operand {
        Operand {
            kind: OperandKind::Literal(text),
            span: start..self.cursor.at,
        }
    }

    fn transformer_list(&mut self, start: usize) -> Parsed<Operand> {
        self.nested(|parser| {
            let mut items = Vec::new();
            parser.cursor.blank();
            if !parser.cursor.literal(")") {
                loop {
                    parser.cursor.blank();
                    items.push(parser.transformer_argument(false)?);
                    parser.cursor.blank();
                    if !parser.cursor.literal(",") {
                        break;
                    }
                }
                if !parser.cursor.literal(")") {
                    return Err(parser.expected("expected ')'"));
                }
            }
            Ok(Operand {
                kind: OperandKind::List(items),
                span: start..parser.cursor.at,
            })
        })
    }

    fn comparison(&mut self, left: Operand, start: usize) -> Parsed<Expr> {
        self.cursor.blank();
        let operator_at = self.cursor.at;
        if self.cursor.literal("exists") {
            return Ok(Expr {
                kind: ExprKind::Exists(left),
                span: start..self.cursor.at,
            });
        }
        let (operator, modifier, right) = if let Some(operator) = self.number_operator() {
            (operator, None, self.number_value()?)
        } else if let Some(operator) = self.text_operator() {
            self.text_value(operator, operator_at)?
        } else if let Some(operator) = self.list_operator() {
            (operator, None, self.list_value(true)?)
        } else {
            return Err(self.unknown_operator());
        };
        Ok(Expr {
            kind: ExprKind::Compare {
                left,
                operator,
                modifier,
                right,
            },
            span: start..self.cursor.at,
        })
    }

    fn number_operator(&mut self) -> Option<Operator> {
        Operator::ON_NUMBERS
            .into_iter()
            .find(|operator| self.cursor.literal(operator.as_str()))
    }

    fn text_operator(&mut self) -> Option<Operator> {
        if self.cursor.literal("==") {
            return Some(Operator::Equal);
        }
        Operator::WITH_MODIFIER.into_iter().find(|operator| {
            let token = operator.as_str();
            match operator {
                Operator::Equal | Operator::NotEqual => self.cursor.literal(token),
                _ => self.cursor.word(token),
            }
        })
    }

    fn list_operator(&mut self) -> Option<Operator> {
        Operator::ON_LISTS
            .into_iter()
            .find(|operator| self.cursor.literal(operator.as_str()))
    }

    fn text_value(&mut self, operator: Operator, operator_at: usize) -> Parsed<(Operator, Option<Modifier>, Right)> {
        let is_word = !matches!(operator, Operator::Equal | Operator::NotEqual);
        debug_assert!(self.cursor.at > operator_at);
        let had_blank = self.cursor.blank() || is_word;
        let before = self.cursor.at;
        if had_blank {
            let modifier = Modifier::ALL
                .into_iter()
                .find(|modifier| self.cursor.word(modifier.as_str()));
            if let Some(modifier) = modifier
                && self.list_follows()
            {
                return Ok((operator, Some(modifier), self.list_value(false)?));
            }
        }
        self.cursor.at = before;
        Ok((operator, None, self.scalar_value()?))
    }

    /// Whether what follows can only be a list: a bracket, or a name that is not a boolean word.
    fn list_follows(&self) -> bool {
        let rest = self.cursor.rest();
        if rest.starts_with('(') {
            return true;
        }
        let is_word = |word: &str| {
            rest.strip_prefix(word)
                .is_some_and(|after| !after.starts_with(|character: char| character.is_ascii_alphanumeric()))
        };
        self.cursor.clone().identifier().is_some() && !["and", "or", "not"].into_iter().any(is_word)
    }

    fn number_value(&mut self) -> Parsed<Right> {
        self.cursor.blank();
        let start = self.cursor.at;
        if let Some(operand) = self.right_operand()? {
            return Ok(Right::Operand(operand));
        }
        match self.cursor.number() {
            Some(number) => Ok(Right::Value(Constant {
                text: number.to_owned(),
                span: start..self.cursor.at,
            })),
            None => Err(self.expected("expected a number value or a field with a valid transformer")),
        }
    }

    fn scalar_value(&mut self) -> Parsed<Right> {
        self.cursor.blank();
        if let Some(operand) = self.right_operand()? {
            return Ok(Right::Operand(operand));
        }
        match self.constant()? {
            Some(constant) => Ok(Right::Value(constant)),
            None => Err(self.expected("expected a string value or a field with a valid transformer")),
        }
    }

    fn constant(&mut self) -> Parsed<Option<Constant>> {
        self.cursor.blank();
        let start = self.cursor.at;
        let text = match self.quoted()? {
            Some(text) => text,
            None => match self.cursor.bare() {
                Some(text) => text.to_owned(),
                None => return Ok(None),
            },
        };
        Ok(Some(Constant {
            text,
            span: start..self.cursor.at,
        }))
    }

    fn right_operand(&mut self) -> Parsed<Option<Operand>> {
        let start = self.cursor.at;
        match self.transformer(true) {
            Some(transformer) => self.transformed(transformer, start).map(Some),
            None => Ok(None),
        }
    }

    fn list_value(&mut self, may_be_operand: bool) -> Parsed<Right> {
        self.cursor.blank();
        if self.cursor.literal("(") {
            return self.list_items().map(Right::List);
        }
        if may_be_operand && let Some(operand) = self.right_operand()? {
            return Ok(Right::Operand(operand));
        }
        let start = self.cursor.at;
        match self.cursor.identifier() {
            Some(name) => Ok(Right::List(vec![Constant {
                text: name.to_owned(),
                span: start..self.cursor.at,
            }])),
            None => Err(self.expected("expected a list or an identifier")),
        }
    }

    fn list_items(&mut self) -> Parsed<Vec<Constant>> {
        let mut items = Vec::new();
        if let Some(first) = self.constant()? {
            items.push(first);
            self.cursor.blank();
            while self.cursor.literal(",") {
                match self.constant()? {
                    Some(item) => items.push(item),
                    None => return Err(self.expected("expected a string value")),
                }
                self.cursor.blank();
            }
        }
        self.cursor.blank();
        if self.cursor.literal(")") {
            Ok(items)
        } else {
            let mut error = self.expected("expected a ')' token");
            error.hint = Some("items of a list are separated by commas".to_owned());
            Err(error)
        }
    }
}
