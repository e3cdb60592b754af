//! Programs that were started: is the file the image's, and does anybody expect it here?

use plimsoll_model::{Action, Applet, Confidence, Evidence, EvidenceSource, Fact, Phase, Process, Subject, Verb};

use crate::{
    Deviation, DeviationKind, Entry, Judgement,
    judge::{Against, Case},
    program::{applet_name, identify, matches_program, script_of},
    text::{escape, phase_words, quote_arguments},
};

pub(crate) fn judge(case: &Case<'_>, process: &Process, filename: &str, entry: Entry) -> Judgement {
    let is_expected = |fact: &Fact| match &fact.action {
        Action::Exec(program) => matches_program(program, process),
        _ => false,
    };
    let fact = case
        .profile
        .find_fact(Verb::Exec, case.subject, case.phase, is_expected);
    // What the image says of a path is not about a file that took its place; what a person says of it is.
    let is_allowed_by_hand = fact.is_some_and(|fact| {
        fact.evidence
            .iter()
            .any(|evidence| matches!(evidence.source, EvidenceSource::User | EvidenceSource::Pod))
    });
    if !is_allowed_by_hand && let Some(deviation) = drift(case, process, filename, entry) {
        let also = (entry == Entry::Outside).then(|| session(case, process)).flatten();
        return Judgement::Deviates(std::iter::once(deviation).chain(also).collect());
    }
    if fact.is_some() {
        return Judgement::Expected;
    }
    match (entry, case.phase) {
        (_, Phase::Probe) if entry == Entry::Outside => Judgement::Expected,
        // Whoever runs a container may give it another command; phases and everything after are judged.
        (Entry::First, _) => Judgement::NotJudged,
        (Entry::Inside, Phase::Entrypoint) if runs_another_command(case, process) => Judgement::NotJudged,
        (_, Phase::Session) => {
            session(case, process).map_or(Judgement::NotJudged, |one| Judgement::Deviates(vec![one]))
        }
        _ => unexpected(case, process),
    }
}

fn unexpected(case: &Case<'_>, process: &Process) -> Judgement {
    let Some(against) = case.against(Verb::Exec, Some(&process.exe)) else {
        return Judgement::NotJudged;
    };
    let act = format!("started {}", started(process));
    let mut deviation = case.deviation(DeviationKind::UnexpectedExec, Verb::Exec, &act, against);
    deviation.allow = Some(case.allow(Action::Exec(identify(process))));
    Judgement::Deviates(vec![deviation])
}

/// Whether the container was started with a command that is not the image's own: an init container, `run redis sh -c …`. An
/// image's entry scripts hand it on as it was given (`exec "$@"`), so it is the tail of the first program's arguments; where
/// the entrypoint was replaced, it is the first program itself. What the image expects of its own start says nothing of it.
fn runs_another_command(case: &Case<'_>, process: &Process) -> bool {
    let is_known = |one: &Process| case.profile.is_main(one) || case.profile.is_entry(one);
    let is_first = |one: &&Process| one.container_pid == 1 && one.cgroup_id == process.cgroup_id;
    let Some(first) = case.subject.lineage().find(is_first) else {
        return false;
    };
    // Only an entry script, or what it runs under, hands on; what comes later may end in the same words by chance.
    let is_given = |one: &Process, by: &Process| {
        let is_tail = one.args.len() < first.args.len() && first.args.ends_with(&one.args);
        is_tail && !one.args.is_empty() && !is_known(one) && is_known(by)
    };
    let mut lineage = case.subject.lineage();
    !is_known(first)
        || is_given(process, case.subject)
        || lineage.any(|one| one.parent.as_deref().is_some_and(|parent| is_given(one, parent)))
}

