//! Quoted strings: escapes resolved, and put back where a tree is shown.

use std::fmt;

/// The text between quotes with its escapes resolved. `quote` is the quote character.
pub(crate) fn unescape(inner: &str, quote: char) -> Result<String, String> {
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            // Upstream reads `\ ` as a backslash because shipped rules once relied on it.
            Some(' ' | '\\') => text.push('\\'),
            Some('/') => text.push('/'),
            Some(escaped @ ('"' | '\'')) if escaped == quote => text.push(escaped),
            Some(escaped @ ('"' | '\'')) => {
                return Err(format!("invalid \\{escaped} escape in {quote}-quoted string"));
            }
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 2 && !digits.starts_with('+'))
                    .ok_or_else(|| format!("invalid hexadecimal escape \\x{digits}"))?;
                text.push(char::from(byte));
            }
            Some(other) => return Err(format!("unknown escape \\{other}")),
            None => return Err("a backslash at the end of a string".to_owned()),
        }
    }
    Ok(text)
}

/// Writes a constant so that it reads back as itself, quoted only where it has to be.
pub(crate) fn write_constant(text: &str, f: &mut dyn fmt::Write) -> fmt::Result {
    let is_bare = !text.contains([
        ' ', '=', ',', '(', ')', '\\', '"', '\'', '\u{8}', '\u{c}', '\n', '\r', '\t',
    ]);
    if is_bare {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            '"' => f.write_str("\\\"")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}
