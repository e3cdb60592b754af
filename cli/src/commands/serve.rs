//! `plimsoll serve`: the server with its dashboard, until it is told to stop.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use anyhow::Context as _;
use plimsoll_rules::RuleSet;
use plimsoll_web::{Error, Extent, FIRST_USER, Options, PolicySource, Server, TlsFiles};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    exit::{Exit, Failure},
    rule_files,
};

/// Where to listen and what to keep where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address and port; port 0 takes a free one
    #[arg(
        long,
        env = "PLIMSOLL_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
    /// Folder of the database; made when it is missing
    #[arg(
        long,
        env = "PLIMSOLL_DATA",
        default_value = "/var/lib/plimsoll",
        value_name = "FOLDER"
    )]
    data: PathBuf,
    /// Certificate chain (PEM); without it the server speaks plain HTTP, on loopback only
    #[arg(long, env = "PLIMSOLL_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "PLIMSOLL_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak plain HTTP to others too: only behind a proxy that speaks TLS
    #[arg(long, conflicts_with = "tls_cert")]
    insecure_listen: bool,
    /// Rule file of the admission policy; may be given several times [default: the shipped policy]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Waivers, beside those entered in the dashboard
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// Rule file or folder that judges Kubernetes audit events, beside the shipped rules; may be given several times
    #[arg(long, value_name = "PATH")]
    audit_rules: Vec<PathBuf>,
    /// Leave queued scans to others
    #[arg(long)]
    skip_scan_queue: bool,
}

/// Runs `plimsoll serve`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    serve(Options {
        listen: arguments.listen,
        database: arguments.data.join("plimsoll.db"),
        tls: tls_files(arguments.tls_cert, arguments.tls_key),
        allow_insecure: arguments.insecure_listen,
        policy: PolicySource {
            rules: arguments.policy,
            waivers: arguments.waivers,
        },
        audit_rules: rule_files::load(RuleSet::shipped_audit_files(), &arguments.audit_rules)?,
        extent: Extent::Whole,
        scan_command: if arguments.skip_scan_queue {
            None
        } else {
            scan_command()
        },
    })
}

pub(super) fn tls_files(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<TlsFiles> {
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}

/// This program, told to scan.
fn scan_command() -> Option<Vec<OsString>> {
    let program = std::env::current_exe().ok()?;
    Some(
        [
            program.into_os_string(),
            "scan".into(),
            "--output".into(),
            "json".into(),
            "--".into(),
        ]
        .into(),
    )
}

/// Starts a server, says where it is, and waits for SIGINT or SIGTERM.
pub(super) fn serve(options: Options) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Exit::Bug,
                error,
                "the operating system gives no threads: see the limits of this user",
            )
        })?;
    runtime.block_on(async {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let server = Server::prepare(options).await.map_err(failure)?;
        announce(&server, scheme)
            .map_err(|error| Failure::new(Exit::Usage, error, "keep stdout open until the server is up"))?;
        let stop = stopped().map_err(|error| Failure::new(Exit::Bug, error, "signals cannot be received"))?;
        server.run(stop).await.map_err(failure)?;
        Ok(Exit::Go)
    })
}

/// stdout: one line with the address, and on a first run one with the password. Both are meant for scripts too.
fn announce(server: &Server, scheme: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    if let Some(password) = server.first_password() {
        writeln!(stdout, "one-time password of {FIRST_USER}: {password}").context("say the password")?;
    }
    writeln!(stdout, "listening on {scheme}://{}", server.address()).context("say the address")?;
    stdout.flush().context("say the address")
}

fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

pub(super) fn failure(error: Error) -> Failure {
    let (exit, hint) = match &error {
        Error::Insecure(_) => (
            Exit::Usage,
            "give --tls-cert and --tls-key, listen on 127.0.0.1, or put a TLS proxy in front and give --insecure-listen",
        ),
        Error::Listen { .. } => (Exit::Usage, "choose another port with --listen"),
        Error::Tls { .. } => (
            Exit::Usage,
            "both files are PEM, and the key belongs to the certificate",
        ),
        Error::Policy(_) => (
            Exit::Usage,
            "correct the file; `rules/content/policy/default.yaml` is an example",
        ),
        Error::NoDatabase(_) => (Exit::Target, "start `plimsoll serve` once with the same --data"),
        Error::File { .. } => (Exit::Usage, "check path and permissions"),
        Error::StoreTooNew { .. } => (
            Exit::Usage,
            "start the newer version again; this one would harm its data",
        ),
        Error::Store { .. } => (Exit::Usage, "check that --data can be written and has room"),
        _ => (Exit::Bug, "run again with -v and report this"),
    };
    Failure::new(exit, error, hint)
}
