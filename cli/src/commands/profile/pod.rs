//! `--pod FILE` in, the container that runs an image out.

use std::{fs::File, io::Read as _, path::PathBuf};

use clap::Args;
use plimsoll_scanner::pod::{PodContainer, PodError, choose, parse};

use crate::exit::{Exit, Failure};

/// Largest manifest, bytes; the reader's own limit is below.
const MAX_MANIFEST_BYTES: u64 = 8 << 20;

/// In which pod.
#[derive(Args)]
pub(super) struct PodArguments {
    /// Kubernetes manifest (YAML or JSON) of the pod that runs the image: its command, user, ports, volumes and probes count
    #[arg(long, value_name = "FILE")]
    pod: Option<PathBuf>,
    /// Name of the container in it [default: the only one, or the only one whose image has this repository]
    #[arg(long = "container", value_name = "NAME", requires = "pod")]
    container: Option<String>,
}

impl PodArguments {
    /// `None` when no pod was given.
    pub(super) fn load(&self, target: &str) -> Result<Option<PodContainer>, Failure> {
        let Some(path) = &self.pod else { return Ok(None) };
        let failed = |error: anyhow::Error, hint: &str| {
            let error = error.context(format!("use the pod in {}", path.display()));
            Failure::new(Exit::Usage, error, hint.to_owned())
        };
        if target.starts_with("report:") {
            let error = anyhow::anyhow!("a report has no entry scripts to follow with the pod's command");
            return Err(failed(error, "give the image itself"));
        }
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_MANIFEST_BYTES).read_to_string(&mut text))
            .map_err(|error| {
                failed(
                    error.into(),
                    "name a file with a manifest, as `kubectl get -o yaml` writes it",
                )
            })?;
        let reference = target.split_once(':').map_or(target, |(scheme, rest)| match scheme {
            "registry" | "docker" | "podman" | "containerd" => rest,
            _ => target,
        });
        let chosen = parse(&text).and_then(|containers| choose(containers, reference, self.container.as_deref()));
        chosen.map(Some).map_err(|error| {
            let hint = match &error {
                PodError::Which { .. } => "say which with --container NAME",
                _ => "is it a manifest? `kubectl apply --dry-run=server -f FILE` checks it",
            };
            failed(error.into(), hint)
        })
    }
}
