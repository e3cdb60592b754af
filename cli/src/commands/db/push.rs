//! `plimsoll db push`: the database, and deltas from older ones, as an artifact on a registry.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::Args;
use plimsoll_scanner::artifact::{NewArtifact, NewLayer, SigningKey, Store};
use plimsoll_vulndb::{Database, database_digest, export, write_delta};

use super::{Place, artifact_failure, failure, print, size};
use crate::{
    commands::scan::RegistryArguments,
    exit::{Exit, Failure},
};

/// What the artifact is.
pub(super) const ARTIFACT_TYPE: &str = "application/vnd.plimsoll.vulnerability-database.v1";
/// The whole database.
pub(super) const FULL_TYPE: &str = "application/vnd.plimsoll.vulnerability-database.v1+sqlite+zstd";
/// What turns an older database into it.
pub(super) const DELTA_TYPE: &str = "application/vnd.plimsoll.vulnerability-database.delta.v1+zstd";
/// Annotation of the manifest: SHA-256 of the database as it is used.
pub(super) const DATABASE: &str = "dev.plimsoll.database.sha256";
/// Annotation of a delta: SHA-256 of the database that it is from.
pub(super) const BASE: &str = "dev.plimsoll.database.base.sha256";

/// Where to, and from what.
#[derive(Args)]
pub(super) struct Arguments {
    /// HOST/NAME:TAG
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// An older database that readers may have: they then download what changed only
    #[arg(long, value_name = "DATABASE")]
    delta_from: Vec<PathBuf>,
    /// Private key to sign with (PEM, `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Longest time for everything, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    budget: u64,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        reference,
        delta_from,
        key,
        budget,
        place,
        registry,
    } = arguments;
    let key = key
        .map(|path| SigningKey::read(&path))
        .transpose()
        .map_err(artifact_failure)?;
    let path = place.path();
    let status = Database::open(&path)
        .and_then(|database| database.status())
        .map_err(failure)?;
    let missing = || {
        Failure::new(
            Exit::Data,
            anyhow::anyhow!("read {}", path.display()),
            "it was there just now",
        )
    };
    let digest = database_digest(&path).map_err(failure)?.ok_or_else(missing)?;
    let store = Store::open(&reference, &registry.options()?, Duration::from_secs(budget * 60));
    let store = store.map_err(artifact_failure)?;
    // Beside the database, where there is room for another one.
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = tempfile::tempdir_in(beside.unwrap_or(std::path::Path::new("."))).map_err(|error| {
        Failure::new(
            Exit::Target,
            anyhow::Error::from(error).context("make a temporary folder"),
            "is the disk full?",
        )
    })?;
    let full = folder.path().join("full.zst");
    export(&path, &full).map_err(failure)?;
    let mut layers = vec![NewLayer {
        media_type: FULL_TYPE.to_owned(),
        path: full,
        annotations: BTreeMap::new(),
    }];
    for (index, base) in delta_from.iter().enumerate() {
        let file = folder.path().join(format!("delta{index}.zst"));
        let from = database_digest(base).map_err(failure)?.ok_or_else(|| {
            let error = anyhow::anyhow!("read {}: no such file", base.display());
            Failure::new(Exit::Target, error, "--delta-from wants a database file")
        })?;
        match write_delta(base, &path, &file).map_err(failure)? {
            Some(_) => layers.push(NewLayer {
                media_type: DELTA_TYPE.to_owned(),
                path: file,
                annotations: BTreeMap::from([(BASE.to_owned(), from)]),
            }),
            None => eprintln!("note: {} is too large for a delta", base.display()),
        }
    }
    let pushed = store
        .push(&NewArtifact {
            artifact_type: ARTIFACT_TYPE.to_owned(),
            subject: None,
            layers,
            annotations: BTreeMap::from([
                (DATABASE.to_owned(), digest),
                ("org.opencontainers.image.created".to_owned(), status.built),
            ]),
            key,
        })
        .map_err(artifact_failure)?;
    print(&format!("{reference} {} {}\n", pushed.digest, size(pushed.size_bytes)))
}
