//! Which files' reading and writing rules ask for: conditions specialised for opens in, sets of paths out. What cannot be
//! told is everything, so that a filter made of it never drops what a rule could match.

use super::{
    graph::{Graph, NodeId},
    paths::PathPrefixes,
    places::{self, Walk},
    single::Single,
};

/// Files whose opening for reading rules can match: those that any of these lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadPaths {
    /// All of them.
    pub everything: bool,
    /// Those whose path was written with `..` in it.
    pub with_dots: bool,
    /// These absolute paths.
    pub files: Vec<String>,
    /// Those whose absolute path begins with one of these texts, which need not end at a component.
    pub prefixes: Vec<String>,
    /// Those with one of these among their components.
    pub names: Vec<String>,
}

/// Files whose opening for writing, in a container whose profile expects it, rules can match: those that any of these lets
/// through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WritePaths {
    /// All of them.
    pub everything: bool,
    /// These absolute paths.
    pub files: Vec<String>,
    /// Those whose absolute path begins with one of these texts, which need not end at a component.
    pub prefixes: Vec<String>,
    /// Those with one of these among their components.
    pub names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Dots,
    File(Box<str>),
    Prefix(Box<str>),
    Name(Box<str>),
}

/// What any of `candidates` asks for.
pub(crate) fn read_paths(graph: &Graph, candidates: impl Iterator<Item = NodeId>) -> ReadPaths {
    let mut paths = ReadPaths::default();
    let Some(all) = all_places(graph, candidates) else {
        paths.everything = true;
        return paths;
    };
    for place in all {
        match place {
            Place::Dots => paths.with_dots = true,
            Place::File(path) => paths.files.push(path.into()),
            Place::Prefix(path) => paths.prefixes.push(path.into()),
            Place::Name(name) => paths.names.push(name.into()),
        }
    }
    paths
}

/// The same for writes.
pub(crate) fn write_paths(graph: &Graph, candidates: impl Iterator<Item = NodeId>) -> WritePaths {
    let mut paths = WritePaths::default();
    let Some(all) = all_places(graph, candidates) else {
        paths.everything = true;
        return paths;
    };
    for place in all {
        match place {
            // Sensors choose writes by the path that the kernel found, not by how it was written.
            Place::Dots => paths.everything = true,
            Place::File(path) => paths.files.push(path.into()),
            Place::Prefix(path) => paths.prefixes.push(path.into()),
            Place::Name(name) => paths.names.push(name.into()),
        }
    }
    paths
}

