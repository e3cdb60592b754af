//! Whom to ask for an image: the user's mirrors and those of containers-registries.conf(5), version 2, then the registry.

use std::{fs::File, net::IpAddr, path::Path};

use plimsoll_model::ImageRef;
use serde::Deserialize;

use super::{RegistryError, RegistryOptions};
use crate::{
    layout::read_limited,
    limits::{MAX_CREDENTIALS_BYTES, MAX_MIRRORS},
};

/// A mirror that the user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Registry that it mirrors: `docker.io`, `registry.example:5000`.
    pub registry: String,
    /// Where: `mirror.example:5000` or `mirror.example/docker-hub`; below it are the same repositories.
    pub location: String,
    /// Ask it by HTTP.
    pub plain_http: bool,
}

/// A host that has an image, and the image's name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `HOST[:PORT]`.
    pub(crate) host: String,
    /// Path of the repository on it.
    pub(crate) repository: String,
    /// HTTP at once.
    pub(crate) plain_http: bool,
    /// Any certificate will do, and HTTP where HTTPS does not answer.
    pub(crate) is_insecure: bool,
    /// Not the registry that the image's name says.
    pub(crate) is_mirror: bool,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    registry: Vec<RegistryTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RegistryTable {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<MirrorTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MirrorTable {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<String>,
}

impl RegistryTable {
    fn prefix(&self) -> Option<&str> {
        let written = self.prefix.as_deref().filter(|prefix| !prefix.is_empty());
        written.or(self.location.as_deref())
    }
}

/// Mirrors in the order of their importance, the image's own registry last. Never empty.
pub(crate) fn endpoints(image: &ImageRef, options: &RegistryOptions) -> Result<Vec<Endpoint>, RegistryError> {
    let name = format!("{}/{}", image.registry, image.repository);
    let mut found = Vec::new();
    for mirror in options
        .mirrors
        .iter()
        .filter(|mirror| mirror.registry == image.registry)
    {
        let location = format!("{}/{}", mirror.location.trim_end_matches('/'), image.repository);
        found.extend(endpoint(&location, mirror.plain_http, options.is_insecure, true));
    }
    let mut own = endpoint(&name, options.plain_http, options.is_insecure, false);
    if let Some((table, rest)) = best_table(&name, options)? {
        if table.blocked {
            return Err(RegistryError::Blocked(name));
        }
        let by_digest = image.digest.is_some();
        for mirror in &table.mirror {
            let wanted = match mirror.pull_from_mirror.as_deref() {
                Some("digest-only") => by_digest,
                Some("tag-only") => !by_digest,
                _ => by_digest || !table.mirror_by_digest_only,
            };
            if wanted {
                let location = format!("{}{rest}", mirror.location);
                found.extend(endpoint(&location, false, mirror.insecure || options.is_insecure, true));
            }
        }
        let location = table.location.as_ref().map(|location| format!("{location}{rest}"));
        let insecure = table.insecure || options.is_insecure;
        own = endpoint(
            location.as_deref().unwrap_or(&name),
            options.plain_http,
            insecure,
            false,
        );
    }
    found.truncate(MAX_MIRRORS);
    found.extend(own);
    Ok(found)
}

/// The table with the longest prefix of `name`, and what follows the prefix. Of equals, the last one.
fn best_table(name: &str, options: &RegistryOptions) -> Result<Option<(RegistryTable, String)>, RegistryError> {
    let mut best: Option<(usize, RegistryTable, String)> = None;
    for path in &options.configuration_files {
        for table in read(path)? {
            let Some((length, rest)) = table.prefix().and_then(|prefix| fits(prefix, name)) else {
                continue;
            };
            let rest = rest.to_owned();
            if best.as_ref().is_none_or(|(longest, ..)| length >= *longest) {
                best = Some((length, table, rest));
            }
        }
    }
    Ok(best.map(|(_, table, rest)| (table, rest)))
}

/// Length of a prefix that fits, and the rest of the name.
fn fits<'a>(prefix: &str, name: &'a str) -> Option<(usize, &'a str)> {
    let is_border = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if let Some(domain) = prefix.strip_prefix('*').filter(|domain| domain.starts_with('.')) {
        let (host, _) = name.split_once('/')?;
        let rest = &name[host.len()..];
        let bare = host.split(':').next().unwrap_or(host);
        return bare.ends_with(domain).then_some((domain.len(), rest));
    }
    let rest = name.strip_prefix(prefix)?;
    is_border(rest).then_some((prefix.len(), rest))
}

