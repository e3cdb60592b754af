//! `plimsoll diff`: two images, or reports of them, in; what is different, and what of it is worse, out.

use std::{cmp::Ordering, path::PathBuf};

use plimsoll_model::PackageKind;
use plimsoll_scanner::diff::{Area, Diff, diff, view};
use plimsoll_vulndb::version;

use super::{db, scan::SourceArguments, stored};
use crate::exit::{Exit, Failure};

/// What to compare, and how to show it.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The image as it was: as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    from: String,
    /// The image as it is now
    to: String,
    /// table or json
    #[arg(short, long = "output", value_name = "FORMAT", value_parser = parse_format, default_value = "table")]
    output: Format,
    /// End with 1 when something is worse; with areas, only when something of these is
    #[arg(long, value_name = "AREA,…", num_args = 0..=1, require_equals = true, value_delimiter = ',', value_parser = parse_area)]
    exit_code: Option<Vec<Area>>,
    /// Vulnerability database [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

const AFTER_HELP: &str = "\
Areas: vulnerabilities, findings, packages, privileges, files, ports, user, config, profile
Exit codes: 0 compared, 1 something is worse (only with --exit-code), 3 target not found or refused, 5 incomplete";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
}

fn parse_format(text: &str) -> Result<Format, String> {
    match text {
        "table" => Ok(Format::Table),
        "json" => Ok(Format::Json),
        _ => Err("no such format; there is table, json".to_owned()),
    }
}

fn parse_area(text: &str) -> Result<Area, String> {
    let found = Area::ALL.iter().find(|(_, name)| *name == text);
    let names = || Area::ALL.map(|(_, name)| name).join(", ");
    Ok(found.ok_or_else(|| format!("no such area; there is {}", names()))?.0)
}

/// Runs `plimsoll diff`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        from,
        to,
        output,
        exit_code,
        db,
        source,
    } = arguments;
    let from = stored::load(&from, &source, db.as_ref())?;
    let to = stored::load(&to, &source, db.as_ref())?;
    let found = diff(&from, &to, &order);
    let text = match output {
        Format::Table => view(&found),
        Format::Json => {
            serde_json::to_string_pretty(&found).expect("a diff has no map with other keys than text") + "\n"
        }
    };
    db::print(&text)?;
    let is_incomplete = [&from, &to]
        .iter()
        .any(|report| report.notes.iter().any(|note| note.makes_incomplete()));
    Ok(match exit_code {
        Some(areas) if is_worse(&found, &areas) => Exit::Stopped,
        _ if is_incomplete => Exit::Incomplete,
        _ => Exit::Go,
    })
}

/// Without areas, all count.
fn is_worse(found: &Diff, areas: &[Area]) -> bool {
    let counts = |area: &Area| areas.is_empty() || areas.contains(area);
    found
        .changes
        .iter()
        .any(|change| change.is_worse && counts(&change.area))
}

fn order(kind: PackageKind, a: &str, b: &str) -> Option<Ordering> {
    let scheme = match kind {
        PackageKind::Dpkg | PackageKind::Opkg => "dpkg",
        PackageKind::Apk => "apk",
        PackageKind::Rpm => "rpm",
        PackageKind::Pacman => "pacman",
        PackageKind::Portage => "portage",
        PackageKind::Python | PackageKind::Conda => "pep440",
        PackageKind::Npm => "npm",
        PackageKind::Gem => "gem",
        PackageKind::Maven => "maven",
        PackageKind::Go => "go",
        PackageKind::Cargo | PackageKind::Swift | PackageKind::Dart => "semver",
        PackageKind::Nuget => "nuget",
        PackageKind::Composer => "composer",
        PackageKind::Hex => "hex",
        _ => "generic",
    };
    version::find(scheme)?.compare(a, b).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_their_package_manager_does() {
        for (kind, a, b) in [
            (PackageKind::Dpkg, "1.0~rc1-1", "1.0-1"),
            (PackageKind::Rpm, "1.0~rc1-1", "1.0-1"),
            (PackageKind::Apk, "1.0_rc1-r0", "1.0-r0"),
            (PackageKind::Python, "1.0rc1", "1.0"),
            (PackageKind::Npm, "1.0.0-rc.1", "1.0.0"),
            (PackageKind::Binary, "7.0.9", "7.0.15"),
        ] {
            assert_eq!(order(kind, a, b), Some(Ordering::Less), "{kind:?}");
        }
        assert!(parse_area("ports").is_ok() && parse_area("x").is_err());
    }
}
