//! Which files' reading rules ask for: conditions specialised for opens that only read in, sets of paths out. What cannot be
//! told is everything, so that a filter made of it never drops what a rule could match.

use std::{collections::HashMap, rc::Rc};

use super::{
    check::{Check, Test},
    graph::{Graph, Node, NodeId},
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
}

/// Paths that one condition asks for; more than these and it is said to ask for everything.
const MAX_PATHS: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Dots,
    File(Box<str>),
    Prefix(Box<str>),
}

/// `None`: anything.
type Places = Option<Rc<[Place]>>;

/// What any of `candidates` asks for.
pub(crate) fn read_paths(graph: &Graph, candidates: impl Iterator<Item = NodeId>) -> ReadPaths {
    let mut done = HashMap::new();
    let mut paths = ReadPaths::default();
    let mut all: Vec<Place> = Vec::new();
    for node in candidates {
        match places(graph, node, &mut done) {
            Some(found) => all.extend(found.iter().cloned()),
            None => paths.everything = true,
        }
    }
    all.sort_unstable();
    all.dedup();
    for place in all {
        match place {
            Place::Dots => paths.with_dots = true,
            Place::File(path) => paths.files.push(path.into()),
            Place::Prefix(path) => paths.prefixes.push(path.into()),
        }
    }
    paths
}

fn places(graph: &Graph, id: NodeId, done: &mut HashMap<NodeId, Places>) -> Places {
    if let Some(known) = done.get(&id) {
        return known.clone();
    }
    let result = match graph.node(id) {
        Node::Const(false) => Some(Rc::from([])),
        Node::Const(true) | Node::Not(_) => None,
        Node::Check(index) => of_check(graph.check(*index)).map(Rc::from),
        Node::And(parts) => {
            let parts: Vec<NodeId> = parts.to_vec();
            let known = parts.into_iter().filter_map(|part| places(graph, part, done));
            // Any of them is enough; the best looks at places, and at few.
            known.min_by_key(|places| (places.contains(&Place::Dots), places.len()))
        }
        Node::Or(parts) => {
            let parts: Vec<NodeId> = parts.to_vec();
            let mut all: Vec<Place> = Vec::new();
            let is_known = parts.into_iter().all(|part| {
                places(graph, part, done).is_some_and(|found| {
                    all.extend(found.iter().cloned());
                    true
                })
            });
            all.sort_unstable();
            all.dedup();
            (is_known && all.len() <= MAX_PATHS).then(|| Rc::from(all))
        }
    };
    done.insert(id, result.clone());
    result
}

fn of_check(check: &Check) -> Option<Vec<Place>> {
    let Check::Value {
        test: Test::One { single, .. },
        ..
    } = check
    else {
        return None;
    };
    match check.field()?.field.name {
        "fd.name" | "fs.path.name" => of_name(single),
        "fd.directory" => of_folder(single),
        "fd.nameraw" | "fs.path.nameraw" => match single {
            Single::Contains(finder) if finder.needle().windows(2).any(|pair| pair == b"..") => Some(vec![Place::Dots]),
            _ => None,
        },
        _ => None,
    }
}

fn of_name(single: &Single) -> Option<Vec<Place>> {
    match single {
        Single::TextEqual(path) => Some(vec![Place::File(path.clone())]),
        Single::TextIn(paths) => Some(paths.iter().cloned().map(Place::File).collect()),
        Single::StartsWith(path) => Some(vec![Place::Prefix(path.clone())]),
        _ => None,
    }
}

fn of_folder(single: &Single) -> Option<Vec<Place>> {
    let below = |folder: &str| Place::Prefix(format!("{}/", folder.trim_end_matches('/')).into());
    match single {
        Single::TextEqual(folder) => Some(vec![below(folder)]),
        Single::TextIn(folders) => Some(folders.iter().map(|folder| below(folder)).collect()),
        Single::StartsWith(folder) => Some(vec![Place::Prefix(folder.clone())]),
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
        ] {
            assert_eq!(reads(condition), expected, "{condition}");
        }
    }
}
