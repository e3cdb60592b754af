//! The main module of Go programs whose build info has no version for it, because they were built from a checkout: build info
//! and what a classifier saw in, a package out. The Go cataloger has the others.

use plimsoll_model::{FileEntry, Package, PackageKind};

use super::{Recognised, classifier::Purl, cpes};
use crate::{
    cataloger::{Input, language},
    purl,
};

/// What build info says of the program itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Main<'a> {
    /// Path of the main module; `None` for programs built without modules.
    module: Option<&'a str>,
    /// Whether the main module has a version: then it is a package already.
    has_version: bool,
    /// What the linker was told to write into a variable for the version.
    linked_version: Option<&'a str>,
}

/// `None` when the program's version is not known, or known from its build info.
pub(super) fn package(entry: &FileEntry, input: &Input<'_>, rows: &[Recognised]) -> Option<Package> {
    let is_go = entry.elf.as_ref().is_some_and(|elf| elf.is_go);
    let info = input.tree.content(&entry.path).filter(|_| is_go);
    let info = String::from_utf8_lossy(info.unwrap_or_default());
    let main = main(&info);
    if main.has_version {
        return None;
    }
    // A program of the same name from another module is not the one that the row means.
    let row = rows.iter().find_map(|(row, version)| match row.purl {
        Purl::Go(module) if main.module.is_none_or(|path| base(path) == base(module)) => Some((*row, module, version)),
        _ => None,
    });
    let module = main.module.or(row.map(|(_, module, _)| module))?;
    let version = main.linked_version.or(row.map(|(_, _, version)| version.as_str()))?;
    let bare = version.trim_start_matches('v');
    // Releases that are dates have no `v`.
    let version = match bare.contains('.') {
        true => format!("v{bare}"),
        false => bare.to_owned(),
    };
    let folders: Vec<&str> = module.split('/').collect();
    let (name, namespace) = folders.split_last()?;
    let purl = purl::of_library("golang", namespace, name, &version);
    let mut package = language::package(PackageKind::Go, module, &version, purl, entry);
    package.cpes = row.map(|(row, _, _)| cpes(row, bare)).unwrap_or_default();
    Some(package)
}

fn main(info: &str) -> Main<'_> {
    let mut main = Main::default();
    for line in info.lines() {
        let mut parts = line.split('\t');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("mod"), Some(path), version) => {
                main.module = Some(path).filter(|path| !path.is_empty() && *path != "command-line-arguments");
                main.has_version = version.is_some_and(|version| version.starts_with('v'));
            }
            (Some("build"), Some(setting), _) => {
                if let Some(flags) = setting.strip_prefix("-ldflags=") {
                    main.linked_version = linked_version(flags);
                }
            }
            _ => {}
        }
    }
    main
}

/// The value of the variable that is called `version`, in whatever package: `-X main.version=1.2.3`.
fn linked_version(flags: &str) -> Option<&str> {
    let blank = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '\\');
    let settings = flags
        .split(blank)
        .filter_map(|word| word.strip_prefix("-X=").unwrap_or(word).split_once('='));
    settings
        .filter(|(variable, _)| {
            let name = variable.rsplit('.').next().unwrap_or_default();
            ["version", "gitversion", "buildversion", "appversion", "semver"].contains(&name.to_lowercase().as_str())
        })
        .map(|(_, value)| value)
        .find(|value| {
            let digits = value.strip_prefix('v').unwrap_or(value);
            digits.len() <= 64 && digits.starts_with(|first: char| first.is_ascii_digit()) && digits.contains('.')
        })
}

/// A module's path without the number of its major version.
fn base(module: &str) -> &str {
    match module.rsplit_once("/v") {
        Some((base, major)) if major.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linkers_flags_tell_the_version() {
        for (flags, expected) in [
            ("\"-s -w -X main.version=v1.2.3 -X main.date=2024\"", Some("v1.2.3")),
            ("-X=github.com/a/b/version.Version=1.2.3-rc.1", Some("1.2.3-rc.1")),
            ("\"-X \\\"k8s.io/x.gitVersion=v1.27.3\\\"\"", Some("v1.27.3")),
            ("-X 'main.Version=2.0.0'", Some("2.0.0")),
            ("-X main.version=dev -X main.commit=1.2.3", None),
            ("-X main.goVersion=1.2.3", None),
            ("-s -w", None),
        ] {
            assert_eq!(linked_version(flags), expected, "{flags}");
        }
    }

    #[test]
    fn a_main_module_with_a_version_is_left_to_the_go_cataloger() {
        assert!(main("go1.24.1\npath\ta/b\nmod\ta\tv1.0.0\th1:x=\n").has_version);
        let checkout = main("go1.24.1\npath\ta/b\nmod\ta\t(devel)\t\nbuild\t-ldflags=\"-X main.Version=1.0\"\n");
        assert_eq!((checkout.module, checkout.linked_version), (Some("a"), Some("1.0")));
        assert!(!checkout.has_version);
    }

    #[test]
    fn major_versions_are_the_same_module() {
        assert_eq!(base("go.etcd.io/etcd/v3"), base("go.etcd.io/etcd"));
        assert_ne!(base("github.com/k3s-io/kubernetes"), base("k8s.io/kubernetes"));
        assert_eq!(base("example.org/vault"), "example.org/vault");
    }
}
