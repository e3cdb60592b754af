//! Runs the behaviour suite and writes its table: `make behaviour`, or
//! `plimsoll-behaviour [--suites FOLDER]… [--image NAME]… [--jobs N] [--table FILE]`.
//!
//! One line per case and a total go to stdout: image, `work` or `attack`, case, verdict, milliseconds and what was told,
//! with tabs between. Exit codes: 0 normal work was silent and every attack flagged · 1 not so · 2 it could not be run.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail, ensure};
use plimsoll_tests::{
    behaviour::{self, ImageSpec, Images, Options},
    command, container, machine, repository,
};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What was run, where and when, as the page says it.
fn build() -> String {
    let ask = |program: &str, option: &str| {
        let output = Command::new(program).arg(option).output();
        output.map_or_else(
            |_| "?".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let version = command::finish({
        let mut version = command::plimsoll();
        version.arg("--version");
        version
    });
    format!(
        "Written on {} by {} of {}, on Linux {}.",
        ask("date", "+%Y-%m-%d"),
        version.stdout.trim(),
        repository::state(),
        ask("uname", "-r"),
    )
}

fn run() -> anyhow::Result<bool> {
    if let Some(reason) = machine::why_no_bpf().or_else(container::why_no_images) {
        bail!("{reason}");
    }
    let own = repository::root().join("tests/behaviour");
    let (mut folders, mut names, mut table, mut jobs) = (Vec::new(), Vec::new(), None, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--suites" => folders.push(PathBuf::from(value)),
            "--image" => names.push(value),
            "--table" => table = Some(PathBuf::from(value)),
            "--jobs" => jobs = value.parse().context("--jobs takes a number")?,
            _ => bail!("{argument} is none of --suites, --image, --table, --jobs"),
        }
    }
    if folders.is_empty() {
        folders.push(own.clone());
    }
    let mut images = Images::read(&own.join("images.yaml"))?;
    let mut suites = Vec::new();
    for folder in &folders {
        suites.extend(behaviour::load(folder, &mut images)?);
    }
    ensure!(!suites.is_empty(), "no workload or attack file in {folders:?}");
    for name in suites
        .iter()
        .map(|suite| &suite.service)
        .filter(|name| names.is_empty() || names.contains(name))
    {
        let is_built = images.images.get(name).is_some_and(ImageSpec::is_built);
        ensure!(
            is_built,
            "the image {name} is not built: run scripts/behaviour/images.sh as root"
        );
    }
    let options = Options {
        images,
        suites,
        names,
        jobs,
        folder: repository::root().join("target/behaviour"),
    };
    let (outcomes, losses) = behaviour::run(&options)?;
    if let Some(path) = table {
        let text = behaviour::write(&outcomes, &losses, &build());
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    for line in outcomes.iter().flat_map(behaviour::ImageOutcome::lines) {
        println!("{line}");
    }
    println!("{}", behaviour::total(&outcomes));
    Ok(outcomes.iter().all(|outcome| outcome.complaints().is_empty()))
}
