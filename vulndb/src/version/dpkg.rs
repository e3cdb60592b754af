//! Debian's order: `[epoch:]upstream[-revision]`, compared as dpkg's `lib/dpkg/version.c` does (deb-version(7)).

use std::cmp::Ordering;

use super::{Fault, Scheme};

/// Debian and its children.
pub(crate) struct Dpkg;

impl Scheme for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        Ok(compare(&split(a)?, &split(b)?))
    }

    /// No version at all is dpkg's blank one, which only `~` comes before.
    fn order_by_tool(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        let split = |text| match text {
            "" => Ok(Version::default()),
            _ => split(text),
        };
        Ok(compare(&split(a)?, &split(b)?))
    }
}

fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_part(a.upstream, b.upstream))
        .then_with(|| compare_part(a.revision, b.revision))
}

#[derive(Default)]
struct Version<'a> {
    epoch: u32,
    upstream: &'a [u8],
    revision: &'a [u8],
}

fn split(text: &str) -> Result<Version<'_>, Fault> {
    let error = |reason: &'static str| Fault::new(text, reason);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(error("it is empty"));
    }
    let (epoch, rest) = match trimmed.split_once(':') {
        // dpkg refuses an epoch beyond INT_MAX.
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) && epoch.len() <= 10 => {
            let number = epoch.parse().map_err(|_| error("its epoch is no number"))?;
            (number, rest)
        }
        Some(_) => return Err(error("its epoch is no number")),
        None => (0, trimmed),
    };
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((_, "")) => return Err(error("its revision is empty")),
        Some(parts) => parts,
        None => (rest, ""),
    };
    if upstream.is_empty() {
        return Err(error("it has no upstream part"));
    }
    // dpkg warns of other characters (`_`, which names of RPMs bring along) and compares them.
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(error("it has a blank"));
    }
    Ok(Version {
        epoch,
        upstream: upstream.as_bytes(),
        revision: revision.as_bytes(),
    })
}

/// Alternates between the non-digit prefixes, byte by byte in dpkg's order, and the numbers after them.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (x, y) = (a.first().copied(), b.first().copied());
            let is_text = |byte: Option<u8>| byte.is_some_and(|byte| !byte.is_ascii_digit());
            if !is_text(x) && !is_text(y) {
                break;
            }
            match weight(x).cmp(&weight(y)) {
                Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                unequal => return unequal,
            }
        }
        let (x, y) = (take_number(&mut a), take_number(&mut b));
        match x.len().cmp(&y.len()).then_with(|| x.cmp(y)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    Ordering::Equal
}

/// `~` sorts before the end, the end before letters, letters before all else.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    }
}

/// The digits at the start without leading zeros; none count as 0.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}
