//! Profiles together: an image's profile and facts from elsewhere in, one profile out, and what was not let in.
//!
//! What was observed may widen a profile only inside of what the image holds: a program, library or script that is not the
//! image's is never learned, nothing is learned about sessions, nothing against a denial, and shells, package managers,
//! compilers and network tools want somebody to say so. What the pod or a person says holds as said.

use plimsoll_model::{
    Action, Applet, Confidence, Denial, Evidence, EvidenceSource, Fact, Phase, Profile, Program, Subject, Verb,
};

use crate::KnownFiles;

/// Programs that somebody must allow by name, by the beginning of their file's name. What follows may only be a version
/// (`python3.11`, `gcc-12`).
const BY_HAND_ONLY: &[(&str, &str)] = &[
    ("a shell", "sh bash dash ash ksh zsh fish csh tcsh busybox toybox"),
    (
        "a package manager",
        "apt apt-get aptitude dpkg apk yum dnf microdnf rpm zypper pacman pip pip3 npm yarn gem cargo composer opkg",
    ),
    (
        "a compiler",
        "cc gcc g++ c++ clang clang++ tcc as ld go rustc make cmake",
    ),
    (
        "a network tool",
        "curl wget nc ncat netcat socat ssh scp sftp sshd telnet ftp rsync nmap tcpdump dig nslookup host ping",
    ),
];

/// A profile, and what was left out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The profile.
    pub profile: Profile,
    /// How many facts were added or became surer.
    pub taken: usize,
    /// Facts that were not let in, and why.
    pub refused: Vec<(Fact, String)>,
}

/// Adds facts to a profile. `files` are those of the image. The same fact from several sources is one fact with the
/// evidence of all.
pub fn merge(mut profile: Profile, facts: Vec<Fact>, files: &KnownFiles) -> Merged {
    let mut refused = Vec::new();
    let mut taken = 0;
    for mut fact in facts {
        if let Some(reason) = refusal(&fact, &profile, files) {
            refused.push((fact, reason));
            continue;
        }
        if !fact.evidence.iter().any(|evidence| is_certain(evidence.source)) {
            // What was seen is good for an alert, not for a refusal.
            fact.confidence = fact.confidence.max(Confidence::B);
        }
        taken += usize::from(add(&mut profile.facts, fact));
    }
    Merged {
        profile,
        taken,
        refused,
    }
}

/// Whether anything changed.
fn add(facts: &mut Vec<Fact>, fact: Fact) -> bool {
    let same = facts.iter_mut().find(|known| {
        known.subject == fact.subject
            && known.action == fact.action
            && known.phases == fact.phases
            && known.parent == fact.parent
    });
    let Some(known) = same else {
        facts.push(fact);
        return true;
    };
    let mut is_changed = fact.confidence < known.confidence;
    known.confidence = known.confidence.min(fact.confidence);
    for evidence in fact.evidence {
        if !known.evidence.contains(&evidence) {
            known.evidence.push(evidence);
            is_changed = true;
        }
    }
    is_changed
}

fn is_certain(source: EvidenceSource) -> bool {
    matches!(
        source,
        EvidenceSource::Image | EvidenceSource::Pack | EvidenceSource::User | EvidenceSource::Pod
    )
}

