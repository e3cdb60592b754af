//! Composer's order (`composer/semver`): up to four numbers, then a stability with its number; branches come first.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// PHP packages.
pub(crate) struct Composer;

impl Scheme for Composer {
    fn name(&self) -> &'static str {
        "composer"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (parse(a)?, parse(b)?);
        Ok(compare_lists(&a.numbers, &b.numbers)
            .then(a.stability.cmp(&b.stability))
            .then_with(|| compare_lists(&a.stability_numbers, &b.stability_numbers))
            .then(b.is_dev.cmp(&a.is_dev)))
    }

    /// As `Composer\Semver\Comparator`: a branch comes before every version. Matching must not take it for an old one.
    fn order_by_tool(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        match (branch(a), branch(b)) {
            (None, None) => self.order(a, b),
            (Some(x), Some(y)) if x == y => Ok(Ordering::Equal),
            (Some(_), Some(_)) => Err(Fault::new(a, "it is a branch, and so is the other")),
            (Some(_), None) => parse(b).map(|_| Ordering::Less),
            (None, Some(_)) => parse(a).map(|_| Ordering::Greater),
        }
    }
}

/// The name of the branch that `dev-main` is, without what it is an alias of and its stability: as `VersionParser` reads
/// `dev-main@dev as 1.0`.
fn branch(text: &str) -> Option<&str> {
    let text = text.trim().split(" as ").next()?;
    let text = match text.rsplit_once('@') {
        Some((name, "dev" | "alpha" | "beta" | "RC" | "stable")) => name,
        _ => text,
    };
    if matches!(text, "master" | "trunk" | "default") {
        return Some(text);
    }
    let (start, name) = text.split_at_checked("dev-".len())?;
    (start.eq_ignore_ascii_case("dev-") && !name.is_empty()).then_some(name)
}

/// Numbers of a version, and of one that is a date.
const MAX_NUMBERS: usize = 4;
const MAX_DATE_NUMBERS: usize = 9;

/// Missing numbers are 0.
fn compare_lists(a: &[String], b: &[String]) -> Ordering {
    let number = |list: &[String], index: usize| list.get(index).cloned().unwrap_or_default();
    (0..a.len().max(b.len()))
        .map(|index| compare_digits(&number(a, index), &number(b, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Dev,
    Alpha,
    Beta,
    Candidate,
    Stable,
    Patch,
}

#[derive(Debug)]
struct Version {
    numbers: Vec<String>,
    stability: Stability,
    stability_numbers: Vec<String>,
    /// `1.0-beta1-dev` comes before `1.0-beta1`.
    is_dev: bool,
}

fn parse(text: &str) -> Result<Version, Fault> {
    let fault = |reason| Fault::new(text, reason);
    let lower = text.trim().to_ascii_lowercase();
    let mut rest = lower.split('+').next().unwrap_or_default();
    rest = rest.split('@').next().unwrap_or(rest);
    rest = rest.strip_prefix('v').unwrap_or(rest);
    let mut numbers = Vec::new();
    loop {
        let digits = take_while(&mut rest, |byte| byte.is_ascii_digit());
        if digits.is_empty() {
            if rest.starts_with(['x', '*']) && !numbers.is_empty() {
                // `2.1.x-dev` is the newest of its branch.
                rest = &rest[1..];
                numbers.resize(numbers.len().max(MAX_NUMBERS - 1) + 1, "9999999".to_owned());
            }
            break;
        }
        numbers.push(digits.to_owned());
        // `2010-01-02-10-20-30.5` is a date with a time and a number.
        let most = if numbers[0].len() == "2010".len() {
            MAX_DATE_NUMBERS
        } else {
            MAX_NUMBERS
        };
        // A point goes on only before a number; `1.0.beta` has a stability there.
        let goes_on = |after: &str| after.starts_with(|c: char| c.is_ascii_digit() || c == 'x' || c == '*');
        match rest.strip_prefix(['.', '-', '_']) {
            Some(after) if goes_on(after) && (rest.starts_with('.') || numbers.len() < most) => rest = after,
            _ => break,
        }
    }
    if numbers.is_empty() {
        return Err(fault("it does not start with a number"));
    }
    let mut version = Version {
        numbers,
        stability: Stability::Stable,
        stability_numbers: Vec::new(),
        is_dev: false,
    };
    let separators = |byte: u8| matches!(byte, b'.' | b'-' | b'_');
    while !rest.is_empty() {
        take_while(&mut rest, separators);
        let word = take_while(&mut rest, |byte| byte.is_ascii_alphabetic());
        match word {
            "dev" => version.is_dev = true,
            "alpha" | "a" => version.stability = Stability::Alpha,
            "beta" | "b" => version.stability = Stability::Beta,
            "rc" => version.stability = Stability::Candidate,
            "stable" => {}
            "patch" | "pl" | "p" => version.stability = Stability::Patch,
            _ => return Err(fault("it has a word that is no stability")),
        }
        loop {
            let mut after = rest;
            take_while(&mut after, separators);
            let digits = take_while(&mut after, |byte| byte.is_ascii_digit());
            if digits.is_empty() {
                break;
            }
            version.stability_numbers.push(digits.to_owned());
            rest = after;
        }
    }
    // Alone, `dev` is a stability: the first of all.
    if version.is_dev && version.stability == Stability::Stable {
        version.stability = Stability::Dev;
    }
    Ok(version)
}
