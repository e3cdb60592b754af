//! Paragraphs as Debian's tools write them in (deb-control(5): fields, one a line, an empty line between paragraphs), those fields that
//! a cataloger reads out.

use std::collections::BTreeMap;

/// Field names as the reader spelled them, with values.
pub(super) type Paragraph = BTreeMap<&'static str, String>;

/// Paragraphs that have any of the fields; the others may be long. Folded lines are not read: no field of ours is folded.
pub(super) fn read<'a>(content: &'a [u8], fields: &'static [&'static str]) -> impl Iterator<Item = Paragraph> + 'a {
    let mut lines = content.split(|&byte| byte == b'\n');
    std::iter::from_fn(move || {
        let mut paragraph = Paragraph::new();
        loop {
            let Some(line) = lines.next() else {
                return (!paragraph.is_empty()).then_some(paragraph);
            };
            if line.trim_ascii().is_empty() {
                if paragraph.is_empty() {
                    continue;
                }
                return Some(paragraph);
            }
            // Lines that begin with a blank continue the field before.
            let Some(colon) = memchr::memchr(b':', line).filter(|_| !line[0].is_ascii_whitespace()) else {
                continue;
            };
            let name = &line[..colon];
            if let Some(field) = fields.iter().find(|field| field.as_bytes().eq_ignore_ascii_case(name)) {
                let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned();
                paragraph.insert(field, value);
            }
        }
    })
}
