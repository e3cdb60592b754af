//! `-o FORMAT[=PATH]` in, reports in files and on stdout out.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use plimsoll_model::{Platform, ScanReport};
use plimsoll_scanner::{
    Tree,
    report::{self, Document, Report, Template},
};
use plimsoll_vulndb::Suppressed;

use super::platforms;
use crate::exit::{Exit, Failure};

/// A format and where it goes.
#[derive(Clone)]
pub(super) struct Output {
    format: &'static dyn Report,
    /// `None`: stdout.
    path: Option<PathBuf>,
}

pub(super) fn parse_output(text: &str) -> Result<Output, String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None => (text, None),
    };
    let format = report::ALL.iter().find(|format| format.name() == name);
    let names = || {
        report::ALL
            .iter()
            .map(|format| format.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Ok(Output {
        format: *format.ok_or_else(|| format!("no such format; there is {}", names()))?,
        path: path.filter(|path| !path.as_os_str().is_empty()),
    })
}

/// The formats asked for; no two may share stdout.
pub(super) fn outputs(asked: Vec<Output>) -> Result<Vec<Output>, Failure> {
    if asked.is_empty() {
        return Ok(vec![Output {
            format: report::ALL[0],
            path: None,
        }]);
    }
    if asked.iter().filter(|output| output.path.is_none()).count() > 1 {
        return Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("write several reports to stdout"),
            "give all but one a file: -o json=report.json",
        ));
    }
    Ok(asked)
}

/// The template for the format `template`: a file, or a shipped one after `@`. It is read before any work is done.
pub(super) fn load_template(outputs: &[Output], asked: Option<&str>) -> Result<Option<Template>, Failure> {
    let usage = |error: anyhow::Error, hint: &str| Failure::new(Exit::Usage, error, hint.to_owned());
    let is_wanted = outputs.iter().any(|output| output.format.name() == "template");
    let asked = match (asked, is_wanted) {
        (None, false) => return Ok(None),
        (None, true) => {
            let error = anyhow::anyhow!("write template: no template was given");
            return Err(usage(error, "add --template FILE or --template @vulnerabilities.csv"));
        }
        (Some(_), false) => {
            let error = anyhow::anyhow!("use the template: no report is made from it");
            return Err(usage(error, "add -o template or -o template=PATH"));
        }
        (Some(asked), true) => asked,
    };
    let template = match asked.strip_prefix('@') {
        Some(name) => Template::shipped(name),
        None => {
            let text = std::fs::read_to_string(asked).map_err(|error| {
                let error = anyhow::Error::new(error).context(format!("read the template {asked}"));
                usage(
                    error,
                    "check the path and its permissions; shipped templates begin with @",
                )
            })?;
            Template::parse(asked, &text)
        }
    };
    let hint = "templates are written in Jinja; docs/scan.md says what they can use";
    template.map(Some).map_err(|error| usage(error.into(), hint))
}

/// Writes all of them; `platform` where the image is one of several.
pub(super) fn write_reports(
    outputs: &[Output],
    report: &ScanReport,
    tree: &Tree,
    suppressed: &[Suppressed],
    template: Option<&Template>,
    platform: Option<&Platform>,
) -> Result<(), Failure> {
    for output in outputs {
        let path = match (&output.path, platform) {
            (Some(path), Some(platform)) => Some(platforms::named(path, platform)),
            (path, _) => path.clone(),
        };
        let is_terminal = output.path.is_none() && io::stdout().is_terminal();
        let document = Document {
            report,
            tree,
            colour: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            suppressed,
            template,
        };
        let written = match &path {
            _ if output.format.is_silent(&document) => say_nothing(output.format.name(), path.as_deref()),
            Some(path) => write_file(path, output.format, &document),
            None => write_stdout(output.format, &document, platform),
        };
        written.map_err(|error| {
            let place = path
                .as_ref()
                .map_or("stdout".to_owned(), |path| path.display().to_string());
            let error = anyhow::Error::new(error).context(format!("write {} to {place}", output.format.name()));
            Failure::new(Exit::Usage, error, "check that the folder exists and has room")
        })?;
    }
    Ok(())
}

/// Says that there is no document; one of an earlier scan must not be taken for this one's.
pub(super) fn say_nothing(format: &str, path: Option<&Path>) -> io::Result<()> {
    eprintln!(
        "{format}: there is nothing to say of this image, and the format has no document without a statement: none is written"
    );
    match path.map(std::fs::remove_file) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_file(path: &Path, format: &dyn Report, document: &Document<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    format.write(document, &mut out)?;
    out.flush()
}

/// A reader that has seen enough (`| head`) is no error.
fn write_stdout(format: &dyn Report, document: &Document<'_>, platform: Option<&Platform>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    // Only in the format for people: others say the platform themselves, and a line between documents would break them.
    let heading = match platform.filter(|_| format.name() == report::ALL[0].name()) {
        Some(platform) => writeln!(out, "=== {} ===", platforms::shown(platform)),
        None => Ok(()),
    };
    let written = heading.and_then(|()| format.write(document, &mut out));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
