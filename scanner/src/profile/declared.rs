//! The image's config in (EXPOSE, VOLUME, USER) and what every container may do, facts out.

use plimsoll_model::{
    Action, Confidence, Denial, Evidence, FileKind, PathPattern, Peer, PeerScope, Phase, PortSpec, Subject, Transport,
    Verb,
};

use super::{
    Input, accounts,
    draft::{Draft, image},
    lookup::Lookup,
};

/// Places that every Linux program may write to, with the reason.
const COMMON_WRITES: &[(&str, &str)] = &[
    ("/tmp/**", "temporary files"),
    ("/var/tmp/**", "temporary files"),
    ("/run/**", "sockets and pid files"),
    ("/dev/null", "standard streams and terminals"),
    ("/dev/stdout", "standard streams and terminals"),
    ("/dev/stderr", "standard streams and terminals"),
    ("/dev/tty", "standard streams and terminals"),
    ("/dev/console", "standard streams and terminals"),
    ("/dev/ptmx", "standard streams and terminals"),
    ("/dev/pts/**", "standard streams and terminals"),
    ("/dev/fd/*", "standard streams and terminals"),
    // What /dev/stdout leads to in most containers, as the kernel names it.
    ("pipe:*", "standard streams and terminals"),
    ("socket:*", "standard streams and terminals"),
    ("/proc/*/fd/*", "standard streams and terminals"),
    ("/dev/shm/**", "shared memory"),
    ("/dev/mqueue/**", "message queues"),
    ("/dev/random", "seeding the kernel's random numbers"),
    ("/dev/urandom", "seeding the kernel's random numbers"),
    ("/proc/*/oom_score_adj", "a process tuning itself"),
    ("/proc/*/comm", "a process tuning itself"),
    ("/proc/*/task/*/comm", "a process tuning itself"),
    ("/proc/*/coredump_filter", "a process tuning itself"),
    ("/proc/*/timerslack_ns", "a process tuning itself"),
];

/// Folders of programs and of the system's libraries: what runs must be what the image holds.
const PROGRAM_FOLDERS: &[(&str, Confidence)] = &[
    ("/bin/**", Confidence::A),
    ("/sbin/**", Confidence::A),
    ("/usr/bin/**", Confidence::A),
    ("/usr/sbin/**", Confidence::A),
    ("/usr/local/bin/**", Confidence::A),
    ("/usr/local/sbin/**", Confidence::A),
    ("/usr/libexec/**", Confidence::A),
    ("/lib/**", Confidence::A),
    ("/lib64/**", Confidence::A),
    ("/usr/lib/**", Confidence::A),
    ("/usr/lib64/**", Confidence::A),
    ("/opt/*/bin/**", Confidence::B),
];

/// All phases in which the container works by itself.
pub(crate) const WORKING: &[Phase] = &[Phase::Entrypoint, Phase::Serving];

/// Adds what the config declares. `user` says who the user is from, where not from the config.
pub(crate) fn add(draft: &mut Draft, input: &Input<'_>, lookup: &Lookup<'_>, user: Option<Evidence>) {
    for text in &input.config.exposed_ports {
        if let Some(port) = parse_port(text) {
            draft.fact(
                Subject::Any,
                Action::Listen(port),
                &[Phase::Serving],
                image(format!("EXPOSE {text}")),
                Confidence::B,
            );
        }
    }
    for volume in &input.config.volumes {
        let pattern = format!("{}/**", lookup.resolve(volume).trim_end_matches('/'));
        draft.fact(
            Subject::Any,
            Action::Write(PathPattern(pattern)),
            &[],
            image(format!("VOLUME {volume}")),
            Confidence::A,
        );
    }
    if let Some(account) = accounts::find(lookup, &input.config.user) {
        let evidence = user.unwrap_or_else(|| image(format!("USER {}", input.config.user)));
        draft.fact(
            Subject::Any,
            Action::Become(account.identity),
            &[Phase::Init, Phase::Entrypoint],
            evidence,
            Confidence::A,
        );
    }
    for (path, reason) in COMMON_WRITES {
        let action = Action::Write(PathPattern((*path).to_owned()));
        draft.fact(
            Subject::Any,
            action,
            &[],
            image(format!("any program: {reason}")),
            Confidence::B,
        );
    }
    let mut seen: Vec<String> = Vec::new();
    for (pattern, confidence) in PROGRAM_FOLDERS {
        let path = lookup.resolve(pattern);
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
        draft.deny(Denial {
            subject: Subject::Any,
            verb: Verb::Write,
            object: Some(PathPattern(path)),
            phases: Vec::new(),
            evidence: vec![image(
                "programs and libraries are part of the image; a running container has no reason to change them",
            )],
            confidence: *confidence,
        });
    }
}

