//! Where container engines and the layer cache are, as arguments.

use std::path::{Path, PathBuf};

use plimsoll_scanner::{
    LayerCache,
    source::{ContainerdOptions, EngineOptions},
};

/// Where container engines of this machine are.
#[derive(clap::Args)]
#[command(next_help_heading = "Container engines")]
pub(super) struct EngineArguments {
    /// dockerd's socket: unix://PATH [default: /run/docker.sock]
    #[arg(long, env = "DOCKER_HOST", value_name = "URL")]
    docker_host: Option<String>,
    /// Socket of podman's service: unix://PATH [default: the user's, then /run/podman/podman.sock]
    #[arg(long, env = "CONTAINER_HOST", value_name = "URL")]
    podman_host: Option<String>,
    /// containerd's socket [default: where `ctr` looks]
    #[arg(long, env = "CONTAINERD_ADDRESS", value_name = "PATH")]
    containerd_address: Option<PathBuf>,
    /// containerd's namespace: k8s.io for Kubernetes, moby for Docker
    #[arg(long, env = "CONTAINERD_NAMESPACE", value_name = "NAME", default_value = "default")]
    containerd_namespace: String,
}

impl EngineArguments {
    pub(super) fn options(&self, runtime_folder: Option<&Path>) -> EngineOptions {
        let own = runtime_folder.map(|folder| folder.join("podman/podman.sock"));
        let podman = own.into_iter().chain([PathBuf::from("/run/podman/podman.sock")]);
        EngineOptions {
            docker_sockets: sockets(
                self.docker_host.as_deref(),
                ["/run/docker.sock", "/var/run/docker.sock"].map(PathBuf::from),
            ),
            podman_sockets: sockets(self.podman_host.as_deref(), podman),
            containerd: ContainerdOptions {
                address: self.containerd_address.clone(),
                namespace: self.containerd_namespace.clone(),
            },
        }
    }
}

/// The socket that a URL names; none for one of another kind, which then is not asked.
fn sockets(url: Option<&str>, default: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    match url {
        None | Some("") => default.into_iter().collect(),
        Some(url) => match url.strip_prefix("unix://") {
            Some(path) => vec![PathBuf::from(path)],
            None if url.starts_with('/') => vec![PathBuf::from(url)],
            None => Vec::new(),
        },
    }
}

/// Layers that were read before.
#[derive(clap::Args)]
#[command(next_help_heading = "Cache")]
pub(super) struct CacheArguments {
    /// Folder for layers that were read [default: plimsoll/layers in XDG_CACHE_HOME or ~/.cache]
    #[arg(long, env = "PLIMSOLL_CACHE", value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    /// Read every layer, and remember none
    #[arg(long)]
    no_cache: bool,
    /// Most that the cache may hold, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    cache_size: u64,
    #[arg(long, env = "XDG_CACHE_HOME", hide = true)]
    cache_home: Option<PathBuf>,
}

impl CacheArguments {
    /// `None` when nothing is to be remembered, or when there is no place for it: a cache home that does not exist is not
    /// made.
    pub(super) fn cache(&self, home: Option<&Path>) -> Option<LayerCache> {
        if self.no_cache {
            return None;
        }
        let folder = match (&self.cache_dir, &self.cache_home, home) {
            (Some(folder), _, _) => folder.clone(),
            (None, Some(folder), _) if folder.is_absolute() => {
                folder.is_dir().then(|| folder.join("plimsoll/layers"))?
            }
            (None, _, Some(home)) => home.is_dir().then(|| home.join(".cache/plimsoll/layers"))?,
            (None, _, None) => return None,
        };
        Some(LayerCache::new(folder, self.cache_size.saturating_mul(1 << 20)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_sockets_are_taken_from_a_url() {
        let default = || [PathBuf::from("/run/docker.sock")];
        assert_eq!(sockets(None, default()), default());
        assert_eq!(sockets(Some("unix:///x/s"), default()), [PathBuf::from("/x/s")]);
        assert!(sockets(Some("tcp://127.0.0.1:2375"), default()).is_empty());
    }
}
