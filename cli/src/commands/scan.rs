//! `plimsoll scan`: an image's packages, vulnerabilities, files and profile.

mod base;
mod engines;
mod judge;
mod output;
mod platforms;
mod progress;
mod push;
mod registry;
mod usage;
mod vex;

use std::{path::PathBuf, time::Duration};

use plimsoll_model::{Decision, Match, Note, Platform, Sbom, ScanReport};
use plimsoll_scanner::{
    DEFAULT_MAX_ENTRIES, DEFAULT_MEMORY_BYTES, LayerCache, MIN_MEMORY_BYTES, Scan, ScanError, ScanOptions, Silent,
    Target, parse_platform,
    report::{self, Template},
    scan,
    source::SourceOptions,
};
use plimsoll_vulndb::{DEFAULT_MAX_AGE, Database, Suppressed, default_path};

pub(crate) use self::registry::RegistryArguments;
use self::{
    engines::{CacheArguments, EngineArguments},
    judge::{Judge, PolicyArguments},
    output::{Output, load_template, outputs, parse_output, write_reports},
    platforms::Platforms,
    progress::Bar,
    push::{Server, ServerArguments},
    usage::{UsageArguments, UsageSources},
    vex::{Vex, VexArguments},
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
    usage: UsageArguments,
    #[command(flatten)]
    source: SourceArguments,
}

/// Where an image comes from, besides its name; every subcommand that reads images takes these.
#[derive(clap::Args)]
pub(crate) struct SourceArguments {
    /// Which image of a multi-platform one: os/architecture[/variant], or `all` of them [default: linux on this processor]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Most memory, in MiB, list of files aside; a file that would have to be kept beyond it is noted
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MEMORY_BYTES >> 20,
        value_parser = clap::value_parser!(u64).range(MIN_MEMORY_BYTES >> 20..1 << 20))]
    memory: u64,
    /// Most files, folders and links of all layers together; what is beyond is noted
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_MAX_ENTRIES,
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    max_entries: u64,
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
    // What is wrong with the arguments is said before any work is done.
    let outputs = outputs(arguments.output)?;
    let work = Work {
        template: load_template(&outputs, arguments.template.as_deref())?,
        judge: arguments.policy.load(arguments.skip_vulnerabilities)?,
        vex: arguments.vex.load()?,
        usage: arguments.usage.open(&arguments.server)?,
        server: arguments.server.connect()?,
        target: arguments.target,
        db: arguments.db,
        db_max_age: arguments.db_max_age,
        skips_vulnerabilities: arguments.skip_vulnerabilities,
        base: arguments.base,
        source: arguments.source,
    };
    let Some(platforms) = Platforms::asked(&work.target, &work.source)? else {
        return work.scan(scan_image(&work.target, &work.source)?, &outputs, None);
    };
    let mut worst = Exit::Go;
    for platform in &platforms.each {
        let cache = platforms.cache.clone();
        let scanned = scan_platform(&work.target, &work.source, Some(platform.clone()), cache);
        let result = scanned.and_then(|scanned| work.scan(scanned, &outputs, Some(platform)));
        let exit = result.unwrap_or_else(|failure| {
            eprintln!("{}:", platforms::shown(platform));
            failure.tell()
        });
        worst = worst.worse(exit);
    }
    Ok(worst)
}

/// What is to be done with each image.
struct Work {
    target: String,
    template: Option<Template>,
    db: Option<PathBuf>,
    db_max_age: u64,
    skips_vulnerabilities: bool,
    base: Vec<String>,
    vex: Vex,
    judge: Option<Judge>,
    usage: Option<UsageSources>,
    server: Option<Server>,
    source: SourceArguments,
}

impl Work {
    /// All that follows the reading of an image; `platform` where it is one of several.
    fn scan(&self, scanned: Scan, outputs: &[Output], platform: Option<&Platform>) -> Result<Exit, Failure> {
        let (mut found, missing) = match self.skips_vulnerabilities {
            true => (Found::default(), None),
            false => match find_vulnerabilities(self.db.clone(), self.db_max_age, &scanned.sbom) {
                Ok(mut found) => {
                    let stale = found.stale.take();
                    (found, stale)
                }
                Err(failure) => (Found::default(), Some(failure)),
            },
        };
        if let Some(matches) = found.matches.take() {
            let (standing, taken) = self.vex.apply(matches, &scanned, &mut found.notes)?;
            (found.matches, found.suppressed) = (Some(standing), taken);
        }
        let packs = plimsoll_rules::packs::shipped();
        let (mut report, tree) = report::assemble(scanned, found.matches, found.notes, packs);
        if !self.base.is_empty() {
            report.base = base::find(&self.base, &report, &source_options(&self.source, platform.cloned())?)?;
        }
        if let Some(usage) = &self.usage {
            usage.bring(&mut report)?;
        }
        let judge = self.judge.as_ref();
        report.verdict = judge.map(|judge| judge.judge(&report, found.data_age_days));
        // What the image is made of is worth printing even if nobody can say what is wrong with it.
        write_reports(
            outputs,
            &report,
            &tree,
            &found.suppressed,
            self.template.as_ref(),
            platform,
        )?;
        let unsent = self.server.as_ref().and_then(|server| server.push(&report).err());
        conclude(&report, unsent.into_iter().chain(missing).collect())
    }
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
    let platform = arguments.platform.as_deref().map(parse_platform).transpose();
    let cache = arguments.cache.cache(arguments.registry.home());
    scan_platform(target, arguments, platform.map_err(failure)?, cache)
}

fn scan_platform(
    target: &str,
    arguments: &SourceArguments,
    platform: Option<Platform>,
    cache: Option<LayerCache>,
) -> Result<Scan, Failure> {
    let target = Target::parse(target).map_err(failure)?;
    let bar = Bar::new();
    scan(
        &target,
        &ScanOptions {
            source: source_options(arguments, platform)?,
            memory_bytes: Some(arguments.memory << 20),
            max_entries: arguments.max_entries,
            cache,
            parallel_layers: std::thread::available_parallelism().map_or(2, usize::from),
            progress: match &bar {
                Some(bar) => bar,
                None => &Silent,
            },
        },
    )
    .map_err(failure)
}

fn source_options(arguments: &SourceArguments, platform: Option<Platform>) -> Result<SourceOptions, Failure> {
    Ok(SourceOptions {
        platform,
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
