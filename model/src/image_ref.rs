//! Image references as people type them: `redis`, `127.0.0.1:5000/team/redis:1`, `redis@sha256:…` in, parts out.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A normalised reference to an image on a registry (distribution/reference grammar). `redis` becomes
/// `docker.io/library/redis:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRef {
    /// Host and optional port, `docker.io` when none was written.
    pub registry: String,
    /// Path on the registry, lower-case, without leading slash.
    pub repository: String,
    /// Tag as written; `latest` when neither tag nor digest was written.
    pub tag: Option<String>,
    /// Manifest digest, when written. It wins over the tag.
    pub digest: Option<Digest>,
}

/// Why a string is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// Nothing was written.
    #[error("image reference is empty")]
    Empty,
    /// A path component has a character that the grammar refuses (upper case, blanks, control characters, …).
    #[error("`{0}` is not a repository name: use lower-case letters, digits, `.`, `_`, `-` and `/`")]
    Repository(String),
    /// The tag has over 128 characters or one that the grammar refuses.
    #[error("`{0}` is not a tag: use at most 128 letters, digits, `.`, `_` and `-`")]
    Tag(String),
    /// The part after `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] crate::DigestError),
}

/// Longest repository name that the distribution grammar allows.
const MAX_NAME_BYTES: usize = 255;

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        if text.is_empty() {
            return Err(ImageRefError::Empty);
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(name)?;
        let (registry, repository) = split_registry(name);
        if !is_repository(&repository) || !is_registry(&registry) {
            return Err(ImageRefError::Repository(name.chars().take(80).collect()));
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }
}

fn split_tag(name: &str) -> Result<(&str, Option<String>), ImageRefError> {
    let last_slash = name.rfind('/').map_or(0, |at| at + 1);
    let Some(colon) = name[last_slash..].find(':').map(|at| last_slash + at) else {
        return Ok((name, None));
    };
    let tag = &name[colon + 1..];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest_ok = tag.chars().all(|c| word(c) || c == '.' || c == '-');
    if tag.len() > 128 || !rest_ok || !tag.starts_with(word) {
        return Err(ImageRefError::Tag(tag.chars().take(80).collect()));
    }
    Ok((&name[..colon], Some(tag.to_owned())))
}

fn split_registry(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host.to_owned(), path.to_owned()),
        Some(_) => ("docker.io".to_owned(), name.to_owned()),
        None => ("docker.io".to_owned(), format!("library/{name}")),
    }
}

fn is_registry(host: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !host.is_empty() && host.len() <= MAX_NAME_BYTES && host.chars().all(allowed)
}

fn is_repository(path: &str) -> bool {
    let component = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inner = |c: char| edge(c) || matches!(c, '.' | '_' | '-');
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(inner)
    };
    path.len() <= MAX_NAME_BYTES && path.split('/').all(component)
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(
            input.parse::<ImageRef>().map(|image| image.to_string()).as_deref(),
            Ok(expected),
            "{input}"
        );
    }

    #[test]
    fn normalises_as_docker_does() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        check("redis", "docker.io/library/redis:latest");
        check("team/redis:7", "docker.io/team/redis:7");
        check("localhost/redis", "localhost/redis:latest");
        check("127.0.0.1:5000/team/redis:1", "127.0.0.1:5000/team/redis:1");
        check(&format!("redis@{digest}"), &format!("docker.io/library/redis@{digest}"));
        check(&format!("h:1/r:2@{digest}"), &format!("h:1/r:2@{digest}"));
    }

    #[test]
    fn refuses_what_a_registry_would_refuse() {
        for bad in [
            "",
            "Redis",
            "redis:",
            "redis:a b",
            "a//b",
            "/redis",
            "redis@sha256:12",
            "../../etc",
            "h:1/",
            "a\nb",
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad:?} must be refused");
        }
    }
}
