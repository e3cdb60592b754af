//! Laws: what is decided when rules are loaded is what plain evaluation of every comparison says, and an event that fires a
//! rule is one that sensors are asked for.

use std::sync::LazyLock;

use plimsoll_model::{Event, EventKind, FileAccess};
use proptest::prelude::*;
use serde_json::json;

use super::{ReadPaths, WritePaths, check::Check};
use crate::{
    EventKinds, Observation, RuleFile, RuleSet,
    field::{Context, KindSet, Sources, Subject},
    scenario::Sketch,
    syntax::{self, ast::ExprKind},
};

/// Comparisons of every kind that loading may decide, and of some that it may not.
const LEAVES: [&str; 61] = [
    "evt.type = execve",
    "evt.type != execve",
    "evt.type in (open, openat, connect)",
    "evt.type in (fork, clone, vfork)",
    "evt.type = creat",
    "evt.type startswith open",
    "evt.type exists",
    "evt.dir = <",
    "evt.dir = >",
    "evt.source = syscall",
    "evt.is_open_read = true",
    "evt.is_open_write = true",
    "evt.is_open_write = false",
    "evt.is_open_write != true",
    "evt.is_open_create = true",
    "evt.failed = true",
    "evt.res = SUCCESS",
    "evt.arg.flags contains O_CREAT",
    "evt.category = net",
    "container.id = host",
    "container.id != host",
    "container.id in (host, a)",
    "container.id exists",
    "container.name = host",
    "container.name startswith a",
    "container.type != host",
    "container.image.repository exists",
    "container.privileged = false",
    "k8s.ns.name != x",
    "profile.known = true",
    "profile.known = false",
    "profile.expected = true",
    "profile.phase = serving",
    "package.kev = false",
    "fd.name startswith /etc",
    "fd.name != /etc/passwd",
    "fd.directory = /etc",
    "fd.name in (/x, /tmp/x)",
    "fd.name = /x",
    "fd.directory startswith /etc/a",
    "fd.name pmatch (/etc, /tmp/x)",
    "fd.name endswith /x",
    "fd.filename = passwd",
    "fd.filename startswith pass",
    "fd.filename endswith b",
    "fd.filename contains ass",
    "fd.name contains c/a",
    "fd.directory in (/, /tmp)",
    "fd.directory contains tm",
    "fd.directory pmatch (/etc)",
    "fd.name glob */x*/[x]",
    "profile.expected = false",
    "profile.confidence in (A, B)",
    "fd.nameraw contains ../",
    "fd.port = 80",
    "fd.rport != 80",
    "fd.net != 10.0.0.0/8",
    "proc.name = sh",
    "proc.name = val(proc.pname)",
    "proc.aname exists",
    "len(fd.name) > 4",
];

static CHECKS: LazyLock<Vec<Check>> = LazyLock::new(|| LEAVES.into_iter().map(compile).collect());

fn compile(text: &str) -> Check {
    let tree = syntax::parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
    let compiled = match &tree.kind {
        ExprKind::Exists(operand) => Check::exists(operand, Sources::SYSCALL),
        ExprKind::Compare {
            left,
            operator,
            modifier,
            right,
        } => Check::compare(left, *operator, *modifier, right, Sources::SYSCALL),
        other => panic!("{text}: {other:?} is no comparison"),
    };
    compiled.unwrap_or_else(|error| panic!("{text}: {}", error.message))
}

#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Tree {
    fn text(&self) -> String {
        let join = |parts: &[Tree], word: &str| {
            let parts: Vec<String> = parts.iter().map(Self::text).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Self::Leaf(index) => LEAVES[*index].to_owned(),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
        }
    }

    fn holds(&self, observation: &Observation<'_>) -> bool {
        match self {
            Self::Leaf(index) => leaf_holds(&CHECKS[*index], observation),
            Self::Not(inner) => !inner.holds(observation),
            Self::All(parts) => parts.iter().all(|part| part.holds(observation)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(observation)),
        }
    }
}

fn leaf_holds(check: &Check, observation: &Observation<'_>) -> bool {
    match check {
        Check::EventType(types) => {
            KindSet::position(observation.event).is_some_and(|kind| types.kinds.contains(KindSet::EACH[kind]))
        }
        Check::Value { .. } => check.holds(&Context::new(Subject::Kernel(observation))),
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (0..LEAVES.len()).prop_map(Tree::Leaf);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Tree::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::All),
            prop::collection::vec(inner, 1..4).prop_map(Tree::Any),
        ]
    })
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop::sample::select(vec![
        "exec", "fork", "exit", "open", "open", "open", "connect", "bind", "listen",
    ]);
    let exe = prop::sample::select(vec!["/bin/sh", "/usr/bin/app"]);
    let parents = prop::sample::subsequence(vec!["/bin/sh", "/sbin/init"], 0..=2);
    let path = prop::sample::select(vec!["/etc/passwd", "/etc/a/b", "/tmp/x", "/x", "/a/../x"]);
    let access = prop::sample::select(vec!["read", "write", "read_write"]);
    let flags = prop::sample::select(vec![0, 0o100, 0o1100]);
    let address = prop::sample::select(vec!["10.0.0.1:80", "1.2.3.4:443", "[::1]:80"]);
    let error = prop::sample::select(vec![0, -13]);
    (
        kind,
        exe,
        parents,
        path,
        access,
        flags,
        address,
        error,
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(kind, exe, parents, path, access, flags, address, error, (is_host, is_created))| {
                let sketch = json!({
                    "event": kind, "exe": exe, "parents": parents, "path": path, "access": access, "flags": flags,
                    "address": address, "error": error, "host": is_host, "created": is_created, "phase": "serving",
                });
                let sketch: Sketch = serde_json::from_value(sketch).expect("a sketch");
                sketch.event().expect("a whole sketch")
            },
        )
}

