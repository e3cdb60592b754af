//! The body of an event block in, the event's head and its parameters as bytes out.
//!
//! Layout: processor (u16), flags (u32, in some blocks), time (u64), thread (u64), length with this head (u32), type (u16),
//! number of parameters (u32, in newer blocks), the parameters' lengths, the parameters (falcosecurity/libs
//! `driver/ppm_events_public.h`, `struct ppm_evt_hdr`).

use crate::{blocks::EventLayout, cursor::Cursor};

/// Time, thread, length, type.
const HEAD_BYTES: usize = 22;
/// The number of parameters behind them.
const COUNT_BYTES: usize = 4;
/// Types whose parameters have lengths of four bytes: plugins' events, containers, other events that no call caused.
const LARGE: [u16; 3] = [322, 324, 402];
/// More than any event has.
const MAX_PARAMETERS: usize = 64;

/// One event as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Nanoseconds since the epoch.
    pub(crate) time_ns: u64,
    pub(crate) cpu: u16,
    /// The thread that did it.
    pub(crate) tid: i64,
    /// Number in upstream's table of events.
    pub(crate) number: u16,
    pub(crate) parameters: Vec<&'a [u8]>,
}

/// Type of the event in a block, before its parameters are looked at.
pub(crate) fn number_of(layout: EventLayout, body: &[u8]) -> Option<u16> {
    let mut cursor = Cursor(body);
    cursor.take(if layout.has_flags { 6 } else { 2 })?;
    cursor.take(HEAD_BYTES - 2)?;
    cursor.u16()
}

/// Reads an event of a type that has so many parameters today; older ones have fewer. `None`: its lengths do not add up.
pub(crate) fn read<'a>(layout: EventLayout, body: &'a [u8], known_parameters: usize) -> Option<Event<'a>> {
    let mut cursor = Cursor(body);
    let cpu = cursor.u16()?;
    if layout.has_flags {
        cursor.u32()?;
    }
    let (time_ns, tid, length, number) = (cursor.u64()?, cursor.u64()?, cursor.u32()?, cursor.u16()?);
    let head = HEAD_BYTES + if layout.has_count { COUNT_BYTES } else { 0 };
    let count = match layout.has_count {
        true => Some(usize::try_from(cursor.u32()?).ok()?),
        false => None,
    };
    let payload = cursor.take(usize::try_from(length).ok()?.checked_sub(head)?)?;
    let is_large = LARGE.contains(&number);
    let parameters = match count {
        Some(count) => split(payload, count, is_large)?,
        // The number was not written down: the largest one that fits exactly.
        None => (0..=known_parameters)
            .rev()
            .filter_map(|count| split(payload, count, is_large))
            .find(|parts| parts.iter().map(|part| part.len() + 2).sum::<usize>() == payload.len())?,
    };
    Some(Event {
        time_ns,
        cpu,
        tid: i64::from_le_bytes(tid.to_le_bytes()),
        number,
        parameters,
    })
}

/// So many lengths, and behind them as many parameters.
fn split(payload: &[u8], count: usize, is_large: bool) -> Option<Vec<&[u8]>> {
    if count > MAX_PARAMETERS {
        return None;
    }
    let mut cursor = Cursor(payload);
    let mut lengths = Cursor(cursor.take(count * if is_large { 4 } else { 2 })?);
    (0..count)
        .map(|_| {
            let length = match is_large {
                true => usize::try_from(lengths.u32()?).ok()?,
                false => usize::from(lengths.u16()?),
            };
            cursor.take(length)
        })
        .collect()
}
