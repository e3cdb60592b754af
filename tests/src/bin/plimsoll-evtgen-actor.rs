//! The processes of a suite's case: starts the next one of the chain as a copy of itself; the last one makes resources and
//! system calls. Instructions come in the environment, since arguments and names belong to the case.

#![allow(unsafe_code)]

use std::{
    collections::HashMap,
    env,
    ffi::CString,
    fs,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::IntoRawFd as _,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::Command,
};

use anyhow::{Context as _, bail};
use plimsoll_tests::evtgen::stage::INSTRUCTIONS;
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    let mut instructions: Value = serde_json::from_str(&env::var(INSTRUCTIONS).context("read instructions")?)?;
    let chain = instructions["chain"]
        .as_array_mut()
        .context("instructions have a chain")?;
    if chain.is_empty() {
        return Leaf::default().act(&instructions);
    }
    let next = chain.remove(0);
    let path = next["path"].as_str().context("a program has a path")?;
    if let Some(from) = next["copy_from"].as_str() {
        fs::create_dir_all(Path::new(path).parent().context("a program has a folder")?)?;
        let dropped = format!(
            "/usr/local/bin/{}",
            Path::new(path).file_name().context("a program has a name")?.display()
        );
        fs::copy(from, &dropped)?;
        return start(&dropped, &next, &instructions);
    }
    start(path, &next, &instructions)
}

