//! What a comparison reads: a field, or something computed from fields.

use std::borrow::Cow;

use super::constant::Uncompiled;
use crate::{
    field::{self, Context, FieldRef, FieldType, Getter, KindSet, Shape, Sources, Value, with_buffer},
    syntax::ast::{Operand, OperandKind, Transformer},
};

/// A source of values.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    Field(FieldRef),
    Literal(String),
    List(Vec<Term>),
    /// `tolower`, `toupper`, `b64`, `basename`.
    Mapped(Transformer, Box<Term>),
    Len(Box<Term>),
    Join(Box<Term>, Box<Term>),
    Concat(Vec<Term>),
    GetOpt {
        arguments: Box<Term>,
        options: Box<Term>,
        selected: Option<char>,
    },
}

impl Term {
    /// Compiles an operand; names of fields are looked up in `sources`.
    pub(crate) fn new(operand: &Operand, sources: Sources) -> Result<Self, Uncompiled> {
        match &operand.kind {
            OperandKind::Field { name, argument } => field::find(name, argument.as_deref(), sources)
                .map(Self::Field)
                .map_err(|error| Uncompiled {
                    is_unknown_name: true,
                    ..Uncompiled::new(&operand.span, error.message).hint(error.hint)
                }),
            OperandKind::Literal(text) => Ok(Self::Literal(text.clone())),
            OperandKind::List(items) => items
                .iter()
                .map(|item| Self::new(item, sources))
                .collect::<Result<_, _>>()
                .map(Self::List),
            OperandKind::Transform {
                transformer,
                arguments,
                argument,
            } => {
                let terms = arguments
                    .iter()
                    .map(|inner| Self::new(inner, sources))
                    .collect::<Result<Vec<_>, _>>()?;
                transformed(operand, *transformer, terms, argument.as_deref())
            }
        }
    }

    /// Type and shape of the values.
    pub(crate) fn kind(&self) -> (FieldType, Shape) {
        match self {
            Self::Field(reference) => (reference.field.kind, reference.field.shape),
            Self::List(_) | Self::GetOpt { selected: None, .. } => (FieldType::Text, Shape::List),
            Self::Mapped(_, inner) => (FieldType::Text, inner.kind().1),
            Self::Len(_) => (FieldType::Number, Shape::One),
            _ => (FieldType::Text, Shape::One),
        }
    }

    /// The field, when nothing is computed from it.
    pub(crate) fn as_field(&self) -> Option<&FieldRef> {
        match self {
            Self::Field(reference) => Some(reference),
            _ => None,
        }
    }

    /// All fields that are read.
    pub(crate) fn fields(&self, found: &mut Vec<FieldRef>) {
        match self {
            Self::Field(reference) => {
                if !found.contains(reference) {
                    found.push(reference.clone());
                }
            }
            Self::Literal(_) => {}
            Self::List(terms) | Self::Concat(terms) => terms.iter().for_each(|term| term.fields(found)),
            Self::Mapped(_, inner) | Self::Len(inner) => inner.fields(found),
            Self::Join(first, second) => {
                first.fields(found);
                second.fields(found);
            }
            Self::GetOpt { arguments, options, .. } => {
                arguments.fields(found);
                options.fields(found);
            }
        }
    }

    /// The kinds of events for which there can be values: never too few.
    pub(crate) fn kinds(&self) -> KindSet {
        match self {
            Self::Field(reference) => reference.field.kinds,
            Self::Mapped(_, inner) | Self::Len(inner) => inner.kinds(),
            Self::Join(_, list) => list.kinds(),
            Self::Literal(_) | Self::List(_) | Self::Concat(_) | Self::GetOpt { .. } => KindSet::ALL,
        }
    }

    /// Whether there are values only for what happens in containers.
    pub(crate) fn is_container_only(&self) -> bool {
        match self {
            Self::Field(reference) => {
                let name = reference.field.name;
                name.starts_with("container.image")
                    || name.starts_with("k8s.")
                    || name.starts_with("image.")
                    || name.starts_with("package.")
                    || name.starts_with("vuln.")
                    || name.starts_with("file.")
                    || matches!(name, "container.privileged" | "profile.phase")
            }
            Self::Mapped(_, inner) | Self::Len(inner) => inner.is_container_only(),
            _ => false,
        }
    }

