//! `Cargo.lock` in, crates of registries and repositories out; those of the workspace itself have no source.

use serde::Deserialize;

use super::Locked;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let fetched = lock.package.into_iter().filter(|package| package.source.is_some());
    Ok(fetched.map(|package| (package.name, package.version)).collect())
}
