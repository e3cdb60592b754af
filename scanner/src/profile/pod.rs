//! What a pod says of its container, in: another command, user and environment, mounted volumes, ports, probes; a profile of
//! the image in that pod out. What a pod says is certain, so facts from it are as sure as those from the image.

use plimsoll_model::{
    Action, Confidence, Denial, Evidence, EvidenceSource, ImageConfig, Note, NoteKind, PathPattern, Phase, Subject,
    Verb,
};

use super::{
    Input, declared,
    draft::{Draft, image},
    explorer::{Call, Explorer},
    lookup::{Lookup, normalise},
    value::Value,
};
use crate::{
    Tree,
    pod::{PodContainer, ProbeAction, port},
};

/// Begins the reasons that come from the pod. Those from the image begin with an instruction or a line of a file.
const BY_POD: &str = "pod: ";

/// Evidence of a reason, by who gave it.
pub(super) fn said(because: impl Into<String>) -> Evidence {
    let because = because.into();
    match because.strip_prefix(BY_POD) {
        None => image(because),
        Some(rest) => by_pod(rest),
    }
}

fn by_pod(detail: impl Into<String>) -> Evidence {
    Evidence {
        source: EvidenceSource::Pod,
        detail: detail.into(),
    }
}

/// The reason of the container's first call, where the pod gives command or arguments; `None` where the image does.
pub(super) fn first_reason(pod: &PodContainer, name: &str) -> Option<String> {
    let field = match (pod.command.is_empty(), pod.args.is_empty()) {
        (false, _) => "command",
        (true, false) => "args",
        (true, true) => return None,
    };
    Some(format!("{BY_POD}{}", pod.says(&format!("{field} {name}"))))
}

/// The reason of the container's user, where the pod gives one.
pub(super) fn user_evidence(pod: &PodContainer) -> Option<Evidence> {
    let uid = pod.run_as_user?;
    Some(by_pod(pod.says(&format!("runAsUser {uid}"))))
}

/// How the image is run in the pod, and what of that only the cluster knows.
pub fn config_in_pod(config: &ImageConfig, pod: &PodContainer) -> (ImageConfig, Vec<Note>) {
    let mut config = config.clone();
    let mut notes = Vec::new();
    let mut hint = |what: &str, why: &str| {
        let detail = format!("{}: {why}", pod.says(what));
        notes.push(Note::new(NoteKind::Hint, pod.object.clone(), detail));
    };
    for (name, value) in &pod.env {
        let prefix = format!("{name}=");
        config.env.retain(|line| !line.starts_with(&prefix));
        match value {
            Some(value) => {
                let value = expand(value, &config.env);
                config.env.push(format!("{prefix}{value}"));
            }
            None => hint(
                &format!("env {name}"),
                "only the cluster knows its value; it counts as unknown",
            ),
        }
    }
    if pod.has_env_from {
        hint(
            "envFrom",
            "only the cluster knows these variables; they count as unknown",
        );
    }
    let argv = |words: &[String]| words.iter().map(|word| expand(word, &config.env)).collect::<Vec<_>>();
    let (command, args) = (argv(&pod.command), argv(&pod.args));
    // Kubernetes documentation, "Define a Command and Arguments for a Container".
    if !command.is_empty() {
        config.entrypoint = command;
        config.cmd = args;
    } else if !args.is_empty() {
        config.cmd = args;
    }
    if let Some(working_dir) = &pod.working_dir {
        config.working_dir.clone_from(working_dir);
    }
    if let Some(uid) = pod.run_as_user {
        config.user = uid.to_string();
    }
    if pod.is_privileged {
        hint("privileged", "nothing but its profile holds it");
    }
    for capability in &pod.added_capabilities {
        hint("capabilities", &format!("{capability} is added"));
    }
    for namespace in &pod.host_namespaces {
        hint(namespace, "it shares that of the node");
    }
    (config, notes)
}

/// `$(NAME)` as Kubernetes replaces it; what it does not know stays as it is, and `$$` is a dollar.
fn expand(text: &str, env: &[String]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let value = name.and_then(|(name, _)| {
            let line = env.iter().find(|line| line.split('=').next() == Some(name))?;
            line.split_once('=').map(|(_, value)| value)
        });
        match (name, value) {
            (Some((_, after)), Some(value)) => {
                out.push_str(value);
                rest = after;
            }
            _ => {
                out.push('$');
                rest = after;
            }
        }
    }
    out + rest
}