    /// Shows all values.
    pub(crate) fn each<'c>(&'c self, context: &'c Context<'c>, show: &mut dyn FnMut(Value<'_>)) {
        match self {
            Self::Field(reference) => match reference.field.getter {
                Getter::One(get) => {
                    if let Some(value) = get(context, &reference.argument) {
                        show(value);
                    }
                }
                Getter::Many(get) => get(context, &reference.argument, show),
                Getter::Json(path) => path.each(context, &reference.argument, show),
                Getter::Missing => {}
            },
            Self::Literal(text) => show(Value::Text(text)),
            Self::List(terms) => terms.iter().for_each(|term| term.each(context, show)),
            Self::Mapped(transformer, inner) => inner.each(context, &mut |value| map(*transformer, value, show)),
            Self::Len(inner) => length(inner, context, show),
            Self::Join(separator, list) => join(separator, list, context, show),
            Self::Concat(terms) => concat(terms, context, show),
            Self::GetOpt {
                arguments,
                options,
                selected,
            } => get_options(arguments, options, *selected, context, show),
        }
    }
}

fn transformed(
    operand: &Operand,
    transformer: Transformer,
    mut terms: Vec<Term>,
    argument: Option<&str>,
) -> Result<Term, Uncompiled> {
    let refuse = |message: String| Err(Uncompiled::new(&operand.span, message));
    if argument.is_some() && transformer != Transformer::GetOpt {
        return refuse(format!(
            "transformer '{}' does not support field arguments",
            transformer.as_str()
        ));
    }
    let wanted = match transformer {
        Transformer::Join | Transformer::GetOpt => 2..=2,
        Transformer::Concat => 2..=usize::MAX,
        _ => 1..=1,
    };
    if !wanted.contains(&terms.len()) {
        let count = if *wanted.end() == usize::MAX {
            format!("at least {}", wanted.start())
        } else {
            format!("exactly {}", wanted.start())
        };
        return refuse(format!("{}() requires {count} arguments", transformer.as_str()));
    }
    let is_list = |term: &Term| term.kind().1 == Shape::List;
    match transformer {
        Transformer::Join if is_list(&terms[0]) => {
            refuse("join() first argument (separator) must be a single value, not a list".to_owned())
        }
        Transformer::Join if !is_list(&terms[1]) => refuse("join() second argument must be a list".to_owned()),
        Transformer::GetOpt if !is_list(&terms[0]) => refuse("getopt() first argument must be a list".to_owned()),
        Transformer::GetOpt if is_list(&terms[1]) => {
            refuse("getopt() second argument (optstring) must be a single value".to_owned())
        }
        Transformer::GetOpt if argument.is_some_and(|text| text.chars().count() != 1) => {
            refuse("getopt() field argument must be a single option character".to_owned())
        }
        Transformer::Concat if terms.iter().any(|term| term.kind() != (FieldType::Text, Shape::One)) => {
            refuse("concat() arguments must be strings".to_owned())
        }
        Transformer::GetOpt => {
            let options = Box::new(terms.swap_remove(1));
            Ok(Term::GetOpt {
                arguments: Box::new(terms.swap_remove(0)),
                options,
                selected: argument.and_then(|text| text.chars().next()),
            })
        }
        Transformer::Join => {
            let list = Box::new(terms.swap_remove(1));
            Ok(Term::Join(Box::new(terms.swap_remove(0)), list))
        }
        Transformer::Concat => Ok(Term::Concat(terms)),
        Transformer::Val => Ok(terms.swap_remove(0)),
        Transformer::Len => Ok(Term::Len(Box::new(terms.swap_remove(0)))),
        Transformer::ToLower | Transformer::ToUpper | Transformer::B64 | Transformer::BaseName => {
            let inner = terms.swap_remove(0);
            let (kind, _) = inner.kind();
            if !matches!(kind, FieldType::Text | FieldType::Bytes) {
                return refuse(format!(
                    "can't add field transformer: type '{}' is not supported by '{}' transformer",
                    kind.as_str(),
                    transformer.as_str()
                ));
            }
            Ok(Term::Mapped(transformer, Box::new(inner)))
        }
    }
}

fn map(transformer: Transformer, value: Value<'_>, show: &mut dyn FnMut(Value<'_>)) {
    let Value::Text(text) = value else { return };
    match transformer {
        Transformer::BaseName => show(Value::Text(text.rsplit('/').next().unwrap_or(text))),
        Transformer::ToLower | Transformer::ToUpper => with_buffer(|buffer| {
            buffer.push_str(text);
            if transformer == Transformer::ToLower {
                buffer.make_ascii_lowercase();
            } else {
                buffer.make_ascii_uppercase();
            }
            show(Value::Text(buffer));
        }),
        Transformer::B64 => {
            if let Some(bytes) = decode_base64(text.as_bytes()) {
                let decoded: Cow<'_, str> = String::from_utf8_lossy(&bytes);
                show(Value::Text(&decoded));
            }
        }
        _ => show(value),
    }
}

