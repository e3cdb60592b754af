//! A set of path patterns in, an automaton over components out: what `is_in_set` of `bpf/policy.h` walks. It is
//! deterministic, since the kernel side never goes back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::PathPattern;

use crate::limits::MAX_SET_STATES;

/// Longest name of an edge, `EDGE_BYTES` of `bpf/policy.h` without its NUL: a longer name that was cut must not look like one.
const NAME_BYTES: usize = 26;
/// `MAX_LEVELS` of `bpf/policy.h`.
const MAX_LEVELS: usize = 16;

/// What to do with a pattern that edges cannot express (`temp-*.rdb`, very long names, very deep ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rounding {
    /// The set may lack some of its paths: leave it out.
    Down,
    /// The set may hold more than its paths.
    Up,
}

/// One edge. State 0 is the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: u32,
    /// Empty: any name that has no edge of its own.
    pub(crate) name: String,
    /// `None`: nothing is below.
    pub(crate) to: Option<u32>,
    /// `ENDS_FILE` and `ENDS_TREE`.
    pub(crate) ends: u32,
}

pub(crate) const ENDS_FILE: u32 = 1;
pub(crate) const ENDS_TREE: u32 = 2;

/// A compiled set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Automaton {
    Nothing,
    Everything,
    Edges { edges: Vec<Edge>, states: u32 },
}

#[derive(Debug)]
struct Compiled {
    parts: Vec<Part>,
    is_tree: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    Any,
}

/// Compiles `patterns`; a set of more states than the limit is rounded to nothing or everything.
pub(crate) fn compile(patterns: &[PathPattern], rounding: Rounding) -> Automaton {
    let compiled: Vec<Compiled> = patterns
        .iter()
        .filter_map(|pattern| parse(&pattern.0, rounding))
        .collect();
    if compiled.is_empty() {
        return Automaton::Nothing;
    }
    if compiled.iter().any(|pattern| pattern.parts.is_empty()) {
        return Automaton::Everything;
    }
    let start: BTreeSet<(usize, usize)> = (0..compiled.len()).map(|index| (index, 0)).collect();
    let mut numbers = HashMap::from([(start.clone(), 0_u32)]);
    let mut open = vec![start];
    let mut edges = Vec::new();
    while let Some(state) = open.pop() {
        let from = numbers[&state];
        for (name, next) in successors(&compiled, &state) {
            let ends = ends(&compiled, &next);
            let below: BTreeSet<_> = next
                .into_iter()
                .filter(|(index, at)| *at < compiled[*index].parts.len())
                .collect();
            let to = (!below.is_empty() && ends & ENDS_TREE == 0).then(|| {
                let number = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(below.clone()).or_insert_with(|| {
                    open.push(below);
                    number
                })
            });
            edges.push(Edge { from, name, to, ends });
        }
        if numbers.len() > MAX_SET_STATES {
            return match rounding {
                Rounding::Down => Automaton::Nothing,
                Rounding::Up => Automaton::Everything,
            };
        }
    }
    Automaton::Edges {
        edges,
        states: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
    }
}

/// `None`: not in the set.
fn parse(pattern: &str, rounding: Rounding) -> Option<Compiled> {
    let (text, mut is_tree) = match pattern.strip_suffix("/**") {
        Some(folder) => (folder, true),
        None => (pattern, false),
    };
    let mut parts = Vec::new();
    if !pattern.starts_with('/') {
        return None;
    }
    for part in text.split('/').skip(1).filter(|part| !part.is_empty()) {
        let is_plain = !part.contains('*') && part.len() <= NAME_BYTES;
        match (part, rounding) {
            ("*", _) => parts.push(Part::Any),
            (name, _) if is_plain => parts.push(Part::Name(name.to_owned())),
            (_, Rounding::Down) => return None,
            (_, Rounding::Up) => parts.push(Part::Any),
        }
    }
    if parts.len() > MAX_LEVELS {
        if rounding == Rounding::Down {
            return None;
        }
        parts.truncate(MAX_LEVELS);
        is_tree = true;
    }
    Some(Compiled { parts, is_tree })
}

type State = BTreeSet<(usize, usize)>;

/// Where each name leads; the empty name stands for all others.
fn successors(patterns: &[Compiled], state: &State) -> BTreeMap<String, State> {
    let part = |(index, at): &(usize, usize)| &patterns[*index].parts[*at];
    let step = |(index, at): &(usize, usize)| (*index, at + 1);
    let any: State = state.iter().filter(|item| *part(item) == Part::Any).map(step).collect();
    let mut next: BTreeMap<String, State> = BTreeMap::new();
    for item in state {
        if let Part::Name(name) = part(item) {
            next.entry(name.clone())
                .or_insert_with(|| any.clone())
                .insert(step(item));
        }
    }
    if !any.is_empty() {
        next.insert(String::new(), any);
    }
    next
}

fn ends(patterns: &[Compiled], state: &State) -> u32 {
    let done = state.iter().filter(|(index, at)| *at == patterns[*index].parts.len());
    done.map(|(index, _)| match patterns[*index].is_tree {
        true => ENDS_TREE,
        false => ENDS_FILE,
    })
    .fold(0, |all, one| all | one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel side does.
    fn contains(automaton: &Automaton, path: &str) -> bool {
        let Automaton::Edges { edges, .. } = automaton else {
            return *automaton == Automaton::Everything;
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let mut state = 0;
        for (index, part) in parts.iter().enumerate() {
            let find = |name: &str| edges.iter().find(|edge| edge.from == state && edge.name == name);
            let Some(edge) = find(part).or_else(|| find("")) else {
                return false;
            };
            if edge.ends & ENDS_TREE != 0 {
                return true;
            }
            if index + 1 == parts.len() {
                return edge.ends & ENDS_FILE != 0;
            }
            match edge.to {
                Some(to) => state = to,
                None => return false,
            }
        }
        false
    }

    #[test]
    fn what_edges_cannot_express_is_rounded() {
        let long = format!("/{}/x", "n".repeat(27));
        for (pattern, path, down, up) in [
            ("/data/temp-*.rdb", "/data/temp-1.rdb", false, true),
            ("/data/temp-*.rdb", "/data/other", false, true),
            ("/data/temp-*.rdb", "/other/x", false, false),
            (long.as_str(), long.as_str(), false, true),
            ("pipe:*", "/pipe:1", false, false),
            ("/**", "/x", true, true),
        ] {
            let patterns = [PathPattern::from(pattern)];
            assert_eq!(
                contains(&compile(&patterns, Rounding::Down), path),
                down,
                "{pattern} {path}"
            );
            assert_eq!(
                contains(&compile(&patterns, Rounding::Up), path),
                up,
                "{pattern} {path}"
            );
        }
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..5)
            .prop_map(|parts| format!("/{}", parts.join("/")))
    }

    fn pattern() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec!["a", "b", "*"]);
        (prop::collection::vec(part, 1..4), any::<bool>())
            .prop_map(|(parts, is_tree)| format!("/{}{}", parts.join("/"), if is_tree { "/**" } else { "" }))
    }

    proptest! {
        #[test]
        fn holds_exactly_what_its_patterns_match(patterns in prop::collection::vec(pattern(), 0..5), path in path()) {
            let patterns: Vec<PathPattern> = patterns.iter().map(|text| PathPattern::from(text.as_str())).collect();
            let expected = patterns.iter().any(|pattern| pattern.matches(&path));
            for rounding in [Rounding::Down, Rounding::Up] {
                prop_assert_eq!(contains(&compile(&patterns, rounding), &path), expected, "{:?} {}", patterns, path);
            }
        }
    }
}
