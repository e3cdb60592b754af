//! Two reports in, what is different, and what of it is worse, out.

mod facts;
mod image;
mod packages;
mod text;

use std::cmp::Ordering;

use plimsoll_model::{PackageKind, ScanReport};
use serde::Serialize;

pub use self::{facts::fact_words, text::view};

/// [`Diff::schema`].
pub const SCHEMA: &str = "plimsoll.diff/v1";

/// The order of two versions of packages of one kind; `None` when they cannot be compared.
pub type Compare<'a> = dyn Fn(PackageKind, &str, &str) -> Option<Ordering> + 'a;

/// How one image differs from another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The first image, as it was asked for.
    pub from: String,
    /// The second one.
    pub to: String,
    /// Every difference, in the order of [`Area`], then by name.
    pub changes: Vec<Change>,
    /// What was not compared, and why: without vulnerability data in both, vulnerabilities are not.
    pub not_compared: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What sort of thing.
    pub area: Area,
    /// What it is: a package with its kind, a path, `user`, a fact.
    pub name: String,
    /// How it was; `None` when it was not there.
    pub before: Option<String>,
    /// How it is; `None` when it is gone.
    pub after: Option<String>,
    /// Whether the second image is worse by it, as far as that can be told without knowing what is wanted.
    pub is_worse: bool,
}

/// What can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Vulnerabilities of packages; a new one is worse.
    Vulnerabilities,
    /// What checks found; a new one is worse, unless it is negligible.
    Findings,
    /// Packages; an older version is worse.
    Packages,
    /// Setuid and setgid programs and file capabilities; a new one is worse.
    Privileges,
    /// Programs and libraries beside them.
    Files,
    /// Exposed ports; a new one is worse.
    Ports,
    /// The user; root after another one is worse.
    User,
    /// Entrypoint, command, working folder, volumes, names of variables.
    Config,
    /// Facts of the profile: a program that may now start, listen, connect, write or become more is worse.
    Profile,
}

impl Area {
    /// All, with the word for each.
    pub const ALL: [(Self, &str); 9] = [
        (Self::Vulnerabilities, "vulnerabilities"),
        (Self::Findings, "findings"),
        (Self::Packages, "packages"),
        (Self::Privileges, "privileges"),
        (Self::Files, "files"),
        (Self::Ports, "ports"),
        (Self::User, "user"),
        (Self::Config, "config"),
        (Self::Profile, "profile"),
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(area, _)| *area == self)
            .map_or("", |(_, name)| name)
    }
}

/// Compares two reports.
pub fn diff(from: &ScanReport, to: &ScanReport, compare: &Compare<'_>) -> Diff {
    let mut changes = Vec::new();
    let mut not_compared = Vec::new();
    match (&from.matches, &to.matches) {
        (Some(_), Some(_)) => packages::vulnerabilities(from, to, &mut changes),
        _ => not_compared.push("vulnerabilities: they were not looked for in both images".to_owned()),
    }
    packages::packages(from, to, compare, &mut changes);
    image::findings(from, to, &mut changes);
    image::files(from, to, &mut changes);
    image::config(from, to, &mut changes);
    facts::facts(&from.profile, &to.profile, &mut changes);
    for (side, report) in [("the first", from), ("the second", to)] {
        let count = report.notes.iter().filter(|note| note.makes_incomplete()).count();
        if count > 0 {
            not_compared.push(format!("{count} things of {side} image, which could not be read"));
        }
    }
    changes.sort();
    Diff {
        schema: SCHEMA,
        from: from.image.reference.clone(),
        to: to.image.reference.clone(),
        changes,
        not_compared,
    }
}

#[cfg(test)]
mod tests;
