//! Admission: a review of a Kubernetes object in; the verdicts of its images by digest, from the store, out. Nothing is
//! scanned here: an answer takes milliseconds or is given up.

mod decide;
mod message;
mod object;
mod review;
mod verdicts;
mod webhook;
mod workload;

use std::{fs, path::PathBuf};

use plimsoll_policy::{Policy, Waiver, parse_waivers};
use plimsoll_rules::RuleFile;

pub(crate) use webhook::route;

use crate::{Error, error::Result, limits};

/// Where the webhook is.
pub(crate) const PATH: &str = "/admission/v1/review";

/// What admission decides by.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// Rule files, later ones change earlier ones; empty is the shipped policy.
    pub rules: Vec<PathBuf>,
    /// Waiver file, used beside the waivers of the store.
    pub waivers: Option<PathBuf>,
}

/// Decides about reviews.
pub(crate) struct Admission {
    policy: Policy,
    waivers: Vec<Waiver>,
    verdicts: verdicts::Cache,
}

impl Admission {
    /// Reads and checks rule and waiver files.
    pub(crate) fn load(source: &PolicySource) -> Result<Self> {
        let policy = match source.rules.as_slice() {
            [] => Policy::shipped(),
            paths => load_policy(paths)?,
        };
        let waivers = match &source.waivers {
            Some(path) => parse_waivers(&path.display().to_string(), &read(path)?)
                .map_err(|error| Error::Policy(error.to_string()))?,
            None => Vec::new(),
        };
        Ok(Self {
            policy,
            waivers,
            verdicts: verdicts::Cache::default(),
        })
    }
}

/// Everything that a review alone tells: for the fuzzer.
pub(crate) fn read_review(bytes: &[u8]) {
    let Ok(request) = review::parse(bytes) else { return };
    message::object(&request);
    for object in [request.object(), request.old_object()] {
        workload::pod_of(&request, object);
        if let workload::Images::Some(images) = workload::images_of(&request, object) {
            workload::new_images(&request, images);
        }
    }
}

fn load_policy(paths: &[PathBuf]) -> Result<Policy> {
    let files = paths
        .iter()
        .map(|path| {
            Ok(RuleFile {
                name: path.display().to_string(),
                text: read(path)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let name = paths[0].file_stem().unwrap_or_default().to_string_lossy();
    let (policy, warnings) = Policy::load(&name, &files).map_err(|error| Error::Policy(error.to_string()))?;
    for warning in warnings {
        tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
    }
    Ok(policy)
}

fn read(path: &PathBuf) -> Result<String> {
    let failed = |source| Error::File {
        operation: "read",
        path: path.clone(),
        source,
    };
    let size_bytes = fs::metadata(path).map_err(failed)?.len();
    if size_bytes > limits::MAX_POLICY_FILE_BYTES {
        return Err(Error::Policy(format!(
            "read {}: it is larger than {} bytes",
            path.display(),
            limits::MAX_POLICY_FILE_BYTES
        )));
    }
    fs::read_to_string(path).map_err(failed)
}
