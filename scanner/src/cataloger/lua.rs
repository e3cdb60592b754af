//! Rockspecs of installed Lua modules in, packages out (LuaRocks, "Rockspec format"). They are programs in Lua, of which only plain
//! assignments are read.

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// LuaRocks.
pub(super) struct Lua;

impl Cataloger for Lua {
    fn name(&self) -> &'static str {
        "lua"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        is_installed(path).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, content) in input.tree.contents().filter(|(entry, _)| is_installed(&entry.path)) {
            let text = String::from_utf8_lossy(content);
            match read(&text, entry) {
                Some(package) => catalog.packages.push(package),
                None => {
                    let detail = "rockspec has no name or version";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                }
            }
        }
        catalog
    }
}

/// `…/rocks-5.1/NAME/VERSION/NAME-VERSION.rockspec`; a rockspec elsewhere belongs to sources, and their own is no package.
fn is_installed(path: &str) -> bool {
    let Some((folder, _)) = path.strip_suffix(".rockspec").and_then(|path| path.rsplit_once('/')) else {
        return false;
    };
    let mut folders = folder.rsplit('/').skip(2);
    folders.next().is_some_and(|rocks| rocks.starts_with("rocks"))
}

fn read(text: &str, entry: &FileEntry) -> Option<Package> {
    let (name, version) = (assigned(text, "package")?, assigned(text, "version")?);
    let purl = purl::of_library("luarocks", &[], &name.to_lowercase(), version);
    let mut package = language::package(PackageKind::Lua, name, version, purl, entry);
    package.licences.extend(assigned(text, "license").map(str::to_owned));
    Some(package)
}

/// The text that a variable, or a field of a table, is set to.
fn assigned<'a>(text: &'a str, variable: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line
            .trim_start()
            .strip_prefix(variable)?
            .trim_start()
            .strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, _) = value[1..].split_once(quote)?;
        (!value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_assignments_are_read() {
        let text = "rockspec_format = '3.0'\npackage = \"LuaSocket\"\nversion= '3.1.0-1'\nversions = 'x'\n  license = \"MIT\",\n";
        assert_eq!(assigned(text, "package"), Some("LuaSocket"));
        assert_eq!(assigned(text, "version"), Some("3.1.0-1"));
        assert_eq!(assigned(text, "license"), Some("MIT"));
        assert_eq!(assigned("package = name .. 'x'", "package"), None);
        assert_eq!(assigned("package = '", "package"), None);
    }

    #[test]
    fn rockspecs_of_sources_are_none() {
        assert!(is_installed("/usr/local/lib/luarocks/rocks-5.1/a/1-1/a-1-1.rockspec"));
        assert!(!is_installed("/src/a/a-1-1.rockspec"));
    }
}
