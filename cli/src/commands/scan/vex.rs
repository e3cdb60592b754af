//! `--vex`: what makers say of exploitability in; the matches that stand, and what was taken away and why as hints, out.

use std::{fs::File, io::Read as _, path::PathBuf};

use plimsoll_model::{Match, Note, NoteKind, Sbom};
use plimsoll_scanner::{Scan, report::image_names};
use plimsoll_vulndb::{Suppressed, VexDocument, VexHeader, VexStatus, apply_vex, read_vex, vex_claims, write_openvex};

use super::output::say_nothing;
use crate::exit::{Exit, Failure};

/// Largest VEX document, bytes.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
/// Hints of one scan on what was taken away, and on what was of no use; more are counted.
const MAX_HINTS: usize = 200;

/// Statements on exploitability.
#[derive(clap::Args)]
pub(super) struct VexArguments {
    /// Take away what an OpenVEX, CSAF or CycloneDX document calls fixed or not affected; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "skip_vulnerabilities")]
    vex: Vec<PathBuf>,
    /// Write what was taken away as one OpenVEX document, for whoever scans the same image elsewhere
    #[arg(long, value_name = "FILE", requires = "vex")]
    vex_output: Option<PathBuf>,
    /// Who says so in --vex-output
    #[arg(long, value_name = "NAME", default_value = "plimsoll", requires = "vex_output")]
    vex_author: String,
}

/// The documents, read.
pub(super) struct Vex {
    documents: Vec<VexDocument>,
    output: Option<PathBuf>,
    author: String,
}

impl VexArguments {
    /// Reads the documents; one that cannot be read waives nothing and is an error.
    pub(super) fn load(self) -> Result<Vex, Failure> {
        let read = |path: &PathBuf| {
            let failed = |reason: String| {
                let error = anyhow::anyhow!("read VEX document {}: {reason}", path.display());
                Failure::new(Exit::Usage, error, "give OpenVEX, CSAF or CycloneDX as JSON")
            };
            let mut bytes = Vec::new();
            File::open(path)
                .and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes))
                .map_err(|error| failed(error.to_string()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            read_vex(&name, &bytes).map_err(failed)
        };
        Ok(Vex {
            documents: self.vex.iter().map(read).collect::<Result<_, _>>()?,
            output: self.vex_output,
            author: self.vex_author,
        })
    }
}

impl Vex {
    /// The matches that stand, and those that do not. What was taken away is said by hints, each with its statement, and so is
    /// what was of no use.
    pub(super) fn apply(
        &self,
        matches: Vec<Match>,
        scan: &Scan,
        notes: &mut Vec<Note>,
    ) -> Result<(Vec<Match>, Vec<Suppressed>), Failure> {
        if self.documents.is_empty() {
            return Ok((matches, Vec::new()));
        }
        let names = image_names(&scan.image);
        let outcome = apply_vex(matches, &scan.sbom, &names, &self.documents);
        let said: Vec<Note> = outcome
            .suppressed
            .iter()
            .map(|one| taken_away(one, &scan.sbom))
            .collect();
        add(notes, said, "vulnerabilities that statements take away");
        let unused = outcome.unused.iter().map(|text| {
            Note::new(
                NoteKind::Hint,
                text.as_str(),
                "this statement takes nothing away: is it still needed?",
            )
        });
        add(notes, unused.collect(), "statements that take nothing away");
        if let Some(path) = &self.output {
            self.write(path, &outcome.suppressed, scan, &names)?;
        }
        Ok((outcome.matches, outcome.suppressed))
    }

    fn write(&self, path: &PathBuf, taken: &[Suppressed], scan: &Scan, names: &[String]) -> Result<(), Failure> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let id = format!("urn:plimsoll:vex:{}", scan.image.config_digest);
        let header = VexHeader {
            product: names.first().map_or("", String::as_str),
            author: &self.author,
            id: &id,
            now: &now,
        };
        let written = match write_openvex(&vex_claims(&[], taken), &scan.sbom, &header) {
            Some(document) => std::fs::write(path, format!("{document:#}\n")),
            None => say_nothing("--vex-output", Some(path)),
        };
        written.map_err(|error| {
            let error = anyhow::Error::from(error).context(format!("write {}", path.display()));
            Failure::new(Exit::Target, error, "check that the folder exists and may be written")
        })
    }
}

fn taken_away(one: &Suppressed, sbom: &Sbom) -> Note {
    let package = sbom.packages.get(one.one.package as usize);
    let package = package.map_or(one.one.evidence.compared_name.as_str(), |package| &package.name);
    let status = match one.statement.status {
        VexStatus::Fixed => "fixed",
        _ => "not affected",
    };
    let reasons = [&one.statement.justification, &one.statement.impact];
    let reasons: Vec<&str> = reasons
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(String::as_str)
        .collect();
    let mut detail = format!("{status}, says {}", one.document);
    if !one.statement.timestamp.is_empty() {
        detail += &format!(" of {}", one.statement.timestamp);
    }
    if !reasons.is_empty() {
        detail += &format!(": {}", reasons.join(": "));
    }
    let detail: String = detail.chars().take(500).collect();
    Note::new(
        NoteKind::Hint,
        format!("{} in {package}", one.one.vulnerability.id),
        detail,
    )
}

fn add(notes: &mut Vec<Note>, mut hints: Vec<Note>, what: &str) {
    let more = hints.len().saturating_sub(MAX_HINTS);
    hints.truncate(MAX_HINTS);
    notes.extend(hints);
    if more > 0 {
        notes.push(Note::new(NoteKind::Hint, "VEX", format!("{more} more {what}")));
    }
}
