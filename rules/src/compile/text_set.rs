//! Sets of texts that are looked up for every event.

use std::collections::HashSet;

use foldhash::fast::RandomState;

/// A set of texts. Most texts that are looked up are not in it, and most of those have a length that no member has.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextSet {
    texts: HashSet<Box<str>, RandomState>,
    /// Bit n: some member is n bytes long; the last bit stands for all longer ones.
    lengths: u64,
}

impl TextSet {
    pub(crate) fn insert(&mut self, text: &str) {
        self.lengths |= length_bit(text);
        self.texts.insert(text.into());
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.lengths & length_bit(text) != 0 && self.texts.contains(text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Box<str>> {
        self.texts.iter()
    }
}

impl<'t> FromIterator<&'t str> for TextSet {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        let mut set = Self::default();
        texts.into_iter().for_each(|text| set.insert(text));
        set
    }
}

fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let long = "x".repeat(70);
        let set: TextSet = ["sh", "bash", "", &long].into_iter().collect();
        for (text, expected) in [
            ("sh", true),
            ("bash", true),
            ("", true),
            (long.as_str(), true),
            (&long[1..], false),
            ("zsh", false),
            ("dash", false),
        ] {
            assert_eq!(set.contains(text), expected, "{text}");
        }
        assert_eq!(set.iter().count(), 4);
    }
}