/// The image's files as the container sees them: what lies below a mounted volume is hidden by it.
pub(super) fn tree_in_pod(tree: &Tree, pod: &PodContainer) -> Tree {
    let mut seen = Tree::default();
    for entry in tree.iter() {
        seen.insert(entry.clone(), tree.shared_content(&entry.path));
    }
    for mount in &pod.mounts {
        let path = seen
            .resolve(&mount.path)
            .map_or_else(|| normalise(&mount.path, "/"), |entry| entry.path.clone());
        seen.remove_below(&path, |_| true);
        if mount.has_sub_path {
            seen.remove_if(&path, |_| true);
        }
    }
    seen
}

/// Facts and denials of ports, mounts, probes' ports and the read-only root.
pub(super) fn add(draft: &mut Draft, pod: &PodContainer, lookup: &Lookup<'_>) {
    for one in &pod.ports {
        let host = one
            .host_port
            .map_or_else(String::new, |port| format!(" (hostPort {port})"));
        let evidence = by_pod(pod.says(&format!("containerPort {}{host}", one.port.first)));
        draft.fact(
            Subject::Any,
            Action::Listen(one.port),
            &[Phase::Serving],
            evidence,
            Confidence::B,
        );
    }
    for probe in &pod.probes {
        if let ProbeAction::Port(number) = probe.action {
            let evidence = by_pod(pod.says(&format!("{} of port {number}", probe.kind)));
            let action = Action::Listen(port(plimsoll_model::Transport::Tcp, number));
            draft.fact(Subject::Any, action, &[Phase::Serving], evidence, Confidence::B);
        }
    }
    for mount in &pod.mounts {
        let folder = lookup.resolve(&mount.path);
        let pattern = PathPattern(format!("{}/**", folder.trim_end_matches('/')));
        let evidence = by_pod(pod.says(&format!("volumeMounts {}: {}", mount.path, mount.volume)));
        match mount.is_read_only {
            false => draft.fact(Subject::Any, Action::Write(pattern), &[], evidence, Confidence::A),
            true => draft.deny(read_only(pattern, evidence)),
        }
    }
    if pod.has_read_only_root {
        let evidence = by_pod(pod.says("readOnlyRootFilesystem"));
        draft.deny(read_only(PathPattern("/**".to_owned()), evidence));
    }
}

fn read_only(pattern: PathPattern, evidence: Evidence) -> Denial {
    Denial {
        subject: Subject::Any,
        verb: Verb::Write,
        object: Some(pattern),
        phases: Vec::new(),
        evidence: vec![evidence],
        confidence: Confidence::A,
    }
}

/// Facts of commands that the node starts in the container; their argument vectors.
pub(super) fn add_probes(
    draft: &mut Draft,
    pod: &PodContainer,
    lookup: &Lookup<'_>,
    notes: &mut Vec<Note>,
) -> Vec<Vec<String>> {
    let mut vectors = Vec::new();
    for probe in &pod.probes {
        let ProbeAction::Exec(argv) = &probe.action else {
            continue;
        };
        let Some((name, arguments)) = argv.split_first() else {
            continue;
        };
        let because = format!("{BY_POD}{}", pod.says(&format!("{} {}", probe.kind, argv.join(" "))));
        let mut explorer = Explorer::new(lookup);
        let values: Vec<Value> = arguments.iter().map(|text| Value::from(text.as_str())).collect();
        explorer.run(name, &values, &Call::first(because));
        super::add_probe_edges(draft, &explorer);
        notes.extend(explorer.notes.iter().cloned());
        vectors.push(argv.clone());
    }
    if !vectors.is_empty() {
        declared::add_probe(draft);
    }
    vectors
}

/// The profile of an image as it runs in a pod, and what could not be read while finding out.
pub fn build_in_pod(input: &Input<'_>, pod: &PodContainer) -> (plimsoll_model::Profile, Vec<Note>) {
    let (config, mut notes) = config_in_pod(input.config, pod);
    let tree = tree_in_pod(input.tree, pod);
    let inside = Input {
        config: &config,
        tree: &tree,
        ..*input
    };
    let (profile, more) = super::derive(&inside, Some(pod));
    notes.extend(more);
    (profile, notes)
}

#[cfg(test)]
mod tests;
