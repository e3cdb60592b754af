//! `plimsoll db pull`: the database from a registry, as a delta where there is one, into the old one's place.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use plimsoll_scanner::artifact::{Artifact, ArtifactError, Layer, PublicKey, Store};
use plimsoll_vulndb::{apply_delta, database_digest, restore};

use super::{
    Place, artifact_failure, failure, print,
    push::{ARTIFACT_TYPE, BASE, DATABASE, DELTA_TYPE, FULL_TYPE},
    size,
};
use crate::{
    commands::scan::RegistryArguments,
    exit::{Exit, Failure, escape},
};

/// Longest layer, in bytes. A database of all feeds has about 300 MB, packed.
const MAX_LAYER_BYTES: u64 = 8 << 30;

/// From where.
#[derive(Args)]
pub(super) struct Arguments {
    /// HOST/NAME:TAG or HOST/NAME@DIGEST; more of them are tried in order
    #[arg(required = true, value_name = "REFERENCE")]
    references: Vec<String>,
    /// Public key (PEM) that must have signed it; of several, any
    #[arg(long, env = "PLIMSOLL_DB_PUBLIC_KEY", value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Longest time for everything, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    budget: u64,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// What was done.
enum Outcome {
    Unchanged,
    Delta(u64),
    Full(u64),
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        references,
        public_key,
        budget,
        place,
        registry,
    } = arguments;
    let keys = public_key
        .iter()
        .map(|path| PublicKey::read(path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(artifact_failure)?;
    let options = registry.options()?;
    let destination = place.path();
    let deadline = Instant::now() + Duration::from_secs(budget * 60);
    let mut failures = Vec::new();
    for reference in &references {
        let left = deadline.saturating_duration_since(Instant::now());
        let pulled = Store::open(reference, &options, left)
            .map_err(artifact_failure)
            .and_then(|store| pull(&store, &keys, &destination));
        match pulled {
            Ok((artifact, outcome)) => return say(reference, &artifact, &outcome, &destination),
            Err(failure) => failures.push(failure),
        }
    }
    let last = failures.pop().expect("there is one reference at least");
    for failure in failures {
        // The last one decides the exit code.
        let _ = failure.report();
    }
    Err(last)
}

fn say(reference: &str, artifact: &Artifact, outcome: &Outcome, destination: &Path) -> Result<Exit, Failure> {
    let done = match outcome {
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Delta(bytes) => format!("delta {}", size(*bytes)),
        Outcome::Full(bytes) => size(*bytes),
    };
    let path = destination.display();
    print(&format!(
        "{path} {done} from {} {}\n",
        escape(reference),
        artifact.digest
    ))
}

fn pull(store: &Store, keys: &[PublicKey], destination: &Path) -> Result<(Artifact, Outcome), Failure> {
    let artifact = store.pull(ARTIFACT_TYPE, keys).map_err(artifact_failure)?;
    let no_database = || {
        let error = anyhow::anyhow!("read {store:?}: its manifest does not say which database it has");
        Failure::new(Exit::Data, error, "push it anew with this version's `plimsoll db push`")
    };
    let wanted = artifact.annotations.get(DATABASE).ok_or_else(no_database)?;
    let have = database_digest(destination).map_err(failure)?;
    if have.as_ref() == Some(wanted) {
        return Ok((artifact, Outcome::Unchanged));
    }
    if let Some(folder) = destination.parent() {
        std::fs::create_dir_all(folder).map_err(|source| {
            artifact_failure(ArtifactError::File {
                operation: "make folder",
                path: folder.to_owned(),
                source,
            })
        })?;
    }
    let full = artifact
        .layers
        .iter()
        .find(|layer| layer.media_type == FULL_TYPE)
        .ok_or_else(no_database)?;
    let is_delta = |layer: &&Layer| {
        layer.media_type == DELTA_TYPE && have.is_some() && layer.annotations.get(BASE) == have.as_ref()
    };
    let delta = artifact
        .layers
        .iter()
        .find(is_delta)
        .filter(|delta| delta.size_bytes < full.size_bytes);
    if let Some(delta) = delta {
        match take(store, delta, destination, |file| apply_delta(file, wanted, destination)) {
            Ok(()) => return Ok((artifact.clone(), Outcome::Delta(delta.size_bytes))),
            // Whatever is wrong with a delta, the whole database may be right.
            Err(failure) => {
                let _ = failure.report();
                eprintln!("the whole database is downloaded instead");
            }
        }
    }
    let digest = full.digest.encoded();
    take(store, full, destination, |file| {
        restore(file, Some(&digest), destination).map(|_| ())
    })?;
    // The manifest may promise another database than its layer holds; the layer's own digest was right.
    if database_digest(destination).map_err(failure)?.as_ref() != Some(wanted) {
        eprintln!("note: the database is not the one that the manifest names");
    }
    let size_bytes = full.size_bytes;
    Ok((artifact, Outcome::Full(size_bytes)))
}

/// Downloads a layer beside the database, lets `put` take it, and removes it.
fn take(
    store: &Store,
    layer: &Layer,
    destination: &Path,
    put: impl FnOnce(&Path) -> Result<(), plimsoll_vulndb::Error>,
) -> Result<(), Failure> {
    let mut name = destination.as_os_str().to_owned();
    name.push(".pull");
    let file = PathBuf::from(name);
    store
        .download(layer, MAX_LAYER_BYTES, &file)
        .map_err(artifact_failure)?;
    let done = put(&file).map_err(failure);
    // It is of no more use, whatever came of it.
    let _ = std::fs::remove_file(&file);
    done
}
