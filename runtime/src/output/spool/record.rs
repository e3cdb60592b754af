//! One record: an alert and whether it is new, with a length before and a checksum, so that a torn or changed one is told.
//!
//! Length of the body (u32), CRC-32 of the body (u32), body: one byte for the kind, then the alert as JSON. Little-endian.

use std::{
    fs::File,
    io::{self, BufReader, Read},
};

use plimsoll_model::Alert;
use serde_json::Value;

use crate::limits::{MAX_RECORD_BYTES, MAX_SENT_ALERT_BYTES};

const HEADER_BYTES: usize = 8;

/// What is told about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is new.
    New = 1,
    /// It was told before and has more follow-ups or a higher count.
    Changed = 2,
}

/// A record as outputs get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number; one higher than the one before it.
    pub number: u64,
    /// The alert was sent before.
    pub is_change: bool,
    /// The alert, schema `plimsoll.alert/v1`, as JSON.
    pub json: Vec<u8>,
}

impl Record {
    /// The alert.
    ///
    /// # Errors
    /// Another version of the agent wrote it.
    pub fn alert(&self) -> Result<Alert, String> {
        serde_json::from_slice(&self.json).map_err(|error| error.to_string())
    }
}

/// The bytes of a record.
pub(crate) fn encode(kind: Kind, json: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(HEADER_BYTES + 1 + json.len());
    let length = u32::try_from(json.len() + 1).unwrap_or(u32::MAX);
    body.extend(length.to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[kind as u8]);
    checksum.update(json);
    body.extend(checksum.finalize().to_le_bytes());
    body.push(kind as u8);
    body.extend_from_slice(json);
    body
}

/// Reads the next body with its kind; `None` where the file ends or is no longer whole.
pub(super) fn read(input: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(input, &mut header)? {
        return Ok(None);
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = usize::try_from(number(0)).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_RECORD_BYTES {
        return Ok(None);
    }
    let mut body = vec![0; length];
    if !fill(input, &mut body)? || crc32fast::hash(&body) != number(4) {
        return Ok(None);
    }
    let kind = body.remove(0);
    Ok(Some((kind, body)))
}

/// Bytes that a record of this much JSON takes.
pub(super) fn size(json_bytes: usize) -> u64 {
    (HEADER_BYTES + 1 + json_bytes) as u64
}

/// How many whole records a file begins with, and their bytes.
pub(super) fn count(file: &File) -> io::Result<(u64, u64)> {
    let mut input = BufReader::new(file);
    let (mut count, mut bytes) = (0, 0);
    while let Some((_, json)) = read(&mut input)? {
        count += 1;
        bytes += size(json.len());
    }
    Ok((count, bytes))
}

/// Whether there was enough to fill it.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// An alert as JSON that any server takes. Texts of a container may make one so long that it would be refused: then every
/// long text is cut, as far as needed, and ends in `…`.
pub(crate) fn fit(alert: &Alert) -> Vec<u8> {
    let whole = serde_json::to_vec(alert).unwrap_or_default();
    if whole.len() <= MAX_SENT_ALERT_BYTES {
        return whole;
    }
    let Ok(mut value) = serde_json::to_value(alert) else {
        return whole;
    };
    for longest in [4_096, 1_024, 256, 128] {
        cut_texts(&mut value, longest);
        let bytes = serde_json::to_vec(&value).unwrap_or_default();
        if bytes.len() <= MAX_SENT_ALERT_BYTES {
            return bytes;
        }
    }
    // Lists are bounded where alerts are made; only rules can make them this long.
    value["reasons"] = Value::Array(Vec::new());
    value["follow_ups"] = Value::Array(Vec::new());
    serde_json::to_vec(&value).unwrap_or_default()
}

fn cut_texts(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.chars().count() > longest => {
            *text = text.chars().take(longest - 1).chain(['…']).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, longest)),
        Value::Object(fields) => fields.values_mut().for_each(|field| cut_texts(field, longest)),
        _ => {}
    }
}