fn start(path: &str, next: &Value, instructions: &Value) -> anyhow::Result<()> {
    let arguments = next["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let variables = next["env"].as_object().into_iter().flatten();
    let status = Command::new(path)
        .arg0(next["exe"].as_str().context("a program has a first argument")?)
        .args(arguments)
        .envs(variables.filter_map(|(key, value)| Some((key, value.as_str()?))))
        .env(INSTRUCTIONS, instructions.to_string())
        .status()?;
    anyhow::ensure!(status.success(), "{path}: {status}");
    Ok(())
}

/// The last process: what it has made, by name.
#[derive(Default)]
struct Leaf {
    values: HashMap<String, i64>,
    made: Vec<String>,
}

impl Leaf {
    fn act(&mut self, instructions: &Value) -> anyhow::Result<()> {
        script(&instructions["before"])?;
        for resource in instructions["resources"].as_array().into_iter().flatten() {
            self.make(resource)?;
        }
        for step in instructions["steps"].as_array().into_iter().flatten() {
            self.step(step)?;
        }
        for path in self.made.iter().rev() {
            // Files before their folders; a folder that others use stays.
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
        script(&instructions["after"])
    }

    fn make(&mut self, resource: &Value) -> anyhow::Result<()> {
        let name = resource["name"].as_str().context("a resource has a name")?;
        let text = |key: &str| {
            resource[key]
                .as_str()
                .with_context(|| format!("a resource has `{key}`"))
        };
        let fd = match (text("type")?, resource["subtype"].as_str()) {
            ("clientServer", _) => {
                return self.connect(name, text("l4Proto")?, resource["address"].as_str().unwrap_or(""));
            }
            ("process", _) => {
                let child = Command::new("/usr/bin/sleep").arg("5").spawn()?;
                self.values.insert(format!("{name}.pid"), i64::from(child.id()));
                return Ok(());
            }
            (_, Some("file")) => self.file(text("filePath")?)?,
            (_, Some("directory")) => {
                self.folders(Path::new(text("dirPath")?));
                fs::File::open(text("dirPath")?)?.into_raw_fd()
            }
            (_, Some("memfd")) => {
                let name = CString::new(text("fileName")?)?;
                // SAFETY: the name outlives the call.
                unsafe { libc::memfd_create(name.as_ptr(), 0) }
            }
            // SAFETY: no pointers are passed.
            (_, Some("event")) => unsafe { libc::eventfd(0, 0) },
            // SAFETY: no pointers are passed.
            (_, Some("eventpoll")) => unsafe { libc::epoll_create1(0) },
            // SAFETY: no pointers are passed.
            (_, Some("inotify")) => unsafe { libc::inotify_init1(0) },
            (kind, subtype) => bail!("no resource {kind} {subtype:?}"),
        };
        self.values.insert(format!("{name}.fd"), i64::from(fd));
        Ok(())
    }

    fn folders(&mut self, folder: &Path) {
        let missing: Vec<_> = folder.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            if fs::create_dir(path).is_ok() {
                self.made.push(path.display().to_string());
            }
        }
    }

    fn file(&mut self, path: &str) -> anyhow::Result<i32> {
        self.folders(Path::new(path).parent().context("a file has a folder")?);
        if !Path::new(path).exists() {
            self.made.push(path.to_owned());
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(file.into_raw_fd())
    }

    fn connect(&mut self, name: &str, protocol: &str, address: &str) -> anyhow::Result<()> {
        let (client, server) = match protocol {
            "tcp4" | "tcp6" => {
                let server = TcpListener::bind(address)?;
                (
                    TcpStream::connect(server.local_addr()?)?.into_raw_fd(),
                    server.into_raw_fd(),
                )
            }
            "udp4" | "udp6" => {
                let server = UdpSocket::bind(address)?;
                let client = UdpSocket::bind(if protocol == "udp4" { "127.0.0.1:0" } else { "[::1]:0" })?;
                client.connect(server.local_addr()?)?;
                (client.into_raw_fd(), server.into_raw_fd())
            }
            _ => {
                let (client, server) = UnixStream::pair()?;
                (client.into_raw_fd(), server.into_raw_fd())
            }
        };
        self.values.insert(format!("{name}.client.fd"), i64::from(client));
        self.values.insert(format!("{name}.server.fd"), i64::from(server));
        Ok(())
    }

    fn step(&mut self, step: &Value) -> anyhow::Result<()> {
        let call = step["syscall"].as_str().context("a step has a `syscall`")?;
        let (number, names) = describe(call)?;
        let mut texts = Vec::new();
        let mut how = [0u64; 3];
        let mut arguments = [0i64; 6];
        for (place, name) in names.iter().enumerate() {
            let value = &step["args"][*name];
            arguments[place] = match (*name, value) {
                ("how", how_value) => {
                    how[0] = self.number(&how_value["flags"], "flags")?.cast_unsigned();
                    how[1] = self.number(&how_value["mode"], "mode")?.cast_unsigned();
                    how.as_ptr() as i64
                }
                ("dirFd" | "newDirFd" | "oldDirFd", Value::Null) => i64::from(libc::AT_FDCWD),
                ("len", Value::Null) => step["args"]["buffer"]
                    .as_str()
                    .map_or(16, |text| i64::try_from(text.len()).unwrap_or(0)),
                (
                    "pathname" | "target" | "linkPath" | "oldPath" | "newPath" | "buffer" | "buf" | "moduleImage"
                    | "paramValues",
                    value,
                ) => {
                    let mut bytes = value.as_str().unwrap_or("").as_bytes().to_vec();
                    bytes.resize(bytes.len() + 64, 0);
                    texts.push(bytes);
                    texts.last().map_or(0, |bytes| bytes.as_ptr() as i64)
                }
                (name, value) => self.number(value, name)?,
            };
        }
        if call == "openat2" {
            arguments[3] = 24;
        }
        let [a, b, c, d, e, f] = arguments;
        // SAFETY: pointers among the arguments are to `texts` and `how`, which outlive the call; no step of a suite asks
        // for a call that writes more than the 64 bytes behind a text.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        if let Some(name) = step["name"].as_str() {
            self.values.insert(format!("{name}.ret"), result);
        }
        Ok(())
    }

    /// A number, a binding (`${cs.client.fd}`), or constants joined by `|`.
    fn number(&self, value: &Value, name: &str) -> anyhow::Result<i64> {
        match value {
            Value::Null => Ok(0),
            // Readers of YAML differ over what 0644 is; nothing that a rule sees depends on it.
            Value::Number(_) if name == "mode" => Ok(0o644),
            Value::Number(number) => number.as_i64().context("a whole number"),
            Value::String(text) => match text.strip_prefix("${").and_then(|text| text.strip_suffix('}')) {
                Some(binding) => self
                    .values
                    .get(binding.trim())
                    .copied()
                    .with_context(|| format!("nothing is called {binding}")),
                None => text
                    .split('|')
                    .try_fold(0, |sum, part| Ok(sum | constant(part.trim())?)),
            },
            other => bail!("{other} is no number"),
        }
    }
}

fn describe(call: &str) -> anyhow::Result<(libc::c_long, &'static [&'static str])> {
    Ok(match call {
        #[cfg(target_arch = "x86_64")]
        "open" => (libc::SYS_open, &["pathname", "flags", "mode"]),
        #[cfg(target_arch = "x86_64")]
        "symlink" => (libc::SYS_symlink, &["target", "linkPath"]),
        #[cfg(target_arch = "x86_64")]
        "link" => (libc::SYS_link, &["oldPath", "newPath"]),
        #[cfg(target_arch = "x86_64")]
        "dup2" => (libc::SYS_dup2, &["oldFd", "newFd"]),
        "openat" => (libc::SYS_openat, &["dirFd", "pathname", "flags", "mode"]),
        "openat2" => (libc::SYS_openat2, &["dirFd", "pathname", "how"]),
        "symlinkat" => (libc::SYS_symlinkat, &["target", "newDirFd", "linkPath"]),
        "linkat" => (
            libc::SYS_linkat,
            &["oldDirFd", "oldPath", "newDirFd", "newPath", "flags"],
        ),
        "dup" => (libc::SYS_dup, &["oldFd"]),
        "dup3" => (libc::SYS_dup3, &["oldFd", "newFd", "flags"]),
        "socket" => (libc::SYS_socket, &["domain", "type", "protocol"]),
        "read" => (libc::SYS_read, &["fd", "buffer", "len"]),
        "write" => (libc::SYS_write, &["fd", "buffer", "len"]),
        "kill" => (libc::SYS_kill, &["pid", "sig"]),
        "init_module" => (libc::SYS_init_module, &["moduleImage", "len", "paramValues"]),
        "finit_module" => (libc::SYS_finit_module, &["fd", "paramValues", "flags"]),
        other => bail!("no step can make the call {other}"),
    })
}

