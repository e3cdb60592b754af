//! `plimsoll profile harden`: the least that an image's container needs, as a seccomp profile, an AppArmor profile or a pod.

use std::path::PathBuf;

use clap::Args;
use plimsoll_model::ScanReport;
use plimsoll_scanner::{
    harden::{Format, harden},
    pod::PodContainer,
    profile::{Input, build_in_pod, config_in_pod},
    report,
};

use super::pod::PodArguments;

use crate::{
    commands::{
        db,
        scan::{SourceArguments, scan_image},
        stored,
    },
    exit::{Exit, Failure},
};

/// Of which image, for whom.
#[derive(Args)]
pub(super) struct Arguments {
    /// An image as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    target: String,
    /// seccomp, apparmor or kubernetes
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Format,
    /// Name of the AppArmor profile (after `plimsoll-`), the pod and the policy [default: made from the image's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArguments,
    #[command(flatten)]
    source: SourceArguments,
}

fn parse_format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.iter().find(|(_, name)| *name == text);
    let names = || Format::ALL.map(|(_, name)| name).join(", ");
    Ok(found.ok_or_else(|| format!("no such format; there is {}", names()))?.0)
}

/// The report of an image as it runs in a pod.
fn in_pod(pod: &PodContainer, arguments: &Arguments) -> Result<ScanReport, Failure> {
    let scanned = scan_image(&arguments.target, &arguments.source)?;
    let packs = plimsoll_rules::packs::shipped();
    let input = Input {
        image: &scanned.image,
        config: &scanned.config,
        tree: &scanned.tree,
        sbom: &scanned.sbom,
        packs,
    };
    let (profile, notes) = build_in_pod(&input, pod);
    let (config, _) = config_in_pod(&scanned.config, pod);
    let (mut report, _) = report::assemble(scanned, None, notes, packs);
    (report.profile, report.config) = (profile, config);
    Ok(report)
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let report = match arguments.pod.load(&arguments.target)? {
        None => stored::load(&arguments.target, &arguments.source, arguments.db.as_ref())?,
        Some(pod) => in_pod(&pod, arguments)?,
    };
    db::print(&harden(&report, arguments.format, arguments.name.as_deref()))?;
    let is_incomplete = report.notes.iter().any(plimsoll_model::Note::makes_incomplete);
    Ok(if is_incomplete { Exit::Incomplete } else { Exit::Go })
}
