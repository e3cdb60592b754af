//! `certs.d` folders of Docker and containers in, certificate authorities and client certificates out
//! (containers-certs.d(5)).

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use reqwest::{Certificate, ClientBuilder, Identity};

use super::{RegistryError, RegistryOptions};
use crate::{layout::read_limited, limits::MAX_CREDENTIALS_BYTES};

/// Adds the authorities that the user names and what the folders of `host` hold: no other host sees its client
/// certificate.
pub(super) fn apply(
    mut builder: ClientBuilder,
    host: &str,
    options: &RegistryOptions,
) -> Result<ClientBuilder, RegistryError> {
    let mut authorities = options.ca_files.clone();
    let mut identity = None;
    for folder in options.certificate_folders.iter().map(|folder| folder.join(host)) {
        let files = files(&folder);
        authorities.extend(files.iter().filter(|path| has_ending(path, "crt")).cloned());
        let certificate = files.iter().find(|path| has_ending(path, "cert"));
        if let (None, Some(certificate)) = (&identity, certificate) {
            let key = certificate.with_extension("key");
            identity = Some([read(certificate)?, b"\n".to_vec(), read(&key)?].concat());
        }
    }
    for path in authorities {
        let certificates = Certificate::from_pem_bundle(&read(&path)?).map_err(|error| unusable(&path, &error))?;
        if certificates.is_empty() {
            return Err(unusable(&path, &"it holds no PEM certificate"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(pem) = identity {
        let identity = Identity::from_pem(&pem).map_err(|error| unusable(Path::new(host), &error))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

/// Sorted, so that the first of several is always the same.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let file = File::open(path).map_err(|error| unusable(path, &error))?;
    read_limited("", file, MAX_CREDENTIALS_BYTES).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
