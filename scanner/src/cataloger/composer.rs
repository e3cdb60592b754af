//! Composer's `installed.json` in, packages out (Composer 2 has an object with `packages`, Composer 1 a list).

use plimsoll_model::PackageKind;
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Packagist.
pub(super) struct Composer;

#[derive(Deserialize)]
struct Installed {
    name: String,
    version: String,
    #[serde(default)]
    license: Vec<String>,
}

const NAME: &str = "/composer/installed.json";

impl Cataloger for Composer {
    fn name(&self) -> &'static str {
        "composer"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        path.ends_with(NAME).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| entry.path.ends_with(NAME)) {
            let Some(document) = language::json::<serde_json::Value>(&entry.path, content, &mut catalog.notes) else {
                continue;
            };
            let list = document.get("packages").unwrap_or(&document).to_string();
            let list: Option<Vec<Installed>> = language::json(&entry.path, list.as_bytes(), &mut catalog.notes);
            for installed in list.unwrap_or_default() {
                let (vendor, short) = match installed.name.split_once('/') {
                    Some((vendor, short)) => (vec![vendor], short),
                    None => (Vec::new(), installed.name.as_str()),
                };
                let version = installed.version.trim_start_matches('v');
                let purl = purl::of_library("composer", &vendor, short, version);
                let mut package = language::package(PackageKind::Composer, &installed.name, version, purl, entry);
                package.licences = installed.license;
                catalog.packages.push(package);
            }
        }
        catalog
    }
}
