//! Needs in, an AppArmor profile out (apparmor.d(5)). The evidence is in comments.

use std::fmt::Write as _;

use plimsoll_model::{Action, PeerScope, ScanReport, Transport};

use super::needs::{Needs, one_line};

/// Where programs and libraries are, for images of which not all programs are known.
const PROGRAMS: &str = "/{,usr/,usr/local/}{bin,sbin,libexec}/**";

pub(super) fn write(report: &ScanReport, needs: &Needs, name: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "# made by plimsoll for {} ({})\n# load: apparmor_parser -r FILE; use: --security-opt apparmor=plimsoll-{name}\n\
         # Programs that people start in the container by hand (exec) are not made room for.\n\
         #include <tunables/global>\n\nprofile plimsoll-{name} flags=(attach_disconnected,mediate_deleted) {{\n",
        one_line(&report.image.reference),
        report.image.config_digest
    );
    text += "  # files: all may be read, and libraries mapped; what is written and executed is listed\n";
    text += "  / r,\n  /** r,\n  /{,usr/,usr/local/}lib{,32,64,x32}/** mr,\n  /opt/** mr,\n\n";
    text += "  # processes of the container may signal each other, and the engine them\n";
    text += "  signal (send,receive) peer=@{profile_name},\n  signal (receive) peer=unconfined,\n";
    text += "  signal (receive) peer={crun,runc,podman,docker-default},\n";
    text += "  ptrace (read,readby) peer=@{profile_name},\n  unix,\n\n";
    programs(needs, &mut text);
    writes(needs, &mut text);
    network(needs, &mut text);
    for (capability, why) in &needs.capabilities {
        let _ = writeln!(text, "  # {why}\n  capability {},", capability.to_ascii_lowercase());
    }
    text += "\n  # of the machine's own; no fact of the profile comes near\n";
    for path in [
        "/proc/sys/kernel/**",
        "/proc/sysrq-trigger",
        "/proc/kcore",
        "/sys/kernel/**",
        "/sys/fs/cgroup/**/release_agent",
    ] {
        let _ = writeln!(text, "  deny {path} wklx,");
    }
    text + "  deny mount,\n  deny umount,\n  deny pivot_root,\n}\n"
}

fn programs(needs: &Needs, text: &mut String) {
    *text += "  # programs\n";
    for (path, why) in needs.programs.iter().chain(&needs.scripts) {
        if let Some(path) = pattern(path) {
            let _ = writeln!(text, "  # {why}\n  {path} mrix,");
        }
    }
    for why in &needs.open_exec {
        let _ = writeln!(text, "  # other programs of the image too: {why}\n  {PROGRAMS} mrix,");
    }
    text.push('\n');
}

fn writes(needs: &Needs, text: &mut String) {
    *text += "  # files that are written\n";
    for (path, why) in &needs.writes {
        if let Some(path) = pattern(path) {
            let _ = writeln!(text, "  # {why}\n  {path} rwkl,");
        }
    }
    for why in &needs.open_write {
        let _ = writeln!(text, "  # other files too: {why}\n  /** rwkl,");
    }
    for (path, why) in &needs.never_written {
        if let Some(path) = pattern(path) {
            let _ = writeln!(text, "  # {why}\n  deny {path} wl,");
        }
    }
    text.push('\n');
}

fn network(needs: &Needs, text: &mut String) {
    *text += "  # network: raw and packet sockets are not listed, so not given\n";
    let mut lines = vec![
        ("inet stream", first_port(needs, Transport::Tcp)),
        ("inet dgram", first_port(needs, Transport::Udp)),
    ];
    let peer = needs.peers.first().map(|(_, why)| why.clone());
    for (_, why) in &mut lines {
        *why = why
            .take()
            .or_else(|| peer.clone())
            .or_else(|| needs.open_connect.first().cloned());
    }
    for (family, why) in lines {
        // Names are looked up by datagrams, and interfaces listed, before anything that a profile speaks of.
        let why = why.unwrap_or_else(|| "looking names up".to_owned());
        let _ = writeln!(
            text,
            "  # {why}\n  network {family},\n  network {},",
            family.replace("inet", "inet6")
        );
    }
    *text += "  # the C library lists network interfaces by it\n  network netlink raw,\n\n";
}

fn first_port(needs: &Needs, transport: Transport) -> Option<String> {
    let served = needs.ports.iter().find(|(port, _)| port.transport == transport);
    let dialled = needs.peers.iter().find(|(fact, _)| match &fact.action {
        Action::Connect(peer) => {
            peer.scope != PeerScope::Loopback && peer.port.is_some_and(|port| port.transport == transport)
        }
        _ => false,
    });
    let served = served.map(|(port, why)| format!("serves port {}: {why}", port.first));
    served.or_else(|| dialled.map(|(_, why)| why.clone()))
}

/// A set of paths as AppArmor writes it; `None` for what is no path and for names that its language cannot hold.
fn pattern(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.chars().any(|char| char.is_control() || char == '"') {
        return None;
    }
    let mut text = String::new();
    for char in path.chars() {
        if matches!(char, '?' | '[' | ']' | '{' | '}' | '^' | '\\' | '@' | ',' | '#') {
            text.push('\\');
        }
        text.push(char);
    }
    let text = match text.strip_suffix("/**") {
        // Ours holds the folder too.
        Some(folder) => format!("{folder}{{,/,/**}}"),
        None => text,
    };
    let text = match text.strip_prefix("/proc/*/") {
        Some(rest) => format!("/proc/[0-9]*/{rest}"),
        None => text,
    };
    Some(if text.contains(' ') {
        format!("\"{text}\"")
    } else {
        text
    })
}
