//! Who a process has become and which rights it uses: an event with what the process was before in, deviations out.
//!
//! Giving rights up needs no fact, and whoever may become anybody (`CAP_SETUID`) does so by right. What is left is gain: by
//! a program that gives it (setuid bits, file capabilities), which is as right as starting that program was; or without
//! any, which no program of a container can do by itself.

use plimsoll_model::{
    Action, Confidence, Credentials, Event, EventKind, Evidence, EvidenceSource, Fact, Identity, Phase, Process, Verb,
};

use crate::{
    Deviation, DeviationKind, Entry, Judgement,
    judge::{Against, Case},
    text::{escape, phase_words},
};

/// Capabilities that containers do not get by default, or that have no part in serving; by number (capabilities(7)).
/// Left out is what ordinary calls of privileged programs ask for on their way (files of others, limits, priorities).
const TELLING: &[(u8, &str)] = &[
    (12, "CAP_NET_ADMIN"),
    (13, "CAP_NET_RAW"),
    (16, "CAP_SYS_MODULE"),
    (17, "CAP_SYS_RAWIO"),
    (19, "CAP_SYS_PTRACE"),
    (20, "CAP_SYS_PACCT"),
    (21, "CAP_SYS_ADMIN"),
    (22, "CAP_SYS_BOOT"),
    (25, "CAP_SYS_TIME"),
    (27, "CAP_MKNOD"),
    (30, "CAP_AUDIT_CONTROL"),
    (32, "CAP_MAC_OVERRIDE"),
    (33, "CAP_MAC_ADMIN"),
    (34, "CAP_SYSLOG"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
    (40, "CAP_CHECKPOINT_RESTORE"),
];
const CAP_SETUID: u64 = 1 << 7;

/// A capability's name, where its use is told at all.
pub fn telling_capability(number: u8) -> Option<&'static str> {
    let found = TELLING.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| *name)
}

/// Numbers of the capabilities whose use is told, bit by number.
pub fn telling_capabilities() -> u64 {
    TELLING.iter().fold(0, |set, (number, _)| set | 1 << number)
}

