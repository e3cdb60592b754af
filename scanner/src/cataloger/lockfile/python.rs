//! Lock files of Poetry, uv, PDM and PEP 751 (tables of `package` in TOML) and of Pipenv (JSON) in, packages out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Locked;

#[derive(Deserialize)]
struct Document {
    #[serde(default, alias = "packages")]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// Absent where a folder or repository stands in.
    version: Option<String>,
    source: Option<toml::Value>,
}

pub(super) fn toml(text: &str) -> Result<Vec<Locked>, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let is_itself = |package: &Package| {
        let source = package.source.as_ref();
        // uv lists the project that the lock is of.
        source.is_some_and(|source| source.get("virtual").is_some() || source.get("editable").is_some())
    };
    let released = document.package.into_iter().filter(|package| !is_itself(package));
    Ok(released
        .filter_map(|package| Some((package.name, package.version?)))
        .collect())
}

#[derive(Deserialize)]
struct Pipfile {
    default: BTreeMap<String, Pinned>,
    #[serde(default)]
    develop: BTreeMap<String, Pinned>,
}

#[derive(Deserialize)]
struct Pinned {
    /// `==2.32.3`
    version: Option<String>,
}

pub(super) fn pipfile(text: &str) -> Result<Vec<Locked>, String> {
    let file: Pipfile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = file.default.into_iter().chain(file.develop);
    Ok(all
        .filter_map(|(name, pinned)| Some((name, pinned.version?.trim_start_matches('=').to_owned())))
        .collect())
}
