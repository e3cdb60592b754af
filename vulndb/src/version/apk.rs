//! Alpine's order: `digits{.digits}[letter]{_suffix[digits]}[~commit][-rdigits]`, compared token by token as apk-tools'
//! `src/version.c` does.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// Alpine and its children.
pub(crate) struct Apk;

impl Scheme for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        // `~3.6` is every version that begins so, as in apk's constraints.
        let (open_left, open_right) = (a.strip_prefix('~'), b.strip_prefix('~'));
        let (mut left, mut right) = (
            Tokens::new(open_left.unwrap_or(a))?,
            Tokens::new(open_right.unwrap_or(b))?,
        );
        let is_met =
            |open: Option<&str>, other: Option<&str>, kind| open.is_some() && other.is_none() && kind == Kind::End;
        loop {
            if is_met(open_right, open_left, right.kind) || is_met(open_left, open_right, left.kind) {
                return Ok(Ordering::Equal);
            }
            match compare_tokens(&left, &right) {
                Ordering::Equal if left.kind == right.kind => {}
                unequal => return Ok(unequal),
            }
            if left.kind >= Kind::End {
                return Ok(left.rest.cmp(right.rest));
            }
            left.advance();
            right.advance();
        }
    }

    /// Where the parts that apk can read decide, they do, as in apk's own table (`23_foo` > `4_beta`). That two texts are
    /// equal which apk would refuse says nothing.
    fn order_by_tool(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let order = self.order(a, b)?;
        match [a, b].into_iter().find(|text| order.is_eq() && !is_valid(text)) {
            Some(text) => Err(Fault::new(text, "apk would refuse it")),
            None => Ok(order),
        }
    }
}

/// Whether apk can read all of a text.
fn is_valid(text: &str) -> bool {
    let Ok(mut tokens) = Tokens::new(text.strip_prefix('~').unwrap_or(text)) else {
        return false;
    };
    while tokens.kind < Kind::End {
        tokens.advance();
    }
    tokens.kind == Kind::End
}

/// In the order in which they may follow each other; of two versions that differ in kind, the later kind is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    FirstDigits,
    Digits,
    Letter,
    Suffix,
    SuffixDigits,
    Commit,
    Revision,
    End,
    Invalid,
}

/// Before and after this rank a suffix comes before and after no suffix at all.
const NO_SUFFIX: usize = 4;
const SUFFIXES: &[&str] = &["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"];

struct Tokens<'a> {
    kind: Kind,
    value: &'a str,
    suffix: usize,
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Result<Self, Fault> {
        let mut rest = text.trim();
        let value = take_while(&mut rest, |byte| byte.is_ascii_digit());
        if value.is_empty() {
            return Err(Fault::new(text, "it does not start with a digit"));
        }
        Ok(Self {
            kind: Kind::FirstDigits,
            value,
            suffix: NO_SUFFIX,
            rest,
        })
    }

    fn advance(&mut self) {
        self.value = "";
        let Some(first) = self.rest.bytes().next() else {
            self.kind = Kind::End;
            return;
        };
        let before = self.kind;
        let digits = |byte: u8| byte.is_ascii_digit();
        self.kind = match first {
            b'a'..=b'z' if before <= Kind::Digits => {
                (self.value, self.rest) = self.rest.split_at(1);
                Kind::Letter
            }
            b'.' if before <= Kind::Digits => {
                self.rest = &self.rest[1..];
                self.value = take_while(&mut self.rest, digits);
                Kind::Digits
            }
            b'_' if before <= Kind::SuffixDigits => {
                self.rest = &self.rest[1..];
                let name = take_while(&mut self.rest, |byte| byte.is_ascii_lowercase());
                self.value = name;
                match SUFFIXES.iter().position(|suffix| *suffix == name) {
                    Some(suffix) if suffix != NO_SUFFIX => {
                        self.suffix = suffix;
                        Kind::Suffix
                    }
                    _ => Kind::Invalid,
                }
            }
            byte if byte.is_ascii_digit() && before == Kind::Suffix => {
                self.value = take_while(&mut self.rest, digits);
                Kind::SuffixDigits
            }
            b'~' if before <= Kind::SuffixDigits => {
                self.rest = &self.rest[1..];
                self.value = take_while(&mut self.rest, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                Kind::Commit
            }
            b'-' if before <= Kind::Commit && self.rest[1..].starts_with('r') => {
                self.rest = &self.rest[2..];
                self.value = take_while(&mut self.rest, digits);
                Kind::Revision
            }
            _ => Kind::Invalid,
        };
        if self.value.is_empty() {
            self.kind = Kind::Invalid;
        }
    }
}

fn compare_tokens(a: &Tokens<'_>, b: &Tokens<'_>) -> Ordering {
    if a.kind != b.kind {
        // A pre-release suffix is less than anything else at its place.
        if a.kind == Kind::Suffix && a.suffix < NO_SUFFIX {
            return Ordering::Less;
        }
        if b.kind == Kind::Suffix && b.suffix < NO_SUFFIX {
            return Ordering::Greater;
        }
        return b.kind.cmp(&a.kind);
    }
    match a.kind {
        // With a leading zero, digits after a point count as a fraction.
        Kind::Digits if a.value.starts_with('0') || b.value.starts_with('0') => a.value.cmp(b.value),
        Kind::FirstDigits | Kind::Digits | Kind::SuffixDigits | Kind::Revision => compare_digits(a.value, b.value),
        Kind::Suffix => a.suffix.cmp(&b.suffix),
        Kind::Letter | Kind::Commit | Kind::End | Kind::Invalid => a.value.cmp(b.value),
    }
}
