//! Exit codes, in one place: an [`Exit`] or a [`Failure`] in, the process's exit code out.

use std::process::ExitCode;

/// How a run ends. The numbers are a promise to scripts; see `docs/architecture.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing stands against it.
    Go = 0,
    /// Stopped by policy, and only that.
    Stopped = 1,
    /// Wrong arguments or configuration.
    Usage = 2,
    /// The target was not found, or access to it refused.
    Target = 3,
    /// Vulnerability data is missing or too old.
    Data = 4,
    /// Something was unreadable, or nothing was recognised.
    Incomplete = 5,
    /// Our own bug.
    Bug = 70,
}

impl Exit {
    /// What counts when several images were looked at: our own bug, then the smaller number that is not zero.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Go => u8::MAX,
            Self::Bug => 0,
            exit => exit as u8,
        };
        std::cmp::min_by_key(self, other, |exit| rank(*exit))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A run that failed: what, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: String,
}

impl Failure {
    /// Reads as `error: failed to <error chain>` and `hint: <hint>`.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Self {
        Self {
            exit,
            error: error.into(),
            hint: hint.into(),
        }
    }

    /// The error with its causes, on one line.
    pub(crate) fn reason(&self) -> String {
        let chain: Vec<String> = self.error.chain().map(|cause| escape(&cause.to_string())).collect();
        format!("failed to {}", without_repeats(&chain).join(": "))
    }

    /// Prints the error with its causes and the hint to stderr and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        self.tell().into()
    }

    /// The same, where more is to be done before the run ends.
    pub(crate) fn tell(self) -> Exit {
        eprintln!("error: {}", self.reason());
        eprintln!("hint: {}", self.hint);
        self.exit
    }
}

/// A cause whose text its parent already ends with is not said twice.
fn without_repeats(chain: &[String]) -> Vec<&str> {
    let mut said: Vec<&str> = Vec::new();
    for text in chain {
        if !said.last().is_some_and(|last| last.ends_with(text.as_str())) {
            said.push(text);
        }
    }
    said
}

/// Error texts quote hostile input: control characters must not reach the terminal.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// Prints clap's own message; help and version are not errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // A closed stderr is no reason to fail differently.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Go.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_worse_than_what_could_not_be_done() {
        for (one, other, worse) in [
            (Exit::Go, Exit::Incomplete, Exit::Incomplete),
            (Exit::Incomplete, Exit::Stopped, Exit::Stopped),
            (Exit::Target, Exit::Data, Exit::Target),
            (Exit::Stopped, Exit::Bug, Exit::Bug),
        ] {
            assert_eq!((one.worse(other), other.worse(one)), (worse, worse));
        }
    }

    #[test]
    fn says_a_cause_once_and_escapes_control_characters() {
        let chain = ["read a: no such file".to_owned(), "no such file".to_owned()];
        assert_eq!(without_repeats(&chain), ["read a: no such file"]);
        assert_eq!(escape("a\u{1b}[31mb"), "a\\u{1b}[31mb");
    }
}
