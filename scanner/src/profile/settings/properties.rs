//! Files of `name = value` lines (rabbitmq.conf, Kafka's server.properties, ZooKeeper's zoo.cfg) in, settings out.

use plimsoll_rules::packs::SettingsSource;

use super::{Settings, port_of};
use crate::profile::lookup::Lookup;

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, lookup: &Lookup<'_>) {
    for pattern in &source.files {
        for path in lookup.matching(pattern) {
            let Some(content) = lookup.content(&path).filter(|_| settings.opens(&path)) else {
                continue;
            };
            for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
                let line = line.trim();
                let pair = line.split_once('=').filter(|_| !line.starts_with(['#', '!']));
                let Some((name, value)) = pair else { continue };
                let (name, value) = (name.trim(), value.trim());
                let from = format!("line {} of {path}", number + 1);
                settings.set(name, value, &from);
                for port in value.split(',').filter_map(|address| port_of(address.trim())) {
                    settings.add(&format!("{name}.port"), port, &from);
                }
            }
        }
    }
}
