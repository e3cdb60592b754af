//! A file's path and a report in, all that is known of the file out: package, layer, instruction, facts, who loads it, what
//! the profile expects of it.

use plimsoll_model::{Action, Fact, FileEntry, FileKind, Relro, ScanReport, Subject};

use super::Block;
use crate::{
    commands::db,
    exit::{Exit, Failure},
};

/// Most facts, findings, vulnerabilities and users of a library that are listed.
const MAX_SHOWN: usize = 12;
/// Links that are followed.
const MAX_LINKS: usize = 40;

pub(super) fn explain(path: &str, report: &ScanReport) -> Result<String, Failure> {
    // `/lib` and `/bin` are links on most systems, and reports have no folders.
    let Some(file) = find(path, report).or_else(|| find(&format!("/usr{path}"), report)) else {
        let known = report
            .findings
            .iter()
            .any(|finding| finding.path.as_deref() == Some(path));
        let owners: Vec<String> = report
            .sbom
            .packages
            .iter()
            .filter(|package| package.files.contains(path))
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        if owners.is_empty() && !known {
            let error = anyhow::anyhow!("explain {path}: the report does not know it");
            let hint =
                "a report lists programs, libraries and scripts, and the files of packages; -o inventory has all";
            return Err(Failure::new(Exit::Target, error, hint));
        }
        let mut block = Block(format!("{}\n", crate::exit::escape(path)));
        block.line("package", &owners.join(", "));
        findings(path, report, &mut block)?;
        return Ok(block.0);
    };
    let mut block = Block(format!("{}\n", crate::exit::escape(path)));
    if let Some(target) = &file.link_target {
        block.line("link to", target);
    }
    let file = follow(file, report);
    if file.path != path {
        block.line("file", &file.path);
    }
    let special = if file.is_setuid_or_setgid() {
        ", runs with its owner's or group's rights"
    } else {
        ""
    };
    block.line(
        "mode",
        &format!("{:04o}, owner {}:{}{special}", file.mode, file.uid, file.gid),
    );
    let digest = file.digest.map_or(String::new(), |digest| format!(", {digest}"));
    block.line("content", &format!("{} bytes{digest}", file.size_bytes));
    let package = file
        .package
        .and_then(|index| Some((index, report.sbom.packages.get(index as usize)?)));
    match package {
        Some((_, package)) => block.line("package", &format!("{} {}", package.name, package.version)),
        None => block.line("package", "none owns it"),
    }
    block.line("layer", &layer_words(file.layer, report));
    block.line("script of", file.shebang.as_deref().unwrap_or_default());
    elf(file, &mut block);
    loaded_by(file, report, &mut block);
    facts(file, report, &mut block);
    if let Some((index, _)) = package {
        let mut ids: Vec<&str> = Vec::new();
        for found in report.matches.iter().flatten().filter(|found| found.package == index) {
            if !ids.contains(&found.vulnerability.id.as_str()) {
                ids.push(&found.vulnerability.id);
            }
        }
        block.line("vulnerable", &list(&ids));
    }
    findings(&file.path, report, &mut block)?;
    Ok(block.0)
}

/// `2 of 6, sha256:…, of the base image debian:12  RUN …`.
pub(super) fn layer_words(layer: u32, report: &ScanReport) -> String {
    let Some(info) = report.layers.get(layer as usize) else {
        return String::new();
    };
    let base = match &report.base {
        Some(base) if base.has_layer(layer) && base.reference.is_empty() => ", of the base image",
        Some(base) if base.has_layer(layer) => &format!(", of the base image {}", base.reference),
        Some(_) => ", of this image itself",
        None => "",
    };
    let by = info
        .created_by
        .as_deref()
        .map_or(String::new(), |line| format!("  {line}"));
    format!("{} of {}, {}{base}{by}", layer + 1, report.layers.len(), info.diff_id)
}

fn find<'r>(path: &str, report: &'r ScanReport) -> Option<&'r FileEntry> {
    let at = report.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok();
    at.map(|at| &report.files[at])
}

