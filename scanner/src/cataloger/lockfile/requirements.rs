//! pip's requirements in, those with one exact version out (pip documentation, "Requirements File Format").

use super::Locked;

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`, `requirements.lock`.
pub(super) fn is_requirements(name: &str) -> bool {
    let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".lock"));
    stem.is_some_and(|stem| {
        stem.starts_with("requirements") || stem.ends_with("-requirements") || stem.ends_with("_requirements")
    })
}

/// Ranges fix nothing, and are left out.
#[expect(clippy::unnecessary_wraps, reason = "all formats have one signature")]
pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let mut found = Vec::new();
    let mut continued = String::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if let Some(start) = line.strip_suffix('\\') {
            continued.push_str(start);
            continued.push(' ');
            continue;
        }
        continued.push_str(line);
        found.extend(requirement(&std::mem::take(&mut continued)));
    }
    found.extend(requirement(&continued));
    Ok(found)
}

/// `Name[extra]==1.2.3 ; python_version < "3.9" --hash=sha256:…`
fn requirement(line: &str) -> Option<Locked> {
    if line.starts_with(['#', '-']) {
        return None;
    }
    let line = line.split([';', '#']).next()?.split(" --").next()?;
    let (name, version) = line.split_once("==")?;
    let name = name.split('[').next()?.trim();
    let version = version.trim_start_matches('=').trim();
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let is_exact = version
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '!'));
    (is_name && is_exact && !version.is_empty()).then(|| (name.to_owned(), version.to_owned()))
}