/// Whether a filter made of `paths` lets an open for reading through.
fn lets_through(paths: &ReadPaths, event: &Event) -> bool {
    match &event.kind {
        EventKind::Open {
            path, access, created, ..
        } if *access == FileAccess::Read && !created => {
            paths.everything
                || paths.files.contains(path)
                || paths.prefixes.iter().any(|prefix| path.starts_with(prefix))
                || path.split('/').any(|part| paths.names.iter().any(|name| name == part))
                || paths.with_dots && path.contains("..")
        }
        _ => true,
    }
}

/// A write in a container, where the profile has nothing against it.
fn lets_through_write(paths: &WritePaths, event: &Event) -> bool {
    match &event.kind {
        EventKind::Open {
            path, access, created, ..
        } if event.container.is_some() && (*access != FileAccess::Read || *created) => {
            paths.everything
                || paths.files.contains(path)
                || paths.prefixes.iter().any(|prefix| path.starts_with(prefix))
                || path.split('/').any(|part| paths.names.iter().any(|name| name == part))
        }
        _ => true,
    }
}

fn is_wanted(kinds: EventKinds, event: &Event) -> bool {
    match &event.kind {
        EventKind::Exec { .. } => kinds.exec,
        EventKind::Fork { .. } => kinds.fork,
        EventKind::Exit { .. } => kinds.exit,
        EventKind::Open { access, created, .. } if *access == FileAccess::Read && !created => kinds.open_read,
        EventKind::Open { .. } => kinds.open_write,
        EventKind::Connect { .. } => kinds.connect,
        EventKind::Bind { .. } => kinds.bind,
        EventKind::Listen { .. } => kinds.listen,
        other => panic!("no event that this test makes: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn loading_decides_nothing_wrongly_and_what_fires_is_wanted(
        tree in tree(),
        events in prop::collection::vec(event(), 12),
        has_profile in any::<bool>(),
    ) {
        let condition = serde_json::to_string(&tree.text()).expect("a text is JSON");
        let text = format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n");
        let file = RuleFile { name: "law.yaml".to_owned(), text };
        let rules = RuleSet::load(&[file]).unwrap_or_else(|errors| panic!("{errors:?}")).rules;
        for event in &events {
            let is_host = event.container.is_none();
            let observation = Observation {
                event,
                deviations: &[],
                origin: None,
                has_profile: has_profile && !is_host,
                node: "node",
                host_accounts: None,
            };
            let mut fired = false;
            rules.evaluate(&observation, &mut |_| fired = true);
            let expected = tree.holds(&observation);
            prop_assert_eq!(fired, expected, "{} on {:?}", tree.text(), event.kind);
            let needs = rules.wants();
            let kinds = if is_host { needs.host } else { needs.container };
            prop_assert!(!expected || lets_through(&rules.read_paths(), event), "{} on {:?}", tree.text(), event.kind);
            let is_sent = lets_through_write(&rules.write_paths(), event);
            prop_assert!(!expected || is_sent, "{} on {:?}", tree.text(), event.kind);
            prop_assert!(!expected || is_wanted(kinds, event), "{} on {:?}", tree.text(), event.kind);
        }
    }

    /// The kernel writes paths in one way; rules may be asked about others.
    #[test]
    fn a_path_in_any_spelling_is_judged_as_its_comparisons_say(
        tree in tree(),
        mut events in prop::collection::vec(event(), 12),
        spelling in prop::sample::select(vec!["", "/", "x", "/etc/", "/tmp//x", "//etc/passwd", "etc/passwd", "/é/c/a", "/etc"]),
    ) {
        let condition = serde_json::to_string(&tree.text()).expect("a text is JSON");
        let text = format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n");
        let file = RuleFile { name: "law.yaml".to_owned(), text };
        let rules = RuleSet::load(&[file]).unwrap_or_else(|errors| panic!("{errors:?}")).rules;
        for event in &mut events {
            if let EventKind::Open { path, .. } = &mut event.kind {
                spelling.clone_into(path);
            }
            let observation = Observation {
                event,
                deviations: &[],
                origin: None,
                has_profile: false,
                node: "node",
                host_accounts: None,
            };
            let mut fired = false;
            rules.evaluate(&observation, &mut |_| fired = true);
            prop_assert_eq!(fired, tree.holds(&observation), "{} on {:?}", tree.text(), event.kind);
        }
    }
}
