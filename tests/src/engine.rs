//! Real container engines with stores of their own: dockerd, containerd, podman's service; stopped when dropped.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::machine;

/// Longest wait for an engine to answer.
const LIMIT: Duration = Duration::from_secs(120);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// Its socket.
    pub socket: PathBuf,
    child: Child,
    folder: TempDir,
}

/// Why an engine cannot run here; `None` when it can.
pub fn why_not(programs: &[&str]) -> Option<String> {
    let missing = programs.iter().find(|program| !machine::has(program));
    missing
        .map(|program| format!("{program} is not installed"))
        .or_else(machine::why_not_root)
}

impl Engine {
    /// dockerd with its own containerd, without network.
    pub fn docker() -> anyhow::Result<Self> {
        Self::start("docker.sock", |folder, socket| {
            let mut command = Command::new("dockerd");
            command
                .args([
                    "--iptables=false",
                    "--ip6tables=false",
                    "--bridge=none",
                    "--storage-driver=vfs",
                ])
                .arg(format!("--host=unix://{}", socket.display()))
                .arg("--data-root")
                .arg(folder.join("data"))
                .arg("--exec-root")
                .arg(folder.join("exec"))
                .arg("--pidfile")
                .arg(folder.join("pid"));
            Ok(command)
        })
    }

    /// containerd.
    pub fn containerd() -> anyhow::Result<Self> {
        Self::start("containerd.sock", |folder, socket| {
            let config = folder.join("config.toml");
            let text = format!(
                "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
                 [grpc]\naddress = \"{1}\"\n",
                folder.display(),
                socket.display()
            );
            fs::write(&config, text)?;
            let mut command = Command::new("containerd");
            command.arg("--config").arg(config);
            Ok(command)
        })
    }

    /// podman's service on a prepared podman command's storage, or on its own.
    pub fn podman(podman: Option<Command>) -> anyhow::Result<Self> {
        Self::start("podman.sock", |folder, socket| {
            let mut command = podman.unwrap_or_else(|| own_podman(folder));
            command
                .args(["system", "service", "--time=0"])
                .arg(format!("unix://{}", socket.display()));
            Ok(command)
        })
    }

    /// podman on the storage of a service that was started without one.
    pub fn podman_command(&self) -> Command {
        own_podman(self.folder.path())
    }

    fn start(name: &str, command: impl FnOnce(&Path, &Path) -> anyhow::Result<Command>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join(name);
        let log = folder.path().join("log");
        let mut command = command(folder.path(), &socket)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        let mut engine = Self { socket, child, folder };
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&engine.socket).is_err() {
            if engine.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("{name} did not come: {}", fs::read_to_string(&log)?);
            }
            thread::yield_now();
        }
        Ok(engine)
    }
}

fn own_podman(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    command
        .arg("--root")
        .arg(folder.join("root"))
        .arg("--runroot")
        .arg(folder.join("runroot"))
        .args([
            "--storage-driver=vfs",
            "--events-backend=file",
            "--cgroup-manager=cgroupfs",
        ]);
    command
}

impl Drop for Engine {
    fn drop(&mut self) {
        // dockerd ends its own containerd when it is asked to end, not when it is killed.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let deadline = Instant::now() + LIMIT;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            thread::yield_now();
        }
        // It may have ended in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end; its output when it went well.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("run {command:?}"))?;
    ensure!(
        status.success(),
        "{command:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}
