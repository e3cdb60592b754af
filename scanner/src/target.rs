//! What the user asks to scan: `redis:7`, `image.tar`, `oci:folder:tag` in, a source and a location out.

use std::path::Path;

use plimsoll_model::Platform;

use crate::{
    error::ScanError,
    source::{self, ImageSource, Probe},
};

/// A source and where it should look.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub(crate) source: &'static dyn ImageSource,
    pub(crate) location: &'a str,
    /// As the user wrote it.
    pub(crate) reference: &'a str,
}

impl<'a> Target<'a> {
    /// Reads `SCHEME:LOCATION`. Without a scheme, an existing path is taken for what its bytes say, and everything else
    /// for a reference to an image on a registry.
    pub fn parse(text: &'a str) -> Result<Self, ScanError> {
        for source in source::ALL {
            let location = text
                .strip_prefix(source.scheme())
                .and_then(|rest| rest.strip_prefix(':'));
            if let Some(location) = location {
                return Ok(Self {
                    source: *source,
                    location,
                    reference: text,
                });
            }
        }
        Self::detect(text)
    }

    fn detect(text: &'a str) -> Result<Self, ScanError> {
        let found = |source: &'static dyn ImageSource| Self {
            source,
            location: text,
            reference: text,
        };
        let looks_like_path = text.starts_with(['/', '.', '~']) || text.ends_with(".tar");
        match Probe::of(Path::new(text)) {
            Ok(probe) => {
                // A folder that happens to be called as an image is no reason not to look for the image.
                let is_image = |source: &dyn ImageSource| !matches!(source.scheme(), "dir" | "rootfs");
                let mut sources = source::ALL
                    .iter()
                    .filter(|source| looks_like_path || is_image(**source));
                if let Some(source) = sources.find(|source| source.recognises(&probe)) {
                    return Ok(found(*source));
                }
                if looks_like_path || probe.is_file() {
                    return Err(ScanError::NotAnImage {
                        what: text.to_owned(),
                        reason: probe.describe(),
                    });
                }
            }
            Err(error) if looks_like_path => return Err(error),
            Err(_) => {}
        }
        Ok(found(source::REGISTRY))
    }
}

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.source.scheme(), self.location)
    }
}

/// Reads `os/architecture[/variant]`.
pub fn parse_platform(text: &str) -> Result<Platform, ScanError> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty()
            && part
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
    };
    let refused = || ScanError::PlatformSyntax(text.chars().take(80).collect());
    if !parts.iter().all(is_word) {
        return Err(refused());
    }
    match parts.as_slice() {
        [os, architecture] | [os, architecture, _] => Ok(Platform {
            os: (*os).to_owned(),
            architecture: (*architecture).to_owned(),
            variant: parts.get(2).map(|variant| (*variant).to_owned()),
        }),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_wins_and_a_name_is_a_reference() {
        let scheme = |text: &'static str| Target::parse(text).map(|target| target.source.scheme());
        assert_eq!(scheme("oci:/no/such:tag").unwrap(), "oci");
        assert_eq!(scheme("docker-archive:x.tar").unwrap(), "docker-archive");
        assert_eq!(scheme("redis:7").unwrap(), "registry");
        assert_eq!(scheme("registry:redis").unwrap(), "registry");
        // The folder `src` exists and is no image.
        assert_eq!(scheme("src").unwrap(), "registry");
        assert_eq!(scheme("./src").unwrap(), "dir");
        assert_eq!(scheme("container:web").unwrap(), "container");
        assert!(matches!(scheme("/no/such/file"), Err(ScanError::Open { .. })));
        assert!(matches!(scheme("Cargo.toml"), Err(ScanError::NotAnImage { .. })));
    }

    #[test]
    fn platforms() {
        assert_eq!(parse_platform("linux/arm64/v8").unwrap().variant.as_deref(), Some("v8"));
        for bad in ["", "linux", "linux/", "a/b/c/d", "linux/am d64"] {
            assert!(parse_platform(bad).is_err(), "{bad}");
        }
    }
}
