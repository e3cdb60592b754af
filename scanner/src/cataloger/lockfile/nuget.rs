//! NuGet's `packages.lock.json` in, packages out (NuGet documentation, "Locking dependencies").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Locked;

#[derive(Deserialize)]
struct Lock {
    /// By target framework, then by name.
    dependencies: BTreeMap<String, BTreeMap<String, Dependency>>,
}

#[derive(Deserialize)]
struct Dependency {
    /// Absent for projects of the same solution.
    resolved: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Lock = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = lock.dependencies.into_values().flatten();
    Ok(all.filter_map(|(name, found)| Some((name, found.resolved?))).collect())
}
