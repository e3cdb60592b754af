//! Reports: one scan in, one document out. One file per format; [`ALL`] lists them.

mod csaf_vex;
mod cyclonedx;
mod cyclonedx_vex;
mod cyclonedx_xml;
mod github;
mod gitlab;
mod group;
mod html;
mod identity;
mod inventory;
mod issue;
mod json;
mod junit;
mod licence;
mod markdown;
mod openvex;
mod sarif;
mod spdx;
mod spdx_tag_value;
mod table;
mod template;
mod words;
mod xml;

use std::io::{self, Write};

use plimsoll_model::{FileEntry, FileKind, Match, Note, ScanReport, Severity, schema};
use plimsoll_rules::packs::Pack;
use plimsoll_vulndb::Suppressed;

pub use self::identity::image_names;
pub use self::template::{Template, TemplateError};
use crate::{Tree, profile, scan::Scan};

/// Writes a scan in one format.
pub trait Report: Sync {
    /// What follows `-o`: `cyclonedx`.
    fn name(&self) -> &'static str;

    /// One line for the help text.
    fn summary(&self) -> &'static str;

    /// Whether there is nothing to say in it and its format has no document that says nothing. Then none is written.
    fn is_silent(&self, _document: &Document<'_>) -> bool {
        false
    }

    /// Writes the document. Equal input gives equal bytes.
    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()>;
}

/// All report formats; the first one is the default.
pub const ALL: &[&dyn Report] = &[
    &table::Table,
    &json::Json,
    &cyclonedx::CycloneDx,
    &cyclonedx_xml::CycloneDxXml,
    &spdx::Spdx,
    &spdx_tag_value::SpdxTagValue,
    &sarif::Sarif,
    &junit::JUnit,
    &gitlab::GitLab,
    &github::GitHub,
    &markdown::Markdown,
    &html::Html,
    &template::Templated,
    &inventory::Inventory,
    &openvex::OpenVex,
    &csaf_vex::CsafVex,
    &cyclonedx_vex::CycloneDxVex,
];

/// What a report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// What the scan learned.
    pub report: &'a ScanReport,
    /// All files, of which the report holds only those that can run.
    pub tree: &'a Tree,
    /// Whether control sequences for colour may be written.
    pub colour: bool,
    /// What VEX documents took away, with their statements.
    pub suppressed: &'a [Suppressed],
    /// What the format `template` fills in; without one it cannot be written.
    pub template: Option<&'a Template>,
}

/// Puts a scan, its vulnerabilities and its profile together. `matches` is `None` when no database was used; `notes` are
/// those that were made meanwhile. The tree is handed back for formats that need all files.
pub fn assemble(scan: Scan, matches: Option<Vec<Match>>, notes: Vec<Note>, packs: &[Pack]) -> (ScanReport, Tree) {
    let Scan {
        image,
        config,
        layers,
        mut tree,
        sbom,
        findings,
        notes: mut all_notes,
    } = scan;
    let (profile, profile_notes) = profile::build(&profile::Input {
        image: &image,
        config: &config,
        tree: &tree,
        sbom: &sbom,
        packs,
    });
    tree.retain_contents(|_| false);
    all_notes.extend(notes);
    all_notes.extend(profile_notes);
    let matches = matches.map(|mut matches| {
        rank(&mut matches);
        matches
    });
    let report = ScanReport {
        schema: schema::SCAN_REPORT.to_owned(),
        image,
        config,
        layers,
        base: None,
        files: runnable(&tree),
        file_count: tree.len() as u64,
        sbom,
        matches,
        findings,
        profile,
        notes: crate::scan::tidy(all_notes),
        verdict: None,
        usage: None,
    };
    (report, tree)
}

/// Known exploited; then those that the vendor does not dismiss; among each, likely to be exploited, then by severity;
/// equal ones by id and package, so that the order is stable. EPSS knows nothing of how a distribution builds a package:
/// without the second step, what Debian calls unimportant would stand above what it fixes.
fn rank(matches: &mut [Match]) {
    let is_dismissed = |found: &Match| found.vulnerability.severity == Severity::Negligible;
    matches.sort_by(|a, b| {
        let (x, y) = (&a.vulnerability, &b.vulnerability);
        y.known_exploited
            .cmp(&x.known_exploited)
            .then_with(|| is_dismissed(a).cmp(&is_dismissed(b)))
            .then_with(|| y.epss.unwrap_or(0.0).total_cmp(&x.epss.unwrap_or(0.0)))
            .then_with(|| y.severity.cmp(&x.severity))
            .then_with(|| x.id.cmp(&y.id))
            .then_with(|| a.package.cmp(&b.package))
    });
}

/// Executables, libraries, scripts, setuid files, and symbolic links to any of them.
fn runnable(tree: &Tree) -> Vec<FileEntry> {
    let can_run = |entry: &FileEntry| {
        entry.is_executable() || entry.elf.is_some() || entry.shebang.is_some() || entry.has_capabilities
    };
    tree.iter()
        .filter(|entry| match entry.kind {
            FileKind::Regular => can_run(entry),
            FileKind::Symlink => tree.resolve(&entry.path).is_some_and(can_run),
            _ => false,
        })
        .cloned()
        .collect()
}

/// Text that an image or a feed brought, safe for a terminal and for one line.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let is_odd = char.is_control()
                || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped = is_odd.then(|| char.escape_default());
            let plain = (!is_odd).then_some(char);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
