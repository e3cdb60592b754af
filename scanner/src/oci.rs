//! OCI and Docker documents: manifest, index, config. JSON in, checked values out (image-spec; distribution's
//! manifest-v2-2.md).

use std::collections::BTreeMap;

use plimsoll_model::{Digest, HealthCheck, HistoryEntry, ImageConfig, Platform};
use serde::Deserialize;

use crate::{
    error::ScanError,
    limits::{MAX_INDEX_ENTRIES, MAX_LAYERS},
};

/// Media types that a registry is asked for.
pub(crate) const MANIFEST_TYPES: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Media types of configs of container images; anything else is an artifact of another kind.
const CONFIG_TYPES: &[&str] = &[
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// A manifest's pointer to content.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    /// Bytes, as stated.
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) platform: Option<DescriptorPlatform>,
    #[serde(default)]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DescriptorPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestOrIndex {
    #[serde(default)]
    schema_version: u32,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

/// What a manifest's bytes are.
#[derive(Debug)]
pub(crate) enum Document {
    /// One image.
    Manifest(Manifest),
    /// Images for several platforms.
    Index(Vec<Descriptor>),
}

/// One image's manifest.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// Reads a manifest or an index by its shape, since not all have a media type inside.
pub(crate) fn parse_document(what: &str, bytes: &[u8]) -> Result<Document, ScanError> {
    let document: ManifestOrIndex = parse_json(what, bytes)?;
    let refuse = |reason: String| ScanError::NotAnImage {
        what: what.to_owned(),
        reason,
    };
    match document {
        ManifestOrIndex {
            manifests: Some(list), ..
        } => match list.len() {
            0..=MAX_INDEX_ENTRIES => Ok(Document::Index(list)),
            count => Err(refuse(format!("its index has {count} entries"))),
        },
        ManifestOrIndex {
            config: Some(config),
            layers: Some(layers),
            ..
        } => {
            if !config.media_type.is_empty() && !CONFIG_TYPES.contains(&config.media_type.as_str()) {
                return Err(refuse(format!("it is an artifact of type {}", config.media_type)));
            }
            if layers.len() > MAX_LAYERS {
                return Err(refuse(format!("it has {} layers", layers.len())));
            }
            Ok(Document::Manifest(Manifest { config, layers }))
        }
        ManifestOrIndex { schema_version: 1, .. } => Err(refuse(
            "it is a Docker schema 1 manifest, which says nothing that can be verified".to_owned(),
        )),
        _ => Err(refuse("it is neither a manifest nor an index".to_owned())),
    }
}

/// Chooses the image for `wanted`, else for this machine.
pub(crate) fn select<'a>(
    what: &str,
    list: &'a [Descriptor],
    wanted: Option<&Platform>,
) -> Result<&'a Descriptor, ScanError> {
    let images: Vec<&Descriptor> = list.iter().filter(|descriptor| !is_attestation(descriptor)).collect();
    let host = host_platform();
    let platform = wanted.unwrap_or(&host);
    let fitting: Vec<&&Descriptor> = images
        .iter()
        .filter(|descriptor| descriptor.platform.as_ref().is_some_and(|there| there.fits(platform)))
        .collect();
    match (fitting.as_slice(), images.as_slice()) {
        ([first, ..], _) => Ok(first),
        // An index with one image that does not say what it is for; the config will tell.
        ([], [only]) if only.platform.is_none() => Ok(only),
        ([], []) => Err(ScanError::NotAnImage {
            what: what.to_owned(),
            reason: "its index has no image".to_owned(),
        }),
        ([], _) => Err(ScanError::Platform {
            wanted: show_platform(platform),
            available: images.iter().map(|descriptor| descriptor.shown_platform()).collect(),
        }),
    }
}

/// BuildKit puts provenance beside images, for a platform that does not exist.
fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotations = descriptor.annotations.as_ref();
    annotations.is_some_and(|map| {
        map.get("vnd.docker.reference.type")
            .is_some_and(|kind| kind == "attestation-manifest")
    }) || descriptor
        .platform
        .as_ref()
        .is_some_and(|platform| platform.os == "unknown")
}

impl Descriptor {
    /// The name that tools give an image in an OCI layout.
    pub(crate) fn ref_name(&self) -> Option<&str> {
        self.annotations
            .as_ref()?
            .get("org.opencontainers.image.ref.name")
            .map(String::as_str)
    }

