//! Needs in, a pod and a network policy out (YAML). The evidence is in comments.

use std::fmt::Write as _;

use plimsoll_model::{Action, ImageRef, Peer, PeerScope, PortSpec, ScanReport, Transport};

use super::needs::{Needs, one_line};

/// What is no public address: loopback, RFC 1918, carrier-grade, link-local.
const NOT_PUBLIC: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
];
/// RFC 1918, RFC 6598 and RFC 4193.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
];

pub(super) fn write(report: &ScanReport, needs: &Needs, name: &str) -> String {
    let mut text = format!(
        "# made by plimsoll for {} ({})\n",
        one_line(&report.image.reference),
        report.image.config_digest
    );
    pod(report, needs, name, &mut text);
    policy(needs, name, &mut text);
    text
}

fn pod(report: &ScanReport, needs: &Needs, name: &str, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n  \
         # no fact of the profile speaks to the cluster's API\n  automountServiceAccountToken: false\n  containers:\n    \
         - name: {name}\n      image: {}\n      securityContext:\n",
        quoted(&image(report))
    );
    user(report, needs, text);
    escalation(report, needs, text);
    let _ = write!(
        text,
        "        # written folders are mounted below; the rest belongs to the image\n        \
         readOnlyRootFilesystem: true\n        capabilities:\n          drop: [ALL]\n"
    );
    if !needs.capabilities.is_empty() {
        *text += "          add:\n";
    }
    for (capability, why) in &needs.capabilities {
        let _ = writeln!(text, "            # {why}\n            - {capability}");
    }
    let _ = write!(
        text,
        "        # `plimsoll profile harden --format seccomp` writes it; below the kubelet's folder `seccomp`\n        \
         seccompProfile:\n          type: Localhost\n          localhostProfile: plimsoll/{name}.json\n"
    );
    if !needs.ports.is_empty() {
        *text += "      ports:\n";
    }
    for (port, why) in needs.ports.iter().filter(|(port, _)| port.first == port.last) {
        if let Some(protocol) = protocol(port.transport) {
            let _ = writeln!(
                text,
                "        # {why}\n        - containerPort: {}\n          protocol: {protocol}",
                port.first
            );
        }
    }
    volumes(needs, text);
}

fn user(report: &ScanReport, needs: &Needs, text: &mut String) {
    let user = one_line(&report.config.user);
    let _ = match (needs.is_root, needs.uid) {
        (false, Some(uid)) => writeln!(
            text,
            "        # USER {user}\n        runAsNonRoot: true\n        runAsUser: {uid}"
        ),
        (false, None) => writeln!(
            text,
            "        # USER {user} is a name: Kubernetes cannot tell whether it is root; give runAsUser"
        ),
        (true, _) => writeln!(
            text,
            "        # USER is root: the entrypoint needs it, or nobody has tried without"
        ),
    };
}

fn escalation(report: &ScanReport, needs: &Needs, text: &mut String) {
    let _ = match needs.raised(report) {
        Some(file) => writeln!(
            text,
            "        # {} is expected to run and has setuid, setgid or file capabilities\n        allowPrivilegeEscalation: true",
            one_line(&file.path)
        ),
        None => writeln!(
            text,
            "        # none of the {} expected programs has setuid, setgid or file capabilities\n        \
             allowPrivilegeEscalation: false",
            needs.programs.len()
        ),
    };
}

fn volumes(needs: &Needs, text: &mut String) {
    for (folder, why) in &needs.covered {
        let folder = one_line(folder);
        let _ = writeln!(
            text,
            "      # {folder} is written, and not mounted here: that would hide the image's files; {why}"
        );
    }
    if needs.folders.is_empty() {
        return;
    }
    *text += "      volumeMounts:\n";
    for (at, (folder, why)) in needs.folders.iter().enumerate() {
        let _ = writeln!(
            text,
            "        # {why}\n        - name: writable-{at}\n          mountPath: {}",
            quoted(folder)
        );
    }
    *text += "  volumes:\n";
    for (at, (_, why)) in needs.folders.iter().enumerate() {
        if why.starts_with("VOLUME") {
            *text += "    # data that is to outlive the pod wants a persistentVolumeClaim here\n";
        }
        let _ = writeln!(text, "    - name: writable-{at}\n      emptyDir: {{}}");
    }
}

