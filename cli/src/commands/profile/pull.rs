//! `plimsoll profile pull`: an image's reference in, the scan report that is attached to it out, its signature verified. The
//! agent runs it as a child process, so that what is privileged reads no registry's answers.

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use plimsoll_model::Digest;
use plimsoll_scanner::{
    artifact::{ArtifactError, PublicKey, Store},
    parse_platform,
};

use super::{failure, folder};
use crate::{
    commands::{db, scan::RegistryArguments},
    exit::{Exit, Failure},
};

/// Most bytes of keys on standard input.
const MAX_KEYS_BYTES: u64 = 1 << 20;

/// Of which image, and who must have signed it.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: HOST/NAME:TAG or HOST/NAME@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// File to write the report to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Public key (PEM) that must have signed it, `-` for those on standard input; of several, any
    #[arg(long, env = "PLIMSOLL_PROFILE_PUBLIC_KEY", value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Only if this is the digest of the image's config
    #[arg(long, value_name = "DIGEST")]
    config_digest: Option<Digest>,
    /// Which image of a multi-platform one: os/architecture[/variant] [default: linux on this processor]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Longest time for everything, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    budget: u64,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        reference,
        output,
        public_key,
        config_digest,
        platform,
        budget,
        registry,
    } = arguments;
    let keys = read_keys(&public_key)?;
    if keys.is_empty() {
        eprintln!("note: no --public-key: whoever may write to the registry may have written this profile");
    }
    let platform = platform.as_deref().map(parse_platform).transpose();
    let platform = platform.map_err(crate::commands::scan::failure)?;
    let store = Store::open(&reference, &registry.options()?, Duration::from_secs(budget)).map_err(failure)?;
    let folder = folder()?;
    let subject = store.resolve(platform.as_ref()).map_err(failure)?;
    if let Some(wanted) = config_digest.filter(|wanted| *wanted != subject.config_digest) {
        return Err(failure(ArtifactError::Digest {
            what: format!("config of {store:?}"),
            expected: wanted,
            actual: subject.config_digest,
        }));
    }
    let pulled = store.pull_report(subject, &keys, folder.path()).map_err(failure)?;
    let json = serde_json::to_vec(&pulled.report).expect("a report has no map with other keys than text");
    match &output {
        None => write_out(&json)?,
        Some(path) => {
            super::write_whole(path, &json)?;
            db::print(&format!(
                "{} {} from {}\n",
                path.display(),
                db::size(json.len() as u64),
                pulled.artifact
            ))?;
        }
    }
    Ok(Exit::Go)
}

fn read_keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    let mut keys = Vec::new();
    for path in paths {
        if path.as_os_str() != "-" {
            keys.push(PublicKey::read(path).map_err(failure)?);
            continue;
        }
        let mut text = String::new();
        let read = std::io::stdin().lock().take(MAX_KEYS_BYTES).read_to_string(&mut text);
        read.map_err(|error| {
            let error = anyhow::Error::from(error).context("read keys from standard input");
            Failure::new(Exit::Usage, error, "give PEM text")
        })?;
        keys.extend(PublicKey::parse_all(&text).map_err(failure)?);
    }
    Ok(keys)
}

fn write_out(json: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(json).and_then(|()| stdout.flush());
    written.map_err(|error| {
        let error = anyhow::Error::from(error).context("write the report");
        Failure::new(Exit::Target, error, "was the reader closed? --output writes to a file")
    })
}
