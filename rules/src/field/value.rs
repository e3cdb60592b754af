//! Values that fields have, borrowed from what is judged.

use std::{fmt, net::IpAddr};

/// A value. A missing value is no value at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'v> {
    Text(&'v str),
    Number(i64),
    /// Scores and probabilities.
    Decimal(f64),
    Bool(bool),
    Ip(IpAddr),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::Bool(is_true) => write!(f, "{is_true}"),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}
