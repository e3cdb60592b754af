//! Sets of path prefixes for `pmatch`: a path matches when one of them is the path or a folder above it.

use super::{glob::Glob, text_set::TextSet};

/// Prefixes, compared component by component.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathPrefixes {
    plain: TextSet,
    /// Prefixes with wildcards in some component.
    globs: Vec<Vec<Glob>>,
    has_root: bool,
}

impl PathPrefixes {
    /// Adds a prefix; a slash at its end and doubled slashes mean nothing.
    pub(crate) fn add(&mut self, path: &str) {
        let components: Vec<&str> = components(path).collect();
        if components.is_empty() {
            self.has_root = true;
        } else if path.contains(['*', '?', '[']) {
            self.globs
                .push(components.into_iter().map(|part| Glob::new(part, false)).collect());
        } else {
            self.plain.insert(&components.join("/"));
        }
    }

    /// The prefixes as absolute paths; `None` when some are patterns, or all paths match.
    pub(crate) fn plain_paths(&self) -> Option<Vec<String>> {
        let is_plain = self.globs.is_empty() && !self.has_root;
        is_plain.then(|| self.plain.iter().map(|path| format!("/{path}")).collect())
    }

    /// Whether a prefix matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        if self.has_root {
            return true;
        }
        if !self.plain.is_empty() && self.matches_plain(path) {
            return true;
        }
        self.globs.iter().any(|glob| {
            let mut parts = components(path);
            glob.iter()
                .all(|part| parts.next().is_some_and(|text| part.matches(text)))
        })
    }

    fn matches_plain(&self, path: &str) -> bool {
        let trimmed = path.trim_matches('/');
        if trimmed.contains("//") {
            let parts: Vec<&str> = components(path).collect();
            return (1..=parts.len()).any(|end| self.plain.contains(parts[..end].join("/").as_str()));
        }
        memchr::memchr_iter(b'/', trimmed.as_bytes())
            .chain([trimmed.len()])
            .any(|end| self.plain.contains(&trimmed[..end]))
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_components_only() {
        let mut prefixes = PathPrefixes::default();
        for path in ["/var/run", "/etc/", "/usr/lib", "/home/*/.ssh"] {
            prefixes.add(path);
        }
        for (path, expected) in [
            ("/var/run/docker", true),
            ("/var/run", true),
            ("/var", false),
            ("/var/runner", false),
            ("/boot", false),
            ("/etc", true),
            ("//etc//passwd", true),
            ("/home/a/.ssh/id", true),
            ("/home/a/b/.ssh", false),
        ] {
            assert_eq!(prefixes.matches(path), expected, "{path}");
        }
        prefixes.add("/");
        assert!(prefixes.matches("/boot"));
    }
}
