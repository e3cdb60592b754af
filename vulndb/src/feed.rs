//! Feeds: one file per format; a document's bytes in, records and enrichments out.

mod amazon;
mod arch;
mod csaf;
mod cvss;
mod debian;
mod distro_info;
mod epss;
mod friendsofphp;
mod kev;
mod nvd;
mod oracle;
mod osv;
mod pypa;
mod redhat;
mod requirement;
mod rocky;
mod rubysec;
mod rustsec;
mod secdb;
pub(crate) mod security_support;
pub(crate) mod ssvc;
mod ubuntu;
pub(crate) mod ubuntu_tracker;

use plimsoll_model::{FixState, Severity};

use crate::limits::{MAX_NAME_BYTES, MAX_RECORD_BYTES, MAX_SUMMARY_BYTES};
use crate::range::Range;

/// A format in which vulnerability data is published.
pub(crate) trait Feed: Sync {
    /// Its name: the module's.
    fn name(&self) -> &'static str;

    /// Whether a file with this name (without `.zst`, `.gz` or `.bz2`) and these first bytes is one of its files.
    fn recognises(&self, file_name: &str, head: &[u8]) -> bool;

    /// How its files fall into documents.
    fn framing(&self) -> Framing;

    /// Longest document, in bytes.
    fn max_document_bytes(&self) -> usize {
        MAX_RECORD_BYTES
    }

    /// Reads one document. An error is the reason why it cannot be read, as a lower-case fragment.
    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String>;

    /// As `parse`, for a feed whose files say something by their names too.
    fn parse_named(&self, _file_name: &str, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        self.parse(document, batch)
    }
}

/// How a file falls into documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// JSON: one document, a list of them, or one per line.
    Json,
    /// One document per line.
    Lines,
    /// The file is the document.
    Whole,
}

/// All feeds, the more particular first: the first that recognises a file reads it.
pub(crate) const ALL: &[&dyn Feed] = &[
    &security_support::SecuritySupport,
    &distro_info::DistroInfo,
    &kev::Kev,
    &epss::Epss,
    &cvss::Cvss,
    &nvd::Nvd,
    &ssvc::Ssvc,
    &oracle::Oracle,
    &csaf::Csaf,
    &secdb::Secdb,
    &amazon::Amazon,
    &arch::Arch,
    &redhat::RedHat,
    &rocky::Rocky,
    &ubuntu::Ubuntu,
    &ubuntu_tracker::UbuntuTracker,
    &debian::Debian,
    &pypa::Pypa,
    &rubysec::RubySec,
    &friendsofphp::FriendsOfPhp,
    &rustsec::RustSec,
    &osv::Osv,
];

/// What documents say.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) enrichments: Vec<Enrichment>,
    pub(crate) support: Vec<Support>,
    /// Source and time of its newest change, where the document says it.
    pub(crate) freshness: Vec<(&'static str, String)>,
}

impl Batch {
    /// Takes what another one says; it is empty afterwards.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.records.append(&mut other.records);
        self.enrichments.append(&mut other.enrichments);
        self.support.append(&mut other.support);
        self.freshness.append(&mut other.freshness);
    }
}

/// A source's record of one vulnerability, or of the several that one update fixes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// `debian`, `ghsa`, …
    pub(crate) source: &'static str,
    /// What a newer record of the same thing is recognised by: the CVE id where the source has one record per CVE, else `id`.
    pub(crate) key: String,
    /// The record's own id.
    pub(crate) id: String,
    /// RFC 3339 time of the last change; empty when not stated.
    pub(crate) modified: String,
    /// The vendor's own severity.
    pub(crate) severity: Severity,
    /// Base score and vector, newest version of the standard.
    pub(crate) cvss: Option<(f32, String)>,
    /// Other ids of the same vulnerability.
    pub(crate) aliases: Vec<String>,
    /// The vulnerabilities that an update fixes; empty when the record is about `key` itself.
    pub(crate) fixes: Vec<String>,
    /// One line; may be empty.
    pub(crate) summary: String,
    /// The source takes the record back.
    pub(crate) withdrawn: bool,
    /// What it is about.
    pub(crate) affected: Vec<Affected>,
}

