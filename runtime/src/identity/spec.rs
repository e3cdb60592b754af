//! A container's OCI configuration (runtime-spec, `config.md`): what every engine writes for runc. Mounts, rights and
//! annotations in, details out.

use std::{collections::BTreeMap, path::Path};

use plimsoll_model::{ContainerDetails, ContainerMount};
use serde::Deserialize;

use super::read_json;
use crate::limits::{MAX_LABEL_BYTES, MAX_LABELS, MAX_MOUNTS};

/// The parts that are read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    process: Process,
}

#[derive(Debug, Deserialize)]
struct Mount {
    #[serde(default)]
    destination: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
struct Process {
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Deserialize)]
struct Capabilities {
    #[serde(default)]
    bounding: Vec<String>,
}

/// What no engine gives to a container that is not privileged, and every machine has to give.
const PRIVILEGED: &[&str] = &["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"];

impl Spec {
    pub(super) fn read(path: &Path) -> Option<Self> {
        read_json(path)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations
            .get(key)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// `None` when it does not say.
    pub(super) fn is_privileged(&self) -> Option<bool> {
        let bounding = &self.process.capabilities.as_ref()?.bounding;
        Some(PRIVILEGED.iter().all(|name| bounding.iter().any(|had| had == name)))
    }

    /// Mounts of the host's files; as labels, the annotations that `is_label` accepts.
    pub(super) fn details(&self, is_label: impl Fn(&str) -> bool) -> ContainerDetails {
        let annotations = self.annotations.iter().filter(|(key, _)| is_label(key));
        let mounts = self.mounts.iter().filter(|mount| {
            mount.kind == "bind"
                || mount
                    .options
                    .iter()
                    .any(|option| matches!(option.as_str(), "bind" | "rbind"))
        });
        ContainerDetails {
            labels: bounded(annotations.map(|(key, value)| (key.clone(), value.clone()))),
            mounts: mounts.take(MAX_MOUNTS).map(Mount::shown).collect(),
            ..ContainerDetails::default()
        }
    }
}

impl Mount {
    fn shown(&self) -> ContainerMount {
        let is = |name: &str| self.options.iter().any(|option| option == name);
        let propagation = ["shared", "rshared", "slave", "rslave", "private", "rprivate"];
        ContainerMount {
            source: self.source.clone(),
            destination: self.destination.clone(),
            mode: self.options.join(","),
            is_writable: !is("ro"),
            propagation: propagation
                .into_iter()
                .find(|name| is(name))
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// Labels as they are kept: not too many, not too long, sorted.
pub(super) fn bounded(labels: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let short = |(key, value): &(String, String)| key.len() + value.len() <= MAX_LABEL_BYTES;
    let mut kept: Vec<(String, String)> = labels.into_iter().filter(short).take(MAX_LABELS).collect();
    kept.sort();
    kept
}
