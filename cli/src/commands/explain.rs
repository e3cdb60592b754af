//! `plimsoll explain`: a vulnerability, a package or a file in, what stands behind it out.

mod file;
mod package;
mod reach;

use std::fmt::Write as _;
use std::path::PathBuf;

use plimsoll_model::{FixState, Match, Package, ScanReport};
use plimsoll_vulndb::{
    Background, Comparison, Database, Error, SearchRow, SeverityBasis, compare_evidence, default_path,
};

use super::{db, scan::SourceArguments, stored};
use crate::exit::{Exit, Failure, escape};

/// Most matches that are explained, most rows of the database, and most files of one package that are shown.
const MAX_MATCHES_SHOWN: usize = 200;
const MAX_ROWS_SHOWN: usize = 100;
const MAX_FILES_SHOWN: usize = 6;

/// What to explain, and from what.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  plimsoll scan IMAGE -o json=report.json
  plimsoll explain CVE-2024-3094 --report report.json
  plimsoll explain openssl report:report.json
  plimsoll explain /usr/bin/redis-server redis:7
  plimsoll explain CVE-2024-3094        what the database says, without an image")]
pub(crate) struct Arguments {
    /// A vulnerability's id, a package's name, or a file's absolute path
    #[arg(value_name = "CVE|PACKAGE|FILE")]
    name: String,
    /// An image as for `plimsoll scan`, or report:FILE for what `plimsoll scan -o json` wrote
    #[arg(conflicts_with = "report")]
    target: Option<String>,
    /// A report that `plimsoll scan -o json` wrote
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Vulnerability database [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

/// Runs `plimsoll explain`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        name,
        target,
        report,
        db,
        source,
    } = arguments;
    let report = match (target, report) {
        (Some(target), _) => stored::load(&target, &source, db.as_ref())?,
        (None, Some(path)) => stored::read_report(&path)?,
        (None, None) if name.starts_with('/') => {
            let error = anyhow::anyhow!("explain {name}: it is a file, and no image is given");
            return Err(Failure::new(Exit::Usage, error, "plimsoll explain FILE IMAGE"));
        }
        (None, None) => {
            let database = Database::open(&db.unwrap_or_else(default_path)).map_err(db::failure)?;
            return explain_from_database(&name, &database);
        }
    };
    if name.starts_with('/') {
        return db::print(&file::explain(&name, &report)?);
    }
    // A report explains itself; without a database only the vectors and the origin of severities are missing.
    let database = match (Database::open(&db.clone().unwrap_or_else(default_path)), db) {
        (Ok(database), _) => Some(database),
        (Err(Error::Missing(_)), None) => None,
        (Err(error), _) => return Err(db::failure(error)),
    };
    explain_from_report(&name, &report, database.as_ref())
}

fn explain_from_report(name: &str, report: &ScanReport, database: Option<&Database>) -> Result<Exit, Failure> {
    let packages = package::called(name, report);
    let mut text = String::new();
    for package in &packages {
        text += &package::explain(package, report)?;
        text.push('\n');
    }
    let Some(matches) = &report.matches else {
        if !packages.is_empty() {
            return db::print(&text);
        }
        let error = anyhow::anyhow!("explain {name}: the report has no vulnerabilities, because none were looked for");
        return Err(Failure::new(Exit::Data, error, "scan again with a database"));
    };
    let wanted: Vec<&Match> = matches.iter().filter(|one| is_meant(name, one, report)).collect();
    if wanted.is_empty() {
        return match packages.is_empty() {
            true => explain_absence(name, report, database),
            false => db::print(&text),
        };
    }
    for &one in wanted.iter().take(MAX_MATCHES_SHOWN) {
        let background = database
            .map(|database| database.explain(one))
            .transpose()
            .map_err(db::failure)?
            .flatten();
        text += &match_text(one, report, background.as_ref())?;
        text.push('\n');
    }
    if wanted.len() > MAX_MATCHES_SHOWN {
        eprintln!("only the first {MAX_MATCHES_SHOWN} of {} are shown", wanted.len());
    }
    db::print(&text)
}

fn is_meant(name: &str, one: &Match, report: &ScanReport) -> bool {
    let mut ids = std::iter::once(&one.vulnerability.id)
        .chain(&one.vulnerability.aliases)
        .chain(std::iter::once(&one.evidence.advisory));
    ids.any(|id| id.eq_ignore_ascii_case(name))
        || one.evidence.compared_name == name
        || package_of(one, report).is_some_and(|package| is_called(package, name))
}

