//! Lock files of npm (versions 1 to 3) and Bun's text lock file in, packages out (npm documentation, "package-lock.json").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Locked;

/// How deep version 1 may nest packages in packages; serde_json itself stops at 128 levels.
const MAX_DEPTH: usize = 64;

#[derive(Deserialize)]
struct PackageLock {
    /// By path, since version 2; the empty path is the project itself.
    packages: Option<BTreeMap<String, Installed>>,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
struct Installed {
    /// Where it is another than the folder's: aliases.
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    link: bool,
}

#[derive(Deserialize)]
struct Dependency {
    version: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
}

pub(super) fn package_lock(text: &str) -> Result<Vec<Locked>, String> {
    let lock: PackageLock = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let Some(packages) = lock.packages else {
        nested(lock.dependencies, 0, &mut found);
        return Ok(found);
    };
    for (path, package) in packages {
        // Other paths are folders of the project itself.
        let Some((_, folder)) = path.rsplit_once("node_modules/") else {
            continue;
        };
        if let (false, Some(version)) = (package.link, package.version) {
            found.push((package.name.unwrap_or_else(|| folder.to_owned()), version));
        }
    }
    Ok(found)
}

fn nested(dependencies: BTreeMap<String, Dependency>, depth: usize, found: &mut Vec<Locked>) {
    if depth > MAX_DEPTH {
        return;
    }
    for (name, dependency) in dependencies {
        // `npm:ms@2.0.0` is an alias; addresses of files and repositories are no versions.
        found.extend(
            dependency
                .version
                .and_then(|version| match version.strip_prefix("npm:") {
                    Some(alias) => split_spec(alias),
                    None if version.contains(':') => None,
                    None => Some((name, version)),
                }),
        );
        nested(dependency.dependencies, depth + 1, found);
    }
}

/// `@babel/code-frame@7.24.7` is name and version.
pub(super) fn split_spec(spec: &str) -> Option<Locked> {
    let at = spec.rfind('@').filter(|at| *at > 0)?;
    Some((spec[..at].to_owned(), spec[at + 1..].to_owned()))
}

#[derive(Deserialize)]
struct BunLock {
    /// A list each; its first element is name and version.
    packages: BTreeMap<String, Vec<serde_json::Value>>,
}

pub(super) fn bun(text: &str) -> Result<Vec<Locked>, String> {
    let lock: BunLock = serde_json::from_str(&without_commas(text)).map_err(|error| error.to_string())?;
    let specs = lock.packages.into_values().filter_map(|list| {
        let spec = split_spec(list.first()?.as_str()?)?;
        spec.1.starts_with(|c: char| c.is_ascii_digit()).then_some(spec)
    });
    Ok(specs.collect())
}

/// Bun writes commas after the last element; JSON has none there.
fn without_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if in_string {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
        } else if c == '"' {
            in_string = true;
        } else if c == ',' && text[at + 1..].trim_start().starts_with(['}', ']']) {
            continue;
        }
        out.push(c);
    }
    out
}
