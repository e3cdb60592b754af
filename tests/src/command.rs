//! The built `plimsoll` command: arguments in, exit code and output out, within a time limit.

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::repository;

/// Longest that any run of the command may take in a test: nothing may hang, whatever it is given.
const LIMIT: Duration = Duration::from_secs(180);

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, lossy.
    pub stdout: String,
    /// Standard error, lossy.
    pub stderr: String,
}

/// Where `cargo build -p plimsoll-cli` leaves the command.
///
/// # Panics
/// When it is not there: a test of a command that was not built must not pass.
pub fn binary() -> PathBuf {
    let mut folder = std::env::current_exe().expect("a test knows its own path");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let binary = folder.join("plimsoll");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build -p plimsoll-cli` first, or `make test`",
        binary.display()
    );
    binary
}

/// The command, to be given arguments; in the repository's top folder, without this user's own settings and databases.
pub fn plimsoll() -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(repository::root())
        .env_remove("PLIMSOLL_LOG")
        .env_remove("PLIMSOLL_DB")
        .env("XDG_CACHE_HOME", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// Runs `plimsoll` with these arguments to its end.
///
/// # Panics
/// When it does not end within [`LIMIT`].
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    let mut command = plimsoll();
    command.args(arguments);
    finish(command)
}

/// Scans an image without a vulnerability database, with more arguments.
pub fn scan(target: &str, arguments: &[&str]) -> Run {
    run(["scan", target, "--skip-vulnerabilities"].iter().chain(arguments))
}

/// Runs `plimsoll`, which must do what it was asked for.
///
/// # Panics
/// When it does not end with exit code 0 within [`LIMIT`].
pub fn done(arguments: &[&str]) -> Run {
    let run = run(arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    run
}

/// Runs `plimsoll`, which must refuse with this exit code, say these words and what to do, and not by a bug of ours.
///
/// # Panics
/// When it does otherwise.
pub fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let run = run(arguments);
    assert_eq!(run.code, Some(code), "{arguments:?}: {run:?}");
    for word in words.iter().chain(&["hint: "]) {
        assert!(
            run.stderr.contains(word),
            "{arguments:?} does not say `{word}`: {run:?}"
        );
    }
    assert!(!run.stderr.contains("panicked"), "{arguments:?}: {run:?}");
}

/// A JSON document that a run has written.
///
/// # Panics
/// When it is not there, or no JSON.
pub fn written(path: impl AsRef<Path>) -> serde_json::Value {
    let bytes = std::fs::read(path).expect("it was written");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

/// Runs a prepared command to its end.
///
/// # Panics
/// When it does not end within [`LIMIT`].
pub fn finish(mut command: Command) -> Run {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command was built and can be started");
    let stdout = read_aside(child.stdout.take().expect("it was asked for"));
    let stderr = read_aside(child.stderr.take().expect("it was asked for"));
    let texts = stdout
        .recv_timeout(LIMIT)
        .and_then(|stdout| Ok((stdout, stderr.recv_timeout(LIMIT)?)));
    let Ok((stdout, stderr)) = texts else {
        // It may have ended in between.
        let _ = child.kill();
        panic!("{command:?} did not end within {} s", LIMIT.as_secs());
    };
    let code = child.wait().expect("it is our child").code();
    Run { code, stdout, stderr }
}

fn read_aside(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error is what there is to judge.
        let _ = stream.read_to_end(&mut bytes);
        // Nobody listens any more when the test has failed already.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
