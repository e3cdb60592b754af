//! Go's order (<https://go.dev/ref/mod#versions>): semantic versions with a `v`, pseudo-versions among them, and the
//! toolchain's own names (`go1.21rc2`).

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Fault, Scheme, Semver};

/// Go modules and the standard library.
pub(crate) struct Go;

impl Scheme for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        Semver.order(&semantic(a), &semantic(b))
    }
}

/// `go1.21rc2` is `1.21.0-rc.2`; a toolchain's vendor follows a blank or a dash (`go1.22.1 X:nocoverageredesign`).
fn semantic(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let Some(toolchain) = text.strip_prefix("go") else {
        return Cow::Borrowed(text);
    };
    let toolchain = toolchain.split([' ', '-']).next().unwrap_or(toolchain);
    match toolchain.find(|c: char| c.is_ascii_alphabetic()) {
        Some(start) => {
            let (numbers, pre) = toolchain.split_at(start);
            let word = pre.trim_end_matches(|c: char| c.is_ascii_digit());
            Cow::Owned(format!("{numbers}-{word}.{}", &pre[word.len()..]))
        }
        None => Cow::Borrowed(toolchain),
    }
}
