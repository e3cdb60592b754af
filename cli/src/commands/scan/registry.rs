//! How registries are spoken to, as arguments; every subcommand that pulls or pushes takes these.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;
use plimsoll_scanner::{Mirror, RegistryOptions};

use crate::exit::{Exit, Failure};

/// How registries are spoken to.
#[derive(clap::Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArguments {
    /// Speak HTTP, not HTTPS, to the registry
    #[arg(long)]
    plain_http: bool,
    /// Take any certificate of a registry, and HTTP where HTTPS does not answer
    #[arg(long)]
    insecure: bool,
    /// Certificate authorities (PEM) of registries to trust besides the system's
    #[arg(long, env = "PLIMSOLL_REGISTRY_CA", value_name = "FILE")]
    registry_ca: Vec<PathBuf>,
    /// Folder with HOST[:PORT]/{*.crt, *.cert, *.key} [default: certs.d of containers and docker]
    #[arg(long, value_name = "FOLDER")]
    registry_certs: Vec<PathBuf>,
    /// Ask this mirror of a registry first: docker.io=mirror.example:5000[/path], or =http://…
    #[arg(long, value_name = "HOST=MIRROR", value_parser = parse_mirror)]
    registry_mirror: Vec<Mirror>,
    /// Registries and mirrors, containers-registries.conf(5) [default: those of podman]
    #[arg(long, env = "CONTAINERS_REGISTRIES_CONF", value_name = "FILE")]
    registries_conf: Option<PathBuf>,
    /// Longest time, in seconds, to wait for a registry that limits its rate
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    registry_wait: u64,
    /// Credentials for registries [default: those of podman and docker]
    #[arg(long, env = "REGISTRY_AUTH_FILE", value_name = "PATH")]
    auth_file: Option<PathBuf>,
    /// Folder of docker's config.json
    #[arg(long, env = "DOCKER_CONFIG", value_name = "PATH", hide = true)]
    docker_config: Option<PathBuf>,
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    runtime_folder: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    home: Option<PathBuf>,
}

impl RegistryArguments {
    /// What the arguments and this user's files say.
    pub(crate) fn options(&self) -> Result<RegistryOptions, Failure> {
        for path in &self.registry_ca {
            if !path.is_file() {
                let error = anyhow!("read certificates from {}: there is no such file", path.display());
                return Err(Failure::new(
                    Exit::Usage,
                    error,
                    "--registry-ca wants a file with PEM certificates",
                ));
            }
        }
        Ok(RegistryOptions {
            plain_http: self.plain_http,
            is_insecure: self.insecure,
            ca_files: self.registry_ca.clone(),
            certificate_folders: self.certificate_folders(),
            credential_files: self.credential_files(),
            mirrors: self.registry_mirror.clone(),
            configuration_files: self.configuration_files(),
            max_wait: Duration::from_secs(self.registry_wait),
        })
    }

    /// The user's home folder.
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Where the user's services have their sockets.
    pub(super) fn runtime_folder(&self) -> Option<&Path> {
        self.runtime_folder.as_deref()
    }

    fn certificate_folders(&self) -> Vec<PathBuf> {
        if !self.registry_certs.is_empty() {
            return self.registry_certs.clone();
        }
        let own = below(self.home.as_ref(), ".config/containers/certs.d");
        let system = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        own.into_iter().chain(system).collect()
    }

    /// Most important first, as containers-auth.json(5) orders them.
    fn credential_files(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.auth_file {
            return vec![path.clone()];
        }
        [
            below(self.runtime_folder.as_ref(), "containers/auth.json"),
            below(self.home.as_ref(), ".config/containers/auth.json"),
            below(self.docker_config.as_ref(), "config.json"),
            below(self.home.as_ref(), ".docker/config.json"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The user's file instead of the system's, then what lies beside it, in its order.
    fn configuration_files(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.registries_conf {
            return vec![path.clone()];
        }
        let own = below(self.home.as_ref(), ".config/containers/registries.conf").filter(|path| path.exists());
        let main = own.unwrap_or_else(|| PathBuf::from("/etc/containers/registries.conf"));
        let mut beside: Vec<PathBuf> = std::fs::read_dir(main.with_extension("conf.d"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
            .collect();
        beside.sort();
        std::iter::once(main).chain(beside).collect()
    }
}

fn below(folder: Option<&PathBuf>, name: &str) -> Option<PathBuf> {
    folder.map(|folder: &PathBuf| Path::new(folder).join(name))
}

fn parse_mirror(text: &str) -> Result<Mirror, String> {
    let (registry, location) = text.split_once('=').ok_or("expected HOST=MIRROR")?;
    let (location, plain_http) = match location.split_once("://") {
        Some(("http", rest)) => (rest, true),
        Some(("https", rest)) => (rest, false),
        Some((scheme, _)) => return Err(format!("a mirror is asked by http or https, not by {scheme}")),
        None => (location, false),
    };
    let location = location.trim_end_matches('/');
    if registry.is_empty() || location.is_empty() {
        return Err("expected HOST=MIRROR".to_owned());
    }
    Ok(Mirror {
        registry: registry.to_owned(),
        location: location.to_owned(),
        plain_http,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_hosts_with_or_without_scheme_and_path() {
        let mirror = parse_mirror("docker.io=http://127.0.0.1:5000/hub/").unwrap();
        assert_eq!(
            (mirror.registry.as_str(), mirror.location.as_str(), mirror.plain_http),
            ("docker.io", "127.0.0.1:5000/hub", true)
        );
        assert!(!parse_mirror("r.example=https://m.example").unwrap().plain_http);
        for bad in ["", "docker.io", "=x", "x=", "x=ftp://y"] {
            assert!(parse_mirror(bad).is_err(), "{bad}");
        }
    }
}
