//! Rules that an opened file's path rules out, all at once: conditions in, for each path the set of those that may hold
//! out. One walk over the path's beginning and one over its end replace a question to every rule.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::{
    graph::{Graph, NodeId},
    paths::PathPrefixes,
    places::{self, Walk},
    single::Single,
};

/// Rules by their position; those from [`WIDTH`] on are asked always.
pub(crate) type Mask = u128;

/// How many rules a mask tells apart.
pub(crate) const WIDTH: usize = Mask::BITS as usize;

/// Which rules may hold for a path.
#[derive(Debug)]
pub(crate) struct Gate {
    /// All that there are.
    all: Mask,
    /// Those that no path rules out.
    always: Mask,
    starts: Trie,
    ends: Trie,
    /// Any of the texts of `parts`.
    any_part: Option<AhoCorasick>,
    parts: Vec<(Finder<'static>, Mask)>,
    doubled_slash: Finder<'static>,
}

/// Where in a path a text must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Whole(Box<str>),
    Start(Box<str>),
    End(Box<str>),
    /// Anywhere: the dearest to look for, so it comes last.
    Part(Box<str>),
}

impl Gate {
    /// For the conditions of opens of one kind, in their order.
    pub(crate) fn new(graph: &Graph, conditions: impl Iterator<Item = NodeId>) -> Self {
        let mut gate = Self {
            all: 0,
            always: 0,
            starts: Trie::default(),
            ends: Trie::default(),
            any_part: None,
            parts: Vec::new(),
            doubled_slash: Finder::new("//"),
        };
        let mut walk = Walk::new(graph);
        let mut parts: HashMap<Box<str>, Mask> = HashMap::new();
        for (position, node) in conditions.take(WIDTH).enumerate() {
            let bit = 1 << position;
            gate.all |= bit;
            let Some(places) = walk.places(node) else {
                gate.always |= bit;
                continue;
            };
            for place in places.iter() {
                match place {
                    Place::Whole(text) => gate.starts.insert(text.bytes(), bit, true),
                    Place::Start(text) => gate.starts.insert(text.bytes(), bit, false),
                    Place::End(text) => gate.ends.insert(text.bytes().rev(), bit, false),
                    Place::Part(text) => *parts.entry(text.clone()).or_default() |= bit,
                }
            }
        }
        // Too many texts for an automaton: each is still looked for.
        gate.any_part = AhoCorasick::new(parts.keys().map(AsRef::<str>::as_ref)).ok();
        gate.any_part = gate.any_part.filter(|_| !parts.is_empty());
        gate.parts = parts
            .into_iter()
            .map(|(text, mask)| (Finder::new(text.as_bytes()).into_owned(), mask))
            .collect();
        gate
    }

    /// The rules that may hold for this path: never too few.
    pub(crate) fn passes(&self, path: &str) -> Mask {
        let bytes = path.as_bytes();
        // As the kernel has it. What is written otherwise is compared component by component by some tests.
        let is_plain = bytes.first() == Some(&b'/') && self.doubled_slash.find(bytes).is_none();
        if !is_plain || bytes.last() == Some(&b'/') {
            return self.all;
        }
        let mut mask =
            self.always | self.starts.walk(bytes.iter().copied()) | self.ends.walk(bytes.iter().rev().copied());
        let has_part = match &self.any_part {
            Some(automaton) => automaton.is_match(bytes),
            None => true,
        };
        if has_part {
            for (finder, of_part) in &self.parts {
                if mask & of_part != *of_part && finder.find(bytes).is_some() {
                    mask |= of_part;
                }
            }
        }
        mask
    }
}

/// Texts by their bytes.
#[derive(Debug)]
struct Trie {
    nodes: Vec<Branch>,
}

#[derive(Debug, Default)]
struct Branch {
    /// What follows; sorted by nothing, since there are few.
    next: Vec<(u8, u32)>,
    /// For texts that begin with what leads here.
    begins: Mask,
    /// For the text that is what leads here.
    equals: Mask,
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Branch::default()],
        }
    }
}

impl Trie {
    fn insert(&mut self, text: impl Iterator<Item = u8>, mask: Mask, is_whole: bool) {
        let mut at = 0;
        for byte in text {
            let known = self.nodes[at].next.iter().find(|(other, _)| *other == byte);
            at = match known {
                Some((_, next)) => *next as usize,
                None => {
                    let next = self.nodes.len();
                    let number = u32::try_from(next).expect("rule files are far smaller");
                    self.nodes[at].next.push((byte, number));
                    self.nodes.push(Branch::default());
                    next
                }
            };
        }
        match is_whole {
            true => self.nodes[at].equals |= mask,
            false => self.nodes[at].begins |= mask,
        }
    }

    /// What all inserted texts on the way say.
    fn walk(&self, text: impl Iterator<Item = u8>) -> Mask {
        let mut branch = &self.nodes[0];
        let mut mask = branch.begins;
        for byte in text {
            let Some((_, next)) = branch.next.iter().find(|(other, _)| *other == byte) else {
                return mask;
            };
            branch = &self.nodes[*next as usize];
            mask |= branch.begins;
        }
        mask | branch.equals
    }
}

impl places::Place for Place {
    fn of_field(field: &str, single: &Single) -> Option<Vec<Self>> {
        let found = match field {
            "fd.name" | "fs.path.name" => of_path(single),
            "fd.directory" => of_folder(single),
            "fd.filename" => of_file_name(single),
            _ => None,
        };
        // An empty text is in every path.
        found.filter(|places| {
            places.iter().all(|place| match place {
                Self::Whole(text) | Self::Start(text) | Self::End(text) | Self::Part(text) => !text.is_empty(),
            })
        })
    }

