//! What is allowed follows the facts; what nobody is expected to do is left out; hostile names stay inside their line.

use plimsoll_model::{
    Action, Confidence, Denial, Evidence, EvidenceSource, Facet, FacetState, Fact, Phase, PortSpec, Program, Subject,
    Transport, Verb,
};
use plimsoll_model::{ElfFacts, FileEntry, FileKind, SymbolUse};
use serde_json::{Value, json};

use super::*;

fn evidence(detail: &str) -> Vec<Evidence> {
    vec![Evidence {
        source: EvidenceSource::Image,
        detail: detail.to_owned(),
    }]
}

fn fact(action: Action, phases: &[Phase], detail: &str) -> Fact {
    Fact {
        subject: Subject::Any,
        action,
        phases: phases.to_vec(),
        parent: None,
        evidence: evidence(detail),
        confidence: Confidence::A,
    }
}

fn program(path: &str) -> Program {
    Program {
        path: path.into(),
        applet: None,
    }
}

fn server(path: &str, imports: SymbolUse) -> FileEntry {
    FileEntry {
        size_bytes: 1,
        elf: Some(
            ElfFacts {
                interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
                imports,
                ..ElfFacts::default()
            }
            .into(),
        ),
        ..FileEntry::new(path, FileKind::Regular, 0o755)
    }
}

/// A server of which everything is known.
fn report(facts: Vec<Fact>) -> ScanReport {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut report: ScanReport = serde_json::from_value(json!({
        "schema": "plimsoll.scan/v1",
        "image": { "reference": "r.example/demo:1", "manifest_digest": digest, "config_digest": digest, "diff_ids": [],
                   "platform": { "os": "linux", "architecture": "amd64" } },
        "config": {}, "layers": [], "sbom": { "packages": [] }, "files": [], "file_count": 1, "matches": null, "findings": [],
        "profile": { "schema": "plimsoll.profile/v1", "image": "demo", "config_digest": digest, "manifest_digest": null,
                     "main": null, "entrypoint": [], "health_check": null, "packs": [], "facts": [], "denials": [], "facets": [] },
        "notes": [], "verdict": null,
    }))
    .unwrap();
    report.profile.main = Some(program("/usr/bin/server"));
    report.profile.entrypoint = Vec::new();
    report.profile.facts = facts;
    report.profile.denials = vec![Denial {
        subject: Subject::Any,
        verb: Verb::Write,
        object: Some("/usr/bin/**".into()),
        phases: Vec::new(),
        evidence: evidence("programs are part of the image"),
        confidence: Confidence::A,
    }];
    let closed = |(verb, phase)| Facet {
        verb,
        phase,
        state: FacetState::Closed,
        reason: "all is known".to_owned(),
    };
    let pairs = [
        (Verb::Exec, Phase::Entrypoint),
        (Verb::Exec, Phase::Serving),
        (Verb::Write, Phase::Serving),
        (Verb::Connect, Phase::Serving),
    ];
    report.profile.facets = pairs.map(closed).to_vec();
    report.files = vec![server("/usr/bin/server", SymbolUse::default())];
    report.config.volumes = Vec::new();
    report.config.user = String::new();
    report
}

fn listens(port: u16) -> Fact {
    let spec = PortSpec {
        transport: Transport::Tcp,
        first: port,
        last: port,
    };
    fact(Action::Listen(spec), &[Phase::Serving], "EXPOSE")
}

/// What a seccomp profile does about a system call without looking at its arguments.
fn action(report: &ScanReport, name: &str) -> Option<String> {
    let document: Value = serde_json::from_str(&harden(report, Format::Seccomp, None)).unwrap();
    let rules = document["syscalls"].as_array().unwrap();
    let mut found = rules
        .iter()
        .filter(|rule| rule["args"].is_null() && rule["names"].as_array().unwrap().iter().any(|one| one == name));
    let first = found.next()?;
    assert!(found.next().is_none(), "{name} is in two rules");
    assert!(!first["comment"].as_str().unwrap().is_empty());
    Some(first["action"].as_str().unwrap().to_owned())
}

