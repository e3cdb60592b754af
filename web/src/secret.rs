//! Tokens and passwords: random ones made, only their digests kept, compared in constant time.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::{Error, error::Result};

/// What a token is for, as its prefix says: a person who finds one in a log knows what to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A browser's session.
    Session,
    /// A user's API token.
    Api,
    /// Admits agents.
    Enrolment,
    /// An enrolled agent's own.
    Agent,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "pls_s_",
            Self::Api => "pls_t_",
            Self::Enrolment => "pls_e_",
            Self::Agent => "pls_a_",
        }
    }

    /// Whether a string is a token of this kind, judged by its prefix alone.
    pub(crate) fn is_kind_of(self, token: &str) -> bool {
        token.starts_with(self.prefix())
    }
}

/// A digest of a token, as it is stored: the token itself is shown once and kept nowhere.
pub(crate) type TokenDigest = [u8; 32];

/// A new token with 256 random bits.
pub(crate) fn new_token(kind: TokenKind) -> Result<String> {
    let bytes = random::<32>()?;
    Ok(format!("{}{}", kind.prefix(), hex(&bytes)))
}

/// Tokens have 256 random bits, so a plain digest is enough: there is nothing to guess.
pub(crate) fn digest_token(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// The token that must come with every change made in a session. It follows from the session's token, which scripts
/// cannot read, and gives nothing away about it.
pub(crate) fn csrf_token(session: &str) -> String {
    hex(&Sha256::new()
        .chain_update(b"plimsoll csrf\0")
        .chain_update(session)
        .finalize())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| {
        format!("{text}{byte:02x}")
    })
}

/// Compares without telling by its duration where the difference is.
pub(crate) fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Letters and digits that nobody confuses.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// A password of 20 characters in groups (100 bits), for people to copy once.
pub(crate) fn new_password() -> Result<String> {
    let bytes = random::<20>()?;
    let characters = bytes.map(|byte| char::from(PASSWORD_ALPHABET[usize::from(byte & 31)]));
    let groups: Vec<String> = characters.chunks(5).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// Argon2id (RFC 9106) with OWASP's parameters (19 MiB, two passes) as a PHC string. Takes tens of milliseconds.
pub(crate) fn hash_password(password: &str) -> Result<String> {
    let salt = random::<16>()?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| Error::PasswordHash(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed; a hash that does not parse matches nothing.
pub(crate) fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::Random(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify_password("correct horse battery", &hash));
        assert!(!verify_password("correct horse batterz", &hash));
        assert!(!verify_password("correct horse battery", "plain text"));
        assert_ne!(
            hash,
            hash_password("correct horse battery").unwrap(),
            "salt must differ"
        );
    }

    #[test]
    fn tokens_say_their_kind_and_never_repeat() {
        let token = new_token(TokenKind::Agent).unwrap();
        assert!(TokenKind::Agent.is_kind_of(&token) && !TokenKind::Api.is_kind_of(&token));
        assert_eq!(token.len(), 6 + 64);
        assert_ne!(token, new_token(TokenKind::Agent).unwrap());
        assert!(is_equal(&digest_token(&token), &digest_token(&token.clone())));
        assert!(!is_equal(b"ab", b"abc"));
        assert_eq!(new_password().unwrap().len(), 23);
    }
}
