//! `plimsoll profile sign`: a key in; the profile that is attached to an image vouched for out.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use plimsoll_scanner::{
    artifact::{SigningKey, Store},
    parse_platform,
};

use super::{failure, folder};
use crate::{
    commands::{db, scan::RegistryArguments},
    exit::{Exit, Failure},
};

/// Of which image, by whom.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: HOST/NAME:TAG or HOST/NAME@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Private key (PEM, `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Which image of a multi-platform one: os/architecture[/variant] [default: linux on this processor]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Longest time for the registry, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    budget: u64,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let key = SigningKey::read(&arguments.key).map_err(failure)?;
    let platform = arguments.platform.as_deref().map(parse_platform).transpose();
    let platform = platform.map_err(crate::commands::scan::failure)?;
    let options = arguments.registry.options()?;
    let store = Store::open(&arguments.reference, &options, Duration::from_secs(arguments.budget)).map_err(failure)?;
    let folder = folder()?;
    let subject = store.resolve(platform.as_ref()).map_err(failure)?;
    let signed = store.sign_report(subject, &key, folder.path()).map_err(failure)?;
    db::print(&format!("{signed} signed, attached to {}\n", subject.manifest_digest))
}
