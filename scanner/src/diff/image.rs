//! Findings, files and config of two reports in, changes out.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{FileEntry, FileKind, Finding, ImageConfig, ScanReport, Severity};

use super::{Area, Change};

/// By check and path; where there is no path, by message, since a check may say several things of an image.
pub(super) fn findings(from: &ScanReport, to: &ScanReport, changes: &mut Vec<Change>) {
    let (old, new) = (by_subject(from), by_subject(to));
    for (name, finding) in &new {
        if !old.contains_key(name) {
            let is_worse = finding.severity > Severity::Negligible;
            let after = Some(said(finding));
            changes.push(Change {
                area: Area::Findings,
                name: name.clone(),
                before: None,
                after,
                is_worse,
            });
        }
    }
    for (name, finding) in &old {
        if !new.contains_key(name) {
            let before = Some(said(finding));
            changes.push(Change {
                area: Area::Findings,
                name: name.clone(),
                before,
                after: None,
                is_worse: false,
            });
        }
    }
}

fn by_subject(report: &ScanReport) -> BTreeMap<String, &Finding> {
    let name = |finding: &Finding| match &finding.path {
        Some(path) => format!("{} in {path}", finding.check),
        None => format!("{}: {}", finding.check, finding.message),
    };
    report.findings.iter().map(|finding| (name(finding), finding)).collect()
}

fn said(finding: &Finding) -> String {
    format!(
        "{}: {}",
        format!("{:?}", finding.severity).to_lowercase(),
        finding.message
    )
}

/// Programs, libraries, scripts, and links to them: the report holds no others.
pub(super) fn files(from: &ScanReport, to: &ScanReport, changes: &mut Vec<Change>) {
    let index = |report: &ScanReport| -> BTreeMap<String, FileEntry> {
        report
            .files
            .iter()
            .map(|file| (file.path.clone(), file.clone()))
            .collect()
    };
    let (old, new) = (index(from), index(to));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        let privileges = |file: Option<&FileEntry>| file.and_then(privilege);
        let (had, has) = (privileges(before), privileges(after));
        if had != has {
            changes.push(Change {
                area: Area::Privileges,
                name: path.clone(),
                is_worse: has.is_some(),
                before: had,
                after: has,
            });
        }
        if before.map(content) != after.map(content) {
            changes.push(Change {
                area: Area::Files,
                name: path.clone(),
                before: before.map(|file| described(file, from)),
                after: after.map(|file| described(file, to)),
                is_worse: false,
            });
        }
    }
}

fn privilege(file: &FileEntry) -> Option<String> {
    let mut words = Vec::new();
    if file.is_setuid_or_setgid() && file.mode & 0o4000 != 0 {
        words.push(format!("setuid of {}", file.uid));
    }
    if file.is_setuid_or_setgid() && file.mode & 0o2000 != 0 {
        words.push(format!("setgid of {}", file.gid));
    }
    if file.has_capabilities {
        words.push("file capabilities".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// What makes a file another one: bytes, kind, target, and who may run it.
fn content(file: &FileEntry) -> (FileKind, Option<plimsoll_model::Digest>, Option<&str>, u32, u32, u32) {
    (
        file.kind,
        file.digest,
        file.link_target.as_deref(),
        file.mode & 0o777,
        file.uid,
        file.gid,
    )
}

fn described(file: &FileEntry, report: &ScanReport) -> String {
    let package = file.package.and_then(|index| report.sbom.packages.get(index as usize));
    let owner = package.map_or("no package".to_owned(), |package| {
        format!("{} {}", package.name, package.version)
    });
    match (&file.link_target, &file.digest) {
        (Some(target), _) => format!("link to {target}, {owner}"),
        (None, Some(digest)) => {
            let digest = digest.to_string();
            let short = digest.get(..19).unwrap_or(&digest);
            format!(
                "mode {:04o}, {}:{}, {} bytes, {short}…, {owner}",
                file.mode, file.uid, file.gid, file.size_bytes
            )
        }
        (None, None) => format!("mode {:04o}, {owner}", file.mode),
    }
}

pub(super) fn config(from: &ScanReport, to: &ScanReport, changes: &mut Vec<Change>) {
    let (old, new) = (&from.config, &to.config);
    set(
        Area::Ports,
        "port",
        &old.exposed_ports,
        &new.exposed_ports,
        true,
        changes,
    );
    set(Area::Config, "volume", &old.volumes, &new.volumes, false, changes);
    set(Area::Config, "variable", &names(old), &names(new), false, changes);
    if old.user != new.user {
        let shown = |user: &str| Some(if user.is_empty() { "root (none named)" } else { user }.to_owned());
        let is_root = |user: &str| matches!(user.split(':').next().unwrap_or_default(), "" | "0" | "root");
        changes.push(Change {
            area: Area::User,
            name: "user".to_owned(),
            before: shown(&old.user),
            after: shown(&new.user),
            is_worse: is_root(&new.user) && !is_root(&old.user),
        });
    }
    let words = |words: &Vec<String>| (!words.is_empty()).then(|| words.join(" "));
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let health = |config: &ImageConfig| config.health_check.as_ref().map(|check| check.test.join(" "));
    for (name, before, after) in [
        ("entrypoint", words(&old.entrypoint), words(&new.entrypoint)),
        ("command", words(&old.cmd), words(&new.cmd)),
        ("working folder", text(&old.working_dir), text(&new.working_dir)),
        ("stop signal", old.stop_signal.clone(), new.stop_signal.clone()),
        ("health check", health(old), health(new)),
    ] {
        if before != after {
            changes.push(Change {
                area: Area::Config,
                name: name.to_owned(),
                before,
                after,
                is_worse: false,
            });
        }
    }
}

/// Names only: values may be secret, and say little.
fn names(config: &ImageConfig) -> Vec<String> {
    let name = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
    config.env.iter().map(name).collect()
}

fn set(area: Area, what: &str, old: &[String], new: &[String], is_worse: bool, changes: &mut Vec<Change>) {
    let all: BTreeSet<&String> = old.iter().chain(new).collect();
    for item in all {
        let there = |list: &[String]| list.contains(item).then(|| "yes".to_owned());
        let (before, after) = (there(old), there(new));
        if before != after {
            let name = format!("{what} {item}");
            let is_worse = is_worse && after.is_some();
            changes.push(Change {
                area,
                name,
                before,
                after,
                is_worse,
            });
        }
    }
}
