//! RPM's order: `[epoch:]version[-release]`, segments compared as rpm's `rpmvercmp`.

use std::cmp::Ordering;

use super::{Fault, Scheme};

/// RPM distributions.
pub(crate) struct Rpm;

impl Scheme for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (a.trim(), b.trim());
        for text in [a, b] {
            if text.is_empty() {
                return Err(Fault::new(text, "it is empty"));
            }
            if text.contains(char::is_whitespace) {
                return Err(Fault::new(text, "it has a blank"));
            }
        }
        Ok(rpm_version::rpm_evr_compare(a, b))
    }
}