/// Where a link leads, as far as the report knows it. Folders that are links are not in a report: `/bin/x` is then
/// looked for in `/usr/bin`.
fn follow<'r>(mut file: &'r FileEntry, report: &'r ScanReport) -> &'r FileEntry {
    for _ in 0..MAX_LINKS {
        let (FileKind::Symlink, Some(target)) = (file.kind, &file.link_target) else {
            break;
        };
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let joined = match target.starts_with('/') {
            true => target.clone(),
            false => format!("{folder}/{target}"),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        let path = format!("/{}", parts.join("/"));
        match find(&path, report).or_else(|| find(&format!("/usr{path}"), report)) {
            Some(next) => file = next,
            None => break,
        }
    }
    file
}

fn elf(file: &FileEntry, block: &mut Block) {
    let Some(elf) = &file.elf else { return };
    let mut words = Vec::new();
    let mut say = |is: bool, word: &'static str| {
        if is {
            words.push(word);
        }
    };
    say(elf.is_static, "static");
    say(elf.is_go, "Go");
    say(elf.is_rust_auditable, "Rust");
    say(elf.is_position_independent, "position independent");
    if let Some(hardening) = elf.hardening {
        say(hardening.relro == Relro::Full, "all relocations read-only");
        say(hardening.relro == Relro::Partial, "some relocations read-only");
        say(hardening.relro == Relro::None, "no relocations read-only");
        say(!hardening.no_execute_stack, "executable stack");
        say(hardening.stack_canary, "stack canary");
        say(hardening.fortified, "fortified");
    }
    block.line("ELF", &words.join(", "));
    let imports = elf.imports;
    let can: Vec<&str> = [
        (imports.exec, "start programs"),
        (imports.connect, "connect"),
        (imports.listen, "listen"),
        (imports.dlopen, "load libraries"),
        (imports.become_user, "become another user"),
        (imports.raw_syscall, "make any system call"),
    ]
    .into_iter()
    .filter_map(|(can, words)| can.then_some(words))
    .collect();
    block.line("imports", &can.join(", "));
    block.line("needs", &elf.needed.join(", "));
}

/// Programs and libraries that name this one among those that they need.
fn loaded_by(file: &FileEntry, report: &ScanReport, block: &mut Block) {
    let Some(own) = file.elf.as_ref() else { return };
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let name = own.soname.as_deref().unwrap_or(name);
    let users: Vec<&str> = report
        .files
        .iter()
        .filter(|other| {
            other
                .elf
                .as_ref()
                .is_some_and(|elf| elf.needed.iter().any(|needed| needed == name))
        })
        .map(|other| other.path.as_str())
        .collect();
    block.line("needed by", &list(&users));
}

fn list(items: &[&str]) -> String {
    let mut text = items.iter().take(MAX_SHOWN).copied().collect::<Vec<_>>().join(", ");
    if items.len() > MAX_SHOWN {
        text += &format!(" and {} more", items.len() - MAX_SHOWN);
    }
    text
}

/// Facts in which the file acts, or is acted upon.
fn facts(file: &FileEntry, report: &ScanReport, block: &mut Block) {
    let path = file.path.as_str();
    let is_about = |fact: &&Fact| {
        let subject = match &fact.subject {
            Subject::Program(program) => program.path.matches(path),
            Subject::Any => false,
        };
        let object = match &fact.action {
            Action::Exec(program) => program.path.matches(path),
            Action::Load(pattern) | Action::Write(pattern) => pattern.matches(path),
            _ => false,
        };
        subject || object
    };
    let mut about: Vec<&Fact> = report.profile.facts.iter().filter(is_about).collect();
    // Of libraries there are many, and they say least.
    about.sort_by_key(|fact| matches!(fact.action, Action::Load(_)));
    if report.profile.main.as_ref().is_some_and(|main| main.path.matches(path)) {
        block.line("role", "the program that the image is for");
    }
    for fact in about.iter().take(MAX_SHOWN) {
        let evidence = fact.evidence.first().map_or("", |evidence| evidence.detail.as_str());
        block.line(
            "expected",
            &format!("{} [{evidence}]", plimsoll_scanner::diff::fact_words(fact)),
        );
    }
    if about.len() > MAX_SHOWN {
        block.line("expected", &format!("and {} more facts", about.len() - MAX_SHOWN));
    }
}

fn findings(path: &str, report: &ScanReport, block: &mut Block) -> Result<(), Failure> {
    for finding in report
        .findings
        .iter()
        .filter(|finding| finding.path.as_deref() == Some(path))
        .take(MAX_SHOWN)
    {
        let severity = db::word(finding.severity)?;
        block.line(
            "finding",
            &format!("{} ({severity}): {}", finding.check, finding.message),
        );
    }
    Ok(())
}
