//! Requirements that name the versions which are fine (`>= 1.2`, `~> 1.0.3`, `^0.4`) in, the affected ranges between
//! them out.

use std::cmp::Ordering;

use plimsoll_model::FixState;

use super::{Affected, checked};
use crate::limits::MAX_AFFECTED_PER_RECORD;
use crate::version::Scheme;

/// Whose operators they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operators {
    /// RubyGems: a bare version is that version; `~>` lets the last part grow.
    Gem,
    /// Cargo: a bare version is `^`, which lets all after the first number that is not 0 grow.
    Cargo,
}

/// A range of versions that are fine; `None`: no end on that side.
#[derive(Debug, Clone, Default)]
struct Interval {
    low: Option<String>,
    /// First version beyond it.
    high: Option<String>,
    /// Last version in it, where `high` is not known.
    last: Option<String>,
}

/// The ranges between those that are fine. Bounds that leave their own version out (`>`) count as if they took it in,
/// which judges one version too many as affected rather than one too few.
pub(super) fn affected_outside(
    fine: &[String],
    scheme: &dyn Scheme,
    operators: Operators,
    template: &Affected,
) -> Result<Vec<Affected>, String> {
    if fine.len() > MAX_AFFECTED_PER_RECORD {
        return Err("too many requirements".to_owned());
    }
    let mut intervals = fine
        .iter()
        .map(|text| interval(text, operators))
        .collect::<Result<Vec<_>, _>>()?;
    let compare = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (None, None) => Ok(Ordering::Equal),
        (None, Some(_)) => Ok(Ordering::Less),
        (Some(_), None) => Ok(Ordering::Greater),
        (Some(a), Some(b)) => scheme.compare(a, b).map_err(|error| error.to_string()),
    };
    // Insertion by search: a broken version is an error, not a panic of the sort.
    let mut sorted: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals.drain(..) {
        let mut place = 0;
        while place < sorted.len() && compare(&sorted[place].low, &interval.low)? != Ordering::Greater {
            place += 1;
        }
        sorted.insert(place, interval);
    }
    let mut rows = Vec::new();
    // Where the versions that are fine have reached; `None` at first: the beginning.
    let mut reached: Option<String> = None;
    for interval in sorted {
        if let Some(low) = &interval.low
            && compare(&reached, &interval.low)? == Ordering::Less
        {
            rows.push(Affected {
                introduced: reached.clone(),
                fixed: Some(low.clone()),
                state: FixState::Fixed,
                ..template.clone()
            });
        }
        match interval.high.or(interval.last) {
            None => return Ok(rows),
            end if compare(&reached, &end)? == Ordering::Less => reached = end,
            _ => {}
        }
    }
    rows.push(Affected {
        introduced: reached,
        ..template.clone()
    });
    Ok(rows)
}

/// `>= 1.2, < 1.5`: all parts hold.
fn interval(text: &str, operators: Operators) -> Result<Interval, String> {
    let mut interval = Interval::default();
    for part in text.split(',') {
        let part = part.trim();
        let start = part.find(|c: char| !"<>=~^ ".contains(c)).unwrap_or(part.len());
        let (operator, version) = part.split_at(start);
        let version = checked("version", version)?;
        match (operator.trim(), operators) {
            (">=" | ">", _) => interval.low = Some(version),
            ("<", _) => interval.high = Some(version),
            ("<=", _) => interval.last = Some(version),
            ("=", _) | ("", Operators::Gem) => {
                interval.low = Some(version.clone());
                interval.last = Some(version);
            }
            ("~>", Operators::Gem) => {
                interval.high = Some(pessimistic_end(&version));
                // `~> 1.2.3, >= 1.2.3.4`: the higher of both is the low end, and it comes last.
                interval.low = Some(version);
            }
            ("^" | "", Operators::Cargo) => {
                interval.high = Some(caret_end(&version));
                interval.low = Some(version);
            }
            ("~", Operators::Cargo) => {
                interval.high = Some(grown(&version, 1));
                interval.low = Some(version);
            }
            (other, _) => return Err(format!("`{other}` is no comparison")),
        }
    }
    Ok(interval)
}

/// `~> 1.2.3` ends before `1.3`: the last number goes, the one before it grows.
fn pessimistic_end(version: &str) -> String {
    let numbers = version
        .split('.')
        .take_while(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        .count();
    grown(version, numbers.saturating_sub(2))
}

/// `^0.4.2` ends before `0.5`, `^1.2` before `2`.
fn caret_end(version: &str) -> String {
    let core = version.split(['-', '+']).next().unwrap_or(version);
    let parts: Vec<&str> = core.split('.').collect();
    let first = parts.iter().position(|part| part.bytes().any(|byte| byte != b'0'));
    grown(core, first.unwrap_or(parts.len().saturating_sub(1)))
}

/// The version that ends after part `index`, which is one higher.
fn grown(version: &str, index: usize) -> String {
    let mut parts: Vec<String> = version
        .split(['.', '-', '+'])
        .take(index + 1)
        .map(str::to_owned)
        .collect();
    if let Some(last) = parts.last_mut() {
        // A number too long to count stays, and the range is empty.
        *last = last
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_add(1))
            .map_or(last.clone(), |number| number.to_string());
    }
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Gem, Semver};

    fn check(fine: &[&str], operators: Operators, expected: &[&str]) {
        let fine: Vec<String> = fine.iter().map(|text| (*text).to_owned()).collect();
        let scheme: &dyn Scheme = if operators == Operators::Gem { &Gem } else { &Semver };
        let rows = affected_outside(&fine, scheme, operators, &Affected::new("x", "y")).unwrap();
        let found: Vec<String> = rows.iter().map(|row| row.range().describe()).collect();
        assert_eq!(found, expected, "{fine:?}");
    }

    #[test]
    fn what_is_between_the_fine_ranges_is_affected() {
        check(&[], Operators::Gem, &["any version"]);
        check(&[">= 4.3.0"], Operators::Gem, &["< 4.3.0"]);
        check(
            &["~> 2.3.5", ">= 3.0.1", "< 2.0"],
            Operators::Gem,
            &[">= 2.0, < 2.3.5", ">= 2.4, < 3.0.1"],
        );
        check(
            &["~> 5.2.4, >= 5.2.4.3", ">= 6.0.3.1"],
            Operators::Gem,
            &["< 5.2.4.3", ">= 5.3, < 6.0.3.1"],
        );
        check(
            &["^0.8.2", ">= 0.9.1"],
            Operators::Cargo,
            &["< 0.8.2", ">= 0.9, < 0.9.1"],
        );
        check(
            &[">= 1.2.3, < 2.0.0", ">= 2.1.0", "< 1.0.0"],
            Operators::Cargo,
            &[">= 1.0.0, < 1.2.3", ">= 2.0.0, < 2.1.0"],
        );
    }

    #[test]
    fn a_broken_requirement_is_an_error() {
        let template = Affected::new("x", "y");
        for text in ["!= 1", ">= ", ">= latest, < 2"] {
            let fine = [text.to_owned(), ">= 3".to_owned()];
            assert!(
                affected_outside(&fine, &Semver, Operators::Cargo, &template).is_err(),
                "{text}"
            );
        }
    }
}