/// What the process of an event has gained since it was last seen: nothing, for most.
fn gain(before: &Credentials, now: &Credentials, is_exec: bool) -> Option<Gain> {
    let is_root = before.uid == 0 || before.euid == 0;
    let may_become = before
        .permitted_capabilities
        .is_some_and(|known| known & CAP_SETUID != 0);
    if is_root || may_become {
        return None;
    }
    // Back to the user that started it is nobody new.
    let is_other = now.euid != before.euid && now.euid != before.uid;
    let known = before.permitted_capabilities.zip(now.permitted_capabilities);
    let gained = known.map(|(before, now)| now & !before);
    match (is_exec, is_other, gained) {
        (true, true, _) => Some(Gain::User),
        // A new user namespace gives all capabilities at once, over nothing but itself.
        (true, false, Some(more)) if more != 0 && !is_all(now.permitted_capabilities) => Some(Gain::Rights),
        // Another user without another right is what programs with a saved user do.
        (false, true, Some(more)) if more != 0 => Some(Gain::User),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gain {
    User,
    Rights,
}

/// Every kernel knows capabilities up to CAP_AUDIT_READ (37).
fn is_all(capabilities: Option<u64>) -> bool {
    const UP_TO_AUDIT_READ: u64 = (1 << 38) - 1;
    capabilities.is_some_and(|known| known & UP_TO_AUDIT_READ == UP_TO_AUDIT_READ)
}

/// Adds to what an event is judged to be, that its process has become somebody else.
pub(crate) fn judge_change(
    case: &Case<'_>,
    event: &Event,
    (before, entry): (&Credentials, Entry),
    judgement: Judgement,
) -> Judgement {
    let process = &event.process;
    let is_exec = matches!(event.kind, EventKind::Exec { .. });
    // Who comes in, and who is the first, is made who he is by the runtime.
    let Some(gain) = gain(before, &process.credentials, is_exec).filter(|_| entry == Entry::Inside) else {
        return judgement;
    };
    let uid = process.credentials.euid;
    let becomes = |fact: &Fact| matches!(&fact.action, Action::Become(user) if user.uid == uid);
    if case
        .profile
        .find_fact(Verb::Become, process, case.phase, becomes)
        .is_some()
    {
        return judgement;
    }
    let mut deviations = match judgement {
        // Whoever may start sudo may become somebody by it.
        Judgement::Expected if is_exec => return Judgement::Expected,
        Judgement::Deviates(deviations) => deviations,
        Judgement::Expected | Judgement::NotJudged => Vec::new(),
    };
    let confidence = match (is_exec, deviations.first()) {
        (false, _) => Confidence::A,
        (true, Some(first)) => first.confidence,
        (true, None) if case.profile.closed_facet(Verb::Become, case.phase).is_some() => Confidence::B,
        (true, None) => Confidence::C,
    };
    deviations.push(change(case, process, before, (gain, is_exec, confidence)));
    deviations.sort_by_key(|one| (one.priority, one.kind));
    Judgement::Deviates(deviations)
}

fn change(
    case: &Case<'_>,
    process: &Process,
    before: &Credentials,
    (gain, is_exec, confidence): (Gain, bool, Confidence),
) -> Deviation {
    let now = &process.credentials;
    let name = escape(case.profile.display_name(process));
    let what = match gain {
        Gain::User => format!("became user {} (was {})", now.euid, before.euid),
        Gain::Rights => "got capabilities that it did not have".to_owned(),
    };
    let detail = match (is_exec, gain) {
        (true, Gain::User) => format!("{} has a setuid bit", escape(&process.exe)),
        (true, Gain::Rights) => format!("{} has file capabilities", escape(&process.exe)),
        (false, _) => "it had no capability to change its user, and started no program that has".to_owned(),
    };
    let against = Against {
        confidence,
        evidence: vec![Evidence {
            source: EvidenceSource::Image,
            detail: detail.clone(),
        }],
        because: format!("No fact of its profile expects that: {detail}."),
    };
    let summary = format!("{name} {what} {}", phase_words(case.phase));
    let kind = DeviationKind::IdentityChange;
    Deviation {
        kind,
        verb: Verb::Become,
        explanation: format!("{summary}. {}", against.because),
        expected: case.expected_of(&name, Verb::Become, &against),
        priority: kind.priority(confidence),
        confidence,
        evidence: against.evidence,
        // Nobody allows an exploit; a program that gives rights is allowed by its uid.
        allow: (is_exec && gain == Gain::User).then(|| {
            case.allow(Action::Become(Identity {
                uid: now.euid,
                name: None,
            }))
        }),
        summary,
    }
}

/// A capability was asked for and granted: judged of programs that are known to change nothing about who they are, and of
/// people who came in, whose right ends there.
pub(crate) fn judge_capability(case: &Case<'_>, number: u8) -> Judgement {
    let Some(name) = telling_capability(number) else {
        return Judgement::NotJudged;
    };
    let (verb, part) = match case.phase {
        Phase::Serving => (Verb::Become, "serving"),
        Phase::Session => (Verb::Exec, "looking after a service"),
        Phase::Init | Phase::Entrypoint | Phase::Probe => return Judgement::NotJudged,
    };
    let Some(against) = case.against(verb, None) else {
        return Judgement::NotJudged;
    };
    let first = against.evidence.first();
    let detail = format!("{name} is no part of {part}; {}", first.map_or("", |one| &one.detail));
    let source = first.map_or(EvidenceSource::Image, |one| one.source);
    let against = Against {
        because: format!("No fact of its profile expects that: {}.", escape(&detail)),
        evidence: vec![Evidence { source, detail }],
        ..against
    };
    let act = format!("used {name}");
    Judgement::Deviates(vec![case.deviation(
        DeviationKind::CapabilityUse,
        Verb::Become,
        &act,
        against,
    )])
}

#[cfg(test)]
mod tests;
