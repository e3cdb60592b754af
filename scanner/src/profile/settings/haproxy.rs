//! haproxy.cfg and haproxy's command line (<https://docs.haproxy.org/2.6/configuration.html>).

use plimsoll_rules::packs::SettingsSource;

use super::{Settings, port_of, words};
use crate::profile::lookup::{Lookup, normalise};

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, arguments: &[String], lookup: &Lookup<'_>) {
    let named: Vec<String> = arguments
        .iter()
        .zip(arguments.iter().skip(1))
        .filter(|(option, _)| *option == "-f")
        .map(|(_, path)| normalise(path, &lookup.working_dir))
        .collect();
    for (option, name) in [
        ("-W", "master"),
        ("-Ws", "master"),
        ("-D", "daemon"),
        ("-db", "foreground"),
    ] {
        if arguments.iter().any(|argument| argument == option) {
            settings.set(name, "yes", "command line");
        }
    }
    let files = if named.is_empty() { &source.files } else { &named };
    for path in files {
        // A folder stands for all its .cfg files.
        let mut found = lookup.matching(path);
        found.extend(lookup.matching(&format!("{path}/*.cfg")));
        for file in found {
            read_file(settings, &file, lookup);
        }
    }
    if settings.files.is_empty() {
        let path = files.first().map_or("haproxy.cfg", String::as_str);
        settings.unknown = Some(format!("{path} is not in the image"));
    }
}

fn read_file(settings: &mut Settings, path: &str, lookup: &Lookup<'_>) {
    let Some(content) = lookup.content(path).filter(|_| settings.opens(path)) else {
        return;
    };
    for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let found = words(line);
        let Some((keyword, values)) = found.split_first() else {
            continue;
        };
        directive(settings, keyword, values, &format!("line {} of {path}", number + 1));
    }
}

fn directive(settings: &mut Settings, keyword: &str, values: &[String], from: &str) {
    let first = values.first().map(String::as_str).unwrap_or_default();
    match keyword {
        "bind" => {
            for address in first.split(',') {
                match address
                    .strip_prefix("unix@")
                    .or(address.starts_with('/').then_some(address))
                {
                    Some(path) => settings.add("bind.socket", path, from),
                    None => match port_of(address.trim_start_matches("quic4@").trim_start_matches("quic6@")) {
                        Some(port) if address.starts_with("quic") => settings.add("bind.quic_port", port, from),
                        Some(port) => settings.add("bind.port", port, from),
                        None => {}
                    },
                }
            }
        }
        // `server NAME ADDRESS`, `nameserver ID ADDRESS`, `peer NAME ADDRESS`
        "server" | "nameserver" | "peer" | "server-template" => {
            let address = values.get(usize::from(keyword == "server-template") + 1);
            settings.set(keyword, "yes", from);
            if let Some(port) = address.and_then(|address| port_of(address)) {
                settings.add(&format!("{keyword}.port"), port, from);
            }
        }
        "log" if first.starts_with('/') => settings.add("log.socket", first, from),
        "log" if !["global", "stdout", "stderr"].contains(&first) => settings.add("log.peer", first, from),
        "stats" if first == "socket" => {
            if let Some(path) = values.get(1) {
                settings.add("stats socket", path, from);
            }
        }
        "option" | "external-check" | "tune.lua.maxmem" => settings.set(&format!("{keyword} {first}"), "yes", from),
        _ => settings.set(keyword, if first.is_empty() { "yes" } else { first }, from),
    }
}
