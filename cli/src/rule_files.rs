//! Rule files as commands are given them: paths in, loaded rules out, with everything that is to be said about them.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use plimsoll_rules::{Diagnostic, RuleFile, RuleSet};

use crate::exit::{Exit, Failure};

/// Longest rule file, and most of them in a folder.
const MAX_RULE_FILE_BYTES: u64 = 16 << 20;
const MAX_RULE_FILES: usize = 1_000;

/// Loads `files` and then those at `paths`; says on standard error what is to be said about them.
///
/// # Errors
/// A file cannot be read, or the rules have errors.
pub(crate) fn load(mut files: Vec<RuleFile>, paths: &[PathBuf]) -> Result<RuleSet, Failure> {
    files.extend(read(paths)?);
    let is_coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let show = |diagnostics: &[Diagnostic]| {
        for one in diagnostics {
            let source = files.iter().find(|file| file.name == one.file);
            eprintln!("{}", one.render(source.map(|file| file.text.as_str()), is_coloured));
        }
    };
    let loaded = RuleSet::load(&files).map_err(|diagnostics| {
        show(&diagnostics);
        let error = anyhow::anyhow!("load rules: {} errors and warnings, listed above", diagnostics.len());
        Failure::new(
            Exit::Usage,
            error,
            "correct the rule files (`plimsoll rules check` says the same), or leave them out",
        )
    })?;
    show(&loaded.diagnostics);
    Ok(loaded.rules)
}

/// Reads files, and of folders their *.yaml and *.yml files in the order of their names.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<RuleFile>, Failure> {
    let mut files = Vec::new();
    for file in list(paths)? {
        let text = read_file(&file).map_err(|error| unreadable(&file, error))?;
        files.push(RuleFile {
            name: file.display().to_string(),
            text,
        });
    }
    Ok(files)
}

/// The files that [`read`] reads.
///
/// # Errors
/// One of the paths cannot be looked at.
pub(crate) fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(files_at(path).map_err(|error| unreadable(path, error))?);
    }
    Ok(files)
}

fn files_at(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_yaml = file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && file.is_file() {
            files.push(file);
        }
        if files.len() > MAX_RULE_FILES {
            return Err(io::Error::other(format!("has more than {MAX_RULE_FILES} rule files")));
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_RULE_FILE_BYTES {
        return Err(io::Error::other(format!("is over {MAX_RULE_FILE_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    let context = anyhow::Error::new(error).context(format!("read rules from {}", path.display()));
    Failure::new(
        Exit::Usage,
        context,
        "give --rules readable YAML files or folders of them",
    )
}
