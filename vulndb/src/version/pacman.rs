//! Arch's order: `[epoch:]version[-release]`, segments compared as libalpm's `rpmvercmp`, which has no `~` and lets a
//! trailing word make a version older.

use std::cmp::Ordering;

use super::{Fault, Scheme, compare_digits, take_while};

/// Arch Linux.
pub(crate) struct Pacman;

impl Scheme for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let (a, b) = (split(a)?, split(b)?);
        let releases = match (a.release, b.release) {
            (Some(a), Some(b)) => compare_part(a, b),
            // A version without a release stands for all of its releases.
            _ => Ordering::Equal,
        };
        Ok(compare_digits(a.epoch, b.epoch)
            .then_with(|| compare_part(a.version, b.version))
            .then(releases))
    }
}

struct Version<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

fn split(text: &str) -> Result<Version<'_>, Fault> {
    let trimmed = text.trim();
    let mut rest = trimmed;
    let digits = take_while(&mut rest, |byte| byte.is_ascii_digit());
    let (epoch, rest) = match rest.strip_prefix(':') {
        Some(after) => (digits, after),
        None => ("", trimmed),
    };
    if rest.is_empty() {
        return Err(Fault::new(text, "it is empty"));
    }
    Ok(match rest.rsplit_once('-') {
        Some((version, release)) => Version {
            epoch,
            version,
            release: Some(release),
        },
        None => Version {
            epoch,
            version: rest,
            release: None,
        },
    })
}

fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let is_alpha = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    while !a.is_empty() && !b.is_empty() {
        let (separators_a, separators_b) = (take_separators(&mut a), take_separators(&mut b));
        if a.is_empty() || b.is_empty() {
            break;
        }
        if separators_a != separators_b {
            return separators_a.cmp(&separators_b);
        }
        let order = if a.starts_with(|c: char| c.is_ascii_digit()) {
            let (x, y) = (
                take_while(&mut a, |c| c.is_ascii_digit()),
                take_while(&mut b, |c| c.is_ascii_digit()),
            );
            // A number is newer than a word.
            if y.is_empty() {
                Ordering::Greater
            } else {
                compare_digits(x, y)
            }
        } else {
            let (x, y) = (
                take_while(&mut a, |c| c.is_ascii_alphabetic()),
                take_while(&mut b, |c| c.is_ascii_alphabetic()),
            );
            if y.is_empty() { Ordering::Less } else { x.cmp(y) }
        };
        if order.is_ne() {
            return order;
        }
    }
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if !is_alpha(b) => Ordering::Less,
        _ if is_alpha(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Cuts off what is neither letter nor digit and gives its length in bytes.
fn take_separators(text: &mut &str) -> usize {
    let rest = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let length = text.len() - rest.len();
    *text = rest;
    length
}
