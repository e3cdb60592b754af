//! Maven's order, as `ComparableVersion` of Maven 4 has it: nested lists of numbers, words and words with a number.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits};

/// Java packages.
pub(crate) struct Maven;

impl Scheme for Maven {
    fn name(&self) -> &'static str {
        "maven"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let parse = |text: &str| match text.trim() {
            "" => Err(Fault::new(text, "it is empty")),
            trimmed => Ok(parse(&trimmed.to_lowercase())),
        };
        Ok(compare_lists(&parse(a)?, &parse(b)?))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Number(String),
    Word(String),
    /// A word that a number follows at once: `rc1`.
    Combined(String, String),
    List(Vec<Item>),
}

impl Item {
    fn new(text: &str, is_number: bool, is_combined: bool) -> Self {
        if is_combined {
            let text = text.replace('-', "");
            let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
            let (word, digits) = text.split_at(start);
            return Self::Combined(canonical_word(word, true), digits.to_owned());
        }
        if is_number {
            Self::Number(text.to_owned())
        } else {
            Self::Word(canonical_word(text, false))
        }
    }

    /// Says nothing: `1.0` is `1`, `1-ga` is not, because `ga` has a name.
    fn is_empty(&self) -> bool {
        match self {
            Self::Number(digits) => digits.bytes().all(|byte| byte == b'0'),
            Self::Word(word) => word.is_empty(),
            Self::Combined(..) => false,
            Self::List(items) => items.is_empty(),
        }
    }
}

fn canonical_word(word: &str, is_before_digit: bool) -> String {
    match word {
        "a" if is_before_digit => "alpha",
        "b" if is_before_digit => "beta",
        "m" if is_before_digit => "milestone",
        "cr" => "rc",
        other => other,
    }
    .to_owned()
}

const QUALIFIERS: &[&str] = &["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

/// Known words by their place, others after them by their letters.
fn word_rank(word: &str) -> (usize, &str) {
    if matches!(word, "ga" | "final" | "release") {
        return (RELEASE, "");
    }
    match QUALIFIERS.iter().position(|known| *known == word) {
        Some(rank) => (rank, ""),
        None => (QUALIFIERS.len(), word),
    }
}

fn parse(text: &str) -> Vec<Item> {
    // The lists that are open, outermost first; each is the last item of the one before.
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let (mut is_digit, mut is_combined, mut start) = (false, false, 0);
    let nest = |open: &mut Vec<Vec<Item>>| {
        if open.last().is_some_and(|list| !list.is_empty()) {
            open.push(Vec::new());
        }
    };
    let add = |open: &mut Vec<Vec<Item>>, item: Item| {
        if let Some(list) = open.last_mut() {
            list.push(item);
        }
    };
    for (index, c) in text.char_indices() {
        match c {
            '.' => {
                let item = match index == start {
                    true => Item::Number(String::new()),
                    false => Item::new(&text[start..index], is_digit, is_combined),
                };
                add(&mut open, item);
                is_combined = false;
                start = index + 1;
            }
            '-' => {
                let item = if index == start {
                    Item::Number(String::new())
                } else {
                    let next = text[index + 1..].chars().next();
                    // `rc-1` is `rc1`.
                    if !is_digit && next.is_some_and(|next| next.is_ascii_digit()) {
                        is_combined = true;
                        continue;
                    }
                    Item::new(&text[start..index], is_digit, is_combined)
                };
                add(&mut open, item);
                start = index + 1;
                nest(&mut open);
                is_combined = false;
            }
            '0'..='9' => {
                if !is_digit && index > start {
                    is_combined = true;
                    nest(&mut open);
                }
                is_digit = true;
            }
            _ => {
                if is_digit && index > start {
                    add(&mut open, Item::new(&text[start..index], true, is_combined));
                    start = index;
                    open.push(Vec::new());
                    is_combined = false;
                }
                is_digit = false;
            }
        }
    }
    if text.len() > start {
        // `1.x` is `1-x`.
        if !is_digit {
            nest(&mut open);
        }
        add(&mut open, Item::new(&text[start..], is_digit, is_combined));
    }
    close(open)
}

/// Puts the open lists into each other, innermost first, without the items that say nothing.
fn close(mut open: Vec<Vec<Item>>) -> Vec<Item> {
    let mut inner: Option<Vec<Item>> = None;
    while let Some(mut list) = open.pop() {
        list.extend(inner.take().map(Item::List));
        normalize(&mut list);
        inner = Some(list);
    }
    inner.unwrap_or_default()
}

/// Drops empty items at the end, before a word, and before a list that starts with a word.
fn normalize(list: &mut Vec<Item>) {
    for index in (0..list.len()).rev() {
        if !list[index].is_empty() {
            continue;
        }
        let is_idle = match list.get(index + 1) {
            None | Some(Item::Word(_)) => true,
            Some(Item::List(inner)) => matches!(inner.first(), Some(Item::Word(_) | Item::Combined(..))),
            Some(_) => false,
        };
        if is_idle {
            list.remove(index);
        }
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|index| match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) => compare_items(a, b),
            (Some(a), None) => compare_to_nothing(a),
            (None, Some(b)) => compare_to_nothing(b).reverse(),
            (None, None) => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn compare_to_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(_) if item.is_empty() => Ordering::Equal,
        Item::Number(_) => Ordering::Greater,
        Item::Word(word) | Item::Combined(word, _) => word_rank(word).cmp(&(RELEASE, "")),
        Item::List(items) => items
            .iter()
            .map(compare_to_nothing)
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
    }
}

fn compare_items(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => compare_digits(a, b),
        (Item::Word(a), Item::Word(b)) => word_rank(a).cmp(&word_rank(b)),
        // `rc1` comes after `rc`.
        (Item::Combined(a, _), Item::Word(b)) => word_rank(a).cmp(&word_rank(b)).then(Ordering::Greater),
        (Item::Word(a), Item::Combined(b, _)) => word_rank(a).cmp(&word_rank(b)).then(Ordering::Less),
        (Item::Combined(a, x), Item::Combined(b, y)) => {
            word_rank(a).cmp(&word_rank(b)).then_with(|| compare_digits(x, y))
        }
        (Item::List(a), Item::List(b)) => compare_lists(a, b),
        // Words come before lists, lists before numbers.
        _ => kind_rank(a).cmp(&kind_rank(b)),
    }
}

fn kind_rank(item: &Item) -> u8 {
    match item {
        Item::Word(_) | Item::Combined(..) => 0,
        Item::List(_) => 1,
        Item::Number(_) => 2,
    }
}