    fn shown_platform(&self) -> String {
        self.platform
            .as_ref()
            .map_or("an unnamed platform".to_owned(), |there| {
                show_platform(&Platform {
                    os: there.os.clone(),
                    architecture: there.architecture.clone(),
                    variant: there.variant.clone(),
                })
            })
    }
}

impl DescriptorPlatform {
    fn fits(&self, wanted: &Platform) -> bool {
        // arm64 means arm64/v8 unless another variant is written (containerd/platforms, normalizeArch).
        let variant = |text: Option<&String>| text.filter(|text| *text != "v8" && !text.is_empty()).cloned();
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(wanted.variant.as_ref()) == variant(self.variant.as_ref()))
    }
}

/// `linux/arm64/v8`.
pub(crate) fn show_platform(platform: &Platform) -> String {
    let variant = platform
        .variant
        .as_ref()
        .map(|variant| format!("/{variant}"))
        .unwrap_or_default();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// Linux on this machine's processor, in Go's words, which OCI uses.
pub(crate) fn host_platform() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    };
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
    }
}

/// What a config blob says.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) platform: Platform,
    pub(crate) diff_ids: Vec<Digest>,
    pub(crate) image: ImageConfig,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    created: Option<String>,
    config: Option<RawRun>,
    rootfs: RawRootfs,
    history: Option<Vec<RawHistory>>,
}

#[derive(Deserialize)]
struct RawRootfs {
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Deserialize)]
struct RawHistory {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RawRun {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    healthcheck: Option<RawHealthCheck>,
    stop_signal: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawHealthCheck {
    test: Option<Vec<String>>,
}

/// Reads an image config.
pub(crate) fn parse_config(what: &str, bytes: &[u8]) -> Result<Config, ScanError> {
    let raw: RawConfig = parse_json(what, bytes)?;
    let run = raw.config.unwrap_or_default();
    let history = raw.history.unwrap_or_default().into_iter().map(|line| HistoryEntry {
        created_by: line.created_by,
        empty_layer: line.empty_layer,
    });
    let keys = |map: Option<BTreeMap<String, _>>| map.unwrap_or_default().into_keys().collect();
    Ok(Config {
        platform: Platform {
            os: raw.os,
            architecture: raw.architecture,
            variant: raw.variant.filter(|variant| !variant.is_empty()),
        },
        diff_ids: raw.rootfs.diff_ids.unwrap_or_default(),
        image: ImageConfig {
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            env: run.env.unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            exposed_ports: keys(run.exposed_ports),
            volumes: keys(run.volumes),
            health_check: run
                .healthcheck
                .and_then(|check| check.test)
                .map(|test| HealthCheck { test }),
            stop_signal: run.stop_signal.filter(|signal| !signal.is_empty()),
            labels: run.labels.unwrap_or_default(),
            history: history.collect(),
            created: raw.created,
        },
    })
}

/// JSON of a named document.
pub(crate) fn parse_json<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, ScanError> {
    serde_json::from_slice(bytes).map_err(|source| ScanError::Json {
        what: what.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(os: &str, architecture: &str, variant: Option<&str>) -> Descriptor {
        let json = serde_json::json!({
            "digest": format!("sha256:{}", "0".repeat(64)),
            "platform": {"os": os, "architecture": architecture, "variant": variant},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn selects_by_platform_and_never_an_attestation() {
        let list = [
            descriptor("unknown", "unknown", None),
            descriptor("linux", "arm64", Some("v8")),
            descriptor("linux", "arm", Some("v7")),
        ];
        let wanted = |text: &str| crate::target::parse_platform(text).unwrap();
        let select = |text: &str| select("x", &list, Some(&wanted(text)));
        assert_eq!(select("linux/arm64").unwrap().shown_platform(), "linux/arm64/v8");
        assert_eq!(select("linux/arm/v7").unwrap().shown_platform(), "linux/arm/v7");
        let error = select("linux/arm/v6").unwrap_err();
        assert!(error.to_string().contains("linux/arm64/v8, linux/arm/v7"), "{error}");
    }

    #[test]
    fn a_chart_is_not_an_image() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:{}"}},"layers":[]}}"#,
            "a".repeat(64)
        );
        let error = parse_document("x", text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("helm"), "{error}");
        assert!(parse_document("x", b"{\"schemaVersion\":1,\"fsLayers\":[]}").is_err());
        assert!(parse_document("x", b"{}").is_err());
        assert!(parse_document("x", b"[").is_err());
    }
}