/// Somebody is in the container: the program that came in, and whatever it starts.
fn session(case: &Case<'_>, process: &Process) -> Option<Deviation> {
    let against = case.against(Verb::Exec, Some(&process.exe))?;
    let priority = DeviationKind::Session.priority(against.confidence);
    let summary = format!("{} was started {}", started(process), phase_words(Phase::Session));
    Some(Deviation {
        kind: DeviationKind::Session,
        verb: Verb::Exec,
        explanation: format!("{summary}, not by the container's own programs. {}", against.because),
        summary,
        expected: case.expected_of("a session", Verb::Exec, &against),
        evidence: against.evidence,
        confidence: against.confidence,
        priority,
        allow: Some(Fact {
            subject: Subject::Any,
            ..case.allow(Action::Exec(identify(process)))
        }),
    })
}

/// The file that runs is not the image's.
fn drift(case: &Case<'_>, process: &Process, filename: &str, entry: Entry) -> Option<Deviation> {
    let file = &process.exe_file;
    let exe = escape(&process.exe);
    let has_inventory = !case.files.is_empty();
    let is_in_image = case.files.find(&process.exe).is_some();
    let (kind, confidence, detail) = if file.is_memfd {
        (
            DeviationKind::ExecFileless,
            Confidence::A,
            format!("{exe} lies in memory only"),
        )
    } else if file.is_deleted {
        (
            DeviationKind::ExecFileless,
            Confidence::A,
            format!("{exe} had been deleted before it was run"),
        )
    } else if file.is_upper_layer && is_in_image {
        (
            DeviationKind::ExecModified,
            Confidence::A,
            format!("{exe} was changed after the container started: it lies in the writable layer"),
        )
    } else if file.is_upper_layer {
        (
            DeviationKind::ExecNotInImage,
            Confidence::A,
            format!("{exe} was written after the container started: it lies in the writable layer"),
        )
    } else if has_inventory && !is_in_image {
        (
            DeviationKind::ExecNotInImage,
            Confidence::B,
            format!("the image holds no executable {exe}: it was mounted or put there"),
        )
    } else {
        let script = shebang_script(process, filename)?;
        if !has_inventory || case.files.find(&script).is_some() {
            return None;
        }
        let detail = format!("the image holds no script {}", escape(&script));
        (DeviationKind::ScriptNotInImage, Confidence::B, detail)
    };
    let who = match entry {
        Entry::Inside => case.subject_name(),
        Entry::First | Entry::Outside => "the container runtime".to_owned(),
    };
    let summary = format!("{who} started {} {}", started(process), phase_words(case.phase));
    let expectation = case.against(Verb::Exec, Some(&process.exe)).unwrap_or_else(|| Against {
        confidence,
        evidence: vec![inventory(&detail)],
        because: String::new(),
    });
    Some(Deviation {
        kind,
        verb: Verb::Exec,
        explanation: format!("{summary}. A container runs its image's programs only, and {detail}."),
        summary,
        expected: case.expected(Verb::Exec, &expectation),
        evidence: vec![inventory(&detail)],
        confidence,
        priority: kind.priority(confidence),
        allow: None,
    })
}

fn inventory(detail: &str) -> Evidence {
    Evidence {
        source: EvidenceSource::Image,
        detail: detail.to_owned(),
    }
}

/// The script, when the kernel found the interpreter in its first line: then the file that was asked for is an argument.
fn shebang_script(process: &Process, filename: &str) -> Option<String> {
    let script = script_of(process)?;
    (filename.starts_with('/') && process.args.iter().skip(1).any(|argument| argument == filename))
        .then(|| script.into_owned())
}

/// `/usr/bin/dash (sh -c id)`.
fn started(process: &Process) -> String {
    let program = identify(process);
    let path = match &program.applet {
        Some(Applet::Script(script)) => escape(script),
        _ => escape(&process.exe),
    };
    let is_bare = process.args.len() < 2 && applet_name(process) == Some(process.name());
    if is_bare {
        path
    } else {
        format!("{path} ({})", quote_arguments(&process.args))
    }
}
