//! Lists of paths in, the same in a fraction of the memory out: what a path shares with the one before it is not kept twice.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

/// Paths in the order in which they were given. A sorted list, as a package of an operating system has it, takes a
/// quarter of its text and no allocation for each path. In documents it is a list of strings.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PathList {
    count: usize,
    /// For each path how many bytes of the one before it begin it and how many follow, in seven bits a byte (LEB128).
    lengths: Box<[u8]>,
    /// What follows, of all paths.
    text: Box<str>,
}

impl PathList {
    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first path; `None` when the list is empty.
    pub fn first(&self) -> Option<&str> {
        let mut lengths = &*self.lengths;
        (self.count > 0).then(|| {
            let _shared = number(&mut lengths);
            &self.text[..number(&mut lengths)]
        })
    }

    /// Whether this path is one of them; looks at all of them.
    pub fn contains(&self, path: &str) -> bool {
        let mut walk = self.walk();
        while let Some(found) = walk.next() {
            if found == path {
                return true;
            }
        }
        false
    }

    /// All paths, each on its own. [`Self::walk`] gives them without an allocation for each.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let mut walk = self.walk();
        std::iter::from_fn(move || walk.next().map(str::to_owned))
    }

    /// All paths, one at a time.
    pub fn walk(&self) -> PathWalk<'_> {
        PathWalk {
            lengths: &self.lengths,
            text: &self.text,
            path: String::new(),
        }
    }

    /// Keeps the paths for which `condition` holds.
    pub fn retain(&mut self, mut condition: impl FnMut(&str) -> bool) {
        let mut kept = PathListBuilder::default();
        let mut walk = self.walk();
        while let Some(path) = walk.next() {
            if condition(path) {
                kept.push(path);
            }
        }
        *self = kept.finish();
    }
}

/// Bytes with which a path begins as the one before it does; whole characters only.
pub fn shared_beginning(before: &str, path: &str) -> usize {
    let same = before.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    path.floor_char_boundary(same)
}

/// Goes through a [`PathList`].
#[derive(Debug)]
pub struct PathWalk<'a> {
    lengths: &'a [u8],
    text: &'a str,
    path: String,
}

impl PathWalk<'_> {
    /// The next path; `None` at the end. It is put together in place of the one before.
    #[expect(clippy::should_implement_trait, reason = "what it gives is lent until the next call")]
    pub fn next(&mut self) -> Option<&str> {
        if self.lengths.is_empty() {
            return None;
        }
        let shared = number(&mut self.lengths);
        let (rest, text) = self.text.split_at(number(&mut self.lengths));
        self.text = text;
        self.path.truncate(shared);
        self.path.push_str(rest);
        Some(&self.path)
    }

    /// The path that [`Self::next`] gave last; empty before the first.
    pub fn current(&self) -> &str {
        &self.path
    }
}

/// Puts a [`PathList`] together.
#[derive(Debug, Default)]
struct PathListBuilder {
    count: usize,
    lengths: Vec<u8>,
    text: String,
    last: String,
}

impl PathListBuilder {
    fn push(&mut self, path: &str) {
        let shared = shared_beginning(&self.last, path);
        put(shared, &mut self.lengths);
        put(path.len() - shared, &mut self.lengths);
        self.text.push_str(&path[shared..]);
        self.last.truncate(shared);
        self.last.push_str(&path[shared..]);
        self.count += 1;
    }

    fn finish(self) -> PathList {
        PathList {
            count: self.count,
            lengths: self.lengths.into_boxed_slice(),
            text: self.text.into_boxed_str(),
        }
    }
}

fn put(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A number that [`put`] wrote.
fn number(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    value
}

impl<S: AsRef<str>> FromIterator<S> for PathList {
    fn from_iter<T: IntoIterator<Item = S>>(paths: T) -> Self {
        let mut builder = PathListBuilder::default();
        for path in paths {
            builder.push(path.as_ref());
        }
        builder.finish()
    }
}

impl<S: AsRef<str>> From<Vec<S>> for PathList {
    fn from(paths: Vec<S>) -> Self {
        paths.into_iter().collect()
    }
}

impl<S: AsRef<str>, const N: usize> PartialEq<[S; N]> for PathList {
    fn eq(&self, other: &[S; N]) -> bool {
        self.len() == N && self.iter().zip(other).all(|(path, other)| path == other.as_ref())
    }
}

impl fmt::Debug for PathList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for PathList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut list = serializer.serialize_seq(Some(self.count))?;
        let mut walk = self.walk();
        while let Some(path) = walk.next() {
            list.serialize_element(path)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for PathList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;

        impl<'de> Visitor<'de> for Paths {
            type Value = PathList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of paths")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PathList, A::Error> {
                let mut builder = PathListBuilder::default();
                while let Some(path) = list.next_element::<Cow<'de, str>>()? {
                    builder.push(&path);
                }
                Ok(builder.finish())
            }
        }

        deserializer.deserialize_seq(Paths)
    }
}

impl JsonSchema for PathList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PathList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Vec<String>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back_as_they_were_in_less_room() {
        let long = "/x".repeat(5000);
        for paths in [
            vec![],
            vec![""],
            vec!["", "", "/a"],
            vec!["/usr", "/usr/bin/a", "/usr/bin/ab", "/usr/bin/ab", "/etc"],
            // The first bytes of these characters are equal.
            vec!["/\u{e9}", "/\u{e8}/x", "/\u{e8}"],
            vec![long.as_str(), "/x/x"],
        ] {
            let list: PathList = paths.iter().collect();
            assert_eq!(list.iter().collect::<Vec<_>>(), paths);
            assert_eq!((list.len(), list.is_empty()), (paths.len(), paths.is_empty()));
            assert_eq!(list.first(), paths.first().copied());
            assert!(paths.iter().all(|path| list.contains(path)) && !list.contains("/usr/bin"));
            let json = serde_json::to_string(&list).unwrap();
            assert_eq!(json, serde_json::to_string(&paths).unwrap());
            assert_eq!(serde_json::from_str::<PathList>(&json).unwrap(), list);
        }
        let many: Vec<String> = (0..1000).map(|n| format!("/usr/share/doc/demo/{n:04}")).collect();
        let list = PathList::from(many.clone());
        assert!(list.text.len() + list.lengths.len() < many.iter().map(String::len).sum::<usize>() / 4);
        let mut odd = list;
        odd.retain(|path| path.ends_with('7'));
        assert_eq!(odd.iter().next().as_deref(), Some("/usr/share/doc/demo/0007"));
        assert_eq!(odd.len(), 100);
    }
}
