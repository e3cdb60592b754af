//! NuGet's order (<https://learn.microsoft.com/nuget/concepts/package-versioning>): semantic versions with an optional
//! fourth number; labels are compared without regard to case.

use std::cmp::Ordering;

use super::semver::{compare_numbers, compare_pre_releases, parse};
use super::{Fault, Scheme};

/// .NET packages.
pub(crate) struct Nuget;

impl Scheme for Nuget {
    fn name(&self) -> &'static str {
        "nuget"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
        let (a, b) = (parse(&a)?, parse(&b)?);
        for version in [&a, &b] {
            if version.numbers.len() > 4 {
                return Err(Fault::new(&version.numbers.join("."), "it has more than four numbers"));
            }
        }
        Ok(compare_numbers(&a.numbers, &b.numbers).then_with(|| compare_pre_releases(a.pre_release, b.pre_release)))
    }
}
