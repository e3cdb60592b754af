//! A range of versions: a version and an order in, in or out of the range out.

use std::cmp::Ordering;

use crate::version::{Scheme, VersionError};

/// From `introduced` (itself in the range, but not where a `>` stands before it) to before `fixed` or to `last_affected` (itself in the range).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'a> {
    pub(crate) introduced: Option<&'a str>,
    pub(crate) fixed: Option<&'a str>,
    pub(crate) last_affected: Option<&'a str>,
}

impl Range<'_> {
    /// Whether a version is in the range.
    pub(crate) fn holds(&self, scheme: &dyn Scheme, version: &str) -> Result<bool, VersionError> {
        if let Some(introduced) = self.introduced
            && !follows(scheme, version, introduced)?
        {
            return Ok(false);
        }
        if let Some(fixed) = self.fixed {
            return Ok(scheme.compare(version, fixed)? == Ordering::Less);
        }
        match self.last_affected {
            Some(last) => Ok(scheme.compare(version, last)? != Ordering::Greater),
            None => Ok(true),
        }
    }

    /// For people: `>= 1.0, < 1.5`, `any version`.
    pub(crate) fn describe(&self) -> String {
        let from = self.introduced.map(|version| match version.strip_prefix('>') {
            Some(version) => format!("> {version}"),
            None => format!(">= {version}"),
        });
        let to = match (self.fixed, self.last_affected) {
            (Some(fixed), _) => Some(format!("< {fixed}")),
            (None, Some(last)) => Some(format!("<= {last}")),
            (None, None) => None,
        };
        match (from, to) {
            (Some(from), Some(to)) => format!("{from}, {to}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "any version".to_owned(),
        }
    }
}

/// Whether a version is not before the start of a range. NVD has ranges that start after a version.
fn follows(scheme: &dyn Scheme, version: &str, introduced: &str) -> Result<bool, VersionError> {
    Ok(match introduced.strip_prefix('>') {
        Some(last_good) => scheme.compare(version, last_good)? == Ordering::Greater,
        None => scheme.compare(version, introduced)? != Ordering::Less,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Dpkg;

    #[test]
    fn ends_are_inside_or_outside_as_their_name_says() {
        let range = Range {
            introduced: Some("1.0"),
            fixed: Some("2.0"),
            last_affected: None,
        };
        let to_last = Range {
            introduced: None,
            fixed: None,
            last_affected: Some("2.0"),
        };
        let after = Range {
            introduced: Some(">1.0"),
            ..range
        };
        assert_eq!(after.describe(), "> 1.0, < 2.0");
        for (range, version, expected) in [
            (after, "1.0", false),
            (after, "1.0.1", true),
            (range, "0.9", false),
            (range, "1.0", true),
            (range, "2.0~rc1", true),
            (range, "2.0", false),
            (to_last, "0", true),
            (to_last, "2.0", true),
            (to_last, "2.0-1", false),
        ] {
            assert_eq!(
                range.holds(&Dpkg, version).unwrap(),
                expected,
                "{version} in {}",
                range.describe()
            );
        }
        assert_eq!(range.describe(), ">= 1.0, < 2.0");
        assert_eq!(to_last.describe(), "<= 2.0");
    }
}
