//! `pnpm-lock.yaml` in, packages out (pnpm/spec, "lockfile"): keys of the mapping `packages`, spelled differently in each version. Read
//! line by line: anchors and nesting of YAML, which pnpm does not write, cannot do harm.

use super::{Locked, npm};

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("lockfileVersion:"))
        .ok_or("has no lockfileVersion")?;
    let version = version.trim().trim_matches(['\'', '"']);
    let is_slashed = version.starts_with(['1', '2', '3', '4']) || version.starts_with("5.");
    let mut in_packages = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            in_packages = line.trim_end() == "packages:";
        }
        let key = line
            .strip_prefix("  ")
            .filter(|key| in_packages && !key.starts_with([' ', '#']));
        let Some(key) = key.and_then(|key| key.trim_end().strip_suffix(':')) else {
            continue;
        };
        let key = key.trim_matches(['\'', '"']);
        // Addresses of files and repositories are no packages of a registry.
        if key.contains(':') {
            continue;
        }
        let key = key.strip_prefix('/').unwrap_or(key);
        // What a package was resolved with comes after it: `/a/1.0.0_b@2.0.0`, `a@1.0.0(b@2.0.0)`.
        let key = key.split('(').next().unwrap_or(key);
        found.extend(if is_slashed { slashed(key) } else { npm::split_spec(key) });
    }
    Ok(found)
}

fn slashed(key: &str) -> Option<Locked> {
    let parts = if key.starts_with('@') { 2 } else { 1 };
    let at = key.match_indices('/').nth(parts - 1)?.0;
    let version = key[at + 1..].split('_').next()?;
    Some((key[..at].to_owned(), version.to_owned()))
}
