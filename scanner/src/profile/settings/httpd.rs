//! Apache's httpd.conf or apache2.conf with its includes and envvars, and httpd's command line
//! (<https://httpd.apache.org/docs/2.4/configuring.html>).

use std::collections::BTreeMap;

use plimsoll_rules::packs::SettingsSource;

use super::{Settings, port_of, words};
use crate::profile::{
    limits::MAX_INCLUDES,
    lookup::{Lookup, folder_name, normalise},
};

/// Directives whose first argument is a path below ServerRoot.
const PATHS: &[&str] = &[
    "pidfile",
    "errorlog",
    "customlog",
    "transferlog",
    "defaultruntimedir",
    "cacheroot",
    "documentroot",
];
/// Directives that add up.
const MANY: &[&str] = &[
    "listen",
    "customlog",
    "errorlog",
    "transferlog",
    "loadmodule",
    "documentroot",
    "scriptalias",
];

struct Reader<'a> {
    lookup: &'a Lookup<'a>,
    root: String,
    variables: BTreeMap<String, String>,
}

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, arguments: &[String], lookup: &Lookup<'_>) {
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let named = option("-f");
    let main = named.or_else(|| source.files.iter().find(|path| lookup.file(path).is_some()).cloned());
    let main = normalise(main.as_deref().unwrap_or("httpd.conf"), &lookup.working_dir);
    let mut reader = Reader {
        lookup,
        root: option("-d").unwrap_or_else(|| folder_name(&main).to_owned()),
        variables: BTreeMap::new(),
    };
    let environment = lookup.environment.iter();
    reader
        .variables
        .extend(environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    reader.read_envvars(&format!("{}/envvars", folder_name(&main)));
    match lookup.content(&main) {
        Some(_) => reader.read_file(settings, &main, 0),
        None => settings.unknown = Some(format!("{main} is not in the image")),
    }
}

impl Reader<'_> {
    /// `export NAME=value`, as Debian's apachectl sources it.
    fn read_envvars(&mut self, path: &str) {
        let content = self.lookup.content(path).unwrap_or_default();
        for line in String::from_utf8_lossy(content).lines() {
            let line = line.trim();
            let Some((name, value)) = line.strip_prefix("export ").and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            // Debian appends `$SUFFIX`, which is empty but for a second instance.
            let value = value.trim_matches(['"', '\'']).replace("$SUFFIX", "");
            if !value.contains('$') && !self.variables.contains_key(name) {
                self.variables.insert(name.to_owned(), value);
            }
        }
    }

    fn read_file(&mut self, settings: &mut Settings, path: &str, depth: u32) {
        let path = self.lookup.resolve(path);
        let Some(content) = self
            .lookup
            .content(&path)
            .filter(|_| depth < MAX_INCLUDES && settings.opens(&path))
        else {
            return;
        };
        let text = String::from_utf8_lossy(content).replace("\\\n", " ");
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '<']) {
                continue;
            }
            let found: Vec<String> = words(line).iter().map(|word| self.filled(word)).collect();
            let Some((name, values)) = found.split_first() else {
                continue;
            };
            let from = format!("line {} of {path}", number + 1);
            self.directive(settings, &name.to_ascii_lowercase(), values, &from, depth);
        }
    }

    fn directive(&mut self, settings: &mut Settings, name: &str, values: &[String], from: &str, depth: u32) {
        let first = values.first().map(String::as_str).unwrap_or_default();
        match name {
            "include" | "includeoptional" => {
                let pattern = normalise(first, &self.root);
                for file in self.lookup.matching(&pattern) {
                    self.read_file(settings, &file, depth + 1);
                }
            }
            "serverroot" => first.clone_into(&mut self.root),
            "define" => {
                let value = values.get(1).cloned().unwrap_or_default();
                self.variables.insert(first.to_owned(), value);
            }
            "listen" => {
                if let Some(port) = port_of(first) {
                    settings.add("listen.port", port, from);
                }
            }
            _ if PATHS.contains(&name) => {
                // A log may go to a program, to syslog, or to nobody.
                if first.starts_with('|') {
                    settings.set("piped log", first, from);
                } else if !first.is_empty() && !first.starts_with("syslog") {
                    let path = normalise(first, &self.root);
                    match MANY.contains(&name) {
                        true => settings.add(name, &path, from),
                        false => settings.set(name, &path, from),
                    }
                }
            }
            _ if MANY.contains(&name) => settings.add(name, first, from),
            _ => settings.set(name, &values.join(" "), from),
        }
        if name == "loadmodule" {
            settings.set(first, "yes", from);
        }
    }

    /// With `${NAME}` filled in; an unknown one stays, as httpd leaves it.
    fn filled(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some((start, after)) = rest.split_once("${") {
            out.push_str(start);
            match after.split_once('}') {
                Some((name, end)) => {
                    match self.variables.get(name) {
                        Some(value) => out.push_str(value),
                        None => out.push_str(&format!("${{{name}}}")),
                    }
                    rest = end;
                }
                None => {
                    out.push_str("${");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}
