//! Output lines: text with `%field` in it, compiled when rules are loaded.

use std::fmt::Write;

use plimsoll_model::RuleValue;

use crate::{
    compile::Term,
    field::{Context, Shape, Sources},
    limits::MAX_SHOWN_BYTES,
    syntax::{
        self,
        ast::{Expr, ExprKind},
    },
};

/// A compiled output line.
#[derive(Debug, Default)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Value { name: String, term: Term },
}

/// Why an output line cannot be compiled.
#[derive(Debug)]
pub(crate) struct BadOutput {
    /// Byte offset in the line.
    pub(crate) at: usize,
    pub(crate) length: usize,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Template {
    /// Compiles a line. `%field`, `%field[argument]` and `%transformer(field)` stand for values; `%%` for `%`.
    pub(crate) fn new(text: &str, sources: Sources) -> Result<Self, BadOutput> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(percent) = rest.find('%') {
            plain.push_str(&rest[..percent]);
            let token = &rest[percent + 1..];
            if let Some(after) = token.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let at = text.len() - token.len();
            let (length, term) = value(token, sources).map_err(|(message, hint)| BadOutput {
                at: at - 1,
                length: 1 + token
                    .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_')))
                    .unwrap_or(token.len()),
                message,
                hint,
            })?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Value {
                name: token[..length].to_owned(),
                term,
            });
            rest = &token[length..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The line with its values. Missing values read `<NA>`.
    pub(crate) fn render(&self, context: &Context<'_>) -> String {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Value { term, .. } => line.push_str(shown(term, context).as_deref().unwrap_or("<NA>")),
            }
        }
        line
    }

    /// The fields of the line with their values.
    pub(crate) fn values(&self, context: &Context<'_>) -> Vec<RuleValue> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Value { name, term } => Some(RuleValue {
                    field: name.clone(),
                    value: shown(term, context),
                }),
            })
            .collect()
    }
}

/// The values of a term as people see them: control characters escaped, cut at a limit. `None`: missing.
pub(crate) fn shown(term: &Term, context: &Context<'_>) -> Option<String> {
    let is_list = term.kind().1 == Shape::List;
    let mut text: Option<String> = None;
    term.each(context, &mut |value| match &mut text {
        Some(text) if text.len() < MAX_SHOWN_BYTES => {
            let _ = write!(text, ",{value}");
        }
        Some(_) => {}
        None => text = Some(value.to_string()),
    });
    let text = text?;
    let mut out = String::with_capacity(text.len());
    if is_list {
        out.push('(');
    }
    for character in text.chars() {
        if out.len() >= MAX_SHOWN_BYTES {
            out.push('…');
            break;
        }
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    if is_list {
        out.push(')');
    }
    Some(out)
}

/// What is wrong with a token, and what was probably meant.
type Wrong = (String, Option<String>);
type Value = Result<(usize, Term), Wrong>;

/// The value at the beginning of a token, and how many bytes name it: the longest prefix that is a field.
fn value(token: &str, sources: Sources) -> Value {
    if let Some((length, term)) = transformer(token, sources) {
        return Ok((length, term?));
    }
    let end = token
        .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_')))
        .unwrap_or(token.len());
    let mut name = &token[..end];
    let mut first_error = None;
    while !name.is_empty() {
        let argument = token[name.len()..]
            .strip_prefix('[')
            .and_then(|inner| inner.find(']').map(|close| name.len() + close + 2));
        let length = argument.unwrap_or(name.len());
        match operand(&token[..length], sources) {
            Ok(term) => return Ok((length, term)),
            Err(hint) => {
                first_error.get_or_insert(hint);
            }
        }
        // `%fd.name.` is a field and a full stop.
        match name.rfind(['.', '_']) {
            Some(cut) => name = &name[..cut],
            None => break,
        }
    }
    let message = format!("invalid formatting token {}", &token[..end]);
    Err((message, first_error.flatten()))
}

fn transformer(token: &str, sources: Sources) -> Option<(usize, Result<Term, Wrong>)> {
    let open = token.find('(')?;
    let is_name = syntax::ast::Transformer::ALL
        .into_iter()
        .any(|known| known.as_str() == &token[..open]);
    if !is_name {
        return None;
    }
    let mut depth = 0usize;
    let close = token.char_indices().find(|(_, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0 && *character == ')'
    });
    let length = close.map_or(token.len(), |(offset, _)| offset + 1);
    let message = format!("invalid formatting token {}", &token[..length]);
    Some((
        length,
        operand(&token[..length], sources).map_err(|hint| (message, hint)),
    ))
}

fn operand(text: &str, sources: Sources) -> Result<Term, Option<String>> {
    match syntax::parse(&format!("{text} exists")) {
        Ok(Expr {
            kind: ExprKind::Exists(operand),
            ..
        }) => Term::new(&operand, sources).map_err(|error| error.hint),
        _ => Err(None),
    }
}