#[test]
fn seccomp_leaves_out_what_the_image_proves_unused() {
    let silent = report(Vec::new());
    let serving = report(vec![listens(8080)]);
    let importing = ScanReport {
        files: vec![server(
            "/usr/bin/server",
            SymbolUse {
                listen: true,
                ..SymbolUse::default()
            },
        )],
        ..report(Vec::new())
    };
    for (report, name, expected) in [
        (&silent, "listen", Some("SCMP_ACT_ERRNO")),
        (&importing, "listen", Some("SCMP_ACT_ALLOW")),
        (&serving, "listen", Some("SCMP_ACT_ALLOW")),
        (&serving, "execve", Some("SCMP_ACT_ALLOW")),
        (&serving, "ptrace", Some("SCMP_ACT_ERRNO")),
        (&serving, "bpf", Some("SCMP_ACT_ERRNO")),
        (&serving, "mount", Some("SCMP_ACT_ERRNO")),
        (&serving, "keyctl", Some("SCMP_ACT_ERRNO")),
        (&serving, "io_uring_setup", Some("SCMP_ACT_ERRNO")),
        (&serving, "chroot", Some("SCMP_ACT_ALLOW")),
        (&serving, "no_such_call", None),
    ] {
        assert_eq!(action(report, name).as_deref(), expected, "{name}");
    }
    let mut unprivileged = report(vec![]);
    unprivileged.config.user = "999".to_owned();
    assert_eq!(action(&unprivileged, "chroot").as_deref(), Some("SCMP_ACT_ERRNO"));
    let debugged = report(vec![fact(Action::Exec(program("/usr/bin/strace")), &[], "line 3")]);
    assert_eq!(action(&debugged, "ptrace").as_deref(), Some("SCMP_ACT_ALLOW"));
}

#[test]
fn a_32_bit_interface_is_open_only_where_somebody_may_use_it() {
    let architectures = |report: &ScanReport| {
        let document: Value = serde_json::from_str(&harden(report, Format::Seccomp, None)).unwrap();
        document["architectures"].as_array().unwrap().len()
    };
    let mut image = report(Vec::new());
    image.image.platform.architecture = "amd64".to_owned();
    assert_eq!(architectures(&image), 1);
    let mut old = server("/usr/games/old", SymbolUse::default());
    old.elf.as_mut().unwrap().interpreter = Some("/lib/ld-linux.so.2".to_owned());
    image.files.push(old);
    assert_eq!(architectures(&image), 3);
}

#[test]
fn apparmor_lists_programs_and_writes_with_their_evidence() {
    let facts = vec![
        listens(80),
        fact(Action::Write("/data/**".into()), &[], "VOLUME /data"),
        fact(Action::Write("/a b,{x}\n/**".into()), &[], "hostile\nline"),
        fact(Action::Write("/my files/x".into()), &[], "line 2"),
        fact(
            Action::Exec(program("/usr/bin/top")),
            &[Phase::Session],
            "somebody looks",
        ),
    ];
    let text = harden(&report(facts), Format::Apparmor, Some("Web.Server"));
    for line in [
        "profile plimsoll-web-server flags",
        "  /usr/bin/server mrix,",
        "  # VOLUME /data [A]\n  /data{,/,/**} rwkl,",
        "  \"/my files/x\" rwkl,",
        "  deny /usr/bin{,/,/**} wl,",
        "  capability net_bind_service,",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for line in ["/usr/bin/top", "a b,{x}", "/** mrix", "\nline"] {
        assert!(!text.contains(line), "{line}\n{text}");
    }
    let mut open = report(Vec::new());
    open.profile.facets.retain(|facet| facet.verb != Verb::Exec);
    let text = harden(&open, Format::Apparmor, None);
    assert!(
        text.contains("other programs of the image too: the profile says nothing of the phase"),
        "{text}"
    );
}

#[test]
fn kubernetes_gets_folders_ports_and_capabilities() {
    let facts = vec![
        listens(80),
        fact(Action::Write("/run/server.pid".into()), &[], "setting pid"),
        fact(Action::Write("/var/lib/server/**".into()), &[], "data"),
        fact(
            Action::Write("/etc/server/**".into()),
            &[Phase::Entrypoint],
            "templates",
        ),
        fact(Action::Write("/proc/*/comm".into()), &[], "any program"),
    ];
    let mut image = report(facts);
    image.config.volumes = vec!["/data".to_owned()];
    let text = harden(&image, Format::Kubernetes, Some("x"));
    for line in [
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "            - NET_BIND_SERVICE",
        "mountPath: \"/run\"",
        "mountPath: \"/var/lib/server\"",
        "mountPath: \"/data\"",
        "# /etc/server is written, and not mounted here",
        "  # nobody is expected to be connected to\n  egress: []",
        "        - port: 80\n          protocol: TCP",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(
        !text.contains("mountPath: \"/proc") && !text.contains("mountPath: \"/etc"),
        "{text}"
    );
    image.files[0].mode = 0o4755;
    assert!(harden(&image, Format::Kubernetes, None).contains("allowPrivilegeEscalation: true"));
}
