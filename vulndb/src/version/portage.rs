//! Gentoo's order (Package Manager Specification, section 3.3): numbers, a letter, suffixes, a revision.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// Gentoo.
pub(crate) struct Portage;

impl Scheme for Portage {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (parse(a)?, parse(b)?);
        Ok(compare_numbers(&a.numbers, &b.numbers)
            .then_with(|| a.letter.cmp(b.letter))
            .then_with(|| compare_suffixes(&a.suffixes, &b.suffixes))
            .then_with(|| compare_digits(a.revision, b.revision)))
    }
}

/// In their order; no suffix at all is [`NO_SUFFIX`].
const SUFFIXES: &[&str] = &["alpha", "beta", "pre", "rc", "", "p"];
const NO_SUFFIX: usize = 4;

struct Version<'a> {
    numbers: Vec<&'a str>,
    letter: &'a str,
    suffixes: Vec<(usize, &'a str)>,
    revision: &'a str,
}

fn parse(text: &str) -> Result<Version<'_>, Fault> {
    let fault = |reason| Fault::new(text, reason);
    let digits = |byte: u8| byte.is_ascii_digit();
    let mut rest = text.trim();
    let mut numbers = Vec::new();
    loop {
        let number = take_while(&mut rest, digits);
        if number.is_empty() {
            return Err(fault("a number is missing"));
        }
        numbers.push(number);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => break,
        }
    }
    let mut letter = "";
    if rest.starts_with(|c: char| c.is_ascii_lowercase()) {
        (letter, rest) = rest.split_at(1);
    }
    let mut suffixes = Vec::new();
    while let Some(after) = rest.strip_prefix('_') {
        rest = after;
        let name = take_while(&mut rest, |byte| byte.is_ascii_lowercase());
        let suffix = SUFFIXES.iter().position(|suffix| *suffix == name && !name.is_empty());
        let suffix = suffix.ok_or_else(|| fault("it has an unknown suffix"))?;
        suffixes.push((suffix, take_while(&mut rest, digits)));
    }
    let mut revision = "";
    if let Some(after) = rest.strip_prefix("-r") {
        rest = after;
        revision = take_while(&mut rest, digits);
        if revision.is_empty() {
            return Err(fault("its revision has no number"));
        }
    }
    if !rest.is_empty() {
        return Err(fault("something follows its end"));
    }
    Ok(Version {
        numbers,
        letter,
        suffixes,
        revision,
    })
}

fn compare_numbers(a: &[&str], b: &[&str]) -> Ordering {
    let first = compare_digits(a[0], b[0]);
    let others = a[1..].iter().zip(&b[1..]).map(|(a, b)| {
        // With a leading zero, numbers after the first count as fractions.
        if a.starts_with('0') || b.starts_with('0') {
            a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
        } else {
            compare_digits(a, b)
        }
    });
    std::iter::once(first)
        .chain(others)
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn compare_suffixes(a: &[(usize, &str)], b: &[(usize, &str)]) -> Ordering {
    let suffix = |list: &[(usize, &str)], index: usize| {
        list.get(index).map_or((NO_SUFFIX, String::new()), |(kind, number)| {
            (*kind, (*number).to_owned())
        })
    };
    (0..a.len().max(b.len()))
        .map(|index| {
            let (a, b) = (suffix(a, index), suffix(b, index));
            a.0.cmp(&b.0).then_with(|| compare_digits(&a.1, &b.1))
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
