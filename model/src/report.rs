//! The one document that a scan leaves: written by `plimsoll scan -o json`, read by the agent, the server and admission.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BaseImage, FileEntry, Finding, ImageConfig, ImageIdentity, LayerInfo, Match, Note, Profile, Sbom, UsageWindow,
    Verdict,
};

/// Everything that a scan learned about one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanReport {
    /// [`crate::schema::SCAN_REPORT`].
    pub schema: String,
    /// Which image.
    pub image: ImageIdentity,
    /// How it is run.
    pub config: ImageConfig,
    /// Its layers, base first.
    pub layers: Vec<LayerInfo>,
    /// The image that it was built on, when one was asked for and found; `None` says nothing of whether there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseImage>,
    /// What it is made of.
    pub sbom: Sbom,
    /// Files that can run or change who runs: executables, libraries, scripts, setuid files, and symbolic links to
    /// them; sorted by path. The whole inventory is a report of its own (`-o inventory`).
    pub files: Vec<FileEntry>,
    /// How many files of all kinds the merged tree has.
    pub file_count: u64,
    /// Its vulnerabilities, worst first (known exploited, runtime evidence, EPSS, severity, id). `None` when no
    /// vulnerability database was used.
    pub matches: Option<Vec<Match>>,
    /// What image checks found.
    pub findings: Vec<Finding>,
    /// What its container should do.
    pub profile: Profile,
    /// What could not be done.
    pub notes: Vec<Note>,
    /// What the policy decided; `None` when none was asked.
    pub verdict: Option<Verdict>,
    /// When and how well its containers were watched; `None` when no usage was brought in (`plimsoll scan --runtime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageWindow>,
}
