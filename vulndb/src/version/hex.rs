//! Hex's order (Elixir and Erlang): semantic versions.

use std::cmp::Ordering;

use super::{Fault, Scheme, Semver};

/// Hex packages.
pub(crate) struct Hex;

impl Scheme for Hex {
    fn name(&self) -> &'static str {
        "hex"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        Semver.order(a, b)
    }
}