fn read(path: &Path) -> Result<Vec<RegistryTable>, RegistryError> {
    let refuse = |reason: String| RegistryError::File {
        path: path.to_owned(),
        reason,
    };
    let Ok(file) = File::open(path) else {
        return Ok(Vec::new());
    };
    let bytes = read_limited("", file, MAX_CREDENTIALS_BYTES).map_err(|error| refuse(error.to_string()))?;
    let text = str::from_utf8(&bytes).map_err(|error| refuse(error.to_string()))?;
    let configuration: Configuration = toml::from_str(text).map_err(|error| refuse(error.message().to_owned()))?;
    Ok(configuration.registry)
}

/// Splits `HOST/REPOSITORY`; a location that is not written so names nobody.
fn endpoint(location: &str, plain_http: bool, is_insecure: bool, is_mirror: bool) -> Option<Endpoint> {
    let (host, repository) = location.split_once('/')?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || repository.is_empty() || !host.chars().all(is_host) {
        return None;
    }
    // The name that people write is not the one that answers (distribution/reference, docker/cli).
    let host = if host == "docker.io" {
        "registry-1.docker.io"
    } else {
        host
    };
    Some(Endpoint {
        host: host.to_owned(),
        repository: repository.to_owned(),
        plain_http,
        is_insecure,
        is_mirror,
    })
}

impl Endpoint {
    /// Only this machine answers there.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Host by name or address, with or without port.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn options(files: &[&Path]) -> RegistryOptions {
        RegistryOptions {
            plain_http: false,
            is_insecure: false,
            ca_files: Vec::new(),
            certificate_folders: Vec::new(),
            credential_files: Vec::new(),
            mirrors: Vec::new(),
            configuration_files: files.iter().map(|path| (*path).to_owned()).collect(),
            max_wait: Duration::ZERO,
        }
    }

    fn shown(image: &str, options: &RegistryOptions) -> Vec<String> {
        let list = endpoints(&image.parse().unwrap(), options).unwrap();
        list.iter()
            .map(|there| format!("{}/{}", there.host, there.repository))
            .collect()
    }

    #[test]
    fn the_longest_prefix_decides_and_the_registry_itself_is_last() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            location = "docker.io"
            [[registry.mirror]]
            location = "mirror.example:5000/hub"
            [[registry]]
            prefix = "r.example/team"
            location = "new.example/old-team"
            insecure = true
            [[registry.mirror]]
            location = "by-digest.example"
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "*.internal.example"
            blocked = true
        "#;
        std::fs::write(file.path(), text).unwrap();
        let missing = Path::new("/no/such/registries.conf");
        let mut options = options(&[missing, file.path()]);
        assert_eq!(
            shown("redis", &options),
            [
                "mirror.example:5000/hub/library/redis",
                "registry-1.docker.io/library/redis"
            ]
        );
        assert_eq!(shown("r.example/team/x", &options), ["new.example/old-team/x"]);
        let digest = format!("r.example/team/x@sha256:{}", "0".repeat(64));
        assert_eq!(
            shown(&digest, &options),
            ["by-digest.example/x", "new.example/old-team/x"]
        );
        assert_eq!(shown("r.example/teams/x", &options), ["r.example/teams/x"]);
        let blocked = endpoints(&"a.internal.example/x".parse().unwrap(), &options);
        assert!(matches!(blocked, Err(RegistryError::Blocked(_))), "{blocked:?}");
        options.mirrors.push(Mirror {
            registry: "docker.io".to_owned(),
            location: "127.0.0.1:5000".to_owned(),
            plain_http: true,
        });
        assert_eq!(shown("redis", &options)[0], "127.0.0.1:5000/library/redis");
        std::fs::write(file.path(), "[[registry]\n").unwrap();
        assert!(endpoints(&"redis".parse().unwrap(), &options).is_err());
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "127.8.8.8",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1:5000", "127.0.0.1.example:80", "example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
