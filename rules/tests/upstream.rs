//! Upstream's own rule files: they load unmodified. Skipped, loudly, where the data is not there.

use std::{fs, path::PathBuf};

use plimsoll_rules::{Diagnostic, RuleFile, RuleSet};

/// The folder of real data beside the repository, or `None` with a word about it.
fn data(path: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/falco")
        .join(path);
    if folder.exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there", folder.display());
    None
}

fn file(name: &str) -> Option<RuleFile> {
    let path = data(name)?;
    Some(RuleFile {
        name: name.to_owned(),
        text: fs::read_to_string(path).unwrap(),
    })
}

fn shown(files: &[RuleFile], diagnostics: &[Diagnostic]) -> String {
    let render = |diagnostic: &Diagnostic| {
        let source = files.iter().find(|file| file.name == diagnostic.file);
        diagnostic.render(source.map(|file| file.text.as_str()), false)
    };
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn all_syscall_rules_load() {
    let names = [
        "rules/falco_rules.yaml",
        "rules/falco-incubating_rules.yaml",
        "rules/falco-sandbox_rules.yaml",
        "rules/falco-deprecated_rules.yaml",
        "rules/application_rules.yaml",
    ];
    let Some(files) = names.into_iter().map(file).collect::<Option<Vec<_>>>() else {
        return;
    };
    let started = std::time::Instant::now();
    let loaded = RuleSet::load(&files).unwrap_or_else(|errors| panic!("{}", shown(&files, &errors)));
    eprintln!("{} rules in {:?}", loaded.rules.rules().len(), started.elapsed());
    eprintln!("{}", shown(&files, &loaded.diagnostics));
}
