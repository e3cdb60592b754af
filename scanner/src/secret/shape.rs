//! A text that fits a kind's pattern in, whether it is built as a real secret of that kind is, out.

use base64::{
    Engine as _,
    engine::{
        DecodePaddingMode, GeneralPurpose,
        general_purpose::{GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD},
    },
};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As many different characters as chance gives.
    Random,
    /// The last six characters are the CRC-32 of the 30 before, in base 62 (GitHub's and npm's tokens since 2021).
    Crc32Base62,
    /// After the last `_`, eight hexadecimal digits are the CRC-32 of all before without it (Grafana's service accounts).
    Crc32Hex,
    /// Three parts: two JSON objects, the first with `alg` (RFC 7515), and a signature.
    Jwt,
    /// Base64 whose bytes begin as a private key's do.
    Key,
    /// Base64 of `name:password` (RFC 7617).
    BasicAuth,
    /// Base64 that names `pypi.org` (a macaroon).
    Macaroon,
    /// Bech32's checksum (BIP 173).
    Bech32,
    /// A password that a person or a program chose: no variable, no placeholder word.
    Password,
}

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Shape {
    pub(super) fn fits(self, secret: &[u8]) -> bool {
        match self {
            Self::Random => is_random(secret),
            Self::Crc32Base62 => has_crc_base62(secret),
            Self::Crc32Hex => has_crc_hex(secret),
            Self::Jwt => is_jwt(secret),
            Self::Key => is_key(secret),
            Self::BasicAuth => is_basic_auth(secret),
            Self::Macaroon => decode(secret).is_some_and(|bytes| memchr::memmem::find(&bytes, b"pypi.org").is_some()),
            Self::Bech32 => is_bech32(secret),
            Self::Password => is_password(secret),
        }
    }
}

/// Shannon entropy in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let length = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let parts = counts.iter().filter(|count| **count > 0);
    parts
        .map(|&count| {
            let share = f64::from(count) / length;
            -share * share.log2()
        })
        .sum()
}

/// 20 random hexadecimal digits have 3.2 bits on average and hardly ever fewer than 2.6; words repeat letters and have no
/// digits.
fn is_random(secret: &[u8]) -> bool {
    const MIN_BITS: f64 = 2.6;
    entropy(secret) >= MIN_BITS && secret.iter().any(u8::is_ascii_digit) && secret.iter().any(u8::is_ascii_alphabetic)
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Six digits of base 62, most significant first.
pub(super) fn base62(mut number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits
}

fn has_crc_base62(token: &[u8]) -> bool {
    let start = token.iter().position(|&byte| byte == b'_').map_or(0, |at| at + 1);
    let Some((random, sum)) = token[start..].split_last_chunk::<6>() else {
        return false;
    };
    base62(crc32fast::hash(random)) == *sum
}

fn has_crc_hex(token: &[u8]) -> bool {
    let Some(at) = token.iter().rposition(|&byte| byte == b'_') else {
        return false;
    };
    let stated = str::from_utf8(&token[at + 1..])
        .ok()
        .and_then(|text| u32::from_str_radix(text, 16).ok());
    stated == Some(crc32fast::hash(&token[..at]))
}

fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|&byte| byte == b'.');
    let mut json = || {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    };
    let (Some(header), Some(claims)) = (json(), json()) else {
        return false;
    };
    let is_of_documentation = claims.get("name").is_some_and(|name| name == "John Doe");
    let is_signed = parts.next().is_some_and(|signature| signature.len() >= 20);
    header.contains_key("alg") && is_signed && !is_of_documentation
}

/// All base64 characters of a text, decoded as far as they go.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text).replace("\\r", "").replace("\\n", "");
    let clean: Vec<u8> = text
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    let whole = clean.len() - clean.len() % 4;
    ANY_PADDING.decode(&clean[..whole]).ok()
}

