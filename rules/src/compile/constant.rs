//! Constants of a condition to tests, by the type of the field that they are compared with.

use std::{net::IpAddr, ops::Range};

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use regex::RegexBuilder;

use super::{
    glob::Glob,
    net::IpNet,
    paths::PathPrefixes,
    single::{Order, Single},
};
use crate::{
    field::FieldType,
    limits::MAX_REGEX_BYTES,
    syntax::ast::{Constant, Operator},
};

/// Why a comparison cannot be compiled.
#[derive(Debug)]
pub(crate) struct Uncompiled {
    /// Bytes of the condition.
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The name of a field or event type is not known.
    pub(crate) is_unknown_name: bool,
}

impl Uncompiled {
    pub(crate) fn new(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: span.clone(),
            message: message.into(),
            hint: None,
            is_unknown_name: false,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

type Compiled = Result<Single, Uncompiled>;

fn order(operator: Operator) -> Option<Order> {
    Some(match operator {
        Operator::Equal => Order::Equal,
        Operator::NotEqual => Order::NotEqual,
        Operator::Less => Order::Less,
        Operator::LessOrEqual => Order::LessOrEqual,
        Operator::Greater => Order::Greater,
        Operator::GreaterOrEqual => Order::GreaterOrEqual,
        _ => return None,
    })
}

/// Checks that the operator is one for values of that type, in upstream's words.
pub(crate) fn check_operator(
    operator: Operator,
    kind: FieldType,
    is_list: bool,
    span: &Range<usize>,
) -> Result<(), Uncompiled> {
    use Operator as O;
    let is_equality = matches!(operator, O::Equal | O::NotEqual | O::In | O::Intersects);
    let (is_fine, noun) = match kind {
        // Upstream's older versions let texts be looked for in lists, and rules of then still do: any item will do.
        FieldType::Text if is_list => (
            !matches!(operator, O::Equal | O::NotEqual | O::BContains | O::BStartsWith) && order(operator).is_none(),
            "list",
        ),
        _ if is_list => (matches!(operator, O::In | O::Intersects), "list"),
        FieldType::Text => (!matches!(operator, O::BContains | O::BStartsWith), "string"),
        FieldType::Number | FieldType::Decimal => (is_equality || order(operator).is_some(), "numeric"),
        FieldType::Bool => (is_equality, "boolean"),
        FieldType::Ip | FieldType::Net => (is_equality, "ip address and network"),
        FieldType::Bytes => (
            is_equality
                || matches!(
                    operator,
                    O::Contains | O::StartsWith | O::EndsWith | O::BContains | O::BStartsWith
                ),
            "buffer",
        ),
    };
    if is_fine {
        return Ok(());
    }
    let message = format!("'{}' operator not supported for {noun} filters", operator.as_str());
    let hint = is_list.then(|| "lists are compared with `in`, `intersects` and `exists`".to_owned());
    Err(Uncompiled::new(span, message).hint(hint))
}

/// The test of one constant.
pub(crate) fn scalar(operator: Operator, kind: FieldType, constant: &Constant) -> Compiled {
    match kind {
        FieldType::Text => text(operator, constant),
        FieldType::Number => match order(operator) {
            Some(order) => Ok(Single::Number(order, number(constant)?)),
            None => list(operator, kind, std::slice::from_ref(constant)),
        },
        FieldType::Decimal => match order(operator) {
            Some(order) => Ok(Single::Decimal(order, decimal(constant)?)),
            None => list(operator, kind, std::slice::from_ref(constant)),
        },
        FieldType::Bool => negated(operator, Single::Bool(boolean(constant)?)),
        FieldType::Ip => negated(operator, Single::Ip(address(constant)?)),
        FieldType::Net => negated(operator, Single::Net(vec![network(constant)?])),
        FieldType::Bytes => {
            if matches!(operator, Operator::BContains | Operator::BStartsWith) {
                hexadecimal(constant)?;
            }
            Ok(Single::Never)
        }
    }
}

/// `!=` is the negation of the test for equality: of a value that is there.
fn negated(operator: Operator, equal: Single) -> Compiled {
    Ok(match operator {
        Operator::NotEqual => Single::Not(Box::new(equal)),
        _ => equal,
    })
}

/// The test of a list of constants for `in`, `intersects` and `pmatch`.
pub(crate) fn list(operator: Operator, kind: FieldType, constants: &[Constant]) -> Compiled {
    if constants.is_empty() {
        return Ok(Single::Always(false));
    }
    let each = || constants.iter();
    Ok(match kind {
        FieldType::Text if operator == Operator::PMatch => {
            let mut prefixes = PathPrefixes::default();
            each().for_each(|constant| prefixes.add(&constant.text));
            Single::PathPrefix(prefixes)
        }
        FieldType::Text if constants.len() == 1 => Single::TextEqual(constants[0].text.as_str().into()),
        FieldType::Text => Single::TextIn(each().map(|constant| constant.text.as_str()).collect()),
        FieldType::Number => Single::NumberIn(each().map(number).collect::<Result<_, _>>()?),
        FieldType::Decimal => {
            return Err(Uncompiled::new(
                &constants[0].span,
                "numbers with a fraction cannot be in a list",
            ));
        }
        FieldType::Bool => {
            let wanted = each().map(boolean).collect::<Result<Vec<_>, _>>()?;
            match (wanted.contains(&true), wanted.contains(&false)) {
                (true, true) => Single::Always(true),
                (is_true, _) => Single::Bool(is_true),
            }
        }
        FieldType::Ip => Single::IpIn(each().map(address).collect::<Result<_, _>>()?),
        FieldType::Net => Single::Net(each().map(network).collect::<Result<_, _>>()?),
        FieldType::Bytes => Single::Never,
    })
}

/// One test for `contains anyof (…)` and the like, where there is a faster one than each by itself.
pub(crate) fn any_of(operator: Operator, kind: FieldType, constants: &[Constant]) -> Option<Single> {
    if constants.is_empty() {
        return None;
    }
    match operator {
        Operator::Equal => list(Operator::In, kind, constants).ok(),
        Operator::Contains | Operator::IContains if kind == FieldType::Text && constants.len() > 1 => {
            contains_any(constants, operator == Operator::IContains)
        }
        _ => None,
    }
}

fn contains_any(constants: &[Constant], ignores_case: bool) -> Option<Single> {
    AhoCorasick::builder()
        .ascii_case_insensitive(ignores_case)
        .build(constants.iter().map(|constant| constant.text.as_str()))
        .ok()
        .map(Single::ContainsAny)
}

fn text(operator: Operator, constant: &Constant) -> Compiled {
    let wanted = || Box::<str>::from(constant.text.as_str());
    Ok(match operator {
        Operator::Equal => Single::TextEqual(wanted()),
        Operator::NotEqual => Single::Not(Box::new(Single::TextEqual(wanted()))),
        Operator::Contains => Single::Contains(Finder::new(constant.text.as_bytes()).into_owned()),
        Operator::IContains => contains_any(std::slice::from_ref(constant), true)
            .ok_or_else(|| Uncompiled::new(&constant.span, "the text is too long to be searched for"))?,
        Operator::StartsWith => Single::StartsWith(wanted()),
        Operator::EndsWith => Single::EndsWith(wanted()),
        Operator::Glob => Single::Glob(Glob::new(&constant.text, false)),
        Operator::IGlob => Single::Glob(Glob::new(&constant.text, true)),
        Operator::Regex => Single::Regex(regular_expression(constant)?),
        Operator::In | Operator::Intersects | Operator::PMatch => {
            list(operator, FieldType::Text, std::slice::from_ref(constant))?
        }
        Operator::BContains | Operator::BStartsWith => Single::Never,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            Single::TextOrder(order(operator).unwrap_or(Order::Equal), wanted())
        }
    })
}

/// Matches the whole text, as upstream does.
fn regular_expression(constant: &Constant) -> Result<regex::Regex, Uncompiled> {
    RegexBuilder::new(&format!(r"\A(?:{})\z", constant.text))
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .nest_limit(100)
        .build()
        .map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(limit) => {
                    format!("invalid regex pattern: compiled it takes more than {limit} bytes")
                }
                other => format!("invalid regex pattern: {other}"),
            };
            Uncompiled::new(&constant.span, message)
        })
}

