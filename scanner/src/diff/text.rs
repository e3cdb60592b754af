//! A diff in, lines for people out: what is worse first marked with `!`, new with `+`, gone with `-`, changed with `~`.

use std::fmt::Write as _;

use super::{Area, Change, Diff};
use crate::report::shown;

/// Lines of one area; the rest is counted.
const MAX_LINES: usize = 40;
/// Widest name and widest value.
const MAX_CHARS: usize = 90;

/// The diff as text. Hostile text is escaped.
pub fn view(diff: &Diff) -> String {
    let mut text = format!("from  {}\nto    {}\n", shown(&diff.from), shown(&diff.to));
    for (area, name) in Area::ALL {
        let all: Vec<&Change> = diff.changes.iter().filter(|change| change.area == area).collect();
        if all.is_empty() {
            continue;
        }
        let worse = all.iter().filter(|change| change.is_worse).count();
        let judged = if worse > 0 {
            format!(", {worse} worse")
        } else {
            String::new()
        };
        let _ = writeln!(text, "\n{name}: {}{judged}", all.len());
        let (bad, rest): (Vec<&Change>, Vec<&Change>) = all.iter().partition(|change| change.is_worse);
        for change in bad.into_iter().chain(rest).take(MAX_LINES) {
            line(change, &mut text);
        }
        if all.len() > MAX_LINES {
            let _ = writeln!(text, "  and {} more (-o json has all)", all.len() - MAX_LINES);
        }
    }
    if diff.changes.is_empty() {
        text += "\nno difference\n";
    }
    for what in &diff.not_compared {
        let _ = writeln!(text, "\nnot compared: {}", shown(what));
    }
    text
}

fn line(change: &Change, text: &mut String) {
    let worse = if change.is_worse { '!' } else { ' ' };
    let name = cut(&shown(&change.name));
    // Writing to a String cannot fail.
    let _ = match (&change.before, &change.after) {
        (None, Some(after)) => writeln!(text, "{worse} + {name}: {}", cut(&shown(after))),
        (Some(before), None) => writeln!(text, "{worse} - {name}: {}", cut(&shown(before))),
        (Some(before), Some(after)) => {
            writeln!(
                text,
                "{worse} ~ {name}: {} -> {}",
                cut(&shown(before)),
                cut(&shown(after))
            )
        }
        (None, None) => Ok(()),
    };
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
