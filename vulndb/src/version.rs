//! Version order, one file per scheme: two versions in, less, equal or greater out. No input panics.

mod dpkg;

use std::cmp::Ordering;

pub(crate) use dpkg::Dpkg;

/// How an ecosystem orders its versions.
pub trait Scheme: Sync {
    /// Its name for `plimsoll db compare`: the module's.
    fn name(&self) -> &'static str;

    /// The order of two versions.
    fn compare(&self, a: &str, b: &str) -> Result<Ordering, VersionError>;
}

/// A text that is no version in its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is no {scheme} version: {reason}")]
pub struct VersionError {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The text.
    pub version: String,
    /// What is wrong with it.
    pub reason: String,
}

/// All schemes.
pub const ALL: &[&dyn Scheme] = &[&Dpkg];

/// The scheme with this name.
pub fn find(name: &str) -> Option<&'static dyn Scheme> {
    ALL.iter().copied().find(|scheme| scheme.name() == name)
}
