//! Version order, one file per scheme: two versions in, less, equal or greater out. No input panics.

mod apk;
mod composer;
mod cpe;
mod dpkg;
mod gem;
mod generic;
mod go;
mod hex;
mod maven;
mod npm;
mod nuget;
mod pacman;
mod pep440;
mod portage;
mod rpm;
mod semver;

use std::cmp::Ordering;

use crate::limits::MAX_VERSION_BYTES;

pub(crate) use apk::Apk;
pub(crate) use composer::Composer;
pub(crate) use cpe::Cpe;
pub(crate) use dpkg::Dpkg;
pub(crate) use gem::Gem;
pub(crate) use generic::Generic;
pub(crate) use go::Go;
pub(crate) use hex::Hex;
pub(crate) use maven::Maven;
pub(crate) use npm::Npm;
pub use npm::npm_range_holds;
pub(crate) use nuget::Nuget;
pub(crate) use pacman::Pacman;
pub(crate) use pep440::Pep440;
pub(crate) use portage::Portage;
pub(crate) use rpm::Rpm;
pub(crate) use semver::Semver;

/// How an ecosystem orders its versions.
pub trait Scheme: Sync {
    /// Its name for `plimsoll db compare`: the module's.
    fn name(&self) -> &'static str;

    /// The order of two versions that are short enough. An error is the text that is no version, and why.
    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault>;

    /// The order of two texts that are short enough as the scheme's own tool would tell it. It may tell one where
    /// matching must not judge, and refuse what matching compares because feeds write it.
    fn order_by_tool(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        self.order(a, b)
    }

    /// The order that a person is told who asks for it.
    fn compare_by_tool(&self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        let order = short(a, b).and_then(|()| self.order_by_tool(a, b));
        order.map_err(|fault| fault.of(self.name()))
    }

    /// The order of two versions.
    fn compare(&self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        let order = short(a, b).and_then(|()| self.order(a, b));
        order.map_err(|fault| fault.of(self.name()))
    }
}

/// A text beyond the limit is refused with its start only.
fn short(a: &str, b: &str) -> Result<(), Fault> {
    match [a, b].into_iter().find(|text| text.len() > MAX_VERSION_BYTES) {
        Some(text) => {
            let start = text.chars().take(40).collect::<String>();
            Err(Fault::new(&format!("{start}…"), "it is too long"))
        }
        None => Ok(()),
    }
}

/// A text that is no version, before it is known in which scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    version: String,
    reason: &'static str,
}

impl Fault {
    pub(crate) fn new(version: &str, reason: &'static str) -> Self {
        Self {
            version: version.to_owned(),
            reason,
        }
    }

    fn of(self, scheme: &'static str) -> VersionError {
        VersionError {
            scheme,
            version: self.version,
            reason: self.reason,
        }
    }
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
    pub reason: &'static str,
}

/// All schemes.
pub const ALL: &[&dyn Scheme] = &[
    &Dpkg, &Rpm, &Apk, &Semver, &Npm, &Pep440, &Maven, &Gem, &Nuget, &Composer, &Go, &Pacman, &Portage, &Hex, &Cpe,
    &Generic,
];

/// The scheme with this name.
pub fn find(name: &str) -> Option<&'static dyn Scheme> {
    ALL.iter().copied().find(|scheme| scheme.name() == name)
}

/// The order of two runs of digits as numbers of any length.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Cuts the bytes at the start that pass the test off; they must be ASCII.
fn take_while<'a>(text: &mut &'a str, test: impl Fn(u8) -> bool) -> &'a str {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii() || !test(byte))
        .unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}
