//! One container on its stage: acts in, what they answered out. Everything it starts ends with it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::{
    ImageSpec,
    suite::{Act, Answer},
};
use crate::{container::podman, repository};

/// Longest wait for a container to be ready.
const READY: Duration = Duration::from_secs(120);
/// Between two questions whether a container is ready.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time that one act may take, for `timeout`.
const ACT_SECONDS: &str = "240";
/// Addresses that every container has on its loopback interface, so that dialling them leaves nothing: a public one and
/// a private one.
const ADDRESSES: &[&str] = &["203.0.113.7/32", "10.77.0.1/32"];

/// Containers that this process has started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running container with what its acts need.
#[derive(Debug)]
pub(super) struct Stage {
    /// Its full id.
    pub(super) id: String,
    scratch: TempDir,
    companion_lines: Vec<Vec<String>>,
    companions: Vec<Child>,
    pid: Option<u32>,
    ready: (Vec<String>, String),
}

impl Stage {
    /// Starts a container of an image and waits until it is ready. `hosts`: names by which it reaches itself.
    ///
    /// # Errors
    /// It does not start, or is not ready in time.
    pub(super) fn start(name: &str, spec: &ImageSpec, acts: &Path, hosts: &[&str]) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("plimsoll-behaviour-").tempdir()?;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
        make_scratch(scratch.path(), &spec.scratch)?;
        let mut stage = Self {
            id: String::new(),
            scratch,
            companion_lines: spec.companions.clone(),
            companions: Vec::new(),
            pid: None,
            ready: (spec.ready.clone(), spec.says.clone()),
        };
        // Two rows may be of one image at the same time.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let container = format!("plimsoll-behaviour-{name}-{}-{number}", std::process::id());
        let mount = format!("{}:/acts:ro", acts.display());
        let output = podman()
            .args(["run", "--detach", "--name", &container, "--volume", &mount])
            .args(hosts.iter().map(|host| format!("--add-host={host}:127.0.0.1")))
            .args(stage.fill(&spec.options)?)
            .arg(match spec.image.as_deref().unwrap_or(name) {
                image if image.contains('/') => image.to_owned(),
                image => format!("localhost/plimsoll-demo/{image}:latest"),
            })
            .args(stage.fill(&spec.arguments)?)
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "podman run: {}", text(&output));
        stage.id = text(&output).lines().last().unwrap_or_default().to_owned();
        stage.wait_until_ready()?;
        Ok(stage)
    }

    /// Repeats a program of this machine in the container's network until it succeeds and says something.
    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        let (command, says) = self.ready.clone();
        let act = Act::Beside(command);
        loop {
            let answer = self.perform(&act);
            match &answer {
                Ok(answer) if answer.code == Some(0) && answer.text.contains(&says) => return Ok(()),
                _ if Instant::now() > deadline => bail!("not ready in time: {answer:?}; {}", self.logs()),
                // Programs that ask it take their time; a container that has ended does not come back.
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Starts the container again where an act has ended it; whether one had.
    ///
    /// # Errors
    /// It does not start, or is not ready in time.
    pub(super) fn revive(&mut self) -> anyhow::Result<bool> {
        if self
            .pid
            .is_some_and(|pid| Path::new(&format!("/proc/{pid}/ns/net")).exists())
        {
            return Ok(false);
        }
        self.pid = None;
        let pid = self.first_process()?;
        if pid != 0 {
            return Ok(false);
        }
        let output = podman().args(["start", &self.id]).output()?;
        ensure!(output.status.success(), "podman start: {}", text(&output));
        self.wait_until_ready()?;
        Ok(true)
    }

    fn first_process(&self) -> anyhow::Result<u32> {
        let output = podman()
            .args(["inspect", "--format", "{{.State.Pid}}", &self.id])
            .output()?;
        text(&output).trim().parse().context("ask for the first process")
    }

    /// Does one thing.
    ///
    /// # Errors
    /// It cannot be done at all.
    pub(super) fn perform(&mut self, act: &Act) -> anyhow::Result<Answer> {
        let output = match act {
            Act::Redis(words) => self.beside(&[vec!["redis-cli".to_owned()], words.clone()].concat())?,
            Act::Http(words) => return self.request(words),
            Act::Beside(words) => self.beside(&self.fill(words)?)?,
            Act::Exec(words) => {
                let mut command = limited("podman");
                command.args(["exec", &self.id]).args(self.fill(words)?);
                run(command)?
            }
            Act::Machine(words) => {
                self.refresh()?;
                let words = self.fill(words)?;
                let (program, arguments) = words.split_first().context("a command has a first word")?;
                let mut command = limited(program);
                command.args(arguments);
                let output = run(command)?;
                // It may have restarted the container.
                self.pid = None;
                output
            }
            Act::Elsewhere(reason) => bail!("{reason}"),
        };
        Ok(Answer {
            text: text(&output),
            code: output.status.code(),
            status: None,
        })
    }

    /// The last line that `curl` writes is the status.
    fn request(&mut self, words: &[String]) -> anyhow::Result<Answer> {
        let output = self.beside(&[vec!["curl".to_owned()], words.to_vec()].concat())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = said.rsplit_once('\n').unwrap_or(("", &said));
        Ok(Answer {
            text: format!("{body}{}", String::from_utf8_lossy(&output.stderr)),
            code: output.status.code(),
            // 000 where there was no answer.
            status: status.parse().ok().filter(|status| *status != 0),
        })
    }

    /// What the container said, for errors.
    pub(super) fn logs(&self) -> String {
        let output = podman().args(["logs", "--tail", "20", &self.id]).output();
        output.map_or_else(|error| error.to_string(), |output| text(&output))
    }

    fn beside(&mut self, words: &[String]) -> anyhow::Result<Output> {
        let pid = self.refresh()?;
        let mut command = limited("nsenter");
        command.args(["--net", "--target", &pid.to_string()]).args(words);
        run(command)
    }

    /// The container's first process; a restarted container has a new network, which needs its addresses again.
    fn refresh(&mut self) -> anyhow::Result<u32> {
        if let Some(pid) = self
            .pid
            .filter(|pid| Path::new(&format!("/proc/{pid}/ns/net")).exists())
        {
            return Ok(pid);
        }
        let pid = self.first_process()?;
        ensure!(pid != 0, "the container has ended: {}", self.logs());
        if self.pid != Some(pid) {
            for address in ADDRESSES {
                // It is there already when only our memory of the process was dropped.
                let _ = Command::new("nsenter")
                    .args(["--net", "--target", &pid.to_string()])
                    .args(["ip", "address", "add", address, "dev", "lo"])
                    .stderr(Stdio::null())
                    .status()?;
            }
            self.pid = Some(pid);
            self.start_companions(pid)?;
        }
        Ok(pid)
    }

    fn start_companions(&mut self, pid: u32) -> anyhow::Result<()> {
        self.end_companions();
        for line in &self.companion_lines {
            let child = Command::new("nsenter")
                .args(["--net", "--target", &pid.to_string()])
                .args(self.fill(line)?)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            self.companions.push(child);
        }
        Ok(())
    }

    fn end_companions(&mut self) {
        for mut child in self.companions.drain(..) {
            // They are our own children; one that has ended needs no end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Words with their placeholders filled in. Only these are placeholders: braces belong to shells and scripts too.
    fn fill(&self, words: &[String]) -> anyhow::Result<Vec<String>> {
        let repository = repository::root().display().to_string();
        let scratch = self.scratch.path().display().to_string();
        let pid = self.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let values = [
            ("{container}", self.id.as_str()),
            ("{scratch}", scratch.as_str()),
            ("{repository}", repository.as_str()),
            ("{pid}", pid.as_str()),
        ];
        let filled = words.iter().map(|word| {
            values
                .iter()
                .fold(word.clone(), |word, (name, value)| word.replace(name, value))
        });
        Ok(filled.collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end_companions();
        if !self.id.is_empty() {
            // What is left of a failed removal is below target/.
            let _ = podman()
                .args(["rm", "--force", "--volumes", "--time", "2", &self.id])
                .output();
        }
    }
}

fn make_scratch(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    for (name, content) in files {
        let path: PathBuf = folder.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        } else {
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(&path, content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

/// A command that ends in time whatever happens, with the demo's storage for podman.
fn limited(program: &str) -> Command {
    let mut command = Command::new("timeout");
    let known = podman();
    for (name, value) in known.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.args(["--kill-after", "5", ACT_SECONDS, program]);
    command
}

fn run(mut command: Command) -> anyhow::Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {command:?}"))
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}
