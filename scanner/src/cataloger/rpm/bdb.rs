//! `Packages`, a Berkeley DB hash, in; header blobs out (Berkeley DB 5.3, src/dbinc/db_page.h). Pages are read one after the
//! other, not by their hashes: all values are wanted.

const MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER_BYTES: usize = 26;
const HASH_UNSORTED: u8 = 2;
const HASH: u8 = 13;
const OVERFLOW: u8 = 7;
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;
/// Shorter values are not headers: record 0 counts the packages.
const MIN_HEADER_BYTES: usize = 16;

/// All header blobs.
pub(super) fn packages(bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let damaged = "package database is damaged";
    let at_magic = bytes.get(12..16).ok_or(damaged)?;
    let file = if at_magic == MAGIC.to_le_bytes() {
        File {
            bytes,
            page_bytes: 0,
            is_big_endian: false,
        }
    } else if at_magic == MAGIC.to_be_bytes() {
        File {
            bytes,
            page_bytes: 0,
            is_big_endian: true,
        }
    } else {
        return Err("package database is no Berkeley DB hash");
    };
    let page_bytes = file.number(bytes, 20).ok_or(damaged)?;
    if !(512..=65_536).contains(&page_bytes) || !page_bytes.is_power_of_two() {
        return Err(damaged);
    }
    let last = file.number(bytes, 32).ok_or(damaged)?;
    if bytes.len() / page_bytes <= last {
        return Err("package database is cut off");
    }
    let file = File { page_bytes, ..file };
    let (mut blobs, mut total) = (Vec::new(), 0_usize);
    for page in bytes.chunks_exact(page_bytes).skip(1) {
        if !matches!(page[25], HASH | HASH_UNSORTED) {
            continue;
        }
        for blob in file.values(page).ok_or(damaged)? {
            total += blob.len();
            if total > bytes.len() {
                return Err(damaged);
            }
            blobs.push(blob);
        }
    }
    Ok(blobs)
}

struct File<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    is_big_endian: bool,
}

impl File<'_> {
    /// Items alternate between keys and values; the first one ends the page, each next one ends where the one before begins.
    fn values(&self, page: &[u8]) -> Option<Vec<Vec<u8>>> {
        let count = self.short(page, 20)?;
        let mut values = Vec::new();
        let mut end = page.len();
        for item in 0..count {
            let start = self.short(page, PAGE_HEADER_BYTES + 2 * item)?;
            let body = page.get(start..end)?;
            end = start;
            if item % 2 == 0 {
                continue;
            }
            let value = match *body.first()? {
                KEY_DATA => body[1..].to_vec(),
                OFF_PAGE => self.chain(self.number(body, 4)?, self.number(body, 8)?)?,
                // Duplicates: RPM makes none.
                _ => return None,
            };
            if value.len() >= MIN_HEADER_BYTES {
                values.push(value);
            }
        }
        Some(values)
    }

    /// A value on pages of its own.
    fn chain(&self, first: usize, length: usize) -> Option<Vec<u8>> {
        // A chain that comes back to itself would be longer than the file.
        if length > self.bytes.len() {
            return None;
        }
        let mut value = Vec::with_capacity(length);
        let mut number = first;
        while value.len() < length {
            let start = number.checked_mul(self.page_bytes)?;
            let page = self.bytes.get(start..start.checked_add(self.page_bytes)?)?;
            let used = self.short(page, 22)?;
            if page[25] != OVERFLOW || used == 0 {
                return None;
            }
            let body = page.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + used)?;
            value.extend_from_slice(&body[..body.len().min(length - value.len())]);
            number = self.number(page, 16)?;
        }
        Some(value)
    }

    fn number(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        let number = match self.is_big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        };
        usize::try_from(number).ok()
    }

    fn short(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(usize::from(match self.is_big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }))
    }
}