fn is_called(package: &Package, name: &str) -> bool {
    package.name == name || package.purl == name || package.source.as_ref().is_some_and(|source| source.name == name)
}

fn package_of<'r>(one: &Match, report: &'r ScanReport) -> Option<&'r Package> {
    report.sbom.packages.get(one.package as usize)
}

/// A block of `label  value` lines.
struct Block(String);

impl Block {
    fn line(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.0, "  {label:<12} {}", escape(value));
        }
    }
}

fn match_text(one: &Match, report: &ScanReport, background: Option<&Background>) -> Result<String, Failure> {
    let (vulnerability, evidence) = (&one.vulnerability, &one.evidence);
    let package = package_of(one, report);
    let title = package.map_or(&evidence.compared_name, |package| &package.name);
    let mut block = Block(format!("{} in {}\n", escape(&vulnerability.id), escape(title)));
    block.line("about", &vulnerability.summary);
    block.line("also called", &vulnerability.aliases.join(", "));
    if let Some(package) = package {
        block.line(
            "package",
            &format!("{} {}  {}", package.name, package.version, package.purl),
        );
    }
    block.line(
        "judged as",
        &format!(
            "{} {} in {}",
            evidence.compared_name, evidence.compared_version, evidence.ecosystem
        ),
    );
    block.line("advisory", &advisory_text(one, background));
    block.line("affected", &evidence.range);
    block.line("because", &comparison_text(one));
    let fix = match &one.fixed_version {
        Some(version) => format!("update to {version}"),
        // That it is affected is why it is here.
        None if matches!(one.fix_state, FixState::Affected | FixState::Unknown) => "no fixed version yet".to_owned(),
        None => format!("no fixed version: {}", db::word(one.fix_state)?),
    };
    block.line("fix", &fix);
    block.line("severity", &severity_text(one, background)?);
    block.line("CVSS", &cvss_text(one, background));
    let added = background.and_then(|background| background.kev_added.as_deref());
    block.line(
        "exploited",
        &match (vulnerability.known_exploited, added) {
            (true, Some(day)) => format!("yes: in CISA's catalogue since {day}"),
            (true, None) => "yes: in CISA's catalogue".to_owned(),
            (false, _) => "not in CISA's catalogue".to_owned(),
        },
    );
    if let Some(epss) = vulnerability.epss {
        block.line(
            "EPSS",
            &format!("{:.2} % chance of exploitation within 30 days", epss * 100.0),
        );
    }
    if let Some(ssvc) = background.and_then(|background| background.ssvc.as_deref()) {
        block.line("SSVC", &ssvc_text(ssvc));
    }
    reach::lines(&mut block, one, report);
    if let Some(package) = package {
        package_lines(&mut block, package, report);
    }
    Ok(block.0)
}

/// `active/yes/total` in words.
fn ssvc_text(answers: &str) -> String {
    let mut answers = answers.split('/');
    let mut next = || answers.next().unwrap_or("unknown");
    let (exploitation, automatable, impact) = (next(), next(), next());
    format!("exploitation {exploitation}, automatable {automatable}, technical impact {impact} (CISA)")
}

fn advisory_text(one: &Match, background: Option<&Background>) -> String {
    let mut text = format!("{} of {}", one.evidence.advisory, one.evidence.source);
    if let Some(background) = background {
        if !background.modified.is_empty() {
            text += &format!(", changed {}", background.modified);
        }
        text += &format!(", imported {}", background.imported);
        if background.is_stale {
            text += " (stale)";
        }
    }
    text
}

/// The comparison is done anew, so a report that was changed by hand is found out.
fn comparison_text(one: &Match) -> String {
    let comparisons = match compare_evidence(&one.evidence) {
        Err(error) => return format!("it cannot be compared again: {error}"),
        Ok(comparisons) if comparisons.is_empty() => return "every version is affected".to_owned(),
        Ok(comparisons) => comparisons,
    };
    let text = |one: &Comparison| {
        let doubt = if one.holds { "" } else { " (which is NOT in the range)" };
        format!("{} {} {}{doubt}", one.version, db::sign(one.order), one.bound)
    };
    let texts: Vec<String> = comparisons.iter().map(text).collect();
    format!("{}, in the order of {}", texts.join(" and "), comparisons[0].scheme)
}

