//! redis.conf and redis-server's command line (<https://redis.io/docs/latest/operate/oss_and_stack/management/config/>).

use super::{Settings, words};
use crate::profile::{
    limits::MAX_INCLUDES,
    lookup::{Lookup, normalise},
};

/// Settings whose value is a path; relative ones start in `dir`.
const PATHS: &[&str] = &["logfile", "pidfile", "unixsocket", "aclfile"];

/// Settings that add up instead of replacing each other.
const MANY: &[&str] = &["save", "include", "loadmodule", "bind", "rename-command", "user"];

/// Directives of two words.
const PREFIXES: &[&str] = &["sentinel"];

pub(super) fn read(settings: &mut Settings, arguments: &[String], lookup: &Lookup<'_>) {
    let mut rest = arguments;
    if let Some((first, more)) = arguments.split_first()
        && !first.starts_with('-')
    {
        rest = more;
        let path = normalise(first, &lookup.working_dir);
        settings.set("config_file", &path, "command line");
        match lookup.content(&path) {
            Some(_) => read_file(settings, &path, lookup, 0),
            None => settings.unknown = Some(format!("{path} is not in the image")),
        }
    }
    let mut at = 0;
    while let Some(option) = rest.get(at) {
        at += 1;
        let Some(name) = option.strip_prefix("--") else {
            continue;
        };
        let values = rest[at..].iter().take_while(|word| !word.starts_with("--"));
        let values: Vec<String> = values.cloned().collect();
        at += values.len();
        directive(settings, name, &values, "command line");
    }
    resolve_paths(settings, lookup);
}

fn read_file(settings: &mut Settings, path: &str, lookup: &Lookup<'_>, depth: u32) {
    let Some(content) = lookup
        .content(path)
        .filter(|_| depth < MAX_INCLUDES && settings.opens(path))
    else {
        return;
    };
    for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let found = words(line);
        let Some((name, values)) = found.split_first() else {
            continue;
        };
        if name.eq_ignore_ascii_case("include") {
            for pattern in values {
                for file in lookup.matching(pattern) {
                    read_file(settings, &file, lookup, depth + 1);
                }
            }
            continue;
        }
        directive(settings, name, values, &format!("line {} of {path}", number + 1));
    }
}

fn directive(settings: &mut Settings, name: &str, values: &[String], from: &str) {
    let mut name = name.to_ascii_lowercase();
    let mut values = values;
    if PREFIXES.contains(&name.as_str())
        && let Some((second, rest)) = values.split_first()
    {
        name = format!("{name} {}", second.to_ascii_lowercase());
        values = rest;
    }
    let text = values.join(" ");
    match MANY.contains(&name.as_str()) {
        true => settings.add(&name, &text, from),
        false => settings.set(&name, &text, from),
    }
    if values.len() > 1 {
        for (index, value) in values.iter().enumerate() {
            settings.set(&format!("{name}.{}", index + 1), value, from);
        }
    }
}

fn resolve_paths(settings: &mut Settings, lookup: &Lookup<'_>) {
    let mut dir = lookup.working_dir.clone();
    if let Some(setting) = settings.get("dir").last().cloned() {
        dir = normalise(&setting.value, &lookup.working_dir);
        settings.set("dir", &dir, &setting.from);
    }
    for name in PATHS {
        if let Some(setting) = settings
            .get(name)
            .last()
            .cloned()
            .filter(|setting| !setting.value.is_empty())
        {
            settings.set(name, &normalise(&setting.value, &dir), &setting.from);
        }
    }
    // redis writes a pid file only when it goes to the background.
    if !settings.is_on("daemonize") {
        settings.values.remove("pidfile");
    }
}
