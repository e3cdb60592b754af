//! Python's order (<https://peps.python.org/pep-0440/>).

use std::cmp::Ordering;
use std::str::FromStr;

use pep440_rs::Version;

use super::{Fault, Scheme};

/// Python packages.
pub(crate) struct Pep440;

impl Scheme for Pep440 {
    fn name(&self) -> &'static str {
        "pep440"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let parse =
            |text: &str| Version::from_str(text.trim()).map_err(|_| Fault::new(text, "it does not follow PEP 440"));
        Ok(parse(a)?.cmp(&parse(b)?))
    }
}
