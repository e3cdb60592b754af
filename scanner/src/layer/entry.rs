//! Paths as tar members write them in, absolute and normalised paths out.

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
    let text = match str::from_utf8(bytes) {
        Ok(text) => std::borrow::Cow::Borrowed(text),
        Err(_) => {
            oddity = Some("path is not UTF-8");
            String::from_utf8_lossy(bytes)
        }
    };
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
        assert!(clean(b"a\xffb").unwrap().oddity.is_some());
        assert_eq!(clean(&[b'a'; MAX_PATH_BYTES + 1]), None);
        assert_eq!(clean("a/".repeat(MAX_PATH_DEPTH + 1).as_bytes()), None);
    }
}
