//! RubyGems' order (`Gem::Version`): numbers and words, words before numbers, trailing zeros of no account.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// Ruby gems.
pub(crate) struct Gem;

impl Scheme for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (segments(a)?, segments(b)?);
        let zero = Segment::Number("0");
        let pairs =
            (0..a.len().max(b.len())).map(|index| (a.get(index).unwrap_or(&zero), b.get(index).unwrap_or(&zero)));
        for (a, b) in pairs {
            let order = match (a, b) {
                (Segment::Number(a), Segment::Number(b)) => compare_digits(a, b),
                (Segment::Word(a), Segment::Word(b)) => a.cmp(b),
                (Segment::Word(_), Segment::Number(_)) => Ordering::Less,
                (Segment::Number(_), Segment::Word(_)) => Ordering::Greater,
            };
            if order.is_ne() {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    Number(&'a str),
    Word(&'a str),
}

/// Canonical segments: zeros at the end of the numbers before the first word, and at the end of the rest, are dropped.
fn segments(text: &str) -> Result<Vec<Segment<'_>>, Fault> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && !is_version(trimmed) {
        return Err(Fault::new(text, "it is not made of numbers and words between points"));
    }
    let (mut numbers, mut rest): (Vec<Segment<'_>>, Vec<Segment<'_>>) = (Vec::new(), Vec::new());
    let mut remaining = trimmed;
    while let Some(first) = remaining.chars().next() {
        if first.is_ascii_digit() {
            let number = Segment::Number(take_while(&mut remaining, |byte| byte.is_ascii_digit()));
            if rest.is_empty() { &mut numbers } else { &mut rest }.push(number);
        } else if first.is_ascii_alphabetic() {
            rest.push(Segment::Word(take_while(&mut remaining, |byte| {
                byte.is_ascii_alphabetic()
            })));
        } else {
            if first == '-' {
                // `-` reads as `.pre.`.
                rest.push(Segment::Word("pre"));
            }
            remaining = &remaining[1..];
        }
    }
    let is_zero =
        |segment: &Segment<'_>| matches!(segment, Segment::Number(digits) if digits.bytes().all(|byte| byte == b'0'));
    for part in [&mut numbers, &mut rest] {
        while part.last().is_some_and(is_zero) {
            part.pop();
        }
    }
    numbers.append(&mut rest);
    Ok(numbers)
}

/// `Gem::Version::VERSION_PATTERN`.
fn is_version(text: &str) -> bool {
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let mut parts = core.split('.');
    let starts_with_number = parts
        .next()
        .is_some_and(|first| !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()));
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_pre = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    starts_with_number && parts.all(is_word) && pre.is_none_or(|pre| pre.split('.').all(is_pre))
}