/// RFC 4648 base64, padding optional. `None`: not base64.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        whole => whole,
    };
    if text.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let mut bits = 0u32;
    let mut count = 0;
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

fn length<'c>(inner: &'c Term, context: &'c Context<'c>, show: &mut dyn FnMut(Value<'_>)) {
    let is_list = inner.kind().1 == Shape::List;
    let mut count = 0;
    let mut last = None;
    inner.each(context, &mut |value| {
        count += 1;
        last = Some(match value {
            Value::Text(text) => text.len(),
            _ => 0,
        });
    });
    let length = if is_list && count > 0 { Some(count) } else { last };
    if let Some(length) = length.and_then(|length| i64::try_from(length).ok()) {
        show(Value::Number(length));
    }
}

/// The first value of a term, appended to a buffer; whether there was one.
fn append_first<'c>(term: &'c Term, context: &'c Context<'c>, buffer: &mut String) -> bool {
    let mut is_first = true;
    term.each(context, &mut |value| {
        if is_first {
            is_first = false;
            append(&value, buffer);
        }
    });
    !is_first
}

fn append(value: &Value<'_>, buffer: &mut String) {
    use std::fmt::Write;
    let _ = write!(buffer, "{value}");
}

fn join<'c>(separator: &'c Term, list: &'c Term, context: &'c Context<'c>, show: &mut dyn FnMut(Value<'_>)) {
    with_buffer(|between| {
        if !append_first(separator, context, between) {
            return;
        }
        with_buffer(|buffer| {
            let mut is_first = true;
            list.each(context, &mut |value| {
                if !is_first {
                    buffer.push_str(between);
                }
                is_first = false;
                append(&value, buffer);
            });
            if !is_first {
                show(Value::Text(buffer));
            }
        });
    });
}

fn concat<'c>(terms: &'c [Term], context: &'c Context<'c>, show: &mut dyn FnMut(Value<'_>)) {
    with_buffer(|buffer| {
        if terms.iter().all(|term| append_first(term, context, buffer)) {
            show(Value::Text(buffer));
        }
    });
}

/// Options of a command line by getopt(3): `--` and the first word that is no option end them, long options are skipped.
fn get_options<'c>(
    arguments: &'c Term,
    options: &'c Term,
    selected: Option<char>,
    context: &'c Context<'c>,
    show: &mut dyn FnMut(Value<'_>),
) {
    let mut wanted = String::new();
    if !append_first(options, context, &mut wanted) {
        return;
    }
    let mut words: Vec<String> = Vec::new();
    arguments.each(context, &mut |value| words.push(value.to_string()));
    let mut found: Vec<(char, Option<String>)> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if word == "--" || !word.starts_with('-') || word.len() == 1 {
            break;
        }
        if word.starts_with("--") {
            continue;
        }
        for (offset, letter) in word[1..].char_indices() {
            let definition = wanted.trim_start_matches(':').find(letter).filter(|_| letter != ':');
            let Some(position) = definition else {
                found.push(('?', None));
                continue;
            };
            let takes_value = wanted.trim_start_matches(':')[position + letter.len_utf8()..].starts_with(':');
            if !takes_value {
                found.push((letter, None));
                continue;
            }
            let rest = &word[1 + offset + letter.len_utf8()..];
            let value = if rest.is_empty() {
                at += 1;
                words.get(at - 1).cloned()
            } else {
                Some(rest.to_owned())
            };
            match value {
                Some(value) => found.push((letter, Some(value))),
                None => found.push((if wanted.starts_with(':') { ':' } else { '?' }, None)),
            }
            break;
        }
    }
    match selected {
        Some(letter) => {
            if let Some((letter, value)) = found.iter().rev().find(|(option, _)| *option == letter) {
                show(Value::Text(value.as_deref().unwrap_or(letter.encode_utf8(&mut [0; 4]))));
            }
        }
        None => {
            for (letter, value) in &found {
                show(Value::Text(letter.encode_utf8(&mut [0; 4])));
                if let Some(value) = value {
                    show(Value::Text(value));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_base64_and_nothing_else() {
        assert_eq!(decode_base64(b"aGVsbG8=").unwrap(), b"hello");
        assert_eq!(decode_base64(b"aGVsbG8").unwrap(), b"hello");
        assert_eq!(decode_base64(b"").unwrap(), b"");
        assert!(decode_base64(b"a").is_none());
        assert!(decode_base64(b"a-b_").is_none());
    }
}