    fn is_dear(&self) -> bool {
        matches!(self, Self::Part(_))
    }
}

fn of_path(single: &Single) -> Option<Vec<Place>> {
    match single {
        Single::TextEqual(path) => Some(vec![Place::Whole(path.clone())]),
        Single::TextIn(paths) => Some(paths.iter().cloned().map(Place::Whole).collect()),
        Single::StartsWith(start) => Some(vec![Place::Start(start.clone())]),
        Single::EndsWith(end) => Some(vec![Place::End(end.clone())]),
        Single::PathPrefix(prefixes) => {
            let mut places = below_each(prefixes)?;
            places.extend(
                prefixes
                    .plain_paths()?
                    .into_iter()
                    .map(|path| Place::Whole(path.into())),
            );
            Some(places)
        }
        Single::Glob(glob) => Some(vec![Place::Part(format!("/{}", glob.whole_component()?).into())]),
        _ => of_any_text(single),
    }
}

/// The folder is the path up to its last slash.
fn of_folder(single: &Single) -> Option<Vec<Place>> {
    let below = |folder: &str| Place::Start(format!("{}/", folder.trim_end_matches('/')).into());
    match single {
        Single::TextEqual(folder) => Some(vec![below(folder)]),
        Single::TextIn(folders) => Some(folders.iter().map(|folder| below(folder)).collect()),
        Single::StartsWith(start) => Some(vec![Place::Start(start.clone())]),
        Single::PathPrefix(prefixes) => below_each(prefixes),
        _ => of_any_text(single),
    }
}

/// The name is the path from its last slash on.
fn of_file_name(single: &Single) -> Option<Vec<Place>> {
    let end = |name: &str| Place::End(format!("/{name}").into());
    match single {
        Single::TextEqual(name) => Some(vec![end(name)]),
        Single::TextIn(names) => Some(names.iter().map(|name| end(name)).collect()),
        Single::StartsWith(start) => Some(vec![Place::Part(format!("/{start}").into())]),
        Single::EndsWith(end) => Some(vec![Place::End(end.clone())]),
        _ => of_any_text(single),
    }
}

fn of_any_text(single: &Single) -> Option<Vec<Place>> {
    match single {
        Single::Contains(finder) => {
            let needle = std::str::from_utf8(finder.needle()).ok()?;
            Some(vec![Place::Part(needle.into())])
        }
        _ => None,
    }
}

fn below_each(prefixes: &PathPrefixes) -> Option<Vec<Place>> {
    let each = prefixes.plain_paths()?.into_iter();
    Some(each.map(|path| Place::Start(format!("{path}/").into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuleFile, RuleSet};

    /// Whether the gate for opens for reading in containers lets a path through to a rule with this condition.
    fn passes(condition: &str, path: &str) -> bool {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: evt.type = openat and ({condition})\n  output: o\n  priority: INFO\n"
        );
        let name = "rules.yaml".to_owned();
        let loaded = RuleSet::load(&[RuleFile { name, text }]).unwrap_or_else(|errors| panic!("{errors:?}"));
        let candidates = loaded.rules.candidates_of_reads();
        assert_eq!(candidates.len(), 1, "{condition}");
        let gate = Gate::new(&loaded.rules.graph, candidates.into_iter());
        gate.passes(path) == 1
    }

    #[test]
    fn rules_out_what_no_path_can_make_true_and_nothing_else() {
        for (condition, yes, no) in [
            ("fd.name = /etc/shadow", "/etc/shadow", "/etc/shadow-"),
            ("fd.name in (/a, /b/c)", "/b/c", "/b"),
            ("fd.name startswith /etc", "/etcetera", "/et"),
            ("fd.name pmatch (/etc, /usr/lib)", "/usr/lib", "/usr/library"),
            (
                "fd.name endswith .ssh/id_rsa",
                "/root/.ssh/id_rsa",
                "/root/.ssh/id_rsa.pub",
            ),
            ("fd.name contains secret", "/x/secrets/y", "/x/secre"),
            ("fd.name glob */.ssh/id_*", "/root/.ssh/id_rsa", "/root/ssh/id_rsa"),
            ("fd.directory = /etc", "/etc/passwd", "/etcetera/x"),
            ("fd.directory in (/, /etc)", "/x", "/etc/"),
            ("fd.directory pmatch (/etc)", "/etc/a/b", "/etc"),
            (
                "fd.filename = authorized_keys",
                "/x/authorized_keys",
                "/x/not_authorized_keys",
            ),
            ("fd.filename startswith id_", "/x/id_rsa", "/x/rsa_id_"),
            ("fd.name = /a or fd.filename in (b, c)", "/x/c", "/c/x"),
            ("fd.name startswith /a and fd.name endswith c", "/abc", "/x"),
            ("proc.name = x and fd.name = /a", "/a", "/b"),
        ] {
            assert!(passes(condition, yes), "{condition}: {yes}");
            // What is not as the kernel writes it is left to the condition itself.
            let is_odd = no.ends_with('/');
            assert_eq!(passes(condition, no), is_odd, "{condition}: {no}");
            assert!(passes(condition, &format!("/{no}")), "{condition}: /{no}");
        }
        for condition in [
            "not fd.name = /a",
            "proc.name = x",
            "fd.name = /a or proc.name = x",
            "fd.name pmatch (/)",
            "fd.name startswith ''",
            "fd.name regex a",
            "fd.directory endswith etc",
        ] {
            assert!(passes(condition, "/b"), "{condition}");
        }
    }
}
