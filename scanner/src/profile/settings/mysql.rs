//! my.cnf with its includes, and the server's command line (<https://mariadb.com/kb/en/configuring-mariadb-with-option-files/>).

use plimsoll_rules::packs::SettingsSource;

use super::Settings;
use crate::profile::{
    limits::MAX_INCLUDES,
    lookup::{Lookup, normalise},
};

/// Groups that the server reads; those of one release (`mariadb-10.11`) as well.
const GROUPS: &[&str] = &["mysqld", "server", "mariadb", "mariadbd", "client-server"];

/// Paths that may be relative to the data folder.
const PATHS: &[&str] = &[
    "log_error",
    "general_log_file",
    "slow_query_log_file",
    "log_bin",
    "pid_file",
    "socket",
];

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, arguments: &[String], lookup: &Lookup<'_>) {
    let given: Vec<(String, String)> = arguments
        .iter()
        .filter_map(|argument| argument.strip_prefix("--"))
        .map(|argument| match argument.split_once('=') {
            Some((name, value)) => (plain(name), value.to_owned()),
            None => (plain(argument), "yes".to_owned()),
        })
        .collect();
    let value_of = |name: &str| {
        given
            .iter()
            .rev()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value)
    };
    match value_of("defaults_file") {
        Some(path) => {
            let path = normalise(path, &lookup.working_dir);
            match lookup.content(&path) {
                Some(_) => read_file(settings, &path, lookup, 0),
                None => settings.unknown = Some(format!("{path} is not in the image")),
            }
        }
        None if value_of("no_defaults").is_some() => {}
        None => source
            .files
            .iter()
            .for_each(|path| read_file(settings, path, lookup, 0)),
    }
    for (name, value) in &given {
        set(settings, name, value, "command line");
    }
    let data = settings.last("datadir").unwrap_or("/var/lib/mysql").to_owned();
    for name in PATHS {
        if let Some(setting) = settings
            .get(name)
            .last()
            .cloned()
            .filter(|setting| !setting.value.is_empty())
        {
            settings.set(name, &normalise(&setting.value, &data), &setting.from);
        }
    }
}

fn read_file(settings: &mut Settings, path: &str, lookup: &Lookup<'_>, depth: u32) {
    let path = lookup.resolve(path);
    let Some(content) = lookup
        .content(&path)
        .filter(|_| depth < MAX_INCLUDES && settings.opens(&path))
    else {
        return;
    };
    let mut is_ours = false;
    for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
        let line = line.trim();
        if let Some(file) = line.strip_prefix("!includedir") {
            for file in lookup.matching(&format!("{}/*.cnf", file.trim().trim_end_matches('/'))) {
                read_file(settings, &file, lookup, depth + 1);
            }
        } else if let Some(file) = line.strip_prefix("!include") {
            read_file(settings, file.trim(), lookup, depth + 1);
        } else if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_ours = GROUPS
                .iter()
                .any(|known| group == *known || group.strip_prefix(known).is_some_and(|rest| rest.starts_with('-')));
        } else if is_ours && !line.is_empty() && !line.starts_with(['#', ';']) {
            let (name, value) = line.split_once('=').unwrap_or((line, "yes"));
            let value = value
                .split(" #")
                .next()
                .unwrap_or(value)
                .trim()
                .trim_matches(['"', '\'']);
            set(settings, &plain(name), value, &format!("line {} of {path}", number + 1));
        }
    }
}

/// `log-bin` alone means the default name in the data folder, which the data folder's claim covers.
fn set(settings: &mut Settings, name: &str, value: &str, from: &str) {
    let name = name.strip_prefix("loose_").unwrap_or(name);
    match name.strip_prefix("skip_") {
        Some(rest) if value == "yes" && rest == "networking" => settings.set("skip_networking", "yes", from),
        _ => settings.set(name, value, from),
    }
}

fn plain(name: &str) -> String {
    name.trim().replace('-', "_").to_ascii_lowercase()
}