/// Adds folders that the container's user may write to, where nothing better is known.
pub(crate) fn add_writable_folders(draft: &mut Draft, input: &Input<'_>, uid: u32, name: &str) {
    // Root may write everywhere, which says nothing.
    if uid == 0 {
        return;
    }
    let mut last: Option<String> = None;
    for entry in input.tree.iter().filter(|entry| entry.kind == FileKind::Directory) {
        let may_write = entry.uid == uid && entry.mode & 0o200 != 0 || entry.mode & 0o002 != 0;
        let is_inside = last
            .as_ref()
            .is_some_and(|folder| entry.path.starts_with(folder.as_str()));
        if may_write && !is_inside && !entry.path.starts_with("/tmp") {
            last = Some(format!("{}/", entry.path));
            draft.fact(
                Subject::Any,
                Action::Write(PathPattern(format!("{}/**", entry.path))),
                &[],
                image(format!(
                    "mode {:04o} owner {}: {name} may write there",
                    entry.mode, entry.uid
                )),
                Confidence::C,
            );
        }
    }
}

/// Adds the socket that musl's resolver binds for each question.
pub(crate) fn add_resolver(draft: &mut Draft) {
    let ports = PortSpec {
        transport: Transport::Udp,
        first: 1024,
        last: u16::MAX,
    };
    let evidence = || image("musl's resolver binds a port of its own for each question");
    draft.fact(Subject::Any, Action::Listen(ports), &[], evidence(), Confidence::C);
}

/// Adds what the C library does by itself when a program asks it for addresses: it asks name servers, and it connects
/// UDP sockets to learn which source address each answer would get (getaddrinfo(3) orders its answers by that).
pub(crate) fn add_name_lookup(draft: &mut Draft, main: &Subject) {
    for (scope, first, last) in [(PeerScope::Any, 53, 53), (PeerScope::Loopback, 1, u16::MAX)] {
        let port = PortSpec {
            transport: Transport::Udp,
            first,
            last,
        };
        let peer = Peer {
            scope,
            port: Some(port),
        };
        let evidence = image("the C library looks names up and orders addresses over UDP");
        draft.fact(main.clone(), Action::Connect(peer), WORKING, evidence, Confidence::C);
    }
}

/// Adds what a health check that dials its own container needs.
pub(crate) fn add_probe(draft: &mut Draft) {
    let peer = Peer {
        scope: PeerScope::Loopback,
        port: None,
    };
    let evidence = image("the health check asks the container's own ports");
    draft.fact(
        Subject::Any,
        Action::Connect(peer),
        &[Phase::Probe],
        evidence,
        Confidence::B,
    );
}

/// `6379`, `53/udp`, `8000-8010/tcp`.
fn parse_port(text: &str) -> Option<PortSpec> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let transport = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => Transport::Other,
    };
    (first != 0 && first <= last).then_some(PortSpec { transport, first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exposed_ports() {
        for (text, expected) in [
            ("6379/tcp", Some((Transport::Tcp, 6379, 6379))),
            ("53/UDP", Some((Transport::Udp, 53, 53))),
            ("80", Some((Transport::Tcp, 80, 80))),
            ("8000-8010/tcp", Some((Transport::Tcp, 8000, 8010))),
            ("0/tcp", None),
            ("9-8", None),
            ("70000", None),
            ("", None),
        ] {
            let found = parse_port(text).map(|port| (port.transport, port.first, port.last));
            assert_eq!(found, expected, "{text}");
        }
    }
}
