//! One case in, its processes and system calls out: programs are copies of the actor under the names that the case asks
//! for, on this machine or in a container that runc runs over this machine's files.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::suite::Case;

/// The actor's instructions.
pub const INSTRUCTIONS: &str = "PLIMSOLL_EVTGEN";

/// Where the programs of one case are.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    actor: PathBuf,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Stage {
    /// `actor` is the built `plimsoll-evtgen-actor`.
    ///
    /// # Errors
    /// No temporary folder can be made.
    pub fn new(actor: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("plimsoll-evtgen-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            folder,
            actor: actor.to_owned(),
        })
    }

    /// Runs a case to its end; gives the process that all of its processes come from.
    ///
    /// # Errors
    /// Something that the case needs cannot be had here; a system call may fail, that is a matter of the case.
    pub fn run(&self, case: &Case) -> anyhow::Result<i32> {
        let context = &case.body["context"];
        let default = vec![json!({})];
        let chain = context["processes"]
            .as_array()
            .filter(|chain| !chain.is_empty())
            .unwrap_or(&default);
        let in_container = !context["container"].is_null();
        let mut programs = Vec::new();
        for process in chain {
            programs.push(self.program(process, in_container)?);
        }
        let instructions = json!({
            "chain": programs,
            "before": case.body["before"],
            "after": case.body["after"],
            "resources": case.body["resources"],
            "steps": case.body["steps"],
        });
        match in_container {
            false => self.on_host(&instructions),
            true => self.in_container(&instructions),
        }
    }

    fn program(&self, process: &Value, in_container: bool) -> anyhow::Result<Value> {
        let name = process["name"].as_str().unwrap_or("eg_actor");
        let is_dropped = in_container && !process["user"].is_null();
        let path = process["exePath"]
            .as_str()
            .map_or_else(|| self.folder.path().join(name), PathBuf::from);
        if !is_dropped && !path.exists() {
            fs::create_dir_all(path.parent().context("a program has a folder")?)?;
            fs::copy(&self.actor, &path)?;
        }
        Ok(json!({
            "path": path,
            "exe": process["exe"].as_str().unwrap_or(name),
            "args": split(process["args"].as_str().unwrap_or("")),
            "env": process["env"],
            // The first process of the container copies it: then it is not of the image.
            "copy_from": is_dropped.then(|| self.folder.path().join(".actor")),
        }))
    }

    fn on_host(&self, instructions: &Value) -> anyhow::Result<i32> {
        let mut child = Command::new(&self.actor)
            .env(INSTRUCTIONS, instructions.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id())?;
        let status = child.wait()?;
        ensure!(status.success(), "the actor: {status}");
        Ok(pid)
    }

    fn in_container(&self, instructions: &Value) -> anyhow::Result<i32> {
        let bundle = tempfile::Builder::new().prefix("plimsoll-bundle-").tempdir()?;
        let folder = bundle.path();
        let starter = self.folder.path().join(".actor");
        if !starter.exists() {
            fs::copy(&self.actor, &starter)?;
        }
        for name in ["upper", "work", "root"] {
            fs::create_dir(folder.join(name))?;
        }
        // A file system of its own below: an overlay takes no overlay for its upper layer.
        run(Command::new("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(folder.join("upper")))?;
        let _unmount_upper = Unmount(folder.join("upper"));
        for name in ["u", "w"] {
            fs::create_dir(folder.join("upper").join(name))?;
        }
        let layers = format!("lowerdir=/,upperdir={0}/upper/u,workdir={0}/upper/w", folder.display());
        run(Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &layers])
            .arg(folder.join("root")))?;
        let _unmount_root = Unmount(folder.join("root"));
        run(Command::new("runc").arg("spec").current_dir(folder))?;
        let path = folder.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
        configure(&mut config, self.folder.path(), &starter, instructions)?;
        fs::write(&path, config.to_string())?;
        let id = format!(
            "plimsoll-evtgen-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let child = Command::new("runc")
            .args(["run", &id])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "runc run: {}", output.status);
        Ok(pid)
    }
}

fn configure(config: &mut Value, programs: &Path, starter: &Path, instructions: &Value) -> anyhow::Result<()> {
    config["root"] = json!({ "path": "root", "readonly": false });
    let process = &mut config["process"];
    process["terminal"] = json!(false);
    process["args"] = json!([starter]);
    process["env"] = json!([format!("{INSTRUCTIONS}={instructions}"), "PATH=/usr/bin:/bin"]);
    process["rlimits"] = json!([]);
    for set in ["bounding", "effective", "permitted"] {
        let capabilities = process["capabilities"][set]
            .as_array_mut()
            .context("runc's own specification")?;
        capabilities.extend(["CAP_NET_RAW", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER"].map(Value::from));
    }
    // The host's loopback is up.
    let namespaces = config["linux"]["namespaces"]
        .as_array_mut()
        .context("runc's own specification")?;
    namespaces.retain(|namespace| namespace["type"] != "network");
    let mounts = config["mounts"].as_array_mut().context("runc's own specification")?;
    // Programs of a case are not in the overlay's upper layer: only what is dropped is.
    mounts.push(json!({ "destination": programs, "type": "bind", "source": programs, "options": ["rbind", "ro"] }));
    Ok(())
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // What is left of a failed unmount is below the temporary folder.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Arguments by blanks; quotes hold some together. Suites give an argument with blanks without quotes too.
fn split(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, ' ') => arguments.push(String::new()),
            (_, letter) => {
                if let Some(last) = arguments.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
}