/// `None`: anything.
fn all_places(graph: &Graph, candidates: impl Iterator<Item = NodeId>) -> Option<Vec<Place>> {
    let mut walk = Walk::new(graph);
    let mut all: Vec<Place> = Vec::new();
    for node in candidates {
        all.extend(walk.places(node)?.iter().cloned());
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

impl places::Place for Place {
    fn of_field(field: &str, single: &Single) -> Option<Vec<Self>> {
        match field {
            "fd.name" | "fs.path.name" => of_name(single),
            "fd.directory" => of_folder(single),
            "fd.filename" => match single {
                Single::TextEqual(name) => Some(vec![Self::Name(name.clone())]),
                Single::TextIn(names) => Some(names.iter().cloned().map(Self::Name).collect()),
                _ => None,
            },
            // No profile speaks of reads, and filters are about writes that it expects: then no deviation has a confidence.
            "profile.expected" if matches!(single, Single::Bool(false)) => Some(Vec::new()),
            "profile.confidence" if matches!(single, Single::TextEqual(_) | Single::TextIn(_)) => Some(Vec::new()),
            "fd.nameraw" | "fs.path.nameraw" => match single {
                Single::Contains(finder) if finder.needle().windows(2).any(|pair| pair == b"..") => {
                    Some(vec![Self::Dots])
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The best looks at places.
    fn is_dear(&self) -> bool {
        matches!(self, Self::Dots | Self::Name(_))
    }
}

fn of_name(single: &Single) -> Option<Vec<Place>> {
    match single {
        Single::TextEqual(path) => Some(vec![Place::File(path.clone())]),
        Single::TextIn(paths) => Some(paths.iter().cloned().map(Place::File).collect()),
        Single::StartsWith(path) => Some(vec![Place::Prefix(path.clone())]),
        Single::PathPrefix(prefixes) => below_each(prefixes),
        Single::Glob(glob) => glob.whole_component().map(|name| vec![Place::Name(name.into())]),
        // `/.ssh/authorized_keys`: what follows the last slash is the whole name.
        Single::EndsWith(end) => match end.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => Some(vec![Place::Name(name.into())]),
            _ => None,
        },
        _ => None,
    }
}

/// A prefix of components is the path itself, or a folder above it.
fn below_each(prefixes: &PathPrefixes) -> Option<Vec<Place>> {
    let each = prefixes.plain_paths()?.into_iter();
    Some(
        each.flat_map(|path| {
            let below = Place::Prefix(format!("{path}/").into());
            [Place::File(path.into()), below]
        })
        .collect(),
    )
}

fn of_folder(single: &Single) -> Option<Vec<Place>> {
    let below = |folder: &str| Place::Prefix(format!("{}/", folder.trim_end_matches('/')).into());
    match single {
        Single::TextEqual(folder) => Some(vec![below(folder)]),
        Single::TextIn(folders) => Some(folders.iter().map(|folder| below(folder)).collect()),
        Single::StartsWith(folder) => Some(vec![Place::Prefix(folder.clone())]),
        Single::PathPrefix(prefixes) => below_each(prefixes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuleFile, RuleSet};

    fn reads(condition: &str) -> ReadPaths {
        let text = format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n");
        let name = "rules.yaml".to_owned();
        let loaded = RuleSet::load(&[RuleFile { name, text }]).unwrap_or_else(|errors| panic!("{errors:?}"));
        loaded.rules.read_paths()
    }

    #[test]
    fn says_less_than_everything_only_where_that_is_certain() {
        let everything = ReadPaths {
            everything: true,
            ..ReadPaths::default()
        };
        let files = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        for (condition, expected) in [
            ("evt.type = execve", ReadPaths::default()),
            ("evt.type = openat", everything.clone()),
            ("evt.type = openat and not fd.name = /etc/shadow", everything.clone()),
            ("evt.type = openat and (fd.name = /a or fd.name contains b)", everything),
            (
                "evt.type = openat and fd.name in (/b, /a) and proc.name = x",
                ReadPaths {
                    files: files(&["/a", "/b"]),
                    ..ReadPaths::default()
                },
            ),
            (
                "evt.type = openat and (fd.directory = /etc/pam.d or fd.name startswith /root/.ss)",
                ReadPaths {
                    prefixes: files(&["/etc/pam.d/", "/root/.ss"]),
                    ..ReadPaths::default()
                },
            ),
            (
                "evt.type = openat and (fd.name startswith /etc/ or fd.name contains id_rsa) and fd.nameraw contains '../'",
                ReadPaths {
                    with_dots: true,
                    ..ReadPaths::default()
                },
            ),
            (
                "evt.type = openat and (fd.name glob */.ssh/id_* or fd.name endswith /.aws/credentials)",
                ReadPaths {
                    names: files(&[".ssh", "credentials"]),
                    ..ReadPaths::default()
                },
            ),
        ] {
            assert_eq!(reads(condition), expected, "{condition}");
        }
    }

    fn writes(condition: &str) -> WritePaths {
        let text = format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n");
        let name = "rules.yaml".to_owned();
        let loaded = RuleSet::load(&[RuleFile { name, text }]).unwrap_or_else(|errors| panic!("{errors:?}"));
        loaded.rules.write_paths()
    }

    #[test]
    fn expected_writes_are_asked_for_by_place_and_by_name() {
        let texts = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let none = WritePaths::default();
        for (condition, expected) in [
            ("evt.type = openat and profile.expected = false", none.clone()),
            (
                "evt.type = openat and not profile.expected = true",
                WritePaths {
                    everything: true,
                    ..none.clone()
                },
            ),
            (
                "evt.type = openat and fd.name pmatch (/usr/bin, /lib) and proc.name = x",
                WritePaths {
                    files: texts(&["/lib", "/usr/bin"]),
                    prefixes: texts(&["/lib/", "/usr/bin/"]),
                    ..none.clone()
                },
            ),
            (
                "evt.type = openat and (fd.name endswith /.ssh/authorized_keys or fd.filename = release_agent)",
                WritePaths {
                    names: texts(&["authorized_keys", "release_agent"]),
                    ..none.clone()
                },
            ),
            (
                "evt.type = openat and fd.name glob */.ssh/id_*",
                WritePaths {
                    names: texts(&[".ssh"]),
                    ..none.clone()
                },
            ),
            (
                "evt.type = openat and fd.name endswith .pyc",
                WritePaths {
                    everything: true,
                    ..none.clone()
                },
            ),
            ("evt.type = openat and container.id = host", none),
        ] {
            assert_eq!(writes(condition), expected, "{condition}");
        }
    }

    #[test]
    fn the_shipped_rules_ask_for_few_reads() {
        let paths = RuleSet::shipped().read_paths();
        assert!(!paths.everything && !paths.with_dots, "{paths:?}");
        assert!(
            paths
                .prefixes
                .iter()
                .all(|prefix| !"/etc/hostname".starts_with(prefix.as_str())),
            "{paths:?}"
        );
        assert!(paths.names.contains(&"credentials".to_owned()), "{paths:?}");
    }

    #[test]
    fn the_shipped_rules_leave_something_to_expect() {
        let paths = RuleSet::shipped().write_paths();
        assert!(!paths.everything, "{paths:?}");
        assert!(
            paths
                .prefixes
                .iter()
                .all(|prefix| !"/data/x".starts_with(prefix.as_str())),
            "{paths:?}"
        );
        assert!(paths.names.contains(&"authorized_keys".to_owned()), "{paths:?}");
    }
}
