//! Facts that were learned on one image, and both images' scans, in; those that hold for the other image out.

use std::collections::HashMap;

use plimsoll_model::{Action, Applet, Digest, Fact, FileEntry, Program, ScanReport, Subject};

/// Facts that were learned on one image and hold for another: those whose programs and libraries are the same bytes in
/// both. The rest comes with the reason.
pub fn carry_over(facts: Vec<Fact>, from: &ScanReport, to: &ScanReport) -> (Vec<Fact>, Vec<(Fact, String)>) {
    let index = |report: &ScanReport| -> HashMap<String, Option<Digest>> {
        let entry = |file: &FileEntry| (file.path.clone(), file.digest);
        report.files.iter().map(entry).collect()
    };
    let (old, new) = (index(from), index(to));
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for fact in facts {
        let changed = paths_of(&fact).into_iter().find(|path| {
            let (before, after) = (
                old.get(path.as_str()).copied().flatten(),
                new.get(path.as_str()).copied().flatten(),
            );
            before.is_none() || before != after
        });
        match changed {
            None => kept.push(fact),
            Some(path) => dropped.push((fact, format!("{path} is another file, or gone"))),
        }
    }
    (kept, dropped)
}

fn paths_of(fact: &Fact) -> Vec<String> {
    let mut paths = Vec::new();
    let mut add = |program: &Program| {
        paths.push(program.path.0.clone());
        if let Some(Applet::Script(script)) = &program.applet {
            paths.push(script.clone());
        }
    };
    if let Subject::Program(program) = &fact.subject {
        add(program);
    }
    match &fact.action {
        Action::Exec(program) => add(program),
        Action::Load(path) => paths.push(path.0.clone()),
        _ => {}
    }
    paths
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Confidence, PathPattern, Phase};

    use super::*;
    use crate::reach::tests::report;

    fn program(path: &str, script: Option<&str>) -> Program {
        Program {
            path: path.into(),
            applet: script.map(|script| Applet::Script(script.to_owned())),
        }
    }

    fn fact(subject: Program, action: Action) -> Fact {
        Fact {
            subject: Subject::Program(subject),
            action,
            phases: vec![Phase::Serving],
            parent: None,
            evidence: Vec::new(),
            confidence: Confidence::B,
        }
    }

    /// A scan in which each file has the digest of this byte.
    fn scan(files: &[(&str, u8)]) -> ScanReport {
        let mut scan = report();
        scan.files = files
            .iter()
            .map(|(path, byte)| FileEntry {
                digest: Some(Digest::from_bytes([*byte; 32])),
                ..FileEntry::new(*path, plimsoll_model::FileKind::Regular, 0o755)
            })
            .collect();
        scan
    }

    #[test]
    fn facts_are_carried_over_only_where_every_file_that_they_name_is_the_same() {
        let old = scan(&[
            ("/bin/server", 1),
            ("/bin/helper", 1),
            ("/bin/sh", 1),
            ("/run.sh", 1),
            ("/lib/a.so", 1),
        ]);
        let new = scan(&[
            ("/bin/server", 1),
            ("/bin/helper", 2),
            ("/bin/sh", 1),
            ("/run.sh", 2),
            ("/new", 1),
        ]);
        let server = || program("/bin/server", None);
        let write = |path: &str| Action::Write(PathPattern(path.to_owned()));
        for (fact, expected) in [
            (fact(server(), write("/srv/**")), None),
            (fact(server(), Action::Exec(program("/bin/sh", None))), None),
            (
                fact(server(), Action::Exec(program("/bin/helper", None))),
                Some("/bin/helper"),
            ),
            (fact(program("/bin/helper", None), write("/srv/x")), Some("/bin/helper")),
            // The interpreter is the same, the script is not.
            (
                fact(program("/bin/sh", Some("/run.sh")), write("/srv/x")),
                Some("/run.sh"),
            ),
            (fact(server(), Action::Load("/lib/a.so".into())), Some("/lib/a.so")),
            // What the old image did not hold cannot be the same.
            (fact(server(), Action::Exec(program("/new", None))), Some("/new")),
        ] {
            let (kept, dropped) = carry_over(vec![fact.clone()], &old, &new);
            let reason = dropped.first().map(|(_, reason)| reason.as_str());
            assert_eq!(kept.len(), usize::from(expected.is_none()), "{fact:?}");
            assert_eq!(
                reason,
                expected
                    .map(|path| format!("{path} is another file, or gone"))
                    .as_deref(),
                "{fact:?}"
            );
        }
    }
}
