//! `composer.lock` in, packages out, those for development included.

use serde::Deserialize;

use super::Locked;

#[derive(Deserialize)]
struct Lock {
    packages: Vec<Package>,
    #[serde(default, rename = "packages-dev")]
    development: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Lock = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = lock.packages.into_iter().chain(lock.development);
    Ok(all
        .map(|package| (package.name, package.version.trim_start_matches('v').to_owned()))
        .collect())
}
