//! Paths as tar members write them in, absolute and normalised paths out.

use std::{borrow::Cow, fmt::Write as _};

use crate::limits::{MAX_PATH_BYTES, MAX_PATH_DEPTH};

/// A member's path, made safe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CleanPath {
    /// Absolute, without `.`, `..` and doubled slashes. Empty for the root folder.
    pub(crate) path: String,
    /// What had to be changed that an honest archive would not have.
    pub(crate) oddity: Option<&'static str>,
}

/// `None` when the path is longer or deeper than any file system allows.
pub(crate) fn clean(bytes: &[u8]) -> Option<CleanPath> {
    if bytes.len() > MAX_PATH_BYTES {
        return None;
    }
    let mut oddity = None;
    let text = text(bytes);
    if matches!(text, Cow::Owned(_)) {
        oddity = Some("path is not UTF-8: other bytes are written as `\\x`");
    }
    if text.starts_with('/') {
        oddity = Some("path is absolute: taken as relative to the root");
    }
    let mut path = String::with_capacity(text.len() + 1);
    let mut depth = 0;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                oddity = Some("path has `..`: resolved within the root");
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            name => {
                path.push('/');
                path.push_str(name);
                depth += 1;
            }
        }
    }
    path.shrink_to_fit();
    (depth <= MAX_PATH_DEPTH).then_some(CleanPath { path, oddity })
}

/// A path or the target of a link as text. Bytes that are no UTF-8 become `\xHH`: two files whose names differ in them alone
/// stay two.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 3);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_the_root() {
        for (input, expected, odd) in [
            ("./usr/bin/", "/usr/bin", false),
            ("usr//bin/./ls", "/usr/bin/ls", false),
            (".", "", false),
            ("./", "", false),
            ("/etc/passwd", "/etc/passwd", true),
            ("../../etc/passwd", "/etc/passwd", true),
            ("a/../../b", "/b", true),
        ] {
            let clean = clean(input.as_bytes()).unwrap();
            assert_eq!(
                (clean.path.as_str(), clean.oddity.is_some()),
                (expected, odd),
                "{input}"
            );
        }
        let odd = clean(b"a\xff\xc3/b\xc3\xa9").unwrap();
        assert_eq!(odd.path, "/a\\xff\\xc3/b\u{e9}");
        assert!(odd.oddity.is_some());
        assert_eq!(clean(&[b'a'; MAX_PATH_BYTES + 1]), None);
        assert_eq!(clean("a/".repeat(MAX_PATH_DEPTH + 1).as_bytes()), None);
    }
}
