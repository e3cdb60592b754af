//! `images.yaml` in, how each image of the suite is scanned and run out.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde::Deserialize;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// `Images`.
    pub kind: String,
    /// By name.
    pub images: BTreeMap<String, ImageSpec>,
}

/// One image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// What is given to `plimsoll scan`, in the repository's top folder.
    pub scan: String,
    /// Name of the image, below `localhost/plimsoll-demo` where it has no slash; `None`: as the suite names it.
    pub image: Option<String>,
    /// Other names by which files call the service.
    #[serde(default)]
    pub also_called: Vec<String>,
    /// podman's options, with placeholders.
    #[serde(default)]
    pub options: Vec<String>,
    /// The container's own arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// A program of this machine, run in the container's network until it succeeds.
    pub ready: Vec<String>,
    /// What that program must say.
    #[serde(default)]
    pub says: String,
    /// Files that are made in `{scratch}` before the container starts: name and content; a name that ends in `/` is a
    /// folder.
    #[serde(default)]
    pub scratch: BTreeMap<String, String>,
    /// A program of this machine that must run while the container does (a backend), in its network.
    #[serde(default)]
    pub companions: Vec<Vec<String>>,
    /// Operations that make an hour of this image's usual work.
    pub operations_per_hour: u64,
    /// Attacks of foreign files that the kernel has nothing to show for, and why.
    #[serde(default)]
    pub unseen: BTreeMap<String, String>,
    /// Whether it is cheap enough for every test run.
    #[serde(default)]
    pub is_quick: bool,
}

impl ImageSpec {
    /// Whether what is scanned is there.
    pub fn is_built(&self) -> bool {
        let path = self.scan.split_once(':').map_or(self.scan.as_str(), |(_, path)| path);
        let (folder, tag) = path.split_once(':').unwrap_or((path, ""));
        let folder = crate::repository::root().join(folder);
        let index = std::fs::read_to_string(folder.join("index.json")).unwrap_or_default();
        folder.exists() && (tag.is_empty() || index.contains(&format!("\"{tag}\"")))
    }
}

impl Images {
    /// Reads `images.yaml`.
    ///
    /// # Errors
    /// The file cannot be read, or is not of the form.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("read {}", path.display()))
    }

    /// One file's text.
    ///
    /// # Errors
    /// It is not of the form.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(serde_saphyr::from_str(text)?)
    }

    /// Takes another file's images; of one name, theirs.
    pub fn add(&mut self, other: Self) {
        self.images.extend(other.images);
    }

    /// The name of the image that a service runs.
    pub fn called(&self, service: &str) -> Option<String> {
        let is_it =
            |name: &String, spec: &ImageSpec| name == service || spec.also_called.iter().any(|one| one == service);
        let exact = self.images.get_key_value(service);
        let found = exact.or_else(|| self.images.iter().find(|(name, spec)| is_it(name, spec)));
        found.map(|(name, _)| name.clone())
    }

    /// Names of all images.
    pub fn names(&self) -> Vec<&str> {
        self.images.keys().map(String::as_str).collect()
    }
}
