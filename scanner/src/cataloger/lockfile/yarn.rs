//! `yarn.lock` in, packages out: Yarn 1's own format, and the YAML of Yarn 2 and later, which has the same shape (one block a
//! package, its name in the first line, a `version` below it).

use super::{Locked, npm};

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let mut found = Vec::new();
    let mut header: Option<&str> = None;
    let mut version: Option<&str> = None;
    let mut resolution: Option<&str> = None;
    for line in text.lines().chain(std::iter::once("end:")) {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            if let (Some(header), Some(version)) = (header.take(), version.take()) {
                found.extend(package(header, version, resolution.take()));
            }
            resolution = None;
            header = Some(line.strip_suffix(':').ok_or("a block has no name")?);
            continue;
        }
        // Deeper lines name what a package depends on.
        let Some(field) = line.strip_prefix("  ").filter(|field| !field.starts_with(' ')) else {
            continue;
        };
        let value = |name: &str| {
            Some(
                field
                    .strip_prefix(name)?
                    .trim_start_matches(':')
                    .trim()
                    .trim_matches('"'),
            )
        };
        version = version.or_else(|| value("version"));
        resolution = resolution.or_else(|| value("resolution"));
    }
    Ok(found)
}

/// `"@babel/code-frame@^7.0.0", "@babel/code-frame@7.24.7"`; a resolution is `ms@npm:2.0.0`.
fn package(header: &str, version: &str, resolution: Option<&str>) -> Option<Locked> {
    let version = version.to_owned();
    if header == "__metadata" {
        return None;
    }
    if let Some(resolution) = resolution {
        let (name, _) = resolution.split_once("@npm:")?;
        return Some((name.to_owned(), version));
    }
    let first = header.split(',').next()?.trim().trim_matches('"');
    // `old-ms@npm:ms@2.0.0` is an alias.
    let (name, range) = first[1..]
        .split_once('@')
        .map(|(name, range)| (&first[..=name.len()], range))?;
    match range.strip_prefix("npm:").map(|alias| (alias, npm::split_spec(alias))) {
        Some((_, Some((real, _)))) => Some((real, version)),
        Some((alias, None)) if !alias.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '^' | '~')) => {
            Some((alias.to_owned(), version))
        }
        _ if range.starts_with("file:") || range.starts_with("link:") => None,
        _ => Some((name.to_owned(), version)),
    }
}
