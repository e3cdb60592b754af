//! The `plimsoll` command: arguments in, one crate call, output and exit code out. No logic of its own.

mod commands;
mod exit;
mod rule_files;

use std::process::ExitCode;

use clap::Parser;

/// A scan frees buffers of very different sizes and lives for seconds, an agent for months. glibc keeps most of what either
/// frees: half of the peak of a scan was that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Scan container images and hold running containers to what their image should do.
#[derive(Parser)]
#[command(name = "plimsoll", version, propagate_version = true, max_term_width = 110)]
struct Arguments {
    /// Log more to stderr: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    start_log(arguments.verbose);
    match commands::run(arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn start_log(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = tracing_subscriber::EnvFilter::try_from_env("PLIMSOLL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}
