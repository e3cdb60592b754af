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
    /// PDM: the folder or archive that it is taken from.
    path: Option<String>,
    /// PEP 751: the same.
    directory: Option<toml::Value>,
}

impl Package {
    /// Whether it is the project itself or a folder beside it: nobody published that.
    fn is_local(&self) -> bool {
        let source = self.source.as_ref();
        let of_uv = ["virtual", "editable", "directory"];
        let of_poetry = source.and_then(|source| source.get("type")?.as_str());
        self.path.is_some()
            || self.directory.is_some()
            || matches!(of_poetry, Some("directory" | "file"))
            || source.is_some_and(|source| of_uv.iter().any(|key| source.get(key).is_some()))
    }
}

pub(super) fn toml(text: &str) -> Result<Vec<Locked>, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let released = document.package.into_iter().filter(|package| !package.is_local());
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
