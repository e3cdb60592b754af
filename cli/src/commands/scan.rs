//! `plimsoll scan`: an image's packages, vulnerabilities, files and profile.

mod base;
mod engines;
mod judge;
mod output;
mod progress;
mod push;
mod registry;
mod vex;

use std::{path::PathBuf, time::Duration};

use plimsoll_model::{Decision, Match, Note, Sbom, ScanReport};
use plimsoll_scanner::{
    MIN_MEMORY_BYTES, Scan, ScanError, ScanOptions, Silent, Target, parse_platform, report, scan, source::SourceOptions,
};
use plimsoll_vulndb::{DEFAULT_MAX_AGE, Database, Suppressed, default_path};

pub(crate) use self::registry::RegistryArguments;
use self::{
    engines::{CacheArguments, EngineArguments},
    judge::PolicyArguments,
    output::{Output, load_template, outputs, parse_output, write_reports},
    progress::Bar,
    push::ServerArguments,
    vex::VexArguments,
};
use crate::exit::{Exit, Failure};

/// What to scan and how.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// An image: HOST/NAME:TAG, a path, or SCHEME:LOCATION
    target: String,
    /// Report format, optionally with a file to write to; may be given several times [default: table]
    #[arg(short, long = "output", value_name = "FORMAT[=PATH]", value_parser = parse_output)]
    output: Vec<Output>,
    /// What `-o template` fills in: a Jinja template, or a shipped one: @packages.csv, @vulnerabilities.csv
    #[arg(long, value_name = "FILE|@NAME")]
    template: Option<String>,
    /// Vulnerability database [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    /// Oldest vulnerability data that still counts, by the time of its last good import or update
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_MAX_AGE.as_secs() / SECONDS_A_DAY)]
    db_max_age: u64,
    /// Do not look for vulnerabilities
    #[arg(long)]
    skip_vulnerabilities: bool,
    /// The image that this one was built on, by the layers that they share; may be given several times. `auto`: as the history tells
    #[arg(long, value_name = "IMAGE|auto")]
    base: Vec<String>,
    #[command(flatten)]
    vex: VexArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    source: SourceArguments,
}

/// Where an image comes from, besides its name; every subcommand that reads images takes these.
#[derive(clap::Args)]
pub(crate) struct SourceArguments {
    /// Which image of a multi-platform one: os/architecture[/variant] [default: linux on this processor]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Most memory, in MiB, for contents and buffers; what does not fit is noted [default: 96 and buffers]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(MIN_MEMORY_BYTES >> 20..1 << 20))]
    memory: Option<u64>,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    engines: EngineArguments,
    #[command(flatten)]
    cache: CacheArguments,
}

impl SourceArguments {
    /// How registries are spoken to.
    pub(crate) fn registry(&self) -> &RegistryArguments {
        &self.registry
    }
}

const AFTER_HELP: &str = "\
Schemes: registry:REFERENCE, docker:NAME, podman:NAME, containerd:NAME, container:NAME|ID|PID, docker-archive:PATH,
oci:PATH[:TAG], oci-archive:PATH[:TAG], rootfs:PATH, dir:PATH, sbom:PATH
Formats: table, json, cyclonedx, cyclonedx-xml, spdx, spdx-tag-value, sarif, junit, gitlab, github, markdown, html,
template, inventory, openvex, csaf-vex, cyclonedx-vex
Exit codes: 0 done, 1 stopped by policy, 3 target or server not found or refused, 4 no vulnerability database,
5 incomplete";

/// Runs `plimsoll scan`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        target,
        output,
        template,
        db,
        db_max_age,
        skip_vulnerabilities,
        base,
        vex,
        policy,
        server,
        source,
    } = arguments;
    // What is wrong with the arguments is said before any work is done.
    let outputs = outputs(output)?;
    let template = load_template(&outputs, template.as_deref())?;
    let judge = policy.load(skip_vulnerabilities)?;
    let vex = vex.load()?;
    let server = server.connect()?;
    let scanned = scan_image(&target, &source)?;
    let (mut found, missing) = match skip_vulnerabilities {
        true => (Found::default(), None),
        false => match find_vulnerabilities(db, db_max_age, &scanned.sbom) {
            Ok(mut found) => {
                let stale = found.stale.take();
                (found, stale)
            }
            Err(failure) => (Found::default(), Some(failure)),
        },
    };
    if let Some(matches) = found.matches.take() {
        let (standing, taken) = vex.apply(matches, &scanned, &mut found.notes)?;
        (found.matches, found.suppressed) = (Some(standing), taken);
    }
    let (mut report, tree) = report::assemble(scanned, found.matches, found.notes, plimsoll_rules::packs::shipped());
    if !base.is_empty() {
        report.base = base::find(&base, &report, &source_options(&source)?)?;
    }
    report.verdict = judge.map(|judge| judge.judge(&report, found.data_age_days));
    // What the image is made of is worth printing even if nobody can say what is wrong with it.
    write_reports(&outputs, &report, &tree, &found.suppressed, template.as_ref())?;
    let unsent = server.and_then(|server| server.push(&report).err());
    conclude(&report, unsent.into_iter().chain(missing).collect())
}

