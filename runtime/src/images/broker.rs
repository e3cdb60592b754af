//! Who asks registries: a process of its own, started before the agent gives up its rights, that runs one child at a time.
//! Digests and references in over a pipe, reports out over another.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use plimsoll_model::{Digest, ImageRef};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CHILD_TALK_BYTES, MAX_REPORT_BYTES, MAX_REQUEST_BYTES};

/// What is run for each image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildOptions {
    /// What is run: it gets the image's reference as its last argument, `key` on standard input, and writes the report to
    /// standard output.
    pub program: PathBuf,
    /// Arguments before the reference.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Text for its standard input: public keys.
    pub key: String,
    /// User and group that it runs as; `None`: ours.
    pub user: Option<(u32, u32)>,
    /// It is killed after this long.
    pub patience: Duration,
}

impl ChildOptions {
    /// Runs one child to its end; what it wrote.
    pub(super) fn fetch(&self, config_digest: Digest, reference: &str) -> Result<Vec<u8>, String> {
        let mut child = self
            .spawn(config_digest, reference)
            .map_err(|error| format!("start {}: {error}", self.program.display()))?;
        let result = self.converse(&mut child);
        // It has ended, or nobody wants what else it says.
        let _ = child.kill();
        let status = child.wait().map_err(|error| error.to_string());
        let (bytes, talk) = result?;
        let status = status?;
        match status.success() {
            true => Ok(bytes),
            false => Err(reason(status, &talk)),
        }
    }

    fn spawn(&self, config_digest: Digest, reference: &str) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(format!("--config-digest={config_digest}"))
            .arg("--")
            .arg(reference)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.spawn()
    }

    /// Gives the key, takes the report and what is said beside it; all within the time.
    fn converse(&self, child: &mut Child) -> Result<(Vec<u8>, String), String> {
        let deadline = Instant::now() + self.patience;
        if let Some(mut input) = child.stdin.take() {
            // A child that ended early says why itself.
            let _ = input.write_all(self.key.as_bytes());
        }
        let talk = aside(child.stderr.take(), MAX_CHILD_TALK_BYTES);
        let report = aside(child.stdout.take(), MAX_REPORT_BYTES + 1);
        let late = || format!("nothing came within {} s", self.patience.as_secs());
        let bytes = report
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| late())?;
        if bytes.len() as u64 > MAX_REPORT_BYTES {
            return Err(format!("the report is over {MAX_REPORT_BYTES} bytes"));
        }
        let talk = talk
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| late())?;
        Ok((bytes, String::from_utf8_lossy(&talk).into_owned()))
    }
}

/// Reads a stream on a thread of its own, since either may fill while the other is read.
fn aside(stream: Option<impl Read + Send + 'static>, limit: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What was read until an error is what there is.
            let _ = stream.take(limit).read_to_end(&mut bytes);
        }
        // Nobody waits any more when it took too long.
        let _ = sender.send(bytes);
    });
    receiver
}

/// The child's own words: its `error:` line.
fn reason(status: ExitStatus, talk: &str) -> String {
    let line = talk.lines().find_map(|line| line.strip_prefix("error: "));
    match (line, status.signal()) {
        (Some(line), _) => line.chars().take(400).collect(),
        (None, Some(signal)) => format!("the child was ended by signal {signal}"),
        (None, None) => format!("the child ended with {}", status.code().unwrap_or_default()),
    }
}

