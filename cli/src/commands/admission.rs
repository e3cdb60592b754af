//! `plimsoll admission`: the admission webhook alone, over the database of a server.

use std::{net::SocketAddr, path::PathBuf};

use plimsoll_rules::RuleSet;
use plimsoll_web::{Extent, Options, PolicySource};

use super::serve;
use crate::exit::{Exit, Failure};

/// Where to listen and what to decide by.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address and port; port 0 takes a free one
    #[arg(
        long,
        env = "PLIMSOLL_LISTEN",
        default_value = "0.0.0.0:8443",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
    /// Database with scan reports, waivers and settings: `plimsoll.db` in the server's data folder
    #[arg(long, default_value = "/var/lib/plimsoll/plimsoll.db", value_name = "FILE")]
    db: PathBuf,
    /// Certificate chain (PEM); Kubernetes speaks to webhooks by HTTPS only
    #[arg(long, env = "PLIMSOLL_TLS_CERT", value_name = "FILE")]
    tls_cert: PathBuf,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "PLIMSOLL_TLS_KEY", value_name = "FILE")]
    tls_key: PathBuf,
    /// Rule file of the policy; may be given several times [default: the shipped policy]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Waivers, beside those in the database
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
}

/// Runs `plimsoll admission`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    serve::serve(Options {
        listen: arguments.listen,
        database: arguments.db,
        tls: serve::tls_files(Some(arguments.tls_cert), Some(arguments.tls_key)),
        allow_insecure: false,
        policy: PolicySource {
            rules: arguments.policy,
            waivers: arguments.waivers,
        },
        audit_rules: RuleSet::default(),
        extent: Extent::AdmissionOnly,
        scan_command: None,
    })
}