/// A stop is what the policy said of the image, and comes first; then what could not be done; then what was not seen.
fn conclude(report: &ScanReport, mut failures: Vec<Failure>) -> Result<Exit, Failure> {
    let stopped = report
        .verdict
        .as_ref()
        .filter(|verdict| verdict.decision == Decision::Stop);
    let deciding = match (stopped, failures.is_empty()) {
        (None, false) => Some(failures.remove(0)),
        _ => None,
    };
    for failure in failures {
        // It is said; another one decides the exit code.
        let _ = failure.report();
    }
    match (stopped, deciding) {
        (Some(verdict), _) => {
            eprintln!("stopped by policy {}", crate::exit::escape(&verdict.policy));
            Ok(Exit::Stopped)
        }
        (None, Some(failure)) => Err(failure),
        (None, None) if report.notes.iter().any(Note::makes_incomplete) => {
            let count = report.notes.iter().filter(|note| note.makes_incomplete()).count();
            eprintln!("incomplete: {count} things could not be read or judged; the report's notes say which");
            Ok(Exit::Incomplete)
        }
        (None, None) => Ok(Exit::Go),
    }
}

/// Scans an image as the arguments say, with progress where somebody watches.
pub(crate) fn scan_image(target: &str, arguments: &SourceArguments) -> Result<Scan, Failure> {
    let target = Target::parse(target).map_err(failure)?;
    let bar = Bar::new();
    scan(
        &target,
        &ScanOptions {
            source: source_options(arguments)?,
            memory_bytes: arguments.memory.map(|mib| mib << 20),
            cache: arguments.cache.cache(arguments.registry.home()),
            parallel_layers: std::thread::available_parallelism().map_or(2, usize::from),
            progress: match &bar {
                Some(bar) => bar,
                None => &Silent,
            },
        },
    )
    .map_err(failure)
}

fn source_options(arguments: &SourceArguments) -> Result<SourceOptions, Failure> {
    let platform = arguments.platform.as_deref().map(parse_platform).transpose();
    Ok(SourceOptions {
        platform: platform.map_err(failure)?,
        registry: arguments.registry.options()?,
        engines: arguments.engines.options(arguments.registry.runtime_folder()),
    })
}

/// What the vulnerability database says.
#[derive(Default)]
struct Found {
    /// `None` when no database was used.
    matches: Option<Vec<Match>>,
    /// What statements took away.
    suppressed: Vec<Suppressed>,
    /// What it could not judge.
    notes: Vec<Note>,
    /// Age in whole days of the oldest source that the image needs; `None` when there is none.
    data_age_days: Option<u64>,
    /// Why the data is too old to rely on; what it says is reported all the same.
    stale: Option<Failure>,
}

const SECONDS_A_DAY: u64 = 86_400;

fn find_vulnerabilities(db: Option<PathBuf>, max_age_days: u64, sbom: &Sbom) -> Result<Found, Failure> {
    let failed = super::db::failure;
    let database = Database::open(&db.unwrap_or_else(default_path)).map_err(failed)?;
    let (matches, notes) = database.find_matches(sbom).map_err(failed)?;
    let max_age = Duration::from_secs(max_age_days.saturating_mul(SECONDS_A_DAY));
    let now = jiff::Timestamp::now();
    let stale = database.check_age_for(sbom, now, max_age).map_err(failed).err();
    let oldest = database.oldest_for(sbom, now).map_err(failed)?;
    Ok(Found {
        matches: Some(matches),
        suppressed: Vec::new(),
        notes,
        // Less than nothing is a clock that is a little ahead.
        data_age_days: oldest.map(|oldest| u64::try_from(oldest.age_s).unwrap_or(0) / SECONDS_A_DAY),
        stale,
    })
}

pub(crate) fn failure(error: ScanError) -> Failure {
    let exit = if error.is_usage() {
        Exit::Usage
    } else if error.is_unreadable() {
        Exit::Incomplete
    } else {
        Exit::Target
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}