/// One range of versions of one package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Affected {
    /// As [`crate::ecosystem`] names it.
    pub(crate) ecosystem: String,
    /// As [`crate::ecosystem`] normalises it.
    pub(crate) package: String,
    /// First affected version; `None`: from the beginning.
    pub(crate) introduced: Option<String>,
    /// First version that is not affected any more.
    pub(crate) fixed: Option<String>,
    /// Last affected version, where no fixed one is known.
    pub(crate) last_affected: Option<String>,
    /// Where not empty, exactly these versions are affected, and there is no range.
    pub(crate) versions: Vec<String>,
    /// What the source says.
    pub(crate) state: FixState,
    /// The vendor's severity for this package; `Unknown`: the record's.
    pub(crate) severity: Severity,
    /// The module streams (`nodejs:18`, apart by blanks) whose builds of the package are meant; empty: any stream's;
    /// `None`: the build that is of no module.
    pub(crate) module: Option<String>,
}

impl Record {
    /// A record that says nothing yet.
    fn new(source: &'static str, key: String, aliases: Vec<String>) -> Self {
        Self {
            source,
            id: key.clone(),
            key,
            modified: String::new(),
            severity: Severity::Unknown,
            cvss: None,
            aliases,
            fixes: Vec::new(),
            summary: String::new(),
            withdrawn: false,
            affected: Vec::new(),
        }
    }

    /// Whether it says the same as another one, what they are about apart.
    pub(crate) fn is_same_advisory(&self, other: &Self) -> bool {
        let marks = |one: &Self| (one.source, one.severity, one.withdrawn);
        self.key == other.key
            && self.id == other.id
            && self.modified == other.modified
            && self.aliases == other.aliases
            && self.fixes == other.fixes
            && self.summary == other.summary
            && self.cvss == other.cvss
            && marks(self) == marks(other)
    }
}

impl Affected {
    /// Every version of a package, without a fix.
    fn new(ecosystem: &str, package: &str) -> Self {
        Self {
            ecosystem: ecosystem.to_owned(),
            package: package.to_owned(),
            introduced: None,
            fixed: None,
            last_affected: None,
            versions: Vec::new(),
            state: FixState::Affected,
            severity: Severity::Unknown,
            module: None,
        }
    }

    /// Its range of versions; of no use where `versions` is not empty.
    pub(crate) fn range(&self) -> Range<'_> {
        Range {
            introduced: self.introduced.as_deref(),
            fixed: self.fixed.as_deref(),
            last_affected: self.last_affected.as_deref(),
        }
    }
}

/// What is known of a CVE beside advisories. Fields that are `None` leave what was there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Enrichment {
    /// `CVE-2024-1234`.
    pub(crate) cve: String,
    /// Day on which CISA added it to its catalogue.
    pub(crate) kev_added: Option<String>,
    /// FIRST's probability of exploitation within 30 days.
    pub(crate) epss: Option<f32>,
    /// Base score and vector.
    pub(crate) cvss: Option<(f32, String)>,
    /// CISA's decision points, as [`ssvc::answers`] writes them.
    pub(crate) ssvc: Option<&'static str>,
    /// The feed.
    pub(crate) source: &'static str,
}

/// Until when a distribution looks after a release or a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Support {
    /// `Debian:12`; `Debian` for all of its releases.
    pub(crate) ecosystem: String,
    /// Source package, or the start of its name and `.*`; empty for the release itself.
    pub(crate) package: String,
    pub(crate) kind: SupportKind,
    /// Last version of the package that was supported; `0`: all are meant.
    pub(crate) last_version: String,
    /// Day on which the support ends, `YYYY-mm-dd`; empty for limited support.
    pub(crate) ended: String,
    /// Day on which what is left of a release's support ends.
    pub(crate) until: String,
    /// Why.
    pub(crate) text: String,
    /// The feed.
    pub(crate) source: &'static str,
}

/// What ends, or is less than full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SupportKind {
    Release,
    Ended,
    Limited,
}