fn policy(needs: &Needs, name: &str, text: &mut String) {
    let _ = write!(
        text,
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\nspec:\n  podSelector:\n    \
         matchLabels:\n      app: {name}\n  policyTypes: [Ingress, Egress]\n"
    );
    match needs.ports.is_empty() {
        true => *text += "  # no port is expected to be served\n  ingress: []\n",
        false => *text += "  ingress:\n    - ports:\n",
    }
    for (port, why) in &needs.ports {
        port_line(port, why, "        ", text);
    }
    if let Some(why) = needs.open_connect.first() {
        let _ = writeln!(
            text,
            "  # whom it connects to is not known: {why}\n  egress:\n    - {{}}"
        );
        return;
    }
    let mut peers: Vec<(&Peer, &String)> = Vec::new();
    for (fact, why) in &needs.peers {
        if let Action::Connect(peer) = &fact.action
            && peer.scope != PeerScope::Loopback
            && !peers.iter().any(|(known, _)| *known == peer)
        {
            peers.push((peer, why));
        }
    }
    if peers.is_empty() {
        *text += "  # nobody is expected to be connected to\n  egress: []\n";
        return;
    }
    *text += "  egress:\n    # names of peers are looked up\n    - ports:\n        - port: 53\n          protocol: UDP\n        \
              - port: 53\n          protocol: TCP\n";
    for (peer, why) in peers {
        egress(peer, why, text);
    }
}

fn egress(peer: &Peer, why: &str, text: &mut String) {
    let _ = writeln!(text, "    # {why}");
    let to: Vec<String> = match peer.scope {
        PeerScope::Private => PRIVATE
            .iter()
            .map(|range| format!("        - ipBlock: {{ cidr: \"{range}\" }}\n"))
            .collect(),
        PeerScope::Public => vec![format!(
            "        - ipBlock: {{ cidr: 0.0.0.0/0, except: [{}] }}\n",
            NOT_PUBLIC.join(", ")
        )],
        PeerScope::Any | PeerScope::Loopback => Vec::new(),
    };
    match (to.is_empty(), &peer.port) {
        (true, None) => *text += "    - {}\n",
        (false, None) => *text += &format!("    - to:\n{}", to.concat()),
        (is_any, Some(port)) => {
            *text += "    - ports:\n";
            port_line(port, why, "        ", text);
            if !is_any {
                *text += &format!("      to:\n{}", to.concat());
            }
        }
    }
}

fn port_line(port: &PortSpec, why: &str, indent: &str, text: &mut String) {
    let Some(protocol) = protocol(port.transport) else {
        return;
    };
    let _ = writeln!(
        text,
        "{indent}# {why}\n{indent}- port: {}\n{indent}  protocol: {protocol}",
        port.first
    );
    if port.last > port.first {
        let _ = writeln!(text, "{indent}  endPort: {}", port.last);
    }
}

fn protocol(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Tcp => Some("TCP"),
        Transport::Udp => Some("UDP"),
        Transport::Other => None,
    }
}

/// By digest where it came from a registry; else the name as it was given, to be changed.
fn image(report: &ScanReport) -> String {
    let text = report
        .image
        .reference
        .strip_prefix("registry:")
        .unwrap_or(&report.image.reference);
    match (text.parse::<ImageRef>(), report.image.manifest_digest) {
        (Ok(reference), Some(digest)) if !text.contains("oci:") => {
            format!("{}/{}@{digest}", reference.registry, reference.repository)
        }
        _ => one_line(text),
    }
}

/// JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
