//! `Packages.db`, RPM's own format, in; header blobs out (rpm, lib/backend/ndb/rpmpkg.c; little-endian).

const PAGE_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
const SLOT_BYTES: usize = 16;
/// The file's own header takes the place of two slots.
const FIRST_SLOT: usize = 2;

/// All header blobs.
pub(super) fn packages(bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let damaged = "package database is damaged";
    if bytes.get(..4) != Some(b"RpmP") {
        return Err("package database is not of the format ndb");
    }
    let pages = number(bytes, 12).ok_or(damaged)?;
    let end = pages.checked_mul(PAGE_BYTES).ok_or(damaged)?;
    let slots = bytes.get(FIRST_SLOT * SLOT_BYTES..end).ok_or(damaged)?;
    let (mut blobs, mut total) = (Vec::new(), 0_usize);
    for slot in slots.chunks_exact(SLOT_BYTES) {
        if slot.get(..4) != Some(b"Slot") {
            return Err(damaged);
        }
        let (index, offset) = (number(slot, 4).ok_or(damaged)?, number(slot, 8).ok_or(damaged)?);
        if offset == 0 {
            continue;
        }
        let blob = blob(bytes, index, offset).ok_or(damaged)?;
        // Slots that share bytes would make more of a file than it holds.
        total += blob.len();
        if total > bytes.len() {
            return Err(damaged);
        }
        blobs.push(blob.to_vec());
    }
    Ok(blobs)
}

fn blob(bytes: &[u8], index: usize, offset: usize) -> Option<&[u8]> {
    let start = offset.checked_mul(BLOCK_BYTES)?;
    let head = bytes.get(start..start.checked_add(BLOCK_BYTES)?)?;
    if head.get(..4) != Some(b"BlbS") || number(head, 4)? != index {
        return None;
    }
    let from = start + BLOCK_BYTES;
    bytes.get(from..from.checked_add(number(head, 12)?)?)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}
