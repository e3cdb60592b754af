//! Versions that rule files require of the engine and of plugins.

use std::str::FromStr;

/// `major.minor.patch`, as far as rule files use semantic versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// The engine version whose rule files we read: Falco's engine at commit 13074749.
pub(crate) const ENGINE: Version = Version::new(0, 63, 0);

impl Version {
    pub(crate) const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Before 0.31 the engine's version was one number; it became the minor one.
    pub(crate) fn implicit(minor: u32) -> Self {
        Self::new(0, minor, 0)
    }

    /// Same major version, and not older than what is required.
    pub(crate) fn satisfies(self, required: Self) -> bool {
        self.major == required.major && self >= required
    }
}

impl FromStr for Version {
    type Err = ();

    /// A suffix behind `-` or `+` is allowed and ignored.
    fn from_str(text: &str) -> Result<Self, ()> {
        let core = text.split(['-', '+']).next().unwrap_or("");
        let mut parts = core.split('.').map(|part| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number {
                part.parse().map_err(|_| ())
            } else {
                Err(())
            }
        });
        let mut next = || parts.next().unwrap_or(Err(()));
        let version = Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        };
        if core.split('.').count() == 3 {
            Ok(version)
        } else {
            Err(())
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A plugin that rules need, with what may stand in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PluginRequirement {
    /// Name and least version; any one is enough.
    pub(crate) alternatives: Vec<(String, Version)>,
}

impl PluginRequirement {
    /// Whether one of the plugins that are there is enough.
    pub(crate) fn is_met_by(&self, plugins: &[(&str, Version)]) -> bool {
        self.alternatives.iter().any(|(name, required)| {
            plugins
                .iter()
                .any(|(plugin, version)| plugin == name && version.satisfies(*required))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_versions() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("0.7.0").satisfies(version("0.4.0")));
        assert!(!version("0.7.0").satisfies(version("1.0.0")));
        assert!(version("1.2.3-rc1").satisfies(version("1.2.3")));
        for text in ["seven", "1.2", "1.2.3.4", "1..3", "-1.0.0", ""] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    /// The cases of upstream's `PluginRequirements` suite.
    #[test]
    fn plugins_with_alternatives() {
        let need = |alternatives: &[(&str, &str)]| PluginRequirement {
            alternatives: alternatives
                .iter()
                .map(|(name, version)| ((*name).to_owned(), version.parse().unwrap()))
                .collect(),
        };
        let plugins = |list: &[(&'static str, &str)]| -> Vec<(&'static str, Version)> {
            list.iter()
                .map(|(name, version)| (*name, version.parse().unwrap()))
                .collect()
        };
        let check = |have: &[(&'static str, &str)], needs: &[&[(&str, &str)]]| {
            let have = plugins(have);
            needs.iter().all(|alternatives| need(alternatives).is_met_by(&have))
        };
        assert!(check(&[("k8saudit", "0.1.0")], &[&[("k8saudit", "0.1.0")]]));
        assert!(check(
            &[("k8saudit", "0.2.0")],
            &[&[("k8saudit", "0.1.0")], &[("k8saudit", "0.2.0")]]
        ));
        assert!(check(
            &[("k8saudit-other", "0.5.0")],
            &[&[("k8saudit", "0.1.0"), ("k8saudit-other", "0.4.0")]]
        ));
        assert!(!check(&[], &[&[("k8saudit", "0.1.0")]]));
        assert!(!check(&[("k8saudit", "0.1.0")], &[&[("k8saudit", "0.2.0")]]));
        assert!(!check(
            &[("k8saudit2", "0.5.0")],
            &[&[("k8saudit", "0.1.0"), ("k8saudit-other", "0.4.0")]]
        ));
        assert!(!check(
            &[("k8saudit", "0.7.0")],
            &[&[("k8saudit", "1.0.0"), ("k8saudit-other", "0.7.0")]]
        ));
    }
}
