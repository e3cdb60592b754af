//! Tests of one value against constants.

use std::{cmp::Ordering, collections::HashSet, fmt::Write, net::IpAddr};

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use regex::Regex;

use super::{glob::Glob, net::IpNet, paths::PathPrefixes, text_set::TextSet};
use crate::field::{Value, with_buffer};

/// A test that one value passes or not.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "checks live in one table: a box would cost each evaluation a jump"
)]
pub(crate) enum Single {
    TextEqual(Box<str>),
    TextIn(TextSet),
    TextOrder(Order, Box<str>),
    Contains(Finder<'static>),
    /// Any of several, or one without regard to case.
    ContainsAny(AhoCorasick),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Glob(Glob),
    Regex(Regex),
    PathPrefix(PathPrefixes),
    Number(Order, i64),
    NumberIn(HashSet<i64>),
    Decimal(Order, f64),
    Bool(bool),
    Ip(IpAddr),
    IpIn(HashSet<IpAddr>),
    Net(Vec<IpNet>),
    Not(Box<Single>),
    /// Raw bytes: no field of ours has them.
    Never,
    /// `in ()`: an empty list holds nothing.
    Always(bool),
}

/// `=`, `<`, … on values with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(crate) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Single {
    /// Whether the value passes. A value of a type that the test does not know fails it.
    pub(crate) fn holds(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Not(inner), value) => !inner.holds(value),
            (Self::Always(result), _) => *result,
            (Self::Never, _) => false,
            (_, Value::Text(text)) => self.holds_for_text(text),
            (Self::Number(order, wanted), Value::Number(number)) => order.holds(number.cmp(wanted)),
            (Self::NumberIn(wanted), Value::Number(number)) => wanted.contains(number),
            (Self::Decimal(order, wanted), Value::Decimal(number)) => {
                number.partial_cmp(wanted).is_some_and(|ordering| order.holds(ordering))
            }
            (Self::Bool(wanted), Value::Bool(is_true)) => wanted == is_true,
            (Self::Ip(wanted), Value::Ip(ip)) => wanted == ip,
            (Self::IpIn(wanted), Value::Ip(ip)) => wanted.contains(ip),
            (Self::Net(nets), Value::Ip(ip)) => nets.iter().any(|net| net.contains(*ip)),
            // Arguments of events are texts to upstream, whatever they are here.
            (Self::TextOrder(order, wanted), Value::Number(number)) => {
                wanted.parse().is_ok_and(|wanted: i64| order.holds(number.cmp(&wanted)))
            }
            (_, other) if self.is_about_text() => with_buffer(|buffer| {
                let _ = write!(buffer, "{other}");
                self.holds_for_text(buffer)
            }),
            _ => false,
        }
    }

    fn is_about_text(&self) -> bool {
        !matches!(
            self,
            Self::Number(..)
                | Self::NumberIn(_)
                | Self::Decimal(..)
                | Self::Bool(_)
                | Self::Ip(_)
                | Self::IpIn(_)
                | Self::Net(_)
        )
    }

    fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Self::TextEqual(wanted) => **wanted == *text,
            Self::TextIn(wanted) => wanted.contains(text),
            Self::TextOrder(order, wanted) => order.holds(text.cmp(wanted)),
            Self::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Self::ContainsAny(automaton) => automaton.is_match(text),
            Self::StartsWith(prefix) => text.starts_with(&**prefix),
            Self::EndsWith(suffix) => text.ends_with(&**suffix),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::PathPrefix(prefixes) => prefixes.matches(text),
            _ => false,
        }
    }

    /// How dear the test is, so that cheap ones can go first.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Self::Always(_) | Self::Never | Self::Bool(_) => 0,
            Self::Number(..) | Self::Decimal(..) | Self::Ip(_) => 1,
            Self::TextEqual(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::NumberIn(_) | Self::IpIn(_) => 2,
            Self::TextIn(_) | Self::TextOrder(..) | Self::Net(_) => 4,
            Self::Contains(_) | Self::PathPrefix(_) => 8,
            Self::ContainsAny(_) => 12,
            Self::Glob(_) => 16,
            Self::Regex(_) => 32,
            Self::Not(inner) => inner.cost(),
        }
    }
}
