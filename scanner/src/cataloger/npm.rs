//! `package.json` of installed Node.js packages in, packages out (npm docs, "folders" and "package.json").

use plimsoll_model::PackageKind;
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// npm, and what installs as npm does.
pub(super) struct Npm;

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
    license: Option<serde_json::Value>,
}

impl Cataloger for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_manifest(path).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_manifest(&entry.path)) {
            let Some(manifest) = language::json::<Manifest>(&entry.path, content, &mut catalog.notes) else {
                continue;
            };
            // A folder of sources that nobody published has neither.
            let (Some(name), Some(version)) = (manifest.name, manifest.version) else {
                continue;
            };
            // Not every folder of a `vendor` is a copy of a package: one that is has its name.
            if vendored(&entry.path).is_some_and(|folder| folder != name) {
                continue;
            }
            let (scope, short) = match name.split_once('/') {
                Some((scope, short)) => (vec![scope], short),
                None => (Vec::new(), name.as_str()),
            };
            let purl = purl::of_library("npm", &scope, short, &version);
            let mut package = language::package(PackageKind::Npm, &name, &version, purl, entry);
            package.licences.extend(manifest.license.and_then(licence));
            catalog.packages.push(package);
        }
        catalog
    }
}

/// Folders of packages: npm's, and those of Debian's packages.
const FOLDERS: &[&str] = &["/node_modules/", "/usr/share/nodejs/", "/usr/lib/nodejs/"];

/// `node_modules/NAME/package.json` or `node_modules/@SCOPE/NAME/package.json`, and copies that a package brings in its
/// `vendor` folder: others belong to tests and parts of packages.
fn is_manifest(path: &str) -> bool {
    let Some(folder) = path.strip_suffix("/package.json") else {
        return false;
    };
    let below = FOLDERS.iter().filter_map(|place| Some(folder.rsplit_once(place)?.1));
    below.min_by_key(|name| name.len()).is_some_and(is_name) || vendored(path).is_some()
}

/// The name that a copy in `vendor/NAME` or `vendor/@SCOPE/NAME` must have; `None` for manifests elsewhere.
fn vendored(path: &str) -> Option<&str> {
    let (_, name) = path.strip_suffix("/package.json")?.rsplit_once("/vendor/")?;
    is_name(name).then_some(name)
}

fn is_name(folder: &str) -> bool {
    match folder.split_once('/') {
        None => true,
        Some((scope, rest)) => scope.starts_with('@') && !rest.contains('/'),
    }
}

/// A string today; an object with `type` in old packages.
fn licence(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text),
        other => Some(other.get("type")?.as_str()?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_top_of_a_package_describes_it() {
        for (path, expected) in [
            ("/app/node_modules/a/package.json", true),
            ("/app/node_modules/@s/a/package.json", true),
            ("/app/node_modules/a/node_modules/b/package.json", true),
            ("/app/node_modules/a/test/package.json", false),
            ("/app/node_modules/@s/a/esm/package.json", false),
            ("/app/package.json", false),
            ("/usr/share/nodejs/semver/package.json", true),
            ("/usr/share/nodejs/@types/semver/package.json", true),
            ("/usr/share/nodejs/semver/node_modules/a/package.json", true),
            ("/usr/share/nodejs/semver/bin/package.json", false),
            ("/node_modules/package.json", false),
            ("/app/node_modules/typescript/vendor/vscode-jsonrpc/package.json", true),
            ("/app/vendor/@s/a/package.json", true),
            ("/app/vendor/twbs/bootstrap/package.json", false),
            ("/app/vendor/a/esm/package.json", false),
            ("/app/vendor/package.json", false),
        ] {
            assert_eq!(is_manifest(path), expected, "{path}");
        }
    }
}
