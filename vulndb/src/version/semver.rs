//! Semantic versions (<https://semver.org>, precedence in section 11), read generously: a leading `v` and blanks are
//! skipped, missing parts are 0 and more than three are compared too, because advisories write versions that way.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits};

/// Whoever says that versions are semantic.
pub(crate) struct Semver;

impl Scheme for Semver {
    fn name(&self) -> &'static str {
        "semver"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (parse(a)?, parse(b)?);
        Ok(compare_numbers(&a.numbers, &b.numbers).then_with(|| compare_pre_releases(a.pre_release, b.pre_release)))
    }
}

/// A version without its build metadata, which has no part in the order.
pub(super) struct Version<'a> {
    pub(super) numbers: Vec<&'a str>,
    pub(super) pre_release: Option<&'a str>,
}

pub(super) fn parse(text: &str) -> Result<Version<'_>, Fault> {
    let fault = |reason| Fault::new(text, reason);
    let trimmed = text.trim();
    let trimmed = trimmed.strip_prefix(['v', 'V', '=']).unwrap_or(trimmed).trim_start();
    let (version, build) = trimmed
        .split_once('+')
        .map_or((trimmed, None), |(version, build)| (version, Some(build)));
    let (core, pre_release) = version
        .split_once('-')
        .map_or((version, None), |(core, pre)| (core, Some(pre)));
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !numbers.iter().all(is_number) {
        return Err(fault("its parts are not all numbers"));
    }
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !pre_release
        .into_iter()
        .chain(build)
        .all(|part| part.split('.').all(is_name))
    {
        return Err(fault(
            "what follows `-` or `+` is not made of letters, digits and points",
        ));
    }
    Ok(Version { numbers, pre_release })
}

/// Missing numbers are 0.
pub(super) fn compare_numbers(a: &[&str], b: &[&str]) -> Ordering {
    let number = |numbers: &[&str], index: usize| numbers.get(index).copied().unwrap_or("0").to_owned();
    (0..a.len().max(b.len()))
        .map(|index| compare_digits(&number(a, index), &number(b, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

pub(super) fn compare_pre_releases(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let (mut a, mut b) = (a.split('.'), b.split('.'));
            loop {
                let order = match (a.next(), b.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => Ordering::Less,
                    (Some(_), None) => Ordering::Greater,
                    (Some(a), Some(b)) => compare_identifiers(a, b),
                };
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number(a), is_number(b)) {
        (true, true) => compare_digits(a, b),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}
