//! A real registry (Debian's docker-registry) on loopback, stopped when dropped: plain HTTP, or with TLS and what else its
//! configuration allows.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

/// A running registry with a store of its own.
#[derive(Debug)]
pub struct Registry {
    /// `127.0.0.1:PORT`.
    pub address: String,
    child: Child,
    folder: TempDir,
}

impl Registry {
    /// Starts one on a free port and waits until it answers.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with("", "")
    }

    /// The same with more YAML: sections beside `http`, and keys inside of it (`tls: { … }`).
    pub fn start_with(sections: &str, http: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let config = folder.path().join("config.yml");
        let data = folder.path().join("data");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: {address}{comma}{http} }}\n{sections}\n",
                data.display(),
                comma = if http.is_empty() { "" } else { ", " },
            ),
        )?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()
            .context("start docker-registry (scripts/install.sh installs it)")?;
        let mut registry = Self { address, child, folder };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&registry.address).is_err() {
            if registry.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!(
                    "docker-registry did not start: {}",
                    fs::read_to_string(registry.folder.path().join("log"))?
                );
            }
            std::thread::yield_now();
        }
        Ok(registry)
    }

    /// Pushes an OCI layout under `name:tag`; gives the manifest digest.
    pub fn push(&self, layout: &Path, name_and_tag: &str) -> anyhow::Result<String> {
        self.push_with(layout, name_and_tag, &[])
    }

    /// The same with more options of `skopeo copy`.
    pub fn push_with(&self, layout: &Path, name_and_tag: &str, options: &[&str]) -> anyhow::Result<String> {
        let digest_file = self.folder.path().join("digest");
        let output = Command::new("skopeo")
            .args([
                "copy",
                "--quiet",
                "--insecure-policy",
                "--dest-tls-verify=false",
                "--digestfile",
            ])
            .arg(&digest_file)
            .args(options)
            .arg(format!("oci:{}:latest", layout.display()))
            .arg(format!("docker://{}/{name_and_tag}", self.address))
            .output()
            .context("run skopeo (scripts/install.sh installs it)")?;
        ensure!(
            output.status.success(),
            "skopeo: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(fs::read_to_string(digest_file)?)
    }

    /// Where the registry keeps a blob: a test that damages it plays a lying registry.
    pub fn blob(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.folder
            .path()
            .join("data/docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(hex)
            .join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It is our own child; there is nobody to tell when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
