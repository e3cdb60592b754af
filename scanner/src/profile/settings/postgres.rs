//! postgresql.conf and postgres' command line (<https://www.postgresql.org/docs/current/config-setting.html>).

use plimsoll_rules::packs::SettingsSource;

use super::Settings;
use crate::profile::{
    explorer::Launch,
    limits::MAX_INCLUDES,
    lookup::{Lookup, folder_name, normalise},
};

/// Short options and the settings that they stand for.
const SHORT: &[(&str, &str)] = &[
    ("-D", "data_directory"),
    ("-p", "port"),
    ("-k", "unix_socket_directories"),
    ("-h", "listen_addresses"),
];

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, launch: &Launch, lookup: &Lookup<'_>) {
    let arguments = launch.argv.get(1..).unwrap_or_default();
    let given = command_line(arguments);
    let named = given
        .iter()
        .rev()
        .find(|(name, _)| name == "config_file")
        .map(|(_, value)| value.clone());
    match named {
        Some(path) => {
            let path = normalise(&path, &lookup.working_dir);
            match lookup.content(&path) {
                Some(_) => read_file(settings, &path, lookup, 0),
                None => settings.unknown = Some(format!("{path} is not in the image")),
            }
        }
        None => {
            let main = &launch.program.path.0;
            for pattern in &source.files {
                let pattern = pattern.replace("{main.folder}", folder_name(main));
                let pattern = match pattern
                    .split_once("{env.")
                    .and_then(|(start, rest)| Some((start, rest.split_once('}')?)))
                {
                    Some((start, (name, rest))) => match lookup.environment.get(name) {
                        Some(value) => format!("{start}{value}{rest}"),
                        None => continue,
                    },
                    None => pattern,
                };
                for file in lookup.matching(&pattern) {
                    read_file(settings, &file, lookup, 0);
                }
            }
        }
    }
    for (name, value) in given {
        settings.set(&name, &value, "command line");
    }
    finish(settings, lookup);
}

/// Settings of a command line in order.
fn command_line(arguments: &[String]) -> Vec<(String, String)> {
    let mut given = Vec::new();
    let mut at = 0;
    while let Some(option) = arguments.get(at) {
        at += 1;
        let short = SHORT.iter().find(|(short, _)| option.starts_with(short));
        let mut value_of = |option: &str| match option.get(2..) {
            Some("") | None => {
                at += 1;
                arguments.get(at - 1).cloned().unwrap_or_default()
            }
            Some(rest) => rest.to_owned(),
        };
        let pair = if let Some((_, name)) = short {
            Some(((*name).to_owned(), value_of(option)))
        } else if option.starts_with("-c") {
            let text = value_of(option);
            text.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        } else {
            let text = option.strip_prefix("--");
            text.and_then(|text| text.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        given.extend(pair.map(|(name, value)| (name.replace('-', "_").to_ascii_lowercase(), value)));
    }
    given
}

fn read_file(settings: &mut Settings, path: &str, lookup: &Lookup<'_>, depth: u32) {
    let Some(content) = lookup
        .content(path)
        .filter(|_| depth < MAX_INCLUDES && settings.opens(path))
    else {
        return;
    };
    for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
        let Some((name, value)) = parse(line) else {
            continue;
        };
        let base = folder_name(path).to_owned();
        match name.as_str() {
            "include" | "include_if_exists" => read_file(settings, &normalise(&value, &base), lookup, depth + 1),
            "include_dir" => {
                for file in lookup.matching(&format!("{}/*.conf", normalise(&value, &base))) {
                    read_file(settings, &file, lookup, depth + 1);
                }
            }
            _ => settings.set(&name, &value, &format!("line {} of {path}", number + 1)),
        }
    }
}

/// `name = value # comment`; the equals sign may be missing, the value may be in quotes.
fn parse(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let length = line
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        .count();
    let (name, rest) = line.split_at(length);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match rest.strip_prefix('\'') {
        // A quote inside is written twice.
        Some(quoted) => quoted
            .replace("''", "\u{0}")
            .split('\'')
            .next()
            .unwrap_or_default()
            .replace('\u{0}', "'"),
        None => rest.split(['#', ' ', '\t']).next().unwrap_or_default().to_owned(),
    };
    Some((name.to_ascii_lowercase(), value))
}

fn finish(settings: &mut Settings, lookup: &Lookup<'_>) {
    if let Some(setting) = settings.get("unix_socket_directories").last().cloned() {
        settings.values.remove("unix_socket_directories");
        // An @ names an abstract socket, which is no file.
        for folder in setting
            .value
            .split(',')
            .map(str::trim)
            .filter(|folder| folder.starts_with('/'))
        {
            settings.add("unix_socket_directories", folder, &setting.from);
        }
    }
    let data = settings.last("data_directory").map(str::to_owned);
    let data = data.or_else(|| lookup.environment.get("PGDATA").map(|value| (*value).to_owned()));
    match settings.get("log_directory").last().cloned() {
        Some(setting) if settings.is_on("logging_collector") => {
            let folder = normalise(&setting.value, data.as_deref().unwrap_or("/"));
            settings.set("log_directory", &folder, &setting.from);
        }
        _ => drop(settings.values.remove("log_directory")),
    }
}
