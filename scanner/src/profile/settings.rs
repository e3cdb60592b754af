//! A workload's launch in, its settings out: configuration files of the image and command line, in the words that the
//! software itself uses.

mod flags;
mod haproxy;
mod httpd;
mod mysql;
mod nginx;
mod postgres;
mod properties;
mod redis;

use std::collections::BTreeMap;

use plimsoll_rules::packs::{SettingsFormat, SettingsSource};

use super::{explorer::Launch, limits::MAX_SETTINGS_FILES, lookup::Lookup};

/// Settings by name. Names are in lower case, as the software documents them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Settings {
    values: BTreeMap<String, Vec<Setting>>,
    /// Files that were read.
    pub(crate) files: Vec<String>,
    /// Why settings may be missing: a file that the command line names and the image does not have. While this is set,
    /// nothing follows from a setting's absence.
    pub(crate) unknown: Option<String>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// As written, quotes removed.
    pub(crate) value: String,
    /// For people: `line 3 of /etc/redis/redis.conf`.
    pub(crate) from: String,
}

impl Settings {
    /// All values of a setting.
    pub(crate) fn get(&self, name: &str) -> &[Setting] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last value of a setting: the one that counts where a setting has one value.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.get(name).last().map(|setting| setting.value.as_str())
    }

    /// Whether it is present and does not say no.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let is_no = |value: &str| ["", "no", "off", "false", "0"].contains(&value);
        self.last(name).is_some_and(|value| !is_no(value))
    }

    /// Adds a value beside earlier ones.
    fn add(&mut self, name: &str, value: &str, from: &str) {
        let values = self.values.entry(name.to_ascii_lowercase()).or_default();
        let setting = Setting {
            value: value.to_owned(),
            from: from.to_owned(),
        };
        if values.len() < 64 && !values.contains(&setting) {
            values.push(setting);
        }
    }

    /// Replaces earlier values.
    fn set(&mut self, name: &str, value: &str, from: &str) {
        self.values.remove(&name.to_ascii_lowercase());
        self.add(name, value, from);
    }

    /// Whether one more file may be read; remembers it.
    fn opens(&mut self, path: &str) -> bool {
        let is_new = self.files.len() < MAX_SETTINGS_FILES && !self.files.iter().any(|file| file == path);
        if is_new {
            self.files.push(path.to_owned());
        }
        is_new
    }
}

/// Reads the settings of a launch.
pub(crate) fn read(source: &SettingsSource, launch: &Launch, lookup: &Lookup<'_>) -> Settings {
    let mut settings = Settings::default();
    let arguments = launch.argv.get(1..).unwrap_or_default();
    match source.format {
        SettingsFormat::Redis => redis::read(&mut settings, arguments, lookup),
        SettingsFormat::Postgres => postgres::read(&mut settings, source, launch, lookup),
        SettingsFormat::Nginx => nginx::read(&mut settings, source, arguments, lookup),
        SettingsFormat::Mysql => mysql::read(&mut settings, source, arguments, lookup),
        SettingsFormat::Haproxy => haproxy::read(&mut settings, source, arguments, lookup),
        SettingsFormat::Httpd => httpd::read(&mut settings, source, arguments, lookup),
        SettingsFormat::Flags => flags::read(&mut settings, arguments),
        SettingsFormat::Properties => properties::read(&mut settings, source, lookup),
    }
    settings
}

/// The port of an address: `0.0.0.0:80`, `:80`, `*:80`, `[::]:80`, `http://host:80/`, `80`; `None` when it names none.
fn port_of(address: &str) -> Option<&str> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.split('/').next().unwrap_or(address);
    let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
    port.parse::<u16>().ok().map(|_| port)
}

/// Splits at blanks; quotes of both kinds hold words together and are removed.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests;
