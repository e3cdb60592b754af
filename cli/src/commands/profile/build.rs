//! `plimsoll profile build`: what an image's container should do, with the evidence of every fact.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use plimsoll_model::{Note, Profile};
use plimsoll_scanner::profile::{Input, build, build_in_pod, view};

use super::pod::PodArguments;

use crate::{
    commands::{
        scan::{SourceArguments, scan_image},
        stored,
    },
    exit::{Exit, Failure},
};

/// Which image, and how to show its profile.
#[derive(clap::Args)]
pub(super) struct BuildArguments {
    /// An image as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    // A subcommand stands in its place.
    #[arg(required = true)]
    target: Option<String>,
    /// Format, optionally with a file to write to; may be given several times [default: table]
    #[arg(short, long = "output", value_name = "FORMAT[=PATH]", value_parser = parse_output)]
    output: Vec<Output>,
    #[command(flatten)]
    pod: PodArguments,
    #[command(flatten)]
    source: SourceArguments,
}

/// A format and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Output {
    format: Format,
    /// `None`: stdout.
    path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
}

fn parse_output(text: &str) -> Result<Output, String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None => (text, None),
    };
    let format = match name {
        "table" => Format::Table,
        "json" => Format::Json,
        _ => return Err("no such format; there is table, json".to_owned()),
    };
    Ok(Output {
        format,
        path: path.filter(|path| !path.as_os_str().is_empty()),
    })
}

/// Runs `plimsoll profile build`.
pub(super) fn run(arguments: BuildArguments) -> Result<Exit, Failure> {
    let target = arguments.target.expect("clap requires it");
    let mut outputs = arguments.output;
    if outputs.is_empty() {
        outputs.push(Output {
            format: Format::Table,
            path: None,
        });
    }
    if outputs.iter().filter(|output| output.path.is_none()).count() > 1 {
        return Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("write several formats to stdout"),
            "give all but one a file: -o json=profile.json",
        ));
    }
    let pod = arguments.pod.load(&target)?;
    let (profile, notes) = match target.strip_prefix("report:") {
        Some(path) => {
            let report = stored::read_report(Path::new(path))?;
            (report.profile, report.notes)
        }
        None => {
            let scanned = scan_image(&target, &arguments.source)?;
            let input = Input {
                image: &scanned.image,
                config: &scanned.config,
                tree: &scanned.tree,
                sbom: &scanned.sbom,
                packs: plimsoll_rules::packs::shipped(),
            };
            let (profile, mut notes) = match &pod {
                Some(pod) => build_in_pod(&input, pod),
                None => build(&input),
            };
            notes.extend(scanned.notes);
            (profile, notes)
        }
    };
    for output in &outputs {
        write(output, &profile)?;
    }
    for note in &notes {
        eprintln!("note: {}: {}", note.subject.escape_debug(), note.detail.escape_debug());
    }
    Ok(match notes.iter().any(Note::makes_incomplete) {
        true => Exit::Incomplete,
        false => Exit::Go,
    })
}

fn write(output: &Output, profile: &Profile) -> Result<(), Failure> {
    let text = match output.format {
        Format::Table => view(profile),
        Format::Json => {
            serde_json::to_string_pretty(profile).expect("a profile has no map with other keys than text") + "\n"
        }
    };
    let written = match &output.path {
        Some(path) => std::fs::write(path, text),
        None => match io::stdout().lock().write_all(text.as_bytes()) {
            // A reader that has seen enough (`| head`) is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        },
    };
    written.map_err(|error| {
        let place = output
            .path
            .as_ref()
            .map_or("stdout".to_owned(), |path| path.display().to_string());
        let error = anyhow::Error::new(error).context(format!("write the profile to {place}"));
        Failure::new(Exit::Usage, error, "check that the folder exists and has room")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_may_have_a_file() {
        assert_eq!(
            parse_output("json=a=b").map(|output| output.path),
            Ok(Some(PathBuf::from("a=b")))
        );
        assert_eq!(parse_output("table").map(|output| output.format), Ok(Format::Table));
        assert!(parse_output("yaml").is_err());
    }
}
