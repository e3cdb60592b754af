//! The order of versions in NVD's ranges: the generic one, with OpenSSL's letters as patch levels.

use std::cmp::Ordering;

use super::{Fault, Generic, Scheme};

/// Software known by CPE names.
pub(crate) struct Cpe;

impl Scheme for Cpe {
    fn name(&self) -> &'static str {
        "cpe"
    }

    fn order(&self, a: &str, b: &str) -> Result<Ordering, Fault> {
        Generic.order(&without_letters(a), &without_letters(b))
    }
}

/// `1.0.2zg` as `1.0.2.26.7`: one or two letters right after the last of three numbers follow the version without them.
/// Words such as `rc1` end with a number, and `1.0b` has two numbers only.
fn without_letters(version: &str) -> String {
    let numbers = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let letters = &version[numbers.len()..];
    let is_numbered =
        numbers.split('.').count() == 3 && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_numbered || !numbers.ends_with(|c: char| c.is_ascii_digit()) || letters.len() > 2 {
        return version.to_owned();
    }
    let levels = letters.bytes().map(|letter| format!(".{}", letter - b'a' + 1));
    numbers.to_owned() + &levels.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_openssl_follow_the_release() {
        for pair in [
            "1.0.2",
            "1.0.2a",
            "1.0.2m",
            "1.0.2z",
            "1.0.2za",
            "1.0.2zg",
            "1.1.0",
            "1.1.1",
            "1.1.1b",
            "3.0.0-alpha1",
            "3.0.0",
        ]
        .windows(2)
        {
            assert_eq!(Cpe.compare(pair[0], pair[1]).unwrap(), Ordering::Less, "{pair:?}");
        }
    }
}