/// The module streams that the title of an update names: `Important: virt:rhel and virt-devel:rhel security update`.
fn module_streams(title: &str) -> String {
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
    };
    let words = title.split_whitespace().map(|word| word.trim_end_matches(','));
    let streams = words.filter(|word| {
        word.split_once(':')
            .is_some_and(|(name, stream)| is_name(name) && is_name(stream))
    });
    streams.collect::<Vec<_>>().join(" ")
}

/// Whether a version is of a package that was built as a part of a module: Red Hat's and Rocky's say `.module+el8`,
/// AlmaLinux's `.module_el8`.
pub(crate) fn is_of_module(version: &str) -> bool {
    version.contains(".module+el") || version.contains(".module_el")
}

/// Whether the text is a day as ISO 8601 writes it, so that days can be compared as text.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether the text is a CVE id (`CVE-1999-0001`, four or more digits at the end).
pub(crate) fn is_cve(text: &str) -> bool {
    let Some((year, number)) = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    year.len() == 4 && (4..=19).contains(&number.len()) && digits(year) && digits(number)
}

/// A name as it may stand in the database; an error when it is empty, too long or has control characters.
pub(crate) fn checked(what: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(format!("{what} is longer than {MAX_NAME_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} has control characters"));
    }
    Ok(text.to_owned())
}

/// The words that vendors use for severities.
fn severity_word(word: &str) -> Severity {
    match word.trim_end_matches('*').to_ascii_lowercase().as_str() {
        "unimportant" | "negligible" | "none" => Severity::Negligible,
        "low" => Severity::Low,
        "moderate" | "medium" => Severity::Medium,
        "important" | "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => Severity::Unknown,
    }
}

/// Reads a YAML document.
fn yaml<T: serde::de::DeserializeOwned>(document: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
    serde_saphyr::from_str(text).map_err(|error| one_line(&error.to_string()))
}

/// The first lines of prose as one line of at most [`MAX_SUMMARY_BYTES`], cut between words.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() + 1 > MAX_SUMMARY_BYTES {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_cve_id() {
        for (text, expected) in [
            ("CVE-2024-1234", true),
            ("CVE-2024-1234567", true),
            ("CVE-2024-12", false),
            ("CVE-24-1234", false),
            ("DEBIAN-CVE-2024-1234", false),
            ("CVE-2024-12x4", false),
            ("GHSA-qc36-q22q-cjw3", false),
        ] {
            assert_eq!(is_cve(text), expected, "{text}");
        }
    }

    #[test]
    fn titles_name_module_streams() {
        for (title, expected) in [
            ("Important: nodejs:18 security update", "nodejs:18"),
            (
                "Moderate: virt:rhel and virt-devel:rhel security, bug fix update",
                "virt:rhel virt-devel:rhel",
            ),
            (
                "Red Hat Security Advisory: perl-IO-Socket-SSL:2.066, and perl-libwww-perl:6.34 update",
                "perl-IO-Socket-SSL:2.066 perl-libwww-perl:6.34",
            ),
            ("Important: bind security update", ""),
        ] {
            assert_eq!(module_streams(title), expected, "{title}");
        }
        assert!(is_of_module("1:22.13.1-1.module+el9.5.0+22763+17233acb"));
        assert!(is_of_module("1:20.20.2-1.module_el9.7.0+226+88d36870"));
        assert!(!is_of_module("1:16.20.1-1.el9_2"));
    }

    #[test]
    fn prose_becomes_one_short_line() {
        assert_eq!(
            one_line("### Impact\n\nAffected  versions\u{1b}[0m"),
            "### Impact Affected versions[0m"
        );
        let long = one_line(&"word ".repeat(1000));
        assert!(
            long.len() <= MAX_SUMMARY_BYTES + '…'.len_utf8() && long.ends_with('…'),
            "{long}"
        );
    }

    #[test]
    fn names_with_control_characters_are_refused() {
        assert!(checked("id", "a\u{0}b").is_err());
        assert!(checked("id", "  ").is_err());
        assert_eq!(checked("id", " a ").unwrap(), "a");
    }
}