/// A DER sequence with a version number (PKCS #1, PKCS #8, SEC 1), or OpenSSH's magic (PROTOCOL.key), or an OpenPGP
/// packet of a secret key (RFC 9580, 5.5.1.3).
fn is_key(body: &[u8]) -> bool {
    // Headers of encrypted keys (RFC 1421) end with an empty line.
    let Some(bytes) = decode(body) else { return false };
    let is_der = matches!(bytes[..], [0x30, 0x81 | 0x82, ..] | [0x30, 0x20..=0x7f, 0x02, 0x01, ..]);
    let is_open_pgp = matches!(bytes.first(), Some(0x94..=0x97 | 0xc5));
    bytes.len() >= 32 && (is_der || is_open_pgp || bytes.starts_with(b"openssh-key-v1\0"))
}

fn is_basic_auth(secret: &[u8]) -> bool {
    let Some(bytes) = STANDARD.decode(secret).ok() else {
        return false;
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return false;
    };
    let is_shown = text.chars().all(|char| !char.is_control());
    is_shown
        && text
            .split_once(':')
            .is_some_and(|(name, password)| !name.is_empty() && is_password(password.as_bytes()))
}

/// Words that documentation writes where a password goes.
const PLACEHOLDERS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "user",
    "username",
    "token",
    "mypassword",
    "mypass",
    "none",
    "null",
    "true",
    "false",
    "test",
    "foo",
    "bar",
    "baz",
    "pw",
    "p4ssw0rd",
    "xxx",
    "yyy",
    "pass123",
    "@",
    "host",
    "port",
    "string",
    "bob",
    "hunter2",
];

fn is_password(secret: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(secret) else { return false };
    let lower = text.to_ascii_lowercase();
    let is_variable = lower.starts_with(['$', '%', '{', '<', '[', '*', '(', ':']) || lower.contains("...");
    text.chars().count() >= 4 && !is_variable && !PLACEHOLDERS.contains(&lower.as_str()) && entropy(secret) > 1.5
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        (0..5)
            .filter(|bit| top >> bit & 1 == 1)
            .fold(next, |next, bit| next ^ GENERATOR[bit])
    })
}

/// The values that Bech32's checksum is computed over; `None` for characters that it has not.
pub(super) fn bech32_values(text: &[u8]) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    let at = lower.iter().rposition(|&byte| byte == b'1')?;
    let (name, data) = (&lower[..at], &lower[at + 1..]);
    let mut values: Vec<u8> = name.iter().map(|byte| byte >> 5).collect();
    values.push(0);
    values.extend(name.iter().map(|byte| byte & 31));
    for byte in data {
        let value = BECH32.iter().position(|other| other == byte)?;
        values.push(u8::try_from(value).ok()?);
    }
    Some(values)
}

fn is_bech32(text: &[u8]) -> bool {
    bech32_values(text).is_some_and(|values| polymod(values.into_iter()) == 1)
}

/// The six characters that make a text without checksum valid Bech32.
#[cfg(test)]
pub(super) fn bech32_sum(text: &[u8]) -> Vec<u8> {
    let values = bech32_values(text).unwrap();
    let sum = polymod(values.into_iter().chain([0; 6])) ^ 1;
    (0..6).map(|at| BECH32[(sum >> (5 * (5 - at)) & 31) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_published_values() {
        // BIP 173's own test vectors.
        assert!(is_bech32(b"A12UEL5L") && is_bech32(b"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"));
        assert!(!is_bech32(b"A12UEL5M") && !is_bech32(b"1b"));
        assert_eq!(&base62(0), b"000000");
        assert_eq!(&base62(u32::MAX), b"4gfFC3");
        // RFC 7617's example, and one without a password.
        assert!(is_basic_auth(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!is_basic_auth(b"QWxhZGRpbg==") && !is_basic_auth(b"dXNlcjpwYXNzd29yZA=="));
        assert!(entropy(b"aaaa") < 0.01 && (entropy(b"abcd") - 2.0).abs() < 0.01);
    }

    #[test]
    fn tells_passwords_from_placeholders() {
        for (text, expected) in [
            ("$PASSWORD", false),
            ("password", false),
            ("<pass>", false),
            ("aaaaaaa", false),
            ("k9-Tree.house", true),
        ] {
            assert_eq!(is_password(text.as_bytes()), expected, "{text}");
        }
    }
}
