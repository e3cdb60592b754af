//! Bundler's `Gemfile.lock` in, gems out: lines `name (version)` below `specs:`, four blanks in; what they depend on is six in.

use super::Locked;

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let mut found = Vec::new();
    let (mut section, mut in_specs, mut has_section) = ("", false, false);
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line.trim();
            in_specs = false;
            has_section |= matches!(section, "GEM" | "GIT" | "PATH" | "PLATFORMS" | "DEPENDENCIES");
        } else if line.trim_end() == "  specs:" {
            // Gems below PATH are the project's own.
            in_specs = matches!(section, "GEM" | "GIT");
        } else if let Some(spec) = line
            .strip_prefix("    ")
            .filter(|spec| in_specs && !spec.starts_with(' '))
        {
            let spec = spec
                .split_once(" (")
                .and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
            // `1.16.5-x86_64-linux` is a build of 1.16.5.
            found.extend(spec.map(|(name, version)| {
                let version = version.split('-').next().unwrap_or(version);
                (name.to_owned(), version.to_owned())
            }));
        }
    }
    has_section
        .then_some(found)
        .ok_or_else(|| "has no section of gems".to_owned())
}
