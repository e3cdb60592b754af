//! Text in, places where keywords of secrets begin out.
//!
//! All text of an image passes through this. An automaton takes one step for each byte, and each step waits for the one
//! before; here three bytes at each place are looked up in a table of bits, and no place waits for another. What passes, one
//! place in a hundred, is compared with the few words that begin so.

use std::ops::Range;

/// Bytes by which places are sifted; no keyword is shorter.
const START_BYTES: usize = 3;
/// Bits of the table, as words of 64: 8 KiB, which stay in the first-level cache.
const TABLE_WORDS: usize = 1 << 10;

pub(super) struct Keywords {
    /// A bit for each way in which a keyword may begin.
    table: Box<[u64; TABLE_WORDS]>,
    /// By their first three bytes, in order.
    words: Vec<(u32, &'static [u8])>,
    /// Of each of `words`, its index in the list that it came from.
    indices: Vec<usize>,
}

impl Keywords {
    /// Words of at least three bytes; [`Self::find`] tells them by their index.
    pub(super) fn new(words: &[&'static str]) -> Self {
        let mut numbered: Vec<(u32, &'static [u8], usize)> = words
            .iter()
            .enumerate()
            .map(|(index, word)| (start_of(word.as_bytes()), word.as_bytes(), index))
            .collect();
        numbered.sort_unstable();
        let mut table = Box::new([0; TABLE_WORDS]);
        for (start, ..) in &numbered {
            let (word, bit) = place_of(*start);
            table[word] |= 1 << bit;
        }
        Self {
            table,
            indices: numbered.iter().map(|(.., index)| *index).collect(),
            words: numbered.into_iter().map(|(start, word, _)| (start, word)).collect(),
        }
    }

    /// Tells where in `bytes` each keyword begins that begins within `within`, in order, and which one it is. A keyword
    /// within a longer word is another word.
    pub(super) fn find(&self, bytes: &[u8], within: Range<usize>, mut found: impl FnMut(usize, usize)) {
        let end = bytes.len().min(within.end.saturating_add(START_BYTES - 1));
        let text = bytes.get(within.start..end).unwrap_or_default();
        for (at, three) in text.windows(START_BYTES).enumerate() {
            let start = start_of(three);
            let (word, bit) = place_of(start);
            if self.table[word] >> bit & 1 == 0 {
                continue;
            }
            let at = within.start + at;
            if at > 0 && is_word(bytes[at - 1]) && is_word(bytes[at]) {
                continue;
            }
            let first = self.words.partition_point(|(other, _)| *other < start);
            for ((_, word), index) in self.words[first..]
                .iter()
                .zip(&self.indices[first..])
                .take_while(|((other, _), _)| *other == start)
            {
                if bytes[at..].starts_with(word) {
                    found(at, *index);
                }
            }
        }
    }
}

/// Whether a byte is one that words are made of.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The first three bytes as a number.
fn start_of(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16
}

/// Where the table has the bit for a beginning: a multiplication spreads the 24 bits over the upper 16.
fn place_of(start: u32) -> (usize, u32) {
    let spread = start.wrapping_mul(0x9E37_79B1) >> 16;
    ((spread >> 6) as usize, spread & 63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::kinds;

    /// The same by looking at every place for every word.
    fn slowly(words: &[&str], bytes: &[u8], within: Range<usize>) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for at in within {
            let is_inside = at > 0 && is_word(bytes[at - 1]) && is_word(bytes[at]);
            for (index, word) in words.iter().enumerate().filter(|_| !is_inside) {
                if bytes[at..].starts_with(word.as_bytes()) {
                    found.push((at, index));
                }
            }
        }
        found
    }

    fn check(words: &[&'static str], bytes: &[u8], within: Range<usize>) {
        let mut found = Vec::new();
        Keywords::new(words).find(bytes, within.clone(), |at, index| found.push((at, index)));
        found.sort_unstable();
        assert_eq!(found, slowly(words, bytes, within.clone()), "{bytes:?} {within:?}");
    }

    #[test]
    fn words_at_the_edges_of_what_is_looked_at() {
        let text = b"sk-x sk- sk-";
        for start in 0..=text.len() {
            for end in start..=text.len() {
                check(&["sk-", "sk-x", "x s"], text, start..end);
            }
        }
        check(&["sk-"], b"sk", 0..2);
        check(&["sk-"], b"", 0..0);
    }

    #[test]
    fn every_keyword_is_long_enough_and_found() {
        let words: Vec<&'static str> = kinds().flat_map(|kind| kind.keywords.iter().copied()).collect();
        assert!(words.len() > 100);
        for word in &words {
            assert!(word.len() >= START_BYTES, "{word}");
            check(&words, format!("a {word} b{word}\n{word}").as_bytes(), 0..word.len());
        }
    }

    proptest! {
        #[test]
        fn finds_what_looking_everywhere_finds(text in "[abc_.\n]{0,40}", from in 0_usize..40, to in 0_usize..40) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            check(&["abc", "abca", "bca", "_a_", "a.b", "...", "cab.", "c\na"], text.as_bytes(), from.min(to)..to);
        }
    }
}
