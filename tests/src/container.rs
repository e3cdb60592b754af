//! Real containers of the demo's images, by podman with runc, and by runc alone; removed when dropped.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::repository;

/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(120);

/// A running container.
#[derive(Debug)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Where `scripts/demo/images.sh` leaves its images.
pub fn demo_folder() -> PathBuf {
    repository::root().join("target/demo")
}

/// Why no container of the demo's images can be started; `None` when it can.
pub fn why_no_images() -> Option<String> {
    let built = demo_folder().join("images/.built");
    (!built.exists()).then(|| "the images are not built: run scripts/demo/images.sh as root".to_owned())
}

/// podman on the demo's storage.
pub fn podman() -> Command {
    let mut command = Command::new("podman");
    command
        .env("CONTAINERS_CONF", demo_folder().join("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", demo_folder().join("storage.conf"))
        // Health checks run when a test asks for one, not by a timer of systemd.
        .env("DISABLE_HC_SYSTEMD", "true");
    command
}

impl Container {
    /// Starts an image of the demo (`redis`) with podman's options and the container's own arguments.
    pub fn start(image: &str, options: &[&str], arguments: &[&str]) -> anyhow::Result<Self> {
        let name = own_name(image);
        let output = podman()
            .args(["run", "--detach", "--name", &name])
            .args(options)
            .arg(format!("localhost/plimsoll-demo/{image}:latest"))
            .args(arguments)
            .output()?;
        let id = text(&output)?;
        Ok(Self { id, name })
    }

    /// Runs a program in the container, as `podman exec` does: a session.
    pub fn exec(&self, arguments: &[&str]) -> anyhow::Result<String> {
        text(&podman().args(["exec", &self.id]).args(arguments).output()?)
    }

    /// Runs a program of this machine in the container's network: not a process of the container.
    pub fn beside(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let pid = text(
            &podman()
                .args(["inspect", "--format", "{{.State.Pid}}", &self.id])
                .output()?,
        )?;
        text(
            &Command::new("nsenter")
                .args(["--net", "--target", &pid])
                .args(arguments)
                .output()?,
        )
    }

    /// Repeats [`Container::beside`] until its output holds a text.
    pub fn wait_for(&self, arguments: &[&str], wanted: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let result = self.beside(arguments);
            if result.as_ref().is_ok_and(|output| output.contains(wanted)) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{arguments:?} never said {wanted}: {result:?}"
            );
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // What is left of a failed removal is below target/.
        let _ = podman().args(["rm", "--force", "--time", "1", &self.id]).output();
    }
}

/// A container that runc runs without any engine: nobody knows its image.
#[derive(Debug)]
pub struct PlainContainer {
    /// Its name, which is its id.
    pub name: String,
    image: String,
    bundle: TempDir,
}

impl PlainContainer {
    /// Starts `sleep` on the files of an image of the demo, read-only.
    pub fn start(image: &str) -> anyhow::Result<Self> {
        let image = format!("localhost/plimsoll-demo/{image}:latest");
        let bundle = tempfile::tempdir()?;
        let container = Self {
            name: own_name("plain"),
            image: image.clone(),
            bundle,
        };
        let folder = container.bundle.path();
        let root = text(&podman().args(["image", "mount", &image]).output()?)?;
        text(&Command::new("runc").arg("spec").current_dir(folder).output()?)?;
        let path = folder.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
        config["root"] = json!({ "path": root, "readonly": true });
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sleep", "600"]);
        fs::write(&path, config.to_string())?;
        // Its output would keep this process' pipes open.
        let status = Command::new("runc")
            .args(["run", "--detach", &container.name])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "runc run: {status}");
        Ok(container)
    }

    /// Runs a program in it, as `runc exec` does: a session.
    pub fn exec(&self, arguments: &[&str]) -> anyhow::Result<String> {
        text(
            &Command::new("runc")
                .args(["exec", &self.name])
                .args(arguments)
                .output()?,
        )
    }
}

impl Drop for PlainContainer {
    fn drop(&mut self) {
        // What is left of a failed removal is below target/ and /run.
        let _ = Command::new("runc").args(["delete", "--force", &self.name]).output();
        let _ = podman().args(["image", "unmount", &self.image]).output();
    }
}

/// A name that no other container has, of this test run or of another.
fn own_name(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("plimsoll-test-{what}-{}-{number}", std::process::id())
}

fn text(output: &Output) -> anyhow::Result<String> {
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = std::str::from_utf8(&output.stdout).context("read output")?;
    Ok(text.trim().to_owned())
}