fn number(constant: &Constant) -> Result<i64, Uncompiled> {
    let text = constant.text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let parsed = match hexadecimal {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    match parsed {
        Ok(number) if !digits.starts_with(['+', '-']) => Ok(sign * number),
        _ => Err(Uncompiled::new(
            &constant.span,
            format!("{text:?} is not a whole number"),
        )),
    }
}

fn decimal(constant: &Constant) -> Result<f64, Uncompiled> {
    match constant.text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Uncompiled::new(
            &constant.span,
            format!("{:?} is not a number", constant.text),
        )),
    }
}

fn boolean(constant: &Constant) -> Result<bool, Uncompiled> {
    match constant.text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(
            Uncompiled::new(&constant.span, format!("unrecognized boolean value {other}"))
                .hint(Some("true or false".to_owned())),
        ),
    }
}

fn address(constant: &Constant) -> Result<IpAddr, Uncompiled> {
    constant
        .text
        .parse()
        .map_err(|_| Uncompiled::new(&constant.span, format!("unrecognized IP address {}", constant.text)))
}

fn network(constant: &Constant) -> Result<IpNet, Uncompiled> {
    constant
        .text
        .parse()
        .map_err(|()| Uncompiled::new(&constant.span, format!("unrecognized IP network {}", constant.text)))
}

fn hexadecimal(constant: &Constant) -> Result<(), Uncompiled> {
    let digits = constant.text.as_bytes();
    if digits.len().is_multiple_of(2) && !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) {
        return Ok(());
    }
    let message = "bcontains and bstartswith operator support hex strings only";
    Err(Uncompiled::new(&constant.span, message))
}