/// Why a fact may not be learned; `None` when it may, or when it does not rest on observation.
pub fn refusal(fact: &Fact, profile: &Profile, files: &KnownFiles) -> Option<String> {
    if fact.evidence.is_empty() {
        return Some("it has no evidence".to_owned());
    }
    let is_said = |evidence: &Evidence| matches!(evidence.source, EvidenceSource::User | EvidenceSource::Pod);
    if fact.evidence.iter().any(is_said) {
        return None;
    }
    if !fact
        .evidence
        .iter()
        .any(|evidence| evidence.source == EvidenceSource::Observed)
    {
        return Some("what the image and packs say is derived from them, not added".to_owned());
    }
    if fact.phases.is_empty() || fact.phases.contains(&Phase::Session) {
        return Some("what people do in a container is not learned, nor what is to hold always".to_owned());
    }
    if let Some(denial) = profile.denials.iter().find(|denial| rules_out(denial, fact)) {
        let why = denial.evidence.first().map_or("", |first| first.detail.as_str());
        return Some(format!("the profile rules it out: {why}"));
    }
    match &fact.action {
        Action::Exec(program) => program_refusal(program, files),
        Action::Load(path) => (!path.is_exact() || !files.is_code(&path.0)).then(|| not_held(&path.0)),
        Action::Write(path) if files.is_code(&path.0) || files.is_in_code_folder(&path.0) => {
            Some(format!("{path} is where the image's programs are"))
        }
        Action::Write(_) | Action::Listen(_) | Action::Connect(_) | Action::Become(_) => None,
    }
    .or_else(|| match &fact.subject {
        // What a program that was brought in does is not learned either.
        Subject::Program(program) if !files.is_code(&program.path.0) => Some(not_held(&program.path.0)),
        Subject::Program(_) => None,
        Subject::Any => Some("it names nobody".to_owned()),
    })
}

fn program_refusal(program: &Program, files: &KnownFiles) -> Option<String> {
    let path = &program.path;
    if !path.is_exact() || !files.is_code(&path.0) {
        return Some(not_held(&path.0));
    }
    match &program.applet {
        Some(Applet::Script(script)) if files.find(script).is_none() => Some(not_held(script)),
        // A script of the image is what it is, whoever interprets it.
        Some(Applet::Script(_)) => None,
        Some(Applet::Name(name)) => {
            by_hand_only(name).or_else(|| by_hand_only(base_name(&path.0)).filter(|_| !is_box(&path.0)))
        }
        None => by_hand_only(base_name(&path.0)),
    }
}

fn by_hand_only(name: &str) -> Option<String> {
    let is_one = |known: &str| {
        name.strip_prefix(known).is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
        })
    };
    let (kind, _) = BY_HAND_ONLY.iter().find(|(_, names)| names.split(' ').any(is_one))?;
    Some(format!("{name} is {kind}, which only a person allows"))
}

/// busybox is a shell, and under another name it is what the name says.
fn is_box(path: &str) -> bool {
    matches!(base_name(path), "busybox" | "toybox")
}

fn rules_out(denial: &Denial, fact: &Fact) -> bool {
    let subject = match (&denial.subject, &fact.subject) {
        (Subject::Any, _) => true,
        (Subject::Program(denied), Subject::Program(acting)) => {
            denied.path.matches(&acting.path.0)
                && (denied.applet.is_none() || acting.applet.is_none() || denied.applet == acting.applet)
        }
        (Subject::Program(_), Subject::Any) => true,
    };
    let phase = denial.phases.is_empty() || fact.phases.iter().any(|phase| denial.phases.contains(phase));
    let object = match (&denial.object, object_of(&fact.action)) {
        (None, _) => true,
        (Some(pattern), Some(path)) => pattern.matches(path) || pattern.0 == path,
        (Some(_), None) => false,
    };
    subject && phase && object && denial.verb == fact.action.verb() && denial.verb != Verb::Become
}

fn object_of(action: &Action) -> Option<&str> {
    match action {
        Action::Exec(program) => Some(&program.path.0),
        Action::Load(path) | Action::Write(path) => Some(&path.0),
        Action::Listen(_) | Action::Connect(_) | Action::Become(_) => None,
    }
}

