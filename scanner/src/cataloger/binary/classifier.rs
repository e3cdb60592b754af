//! One row of the table of software that its own bytes name, and how a row is read: file names and paths in, rows out;
//! bytes in, versions out.

use std::{collections::HashMap, sync::LazyLock, sync::OnceLock};

use plimsoll_model::star_matches;
use regex::bytes::{Captures, Regex, RegexBuilder};

use super::table;
use crate::limits::{MAX_CLASSIFIER_AUTOMATON_BYTES, MAX_CLASSIFIER_REGEX_BYTES};

/// How software is recognised that no package manager installed.
#[derive(Debug)]
pub(crate) struct Classifier {
    /// Stable and unique: `redis`.
    pub(crate) id: &'static str,
    /// Names of files, in which `*` stands for any characters. A name with slashes is the end of a path.
    pub(crate) files: &'static [&'static str],
    pub(crate) look: Look,
    /// Regular expressions over bytes, the surest first, whose group is the version. They may use [`PLACEHOLDERS`].
    pub(crate) patterns: &'static [&'static str],
    /// Name of the package.
    pub(crate) package: &'static str,
    /// What stands between `pkg:` and the version.
    pub(crate) purl: Purl,
    /// `vendor:product` of CPE names, as the National Vulnerability Database writes them.
    pub(crate) cpes: &'static [&'static str],
}

/// What of a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The bytes of an ELF file as they stream.
    Elf,
    /// The bytes of any file as they stream.
    Stream,
    /// All of a file of at most [`crate::limits::MAX_CLASSIFIED_TEXT_BYTES`]: patterns may say where it begins.
    Text,
    /// Its path alone.
    Path,
}

/// Where the package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purl {
    /// `pkg:generic/PACKAGE`.
    Generic,
    /// A Go program, whose main module this is. Its versions begin with `v`.
    Go(&'static str),
}

impl Classifier {
    /// The same row under another identifier, where a package has several.
    pub(super) const fn named(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// The same row for a Go program of this module.
    pub(super) const fn of_go(self, module: &'static str) -> Self {
        Self {
            purl: Purl::Go(module),
            ..self
        }
    }

    /// Whether a file at this path may be this software.
    pub(crate) fn names(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.files.iter().any(|pattern| match pattern.contains('/') {
            true => {
                let components = pattern.matches('/').count();
                path.rmatch_indices('/')
                    .nth(components)
                    .is_some_and(|(at, _)| star_matches(pattern.as_bytes(), &path.as_bytes()[at + 1..]))
            }
            false => star_matches(pattern.as_bytes(), name.as_bytes()),
        })
    }
}

/// A row for ELF files.
pub(super) const fn elf(
    package: &'static str,
    files: &'static [&'static str],
    patterns: &'static [&'static str],
    cpes: &'static [&'static str],
) -> Classifier {
    row(Look::Elf, package, files, patterns, cpes)
}

/// A row of any kind, which generic package URLs name. Its identifier is that of the package, for all rows but those with one
/// of their own.
pub(super) const fn row(
    look: Look,
    package: &'static str,
    files: &'static [&'static str],
    patterns: &'static [&'static str],
    cpes: &'static [&'static str],
) -> Classifier {
    Classifier {
        id: package,
        files,
        look,
        patterns,
        package,
        purl: Purl::Generic,
        cpes,
    }
}

/// What patterns may use: `{version}` is a group of 2 to 4 numbers, `{digits}` the same without a group; `{go}` a group between
/// NULs, as Go's linker lays out texts that `-X` sets; `{constant}` a constant of a Go program.
///
/// Go's linker sorts constants by length and then by their bytes, with nothing between them, and every program has the powers
/// of five with which `strconv` shifts decimals. A version is often followed by one of its own length.
pub(super) const PLACEHOLDERS: &[(&str, &str)] = &[
    ("{version}", "({digits})"),
    (
        "{go}",
        r"\x00v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-(?:rc|alpha|beta)\.?[0-9]{1,3})?)(?:[-+~][-+~.0-9a-zA-Z]{1,40})?\x00",
    ),
    (
        "{constant}",
        r"[^0-9.](?:([0-9]\.[0-9]{2})3125|([0-9]\.[0-9]\.[0-9])(?:15625|78125)|([0-9]\.[0-9]{1,2}\.[0-9]{1,2})(?:390625|1953125|9765625))",
    ),
    ("{digits}", r"[0-9]{1,4}(?:\.[0-9]{1,5}){1,3}"),
];

