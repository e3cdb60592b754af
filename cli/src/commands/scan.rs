//! `plimsoll scan`: an image's packages, vulnerabilities, files and profile.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_model::{Match, Note, Sbom};
use plimsoll_scanner::{
    Progress, Scan, ScanError, ScanOptions, Silent, Target, Total, parse_platform,
    report::{self, Document, Report},
    scan,
    source::SourceOptions,
};
use plimsoll_vulndb::{Database, default_path};

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
    /// Vulnerability database [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    /// Do not look for vulnerabilities
    #[arg(long)]
    skip_vulnerabilities: bool,
    #[command(flatten)]
    source: SourceArguments,
}

/// Where an image comes from, besides its name; every subcommand that reads images takes these.
#[derive(clap::Args)]
pub(crate) struct SourceArguments {
    /// Which image of a multi-platform one: os/architecture[/variant] [default: linux on this processor]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Speak HTTP, not HTTPS, to the registry
    #[arg(long)]
    plain_http: bool,
    /// Credentials for registries [default: those of podman and docker]
    #[arg(long, env = "REGISTRY_AUTH_FILE", value_name = "PATH")]
    auth_file: Option<PathBuf>,
    /// Folder of docker's config.json
    #[arg(long, env = "DOCKER_CONFIG", value_name = "PATH", hide = true)]
    docker_config: Option<PathBuf>,
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    runtime_folder: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    home: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Schemes: registry:REFERENCE, docker-archive:PATH, oci:PATH[:TAG], oci-archive:PATH[:TAG]
Formats: table, json, cyclonedx, inventory
Exit codes: 0 done, 3 target not found or refused, 4 no vulnerability database, 5 incomplete";

/// A format and where it goes.
#[derive(Clone)]
struct Output {
    format: &'static dyn Report,
    /// `None`: stdout.
    path: Option<PathBuf>,
}

fn parse_output(text: &str) -> Result<Output, String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None => (text, None),
    };
    let format = report::ALL.iter().find(|format| format.name() == name);
    let names = || {
        report::ALL
            .iter()
            .map(|format| format.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Ok(Output {
        format: *format.ok_or_else(|| format!("no such format; there is {}", names()))?,
        path: path.filter(|path| !path.as_os_str().is_empty()),
    })
}

/// Runs `plimsoll scan`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        target,
        output,
        db,
        skip_vulnerabilities,
        source,
    } = arguments;
    let outputs = outputs(output)?;
    let scanned = scan_image(&target, &source)?;
    let (found, missing) = match skip_vulnerabilities {
        true => (None, None),
        false => match find_vulnerabilities(db, &scanned.sbom) {
            Ok(found) => (Some(found), None),
            Err(failure) => (None, Some(failure)),
        },
    };
    // What the image is made of is worth printing even if nobody can say what is wrong with it.
    let is_incomplete = write_reports(&outputs, scanned, found)?;
    match missing {
        Some(failure) => Err(failure),
        None if is_incomplete => Ok(Exit::Incomplete),
        None => Ok(Exit::Go),
    }
}

/// Scans an image as the arguments say, with progress where somebody watches.
pub(crate) fn scan_image(target: &str, arguments: &SourceArguments) -> Result<Scan, Failure> {
    let target = Target::parse(target).map_err(failure)?;
    let platform = arguments
        .platform
        .as_deref()
        .map(parse_platform)
        .transpose()
        .map_err(failure)?;
    let bar = Bar::new();
    scan(
        &target,
        &ScanOptions {
            source: SourceOptions {
                platform,
                plain_http: arguments.plain_http,
                credential_files: credential_files(arguments),
            },
            parallel_layers: std::thread::available_parallelism().map_or(2, usize::from),
            progress: match &bar {
                Some(bar) => bar,
                None => &Silent,
            },
        },
    )
    .map_err(failure)
}

/// The formats asked for; no two may share stdout.
fn outputs(asked: Vec<Output>) -> Result<Vec<Output>, Failure> {
    if asked.is_empty() {
        return Ok(vec![Output {
            format: report::ALL[0],
            path: None,
        }]);
    }
    if asked.iter().filter(|output| output.path.is_none()).count() > 1 {
        return Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("write several reports to stdout"),
            "give all but one a file: -o json=report.json",
        ));
    }
    Ok(asked)
}

/// Most important first, as containers-auth.json(5) orders them.
fn credential_files(arguments: &SourceArguments) -> Vec<PathBuf> {
    if let Some(path) = &arguments.auth_file {
        return vec![path.clone()];
    }
    let below = |folder: &Option<PathBuf>, name: &str| folder.as_ref().map(|folder| folder.join(name));
    [
        below(&arguments.runtime_folder, "containers/auth.json"),
        below(&arguments.home, ".config/containers/auth.json"),
        below(&arguments.docker_config, "config.json"),
        below(&arguments.home, ".docker/config.json"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Matches, and what the database could not judge.
type Found = (Vec<Match>, Vec<Note>);

fn find_vulnerabilities(db: Option<PathBuf>, sbom: &Sbom) -> Result<Found, Failure> {
    let hint = "make a database with `plimsoll db import`, or use --skip-vulnerabilities";
    let failed = |error| Failure::new(Exit::Data, anyhow::Error::new(error), hint);
    let database = Database::open(&db.unwrap_or_else(default_path)).map_err(failed)?;
    database.find_matches(sbom).map_err(failed)
}

/// Whether the scan missed something.
fn write_reports(outputs: &[Output], scanned: Scan, found: Option<Found>) -> Result<bool, Failure> {
    let (matches, notes) = found.map_or((None, Vec::new()), |(matches, notes)| (Some(matches), notes));
    let packs = plimsoll_rules::packs::shipped();
    let (report, tree) = report::assemble(scanned, matches, notes, packs);
    for output in outputs {
        let is_terminal = output.path.is_none() && io::stdout().is_terminal();
        let document = Document {
            report: &report,
            tree: &tree,
            colour: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let written = match &output.path {
            Some(path) => write_file(path, output.format, &document),
            None => write_stdout(output.format, &document),
        };
        written.map_err(|error| {
            let place = output
                .path
                .as_ref()
                .map_or("stdout".to_owned(), |path| path.display().to_string());
            let error = anyhow::Error::new(error).context(format!("write {} to {place}", output.format.name()));
            Failure::new(Exit::Usage, error, "check that the folder exists and has room")
        })?;
    }
    Ok(report.notes.iter().any(Note::makes_incomplete))
}

fn write_file(path: &Path, format: &dyn Report, document: &Document<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    format.write(document, &mut out)?;
    out.flush()
}

/// A reader that has seen enough (`| head`) is no error.
fn write_stdout(format: &dyn Report, document: &Document<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match format.write(document, &mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn failure(error: ScanError) -> Failure {
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

/// Bytes read, on a terminal.
struct Bar(ProgressBar);

impl Bar {
    /// `None` where nobody watches.
    fn new() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let style = ProgressStyle::with_template("{prefix} {bar:40} {bytes}/{total_bytes} {bytes_per_sec}");
        let bar = ProgressBar::new(0);
        bar.set_style(style.ok()?);
        Some(Self(bar))
    }
}

impl Progress for Bar {
    fn start(&self, total: Total) {
        self.0.set_length(total.bytes);
        self.0.set_prefix(format!("reading {} layers", total.layers));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