fn not_held(path: &str) -> String {
    format!("the image does not hold {path} as a program or library")
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{FileEntry, FileKind};

    use super::*;
    use crate::judge::tests::profile;

    fn files(paths: &[&str]) -> KnownFiles {
        let entry = |path: &&str| FileEntry {
            size_bytes: 1,
            ..FileEntry::new(*path, FileKind::Regular, 0o755)
        };
        KnownFiles::new(&paths.iter().map(entry).collect::<Vec<_>>())
    }

    fn program(path: &str, applet: Option<Applet>) -> Program {
        Program {
            path: path.into(),
            applet,
        }
    }

    fn fact(action: Action, source: EvidenceSource) -> Fact {
        Fact {
            subject: Subject::Program(program("/usr/bin/server", None)),
            action,
            phases: vec![Phase::Serving],
            parent: None,
            evidence: vec![Evidence {
                source,
                detail: "seen".to_owned(),
            }],
            confidence: Confidence::A,
        }
    }

    fn exec(path: &str) -> Action {
        Action::Exec(program(path, None))
    }

    const IMAGE: &[&str] = &[
        "/usr/bin/server",
        "/usr/bin/helper",
        "/usr/bin/dash",
        "/usr/bin/python3.11",
        "/usr/bin/curl",
        "/bin/busybox",
        "/e.sh",
    ];

    #[test]
    fn learning_stays_inside_of_the_image() {
        let files = files(IMAGE);
        let script = |path: &str| Action::Exec(program("/usr/bin/dash", Some(Applet::Script(path.to_owned()))));
        let boxed = |name: &str| Action::Exec(program("/bin/busybox", Some(Applet::Name(name.to_owned()))));
        for (action, expected) in [
            (exec("/usr/bin/helper"), None),
            (exec("/tmp/kinsing"), Some("does not hold")),
            (exec("/usr/bin/*"), Some("does not hold")),
            (exec("/usr/bin/dash"), Some("a shell")),
            (exec("/usr/bin/curl"), Some("a network tool")),
            (exec("/usr/bin/python3.11"), None),
            (script("/e.sh"), None),
            (script("/tmp/e.sh"), Some("does not hold")),
            (boxed("sh"), Some("a shell")),
            (boxed("wget"), Some("a network tool")),
            (boxed("cat"), None),
            (Action::Load("/tmp/evil.so".into()), Some("does not hold")),
            (Action::Write("/usr/bin/x".into()), Some("programs are")),
            (Action::Write("/data/x".into()), None),
        ] {
            let fact = fact(action, EvidenceSource::Observed);
            let mut profile = profile();
            profile.denials.clear();
            let found = refusal(&fact, &profile, &files);
            match expected {
                None => assert_eq!(found, None, "{fact:?}"),
                Some(words) => assert!(
                    found.as_ref().is_some_and(|text| text.contains(words)),
                    "{fact:?}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn what_a_person_says_holds_and_what_was_seen_is_no_ground_for_refusals() {
        let mut base = profile();
        (base.facts, base.denials) = (Vec::new(), Vec::new());
        let mut session = fact(exec("/usr/bin/helper"), EvidenceSource::Observed);
        session.phases = vec![Phase::Session];
        let given = vec![
            fact(exec("/tmp/agent"), EvidenceSource::User),
            fact(exec("/usr/bin/helper"), EvidenceSource::Observed),
            fact(exec("/usr/bin/helper"), EvidenceSource::Observed),
            fact(exec("/usr/bin/helper"), EvidenceSource::Image),
            session,
        ];
        let merged = merge(base, given, &files(IMAGE));
        assert_eq!((merged.taken, merged.refused.len()), (2, 2), "{merged:#?}");
        let sure: Vec<Confidence> = merged.profile.facts.iter().map(|fact| fact.confidence).collect();
        assert_eq!(sure, [Confidence::A, Confidence::B]);
    }

    #[test]
    fn nothing_is_learned_against_a_denial() {
        let mut base = profile();
        base.denials = vec![Denial {
            subject: Subject::Program(program("/usr/bin/server", None)),
            verb: Verb::Exec,
            object: None,
            phases: vec![Phase::Serving],
            evidence: vec![Evidence {
                source: EvidenceSource::Image,
                detail: "it imports no exec".to_owned(),
            }],
            confidence: Confidence::A,
        }];
        let seen = fact(exec("/usr/bin/helper"), EvidenceSource::Observed);
        let text = refusal(&seen, &base, &files(IMAGE)).unwrap();
        assert!(text.contains("it imports no exec"), "{text}");
        let mut earlier = seen;
        earlier.phases = vec![Phase::Entrypoint];
        assert_eq!(refusal(&earlier, &base, &files(IMAGE)), None);
    }
}
