//! `NAME.deps.json` of .NET programs in, the libraries that are deployed with them out (runtime configuration files,
//! dotnet/sdk documentation).

use std::collections::BTreeMap;

use plimsoll_model::PackageKind;
use serde::Deserialize;

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// NuGet.
pub(super) struct Nuget;

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "type", default)]
    kind: String,
}

const SUFFIX: &str = ".deps.json";

impl Cataloger for Nuget {
    fn name(&self) -> &'static str {
        "nuget"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        path.ends_with(SUFFIX).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| entry.path.ends_with(SUFFIX)) {
            let found: Option<Dependencies> = language::json(&entry.path, content, &mut catalog.notes);
            for (key, library) in found.into_iter().flat_map(|found| found.libraries) {
                // A `project` is the program itself.
                let (Some((name, version)), "package") = (key.split_once('/'), library.kind.as_str()) else {
                    continue;
                };
                let purl = purl::of_library("nuget", &[], name, version);
                catalog
                    .packages
                    .push(language::package(PackageKind::Nuget, name, version, purl, entry));
            }
        }
        catalog
    }
}
