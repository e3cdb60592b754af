//! Text in, places that hold secrets out: one pass for the keywords of all kinds, a pattern only where a keyword is, then
//! the shape (checksum, structure, randomness) that only a real one has.

pub(crate) mod allow;
mod keywords;
mod kinds;
mod shape;

use std::{
    cell::RefCell,
    ops::Range,
    sync::{LazyLock, OnceLock},
};

use regex_automata::{
    Anchored, Input,
    nfa::thompson::{
        self,
        pikevm::{Cache, PikeVM},
    },
    util::{captures::Captures, syntax},
};

use self::{
    keywords::{Keywords, is_word},
    shape::Shape,
};
use crate::check::Kind;

/// One kind of secret.
#[derive(Debug)]
pub(crate) struct SecretKind {
    pub(crate) kind: Kind,
    /// Any of these begins a match, exactly as written.
    keywords: &'static [&'static str],
    /// What must stand from the keyword on. Its first group is the secret, else all of it.
    pattern: &'static str,
    shape: Shape,
}

/// Bytes that a pattern sees, from its keyword on; a longer secret is judged by its beginning.
pub(crate) const MAX_SECRET_BYTES: usize = 4096;

/// Examples are no longer than that; in longer secrets any short word turns up by chance.
const MAX_EXAMPLE_BYTES: usize = 128;

/// All kinds.
pub(crate) fn kinds() -> impl Iterator<Item = &'static SecretKind> {
    kinds::TABLES.iter().flat_map(|table| table.iter())
}

/// Compiled when its keyword is met for the first time: most images meet few. Where a keyword stands, nearly always no
/// secret does, and the first bytes behind it say so: there the simplest machine is the fastest one, and takes a third of
/// the memory that those take which are made for searching.
type LazyPattern = OnceLock<PikeVM>;

fn compile(kind: &SecretKind) -> PikeVM {
    PikeVM::builder()
        .syntax(syntax::Config::new().utf8(false).unicode(false))
        .thompson(thompson::Config::new().utf8(false))
        .build(kind.pattern)
        .expect("a test compiles every pattern")
}

/// What a search needs to remember; one for all patterns, since they take turns.
#[derive(Default)]
struct Memory(Option<(usize, Cache, Captures)>);

impl Memory {
    /// Where the secret is that begins the window, and where all that belongs to it ends.
    fn find(&mut self, index: usize, pattern: &PikeVM, window: &[u8]) -> Option<(Range<usize>, usize)> {
        let (last, cache, groups) = self
            .0
            .get_or_insert_with(|| (index, pattern.create_cache(), pattern.create_captures()));
        if *last != index {
            cache.reset(pattern);
            (*last, *groups) = (index, pattern.create_captures());
        }
        pattern.captures(cache, Input::new(window).anchored(Anchored::Yes), groups);
        let all = groups.get_group(0)?;
        let secret = groups.get_group(1).unwrap_or(all);
        Some((secret.start..secret.end, all.end))
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

struct Finder {
    keywords: Keywords,
    /// For each keyword the kinds that it begins.
    kinds: Vec<(&'static SecretKind, LazyPattern)>,
    of_keyword: Vec<Vec<usize>>,
}

static FINDER: LazyLock<Finder> = LazyLock::new(|| {
    let mut words: Vec<&'static str> = Vec::new();
    let mut of_keyword: Vec<Vec<usize>> = Vec::new();
    let mut all = Vec::new();
    for (index, kind) in kinds().enumerate() {
        all.push((kind, LazyPattern::default()));
        for keyword in kind.keywords {
            match words.iter().position(|word| word == keyword) {
                Some(at) => of_keyword[at].push(index),
                None => {
                    words.push(keyword);
                    of_keyword.push(vec![index]);
                }
            }
        }
    }
    Finder {
        keywords: Keywords::new(&words),
        kinds: all,
        of_keyword,
    }
});

/// Finds secrets whose keyword begins within `within`; tells the kind and where in `bytes` the secret itself is.
pub(crate) fn find(bytes: &[u8], within: Range<usize>, found: &mut dyn FnMut(&'static SecretKind, Range<usize>)) {
    let finder = &*FINDER;
    let mut told: Vec<(&str, Range<usize>)> = Vec::new();
    finder.keywords.find(bytes, within, |start, keyword| {
        let window = &bytes[start..bytes.len().min(start + MAX_SECRET_BYTES)];
        for &index in &finder.of_keyword[keyword] {
            let (kind, pattern) = &finder.kinds[index];
            let pattern = pattern.get_or_init(|| compile(kind));
            let hit = MEMORY.with_borrow_mut(|memory| memory.find(index, pattern, window));
            let Some((secret, all)) = hit else {
                continue;
            };
            let range = start + secret.start..start + secret.end;
            let secret = &window[secret];
            let same = |(id, other): &(&str, Range<usize>)| *id == kind.kind.id && *other == range;
            // A token within a longer run of its characters is something else.
            if all > 0 && is_word(window[all - 1]) && window.get(all).is_some_and(|byte| is_word(*byte)) {
                continue;
            }
            let is_short = secret.len() <= MAX_EXAMPLE_BYTES;
            if kind.shape.fits(secret) && !(is_short && allow::is_example(secret)) && !told.iter().any(same) {
                told.push((kind.kind.id, range.clone()));
                found(kind, range);
            }
        }
    });
}

/// What may be shown of a secret: four characters of a long one, and how long it is.
pub(crate) fn redact(secret: &[u8]) -> String {
    const SHOWN: usize = 4;
    const MIN_LENGTH_TO_SHOW: usize = 16;
    let text = String::from_utf8_lossy(secret);
    let length = text.chars().count();
    let start: String = match length >= MIN_LENGTH_TO_SHOW {
        true => text.chars().take(SHOWN).filter(char::is_ascii_graphic).collect(),
        false => String::new(),
    };
    format!("{start}… ({length} characters)")
}

/// A text with all secrets in it redacted.
pub(crate) fn redact_all(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut places: Vec<Range<usize>> = Vec::new();
    find(bytes, 0..bytes.len(), &mut |_, range| places.push(range));
    places.sort_by_key(|range| range.start);
    let (mut shown, mut at) = (String::new(), 0);
    for range in places.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= at {
            shown += &String::from_utf8_lossy(&bytes[at..range.start]);
            shown += &redact(&bytes[range.clone()]);
            at = range.end;
        }
    }
    shown + &String::from_utf8_lossy(&bytes[at..])
}

#[cfg(test)]
mod tests;
