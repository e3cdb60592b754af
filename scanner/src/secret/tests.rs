//! Each kind finds what it is for and leaves near misses alone. Secrets are made here from the patterns, so that none is in
//! the repository and no scanner of repositories is troubled.

use base64::Engine as _;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    string::string_regex,
    test_runner::TestRunner,
};

use super::*;

/// A text that fits a kind's pattern, with the checksums that its shape asks for.
fn make(kind: &SecretKind, runner: &mut TestRunner) -> String {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let url_safe = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let mut random = |pattern: &str| string_regex(pattern).unwrap().new_tree(runner).unwrap().current();
    // Blanks of a pattern may be any of Unicode's, and `.` anything: both are narrowed to what files have.
    let pattern = kind
        .pattern
        .replace(r"[^\n]", "[a-z]")
        .replace(r"[^\s]", "[a-z]")
        .replace(r"[^{}]", "[a-z ,]");
    let pattern = pattern.replace(r#"[^\s:/@"'<>\[\]{}()$`,;\\|*]"#, "[a-zA-Z0-9!.-]");
    let pattern = pattern
        .replace(r"[^<>\s{}$]", "[a-zA-Z0-9!.-]")
        .replace(r"[^\s#]", "[a-zA-Z0-9!.-]");
    let pattern = pattern
        .replace(r#"[^\s"'#]"#, "[a-zA-Z0-9!.-]")
        .replace(r"=\s\\]", "]")
        .replace(r"=\s]", "]");
    let pattern = pattern.replace(r"(?:\\r)?(?:\\n|\s){1,4}", "\n").replace(r"\s", " ");
    match kind.shape {
        Shape::Crc32Base62 => {
            let start = &kind.keywords[0];
            let body = random("[A-Za-z0-9]{30}");
            let sum = shape::base62(crc32fast::hash(body.as_bytes()));
            format!("{start}{body}{}", str::from_utf8(&sum).unwrap())
        }
        Shape::Crc32Hex => {
            let start = random("glsa_[A-Za-z0-9]{32}");
            format!("{start}_{:08x}", crc32fast::hash(start.as_bytes()))
        }
        Shape::Jwt => {
            let header = url_safe(r#"{"alg":"HS256","typ":"JWT"}"#);
            let claims = url_safe(&format!(r#"{{"sub":"{}"}}"#, random("[a-z]{12}")));
            format!("{header}.{claims}.{}", random("[A-Za-z0-9_-]{43}"))
        }
        Shape::Key => {
            let body = random("[A-Za-z0-9+/]{300}");
            match kind.kind.id {
                "secret-pgp-private-key" => {
                    format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQOY{body}\n")
                }
                _ => format!("-----BEGIN RSA PRIVATE KEY-----\nMIIEow{body}\n"),
            }
        }
        Shape::BasicAuth => format!(
            r#""auth": "{}""#,
            base64(&format!("robot:{}", random("[a-zA-Z0-9]{20}")))
        ),
        Shape::Macaroon => {
            let body = base64(&format!("\u{2}\u{1}\u{8}pypi.org{}", random("[a-z0-9]{60}")));
            format!("pypi-{}", body.trim_end_matches('='))
        }
        Shape::Bech32 => {
            let body = random("[023456789AC-HJ-NP-Z]{52}").replace(['B', 'I', 'O'], "Q");
            let start = format!("AGE-SECRET-KEY-1{body}");
            let sum = shape::bech32_sum(start.as_bytes());
            format!("{start}{}", String::from_utf8(sum).unwrap().to_uppercase())
        }
        Shape::Random | Shape::Password => random(&pattern),
    }
}

fn found(text: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    find(text.as_bytes(), 0..text.len(), &mut |kind, range| {
        all.push((kind.kind.id, text[range].to_owned()))
    });
    all
}

fn has(text: &str, kind: &SecretKind) -> bool {
    found(text).iter().any(|(id, _)| *id == kind.kind.id)
}

#[test]
fn every_kind_finds_its_own_and_no_near_miss() {
    let mut runner = TestRunner::deterministic();
    let mut wrong = Vec::new();
    for kind in kinds() {
        let id = kind.kind.id;
        let mut kept = 0;
        for _ in 0..20 {
            let text = make(kind, &mut runner);
            if !kind.keywords.iter().any(|word| text.starts_with(word)) {
                wrong.push(format!("{id}: no keyword begins {text}"));
            }
            kept += usize::from(has(&format!("key = {text} \n"), kind));
            wrong.extend(near_misses(kind, &text));
        }
        // Chance may make a placeholder, or a text without a digit.
        if kept < 17 {
            wrong.push(format!("{id}: {kept} of 20, such as {}", make(kind, &mut runner)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(kinds().count() >= 100);
}

/// Texts that are almost such a secret, and are found all the same: nothing after the keyword, a keyword that ends a longer
/// word, a secret that is cut, that is a placeholder, or whose checksum is of another one.
fn near_misses(kind: &SecretKind, text: &str) -> Vec<String> {
    let keyword = kind.keywords[0];
    let mut misses = vec![keyword.to_owned(), format!("{keyword}=\n")];
    if keyword.as_bytes()[0].is_ascii_alphanumeric() {
        misses.push(format!("x{text}"));
    }
    if let Some((_, secret)) = found(text).into_iter().find(|(id, _)| *id == kind.kind.id) {
        misses.push(text.replace(&secret, &"x".repeat(secret.len())));
        misses.push(text.replace(&secret, &secret[..2]));
    }
    if matches!(kind.shape, Shape::Crc32Base62 | Shape::Crc32Hex | Shape::Bech32) {
        let at = text.len() - 10;
        let other = if text.as_bytes()[at] == b'2' { "3" } else { "2" };
        misses.push(format!("{}{other}{}", &text[..at], &text[at + 1..]));
    }
    misses.retain(|miss| has(miss, kind));
    misses
        .into_iter()
        .map(|miss| format!("{}: found in {miss}", kind.kind.id))
        .collect()
}

#[test]
fn leaves_ordinary_texts_alone() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "https://user:password@example.org/",
        "postgres://app:${DB_PASSWORD}@db/app",
        "http://[::1]:8080/@x",
        "see https://example.org:8443/a@b",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE...\n-----END RSA PRIVATE KEY-----",
        "\"auth\": \"dXNlcjpwYXNzd29yZA==\"",
        "npm_config_registry npm_package_name_that_is_really_quite_long_indeed",
        "the task-force uses sk-learn and ghp_ tokens",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn shows_no_more_than_it_says() {
    assert_eq!(redact(b"short-one"), "… (9 characters)");
    assert_eq!(redact(b"glpat-0123456789abcdef"), "glpa… (22 characters)");
    let token = ["glpat", "-", "q7Rk2mZx9LwT4vBn8sYd"].concat();
    assert_eq!(
        redact_all(&format!("a {token} b {token}")),
        "a glpa… (26 characters) b glpa… (26 characters)"
    );
}
