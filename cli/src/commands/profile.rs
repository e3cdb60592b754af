//! `plimsoll profile`: what an image's container should do: derived, attached to the image on its registry, found again.

mod build;
mod diff;
mod harden;
mod learn;
mod merge;
mod pod;
mod pull;
mod push;
mod replay;
mod sign;

use std::path::{Path, PathBuf};

use plimsoll_scanner::artifact::ArtifactError;

use super::db;
use crate::exit::{Exit, Failure};

/// Which image, or what to do with its profile.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    build: build::BuildArguments,
}

const AFTER_HELP: &str = "\
Formats: table, json
Exit codes: 0 done, 1 something is worse (diff) or not expected (test), 3 target not found or refused, 4 signed by
nobody who is trusted, 5 incomplete";

#[derive(clap::Subcommand)]
enum Command {
    /// Derive it from an image, or show that of a report; the same as without a subcommand
    #[command(visible_alias = "show")]
    Build(build::BuildArguments),
    /// Compare what two images' containers do: ports, connections, shells, setuid files, programs, writes, libraries
    Diff(diff::Arguments),
    /// Write what holds a container to the least that it needs: seccomp, AppArmor, Kubernetes
    Harden(harden::Arguments),
    /// Find what an agent has seen and a profile does not judge, to be merged
    Learn(learn::LearnArguments),
    /// Add facts that were learned, or that somebody says
    Merge(merge::Arguments),
    /// Get the profile that is attached to an image on its registry
    Pull(pull::Arguments),
    /// Attach an image's profile to it on its registry
    Push(push::Arguments),
    /// Vouch for the profile that is attached to an image
    Sign(sign::Arguments),
    /// Replay recordings against a profile
    Test(replay::Arguments),
}

/// Runs `plimsoll profile`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        None => build::run(arguments.build),
        Some(Command::Build(arguments)) => build::run(arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Harden(arguments)) => harden::run(&arguments),
        Some(Command::Learn(arguments)) => learn::run(&arguments),
        Some(Command::Merge(arguments)) => merge::run(&arguments),
        Some(Command::Pull(arguments)) => pull::run(arguments),
        Some(Command::Push(arguments)) => push::run(arguments),
        Some(Command::Sign(arguments)) => sign::run(&arguments),
        Some(Command::Test(arguments)) => replay::test(&arguments),
    }
}

/// What went wrong on the registry.
fn failure(error: ArtifactError) -> Failure {
    match error.is_not_found() {
        true => Failure::new(
            Exit::Target,
            error,
            "check the reference; `plimsoll profile push` attaches a profile to the image",
        ),
        false => db::artifact_failure(error),
    }
}

/// A folder for what is on its way, gone at the end.
fn folder() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(|error| {
        let error = anyhow::Error::from(error).context("make a temporary folder");
        Failure::new(Exit::Target, error, "is the disk full? TMPDIR names another place")
    })
}

/// An agent may look into the folder at any time: the name belongs to whole reports only.
fn write_whole(path: &Path, json: &[u8]) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    std::fs::write(&new, json)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| {
            let error = anyhow::Error::from(error).context(format!("write {}", path.display()));
            Failure::new(Exit::Target, error, "check that the folder exists and has room")
        })
}
