//! npm's order and ranges, as node-semver has them: semantic versions; a range is alternatives of comparators.

use std::cmp::Ordering;

use super::semver::compare_pre_releases;
use super::{Fault, Scheme, Semver, VersionError};
use crate::limits::MAX_VERSION_BYTES;

/// npm packages.
pub(crate) struct Npm;

impl Scheme for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        Semver.order(a, b)
    }
}

/// Whether a version is in an npm range (`^1.2.3`, `>=1 <2 || 3.x`), pre-releases only where the range names one of
/// the same numbers. A text that is no version is in no range.
pub fn npm_range_holds(version: &str, range: &str) -> Result<bool, VersionError> {
    let fault = |version: &str, reason| VersionError {
        scheme: "npm",
        version: version.to_owned(),
        reason,
    };
    if version.len() > MAX_VERSION_BYTES || range.len() > MAX_VERSION_BYTES {
        let start: String = version.chars().take(40).collect();
        return Err(fault(&start, "it or its range is too long"));
    }
    let alternatives = range.split("||").map(alternative).collect::<Option<Vec<_>>>();
    let alternatives = alternatives.ok_or_else(|| fault(range, "it is no range"))?;
    let Some(Partial {
        major: Some(major),
        minor: Some(minor),
        patch: Some(patch),
        pre_release,
    }) = partial(version.trim())
    else {
        return Ok(false);
    };
    let version = Version {
        numbers: [major, minor, patch],
        pre_release,
    };
    Ok(alternatives.iter().any(|comparators| holds(comparators, &version)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    pre_release: Option<String>,
}

impl Version {
    fn compare(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| compare_pre_releases(self.pre_release.as_deref(), other.pre_release.as_deref()))
    }
}

/// `<`, `<=`, `>`, `>=` or `=` and what to compare with.
type Comparator = (&'static str, Version);

fn holds(comparators: &[Comparator], version: &Version) -> bool {
    let all = comparators.iter().all(|(operator, bound)| {
        let order = version.compare(bound);
        match *operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => order.is_eq(),
        }
    });
    let is_named = |(_, bound): &Comparator| bound.pre_release.is_some() && bound.numbers == version.numbers;
    all && (version.pre_release.is_none() || comparators.iter().any(is_named))
}

/// A version of which the end may be missing or `x`.
#[derive(Debug)]
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre_release: Option<String>,
}

fn partial(text: &str) -> Option<Partial> {
    let text = text.trim_start_matches(['v', '=']).trim();
    let text = text.split('+').next()?;
    let (core, pre_release) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let mut numbers = [None; 3];
    let mut is_open = false;
    for (index, part) in core.split('.').enumerate() {
        let number = numbers.get_mut(index)?;
        if matches!(part, "x" | "X" | "*" | "") && (!part.is_empty() || core.is_empty()) {
            is_open = true;
        } else if part.bytes().all(|byte| byte.is_ascii_digit()) {
            // What follows an `x` is as open as it.
            let value = part.parse().ok()?;
            *number = (!is_open).then_some(value);
        } else {
            return None;
        }
    }
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !pre_release.is_none_or(|pre| pre.split('.').all(is_name)) {
        return None;
    }
    let [major, minor, patch] = numbers;
    Some(Partial {
        major,
        minor,
        patch,
        pre_release: pre_release.map(str::to_owned),
    })
}

impl Partial {
    /// The lowest version that it stands for.
    fn low(&self) -> Version {
        let numbers = [
            self.major.unwrap_or(0),
            self.minor.unwrap_or(0),
            self.patch.unwrap_or(0),
        ];
        let pre_release = self.patch.and(self.pre_release.clone());
        Version { numbers, pre_release }
    }

    /// The lowest pre-release after everything that it stands for; `None` when it stands for everything.
    fn end(&self) -> Option<Version> {
        match (self.major?, self.minor, self.patch) {
            (major, None, _) => before([major.checked_add(1)?, 0, 0]),
            (major, Some(minor), None) => before([major, minor.checked_add(1)?, 0]),
            (major, Some(minor), Some(patch)) => before([major, minor, patch.checked_add(1)?]),
        }
    }
}

/// Before every pre-release of these numbers.
fn before(numbers: [u64; 3]) -> Option<Version> {
    Some(Version {
        numbers,
        pre_release: Some("0".to_owned()),
    })
}

/// The comparators of one alternative; `None` when it is no range.
fn alternative(text: &str) -> Option<Vec<Comparator>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [from, "-", to] = words.as_slice() {
        return hyphen(&partial(from)?, &partial(to)?);
    }
    let mut comparators = Vec::new();
    let mut operator = "";
    for word in words {
        let start = word.find(|c: char| !"<>=~^".contains(c)).unwrap_or(word.len());
        let (own, version) = word.split_at(start);
        match (operator.is_empty(), own.is_empty()) {
            (_, true) => {}
            (true, false) => operator = own,
            (false, false) => return None,
        }
        if version.is_empty() {
            continue;
        }
        desugar(operator, &partial(version)?, &mut comparators)?;
        operator = "";
    }
    // An operator without a version stands for every version, as nothing at all does.
    Some(comparators)
}

fn hyphen(from: &Partial, to: &Partial) -> Option<Vec<Comparator>> {
    let mut comparators = Vec::new();
    if from.major.is_some() {
        comparators.push((">=", from.low()));
    }
    if to.patch.is_some() {
        comparators.push(("<=", to.low()));
    } else if to.major.is_some() {
        comparators.push(("<", to.end()?));
    }
    Some(comparators)
}

fn desugar(operator: &str, partial: &Partial, comparators: &mut Vec<Comparator>) -> Option<()> {
    let low = partial.low();
    let is_whole = partial.patch.is_some();
    if partial.major.is_none() {
        // Nothing is above or below everything.
        if matches!(operator, "<" | ">") {
            comparators.push(("<", before([0, 0, 0])?));
        }
        return Some(());
    }
    match operator {
        "" | "=" if is_whole => comparators.push(("=", low)),
        "" | "=" => comparators.extend([(">=", low), ("<", partial.end()?)]),
        ">=" => comparators.push((">=", low)),
        "<" if is_whole => comparators.push(("<", low)),
        "<" => comparators.push(("<", before(low.numbers)?)),
        ">" if is_whole => comparators.push((">", low)),
        ">" => comparators.push((
            ">=",
            Version {
                pre_release: None,
                ..partial.end()?
            },
        )),
        "<=" if is_whole => comparators.push(("<=", low)),
        "<=" => comparators.push(("<", partial.end()?)),
        "~" | "~>" => {
            let up_to_minor = Partial {
                patch: None,
                pre_release: None,
                ..*partial
            };
            let end = up_to_minor.end()?;
            comparators.extend([(">=", low), ("<", end)]);
        }
        "^" => {
            let end = caret_end(partial)?;
            comparators.extend([(">=", low), ("<", end)]);
        }
        _ => return None,
    }
    Some(())
}

/// The first number that is not 0 must stay; where it is missing, the last that is there.
fn caret_end(partial: &Partial) -> Option<Version> {
    let fixed = match (partial.major, partial.minor, partial.patch) {
        (Some(0), Some(0), Some(_)) => Partial {
            pre_release: None,
            ..*partial
        },
        (Some(0), Some(_), _) => Partial {
            patch: None,
            pre_release: None,
            ..*partial
        },
        _ => Partial {
            minor: None,
            patch: None,
            pre_release: None,
            ..*partial
        },
    };
    fixed.end()
}
