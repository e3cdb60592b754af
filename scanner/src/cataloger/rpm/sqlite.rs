//! `rpmdb.sqlite` in, header blobs out (SQLite, fileformat2.html). A reader of one table is small, and hostile bytes do not
//! reach a library written in C.

/// Pages below each other; a real tree of 4 KiB pages and 2^32 rows has fewer than ten.
const MAX_DEPTH: usize = 32;
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;
/// The first page begins with the file's header.
const FILE_HEADER_BYTES: usize = 100;

/// All header blobs.
pub(super) fn packages(bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let damaged = "package database is damaged";
    if !bytes.starts_with(b"SQLite format 3\0") {
        return Err("package database is not of the format SQLite");
    }
    if bytes.len() < FILE_HEADER_BYTES {
        return Err(damaged);
    }
    let page_bytes = match usize::from(u16::from_be_bytes([bytes[16], bytes[17]])) {
        1 => 65_536,
        size => size,
    };
    if !(512..=65_536).contains(&page_bytes) || !page_bytes.is_power_of_two() {
        return Err(damaged);
    }
    let usable = page_bytes - usize::from(bytes[20]);
    if usable < 480 {
        return Err(damaged);
    }
    let mut file = File {
        bytes,
        page_bytes,
        usable,
        unread: bytes.len() / page_bytes,
    };
    let mut root = None;
    file.rows(1, 0, &mut |payload| {
        let columns = columns(payload)?;
        let [kind, name, _, page, ..] = columns.as_slice() else {
            return None;
        };
        if let (Column::Bytes(b"table"), Column::Bytes(b"Packages"), Column::Number(page)) = (kind, name, page) {
            root = usize::try_from(*page).ok();
        }
        Some(())
    })
    .ok_or(damaged)?;
    let root = root.ok_or("package database has no table of packages")?;
    let mut blobs = Vec::new();
    file.rows(root, 0, &mut |payload| {
        let Some(Column::Bytes(blob)) = columns(payload)?.pop() else {
            return None;
        };
        blobs.push(blob.to_vec());
        Some(())
    })
    .ok_or(damaged)?;
    Ok(blobs)
}

enum Column<'a> {
    Null,
    Number(i64),
    Bytes(&'a [u8]),
}

/// A record's values.
fn columns(payload: &[u8]) -> Option<Vec<Column<'_>>> {
    let (header_bytes, mut at) = variable(payload, 0)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let mut body = header_bytes;
    let mut columns = Vec::new();
    while at < header_bytes {
        let (kind, next) = variable(payload, at)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let end = body.checked_add(usize::try_from(length).ok()?)?;
        let value = payload.get(body..end)?;
        body = end;
        columns.push(match kind {
            0 | 7 => Column::Null,
            1..=6 => Column::Number(signed(value)),
            8 => Column::Number(0),
            9 => Column::Number(1),
            _ => Column::Bytes(value),
        });
    }
    Some(columns)
}

/// Big-endian, two's complement.
fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        -1
    } else {
        0
    };
    bytes.iter().fold(start, |value, byte| value << 8 | i64::from(*byte))
}

/// A variable-length integer and where it ends.
fn variable(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for index in 0..8 {
        let byte = *bytes.get(at + index)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(at + 8)?), at + 9))
}

struct File<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    usable: usize,
    /// Pages that may still be read: each belongs to one place, so there are no more than the file has.
    unread: usize,
}

impl<'a> File<'a> {
    fn page(&mut self, number: usize) -> Option<&'a [u8]> {
        self.unread = self.unread.checked_sub(1)?;
        let start = number.checked_sub(1)?.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Calls `row` with the payload of every row of a table.
    fn rows(&mut self, number: usize, depth: usize, row: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let page = self.page(number)?;
        let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let count = short(page, start + 3)?;
        let is_leaf = match page[start] {
            LEAF => true,
            INTERIOR => false,
            _ => return None,
        };
        let cells = start + if is_leaf { 8 } else { 12 };
        for cell in 0..count {
            let at = short(page, cells + 2 * cell)?;
            if is_leaf {
                let payload = self.payload(page, at)?;
                row(&payload)?;
            } else {
                self.rows(long(page, at)?, depth + 1, row)?;
            }
        }
        match is_leaf {
            true => Some(()),
            false => self.rows(long(page, start + 8)?, depth + 1, row),
        }
    }

    /// What a cell of a leaf holds, its overflow pages included.
    fn payload(&mut self, page: &[u8], at: usize) -> Option<Vec<u8>> {
        let (length, at) = variable(page, at)?;
        let (_, at) = variable(page, at)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.bytes.len())?;
        let most = self.usable - 35;
        let local = if length <= most {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let fitting = least + (length - least) % (self.usable - 4);
            if fitting <= most { fitting } else { least }
        };
        let mut payload = page.get(at..at.checked_add(local)?)?.to_vec();
        if local < length {
            let mut next = long(page, at + local)?;
            while payload.len() < length {
                let overflow = self.page(next)?;
                let part = &overflow[4..self.usable];
                payload.extend_from_slice(&part[..part.len().min(length - payload.len())]);
                next = long(overflow, 0)?;
            }
        }
        Some(payload)
    }
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}
