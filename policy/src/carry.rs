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