/// The agent's end of a broker.
#[derive(Debug)]
pub struct Broker {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Broker {
    /// Starts a program that calls [`serve`], as the user that children are to run as.
    ///
    /// # Errors
    /// It cannot be started, or not be told what to run.
    pub fn start(program: &std::path::Path, arguments: &[&str], options: &ChildOptions) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some((user, group)) = options.user {
            command.uid(user).gid(group);
        }
        let mut process = command.spawn()?;
        let (Some(mut requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let own = ChildOptions {
            user: None,
            ..options.clone()
        };
        let mut line = serde_json::to_vec(&own)?;
        line.push(b'\n');
        requests.write_all(&line)?;
        Ok(Self {
            process,
            requests,
            answers: BufReader::new(answers),
        })
    }

    /// Has one report got.
    pub(super) fn fetch(&mut self, config_digest: Digest, reference: &str) -> Result<Vec<u8>, String> {
        self.ask(config_digest, reference).unwrap_or_else(|error| {
            let how = match self.process.try_wait() {
                Ok(Some(status)) => format!("it has ended ({status})"),
                _ => error.to_string(),
            };
            Err(format!("ask the process that asks registries: {how}"))
        })
    }

    fn ask(&mut self, config_digest: Digest, reference: &str) -> io::Result<Result<Vec<u8>, String>> {
        self.requests
            .write_all(format!("{config_digest} {reference}\n").as_bytes())?;
        let line = read_line(&mut self.answers)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let Some(length) = line.strip_prefix('+') else {
            return Ok(Err(line.strip_prefix('-').unwrap_or("it makes no sense").to_owned()));
        };
        let broken = || io::Error::other("it makes no sense");
        let length: u64 = length.parse().map_err(|_| broken())?;
        if length > MAX_REPORT_BYTES {
            return Err(broken());
        }
        let mut bytes = Vec::new();
        (&mut self.answers).take(length).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == length {
            true => Ok(Ok(bytes)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It ends when nobody can ask any more, and this process' own end takes care of what is left of it.
        let _ = self.process.try_wait();
    }
}

/// The broker's own end: what to run in the first line of `requests`, then one image in each; a report, or why there is none,
/// for each. Returns when nobody asks any more.
///
/// # Errors
/// The pipes break, or what comes is not what [`Broker`] sends.
pub fn serve(requests: impl Read, mut answers: impl Write) -> io::Result<()> {
    let mut requests = BufReader::new(requests);
    let Some(line) = read_line(&mut requests)? else {
        return Ok(());
    };
    let options: ChildOptions = serde_json::from_str(&line)?;
    while let Some(line) = read_line(&mut requests)? {
        let result = match parse(&line) {
            Some((config_digest, reference)) => options.fetch(config_digest, reference),
            None => Err("this is no image".to_owned()),
        };
        match result {
            Ok(bytes) => {
                answers.write_all(format!("+{}\n", bytes.len()).as_bytes())?;
                answers.write_all(&bytes)?;
            }
            Err(reason) => answers.write_all(format!("-{}\n", reason.replace('\n', " ")).as_bytes())?,
        }
        answers.flush()?;
    }
    Ok(())
}

/// Whoever asks may have been taken over: only what can be an image's name goes on.
fn parse(line: &str) -> Option<(Digest, &str)> {
    let (config_digest, reference) = line.split_once(' ')?;
    reference.parse::<ImageRef>().ok()?;
    Some((config_digest.parse().ok()?, reference))
}

/// A line without its end; `None` at the end.
fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    stream.take(MAX_REQUEST_BYTES).read_line(&mut line)?;
    match line.strip_suffix('\n') {
        Some(whole) => Ok(Some(whole.to_owned())),
        None if line.is_empty() => Ok(None),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::digest;

    #[test]
    fn serves_one_image_a_line_and_nothing_that_is_no_image() {
        let script = r#"case $3 in *broken*) echo 'error: no such image' >&2; exit 3;; *) printf %s "$3";; esac"#;
        let options = ChildOptions {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned(), "sh".to_owned()],
            environment: Vec::new(),
            key: String::new(),
            user: None,
            patience: Duration::from_secs(20),
        };
        let id = digest(1);
        let requests = format!(
            "{}\n{id} r.example/a:1\n{id} r.example/broken:1\n{id} --output=/etc/passwd\nnothing\n{id} r.example/b:1\n",
            serde_json::to_string(&options).unwrap()
        );
        let mut answers = Vec::new();
        serve(requests.as_bytes(), &mut answers).unwrap();
        let expected = "+13\nr.example/a:1-no such image\n-this is no image\n-this is no image\n+13\nr.example/b:1";
        assert_eq!(String::from_utf8(answers).unwrap(), expected);
    }
}
