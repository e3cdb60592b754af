//! An order for versions of no known scheme: numbers by value, words by letters, pre-release words before the end.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// Whatever has no scheme of its own.
pub(crate) struct Generic;

impl Scheme for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (segments(a)?, segments(b)?);
        let order = (0..a.len().max(b.len()))
            .map(|index| {
                let segment = |list: &[Segment]| list.get(index).cloned().unwrap_or(Segment::End);
                segment(&a).compare(&segment(&b))
            })
            .find(|order| order.is_ne());
        Ok(order.unwrap_or(Ordering::Equal))
    }
}

/// Words that name something before the release.
const PRE_RELEASES: &[&str] = &[
    "dev",
    "snapshot",
    "nightly",
    "a",
    "alpha",
    "b",
    "beta",
    "m",
    "milestone",
    "pre",
    "preview",
    "c",
    "cr",
    "rc",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    PreRelease(usize),
    End,
    Word(String),
    Number(String),
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::PreRelease(_) => 0,
            Self::End => 1,
            Self::Word(_) => 2,
            Self::Number(_) => 3,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::PreRelease(a), Self::PreRelease(b)) => a.cmp(b),
            (Self::Word(a), Self::Word(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => compare_digits(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn segments(text: &str) -> Result<Vec<Segment>, Fault> {
    let lower = text.trim().to_lowercase();
    let mut rest = match lower.strip_prefix('v') {
        Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => after,
        _ => lower.as_str(),
    };
    let mut segments = Vec::new();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            segments.push(Segment::Number(
                take_while(&mut rest, |byte| byte.is_ascii_digit()).to_owned(),
            ));
        } else if first.is_ascii_alphabetic() {
            let word = take_while(&mut rest, |byte| byte.is_ascii_alphabetic());
            segments.push(match PRE_RELEASES.iter().position(|known| *known == word) {
                Some(rank) => Segment::PreRelease(rank),
                None => Segment::Word(word.to_owned()),
            });
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    if segments.is_empty() {
        return Err(Fault::new(text, "it has neither number nor word"));
    }
    // `1.0` is `1` and `1.0-rc` is `1-rc`: zeros count only before another number.
    let is_zero =
        |segment: &Segment| matches!(segment, Segment::Number(digits) if digits.bytes().all(|byte| byte == b'0'));
    for index in (0..segments.len()).rev() {
        let is_before_number = matches!(segments.get(index + 1), Some(Segment::Number(_)));
        if is_zero(&segments[index]) && !is_before_number && segments.len() > 1 {
            segments.remove(index);
        }
    }
    Ok(segments)
}
