//! Lists put into conditions: wherever a list's name stands between blanks, brackets, commas or `=`, its items do.

use std::{cell::RefCell, ops::Range};

use super::{
    catalog::Named,
    exception::quoted,
    item::{ListInfo, ListItem},
};
use crate::{
    limits::{MAX_CONDITION_BYTES, MAX_LIST_ITEMS, MAX_REFERENCE_DEPTH},
    text::Mapped,
};

/// Lists whose items are no lists any more.
pub(crate) struct ResolvedLists<'a> {
    lists: &'a Named<ListInfo>,
    items: Vec<Vec<ListItem>>,
    /// Names that hold blanks or the like; they cannot be found as words.
    odd_names: Vec<usize>,
    used: RefCell<Vec<bool>>,
}

/// Which limit a list or condition broke.
pub(crate) struct TooLong(pub(crate) &'static str);

const DELIMITERS: [char; 8] = [' ', '\t', '\n', '\r', '(', ')', ',', '='];

impl<'a> ResolvedLists<'a> {
    /// Resolves all lists. An item that names a list which was first defined before the last change of the list it
    /// stands in is replaced by that list's items.
    pub(crate) fn new(lists: &'a Named<ListInfo>) -> Result<Self, (usize, TooLong)> {
        let count = lists.as_slice().len();
        let mut resolved = Self {
            lists,
            items: Vec::with_capacity(count),
            odd_names: Vec::new(),
            used: RefCell::new(vec![false; count]),
        };
        for (index, list) in lists.as_slice().iter().enumerate() {
            let mut items = Vec::new();
            let mut open = vec![index];
            resolved
                .collect(list, &mut open, &mut items)
                .map_err(|too_long| (index, too_long))?;
            resolved.items.push(items);
            if list.name.contains(DELIMITERS) {
                resolved.odd_names.push(index);
            }
        }
        Ok(resolved)
    }

    fn collect(&self, list: &ListInfo, open: &mut Vec<usize>, out: &mut Vec<ListItem>) -> Result<(), TooLong> {
        for item in &list.items {
            let inner = self
                .lists
                .position(&item.text)
                .filter(|&index| self.lists.as_slice()[index].order.index < list.order.visibility)
                // A list within itself stays a word, as upstream.
                .filter(|index| !open.contains(index));
            match inner {
                Some(index) => {
                    if open.len() >= MAX_REFERENCE_DEPTH {
                        return Err(TooLong("lists within lists are nested too deep"));
                    }
                    self.used.borrow_mut()[index] = true;
                    open.push(index);
                    self.collect(&self.lists.as_slice()[index], open, out)?;
                    open.pop();
                }
                None => out.push(item.clone()),
            }
            if out.len() > MAX_LIST_ITEMS {
                return Err(TooLong("the list has too many items"));
            }
        }
        Ok(())
    }

    /// Whether a list is used by another list or by a condition that was expanded.
    pub(crate) fn is_used(&self, index: usize) -> bool {
        self.used.borrow()[index]
    }

    /// The condition with every list put in.
    pub(crate) fn expand(&self, condition: &Mapped) -> Result<Mapped, TooLong> {
        let pieces = self.pieces(&condition.text);
        if pieces.iter().all(|piece| piece.list.is_none()) {
            return Ok(condition.clone());
        }
        let mut out = Mapped::default();
        for piece in &pieces {
            match piece.list {
                None => out.push_part(condition, piece.range.clone()),
                Some(list) => {
                    self.used.borrow_mut()[list] = true;
                    for (index, item) in self.items[list].iter().enumerate() {
                        if index > 0 {
                            out.push(", ", &item.place);
                        }
                        // The name's own place: that is where the condition can be changed.
                        out.push(&quoted(&item.text), &condition.place(&piece.range));
                    }
                }
            }
            if out.text.len() > MAX_CONDITION_BYTES {
                return Err(TooLong("the condition is too long with its lists put in"));
            }
        }
        Ok(out)
    }

    /// The condition cut into names of lists and what is between; commas beside empty lists are left out.
    fn pieces(&self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = 0;
        for (word, is_quoted) in words(text) {
            if is_quoted {
                continue;
            }
            if let Some(list) = self.lists.position(&text[word.clone()]) {
                push_raw(&mut pieces, text, rest..word.start);
                rest = word.end;
                pieces.push(Piece {
                    range: word,
                    list: Some(list),
                });
            }
        }
        push_raw(&mut pieces, text, rest..text.len());
        for &list in &self.odd_names {
            pieces = self.with_odd_name(text, pieces, list);
        }
        self.without_stray_commas(text, pieces)
    }

    fn with_odd_name(&self, text: &str, pieces: Vec<Piece>, list: usize) -> Vec<Piece> {
        let name = &self.lists.as_slice()[list].name;
        let mut out = Vec::with_capacity(pieces.len());
        for piece in pieces {
            if piece.list.is_some() {
                out.push(piece);
                continue;
            }
            let mut rest = piece.range.start;
            for (offset, _) in text[piece.range.clone()].match_indices(name.as_str()) {
                let range = piece.range.start + offset..piece.range.start + offset + name.len();
                let is_bounded = text[..range.start]
                    .chars()
                    .next_back()
                    .is_none_or(|c| DELIMITERS.contains(&c))
                    && text[range.end..].chars().next().is_none_or(|c| DELIMITERS.contains(&c));
                if is_bounded && range.start >= rest {
                    push_raw(&mut out, text, rest..range.start);
                    rest = range.end;
                    out.push(Piece {
                        range,
                        list: Some(list),
                    });
                }
            }
            push_raw(&mut out, text, rest..piece.range.end);
        }
        out
    }

    fn without_stray_commas(&self, text: &str, mut pieces: Vec<Piece>) -> Vec<Piece> {
        for index in 0..pieces.len() {
            if pieces[index].list.is_none_or(|list| !self.items[list].is_empty()) {
                continue;
            }
            let before = index.checked_sub(1).map(|previous| pieces[previous].range.clone());
            if let Some(range) = before
                && text[range.clone()].trim_end().ends_with(',')
            {
                pieces[index - 1].range.end = range.start + text[range.clone()].trim_end().len() - 1;
            } else if let Some(next) = pieces.get_mut(index + 1) {
                let after = &text[next.range.clone()];
                if after.trim_start().starts_with(',') {
                    next.range.start += after.len() - after.trim_start().len() + 1;
                }
            }
        }
        pieces
    }
}

struct Piece {
    range: Range<usize>,
    list: Option<usize>,
}

fn push_raw(pieces: &mut Vec<Piece>, text: &str, range: Range<usize>) {
    if !text[range.clone()].is_empty() {
        pieces.push(Piece { range, list: None });
    }
}

/// The words of a condition, and whether each is part of a quoted constant.
fn words(text: &str) -> Vec<(Range<usize>, bool)> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut start = 0;
    let mut is_quoted = false;
    let mut previous = ' ';
    for (offset, character) in text.char_indices() {
        match quote {
            Some(open) if character == open && previous != '\\' => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                is_quoted = true;
            }
            None if DELIMITERS.contains(&character) => {
                if start < offset {
                    found.push((start..offset, is_quoted));
                }
                start = offset + character.len_utf8();
                is_quoted = false;
            }
            None => {}
        }
        previous = character;
    }
    if start < text.len() {
        found.push((start..text.len(), is_quoted));
    }
    found
}