/// Rows by the file names that they watch.
struct Index {
    exact: HashMap<&'static str, Vec<usize>>,
    /// Rows that have a star in the last component of a name, with it.
    stars: Vec<(&'static [u8], usize)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        exact: HashMap::new(),
        stars: Vec::new(),
    };
    for (at, row) in table::ALL.iter().copied().flatten().enumerate() {
        for pattern in row.files {
            let name = pattern.rsplit('/').next().unwrap_or(pattern);
            match name.contains('*') {
                true => index.stars.push((name.as_bytes(), at)),
                false => index.exact.entry(name).or_default().push(at),
            }
        }
    }
    index
});

/// A row with its patterns, once they are compiled.
type Row = (&'static Classifier, OnceLock<Vec<Regex>>);

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = table::ALL.iter().copied().flatten();
    rows.map(|row| (row, OnceLock::new())).collect()
});

/// Rows that a file at this path may be an instance of, in the order of the table.
pub(crate) fn candidates(path: &str) -> Vec<&'static Classifier> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut found: Vec<usize> = INDEX.exact.get(name).cloned().unwrap_or_default();
    for (pattern, at) in &INDEX.stars {
        if star_matches(pattern, name.as_bytes()) {
            found.push(*at);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|at| ROWS[at].0)
        .filter(|row| row.names(path))
        .collect()
}

/// The row of this identifier.
pub(crate) fn by_id(id: &str) -> Option<&'static Classifier> {
    table::ALL.iter().copied().flatten().find(|row| row.id == id)
}

/// A row's patterns, compiled when the first file needs them.
pub(crate) fn patterns(row: &Classifier) -> &'static [Regex] {
    let found = ROWS.iter().find(|(candidate, _)| candidate.id == row.id);
    let (row, compiled) = found.expect("rows come from the table");
    compiled.get_or_init(|| row.patterns.iter().map(|pattern| compile(pattern)).collect())
}

fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(&expand(pattern))
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(MAX_CLASSIFIER_REGEX_BYTES)
        .dfa_size_limit(MAX_CLASSIFIER_AUTOMATON_BYTES)
        .build()
        .expect("a test compiles every pattern of the table")
}

/// A pattern without placeholders.
pub(super) fn expand(pattern: &str) -> String {
    let mut text = pattern.to_owned();
    for (placeholder, meaning) in PLACEHOLDERS {
        text = text.replace(placeholder, meaning);
    }
    text
}

/// The version that a match holds: its first group that took part.
pub(super) fn version(captures: &Captures<'_>) -> Option<String> {
    let group = captures.iter().skip(1).flatten().next()?;
    let text = str::from_utf8(group.as_bytes()).ok()?;
    Some(text.to_owned())
}

/// Whether a version fits what the file's own name says: `python3.11` is no 3.40.1, which may be that of a library inside.
pub(super) fn agrees(path: &str, version: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(start) = name.find(|character: char| character.is_ascii_digit()) else {
        return true;
    };
    let stated: String = name[start..]
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '.')
        .collect();
    let stated = stated.trim_end_matches('.');
    // One number alone may be anything: `libcrypto.so.3`, `nginx1`.
    !stated.contains('.') || version.starts_with(stated) || !version_like(stated, version)
}

/// Whether both begin with the same number, and so speak of the same thing.
fn version_like(stated: &str, version: &str) -> bool {
    stated.split('.').next() == version.split('.').next()
}