fn severity_text(one: &Match, background: Option<&Background>) -> Result<String, Failure> {
    let word = db::word(one.vulnerability.severity)?;
    let source = &one.evidence.source;
    Ok(match background.map(|background| background.severity_basis) {
        None => word,
        Some(SeverityBasis::Package) => format!("{word}, says {source} of this package"),
        Some(SeverityBasis::Record) => format!("{word}, says {source}"),
        Some(SeverityBasis::Cvss) => format!("{word}, from the CVSS score"),
        Some(SeverityBasis::Nobody) => format!("{word}: nobody judged it yet"),
    })
}

fn cvss_text(one: &Match, background: Option<&Background>) -> String {
    match (
        background.and_then(|background| background.cvss.as_ref()),
        one.vulnerability.cvss_score,
    ) {
        (Some((score, vector, by)), _) if by == "cvss" => format!("{score:.1} {vector}, by NVD or CISA"),
        (Some((score, vector, by)), _) => format!("{score:.1} {vector}, by {by}"),
        (None, Some(score)) => format!("{score:.1}"),
        (None, None) => "no vector".to_owned(),
    }
}

fn package_lines(block: &mut Block, package: &Package, report: &ScanReport) {
    let layer = file::layer_words(package.layer, report);
    block.line("layer", &layer);
    block.line("listed in", &package.evidence_path);
    let is_runnable = |path: &String| {
        report
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .is_ok()
    };
    // What can run first: it is what an attacker reaches.
    let (mut files, rest): (Vec<String>, Vec<String>) = package.files.iter().partition(is_runnable);
    let runnable = files.len();
    files.extend(rest);
    let mut text = files
        .iter()
        .take(MAX_FILES_SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if files.len() > MAX_FILES_SHOWN {
        text += &format!(" and {} more", files.len() - MAX_FILES_SHOWN);
    }
    if !files.is_empty() {
        text += &format!(" ({runnable} can run or are libraries)");
    }
    block.line("files", &text);
}

/// Why something that was asked for is not in the report.
fn explain_absence(name: &str, report: &ScanReport, database: Option<&Database>) -> Result<Exit, Failure> {
    let rows = match database {
        Some(database) => database.search(name, MAX_ROWS_SHOWN).map_err(db::failure)?,
        None => Vec::new(),
    };
    let mut text = String::new();
    for row in &rows {
        let has = report
            .sbom
            .packages
            .iter()
            .filter(|package| is_called(package, &row.package));
        for package in has {
            let version = package
                .source
                .as_ref()
                .map_or(&package.version, |source| &source.version);
            let line = format!(
                "  {} {version} ({}): {} says that {} is affected in {}\n",
                package.name, row.package, row.advisory, row.range, row.ecosystem
            );
            text += &escape(line.trim_end_matches('\n'));
            text.push('\n');
        }
    }
    if rows.is_empty() {
        let error =
            anyhow::anyhow!("explain {name}: the report has neither a vulnerability nor a package of this name");
        return Err(Failure::new(
            Exit::Target,
            error,
            "`plimsoll db search` looks it up in the database",
        ));
    }
    if text.is_empty() {
        text = "  no package that it is about is in the image\n".to_owned();
    }
    db::print(&format!("{} is not a match of this image\n{text}", escape(name)))
}

fn explain_from_database(name: &str, database: &Database) -> Result<Exit, Failure> {
    let rows = database.search(name, MAX_ROWS_SHOWN + 1).map_err(db::failure)?;
    if rows.is_empty() {
        let error = anyhow::anyhow!("explain {name}: nothing is known of it");
        let hint = "give an id or a package's name (for Debian and Ubuntu the source package's)";
        return Err(Failure::new(Exit::Target, error, hint));
    }
    let mut text = String::new();
    for row in rows.iter().take(MAX_ROWS_SHOWN) {
        text += &row_text(row)?;
    }
    if rows.len() > MAX_ROWS_SHOWN {
        eprintln!("only the first {MAX_ROWS_SHOWN} are shown; --report FILE narrows it to an image");
    }
    db::print(&text)
}

fn row_text(row: &SearchRow) -> Result<String, Failure> {
    let mut block = Block(format!(
        "{} in {} of {}\n",
        escape(&row.vulnerabilities.join(", ")),
        escape(&row.package),
        escape(&row.ecosystem)
    ));
    block.line("advisory", &format!("{} of {}", row.advisory, row.source));
    block.line("affected", &row.range);
    block.line("state", &db::word(row.state)?);
    block.line("severity", &db::word(row.severity)?);
    block.0.push('\n');
    Ok(block.0)
}