fn constant(name: &str) -> anyhow::Result<i64> {
    Ok(i64::from(match name {
        "O_RDONLY" => libc::O_RDONLY,
        "O_WRONLY" => libc::O_WRONLY,
        "O_RDWR" => libc::O_RDWR,
        "O_CREAT" => libc::O_CREAT,
        "O_TRUNC" => libc::O_TRUNC,
        "O_APPEND" => libc::O_APPEND,
        "O_EXCL" => libc::O_EXCL,
        "O_CLOEXEC" => libc::O_CLOEXEC,
        "O_DIRECTORY" => libc::O_DIRECTORY,
        "O_NOFOLLOW" => libc::O_NOFOLLOW,
        "O_NONBLOCK" => libc::O_NONBLOCK,
        "AF_UNIX" => libc::AF_UNIX,
        "AF_INET" => libc::AF_INET,
        "AF_INET6" => libc::AF_INET6,
        "AF_PACKET" => libc::AF_PACKET,
        "AF_NETLINK" => libc::AF_NETLINK,
        "SOCK_STREAM" => libc::SOCK_STREAM,
        "SOCK_DGRAM" => libc::SOCK_DGRAM,
        "SOCK_RAW" => libc::SOCK_RAW,
        "AT_SYMLINK_FOLLOW" => libc::AT_SYMLINK_FOLLOW,
        "SIGKILL" => libc::SIGKILL,
        "SIGTERM" => libc::SIGTERM,
        number => number
            .parse()
            .with_context(|| format!("no constant is called {number}"))?,
    }))
}

fn script(text: &Value) -> anyhow::Result<()> {
    if let Some(text) = text.as_str() {
        Command::new("/bin/bash")
            .args(["-c", text])
            .env_remove(INSTRUCTIONS)
            .status()?;
    }
    Ok(())
}
