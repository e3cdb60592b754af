//! What an agent says of itself, as `POST /api/v1/agent/heartbeat` takes it.

use plimsoll_model::{Container, ContainerRuntime};
use serde::Serialize;

use crate::{
    images::ReportSource,
    limits::{MAX_HEARTBEAT_CONTAINERS, MAX_HEARTBEAT_ROWS},
    output::Vitals,
};

#[derive(Debug, Serialize)]
pub(super) struct Heartbeat {
    version: &'static str,
    kernel: String,
    event_count: u64,
    losses: Vec<Loss>,
    blind_spots: Vec<BlindSpot>,
    containers: Vec<Seen>,
}

#[derive(Debug, Serialize)]
struct Loss {
    reason: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct BlindSpot {
    subject: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Seen {
    id: String,
    name: String,
    runtime: &'static str,
    image: Option<String>,
    config_digest: Option<String>,
    manifest_digest: Option<String>,
    namespace: Option<String>,
    pod: Option<String>,
    profile: Option<&'static str>,
}

impl Heartbeat {
    pub(super) fn of(vitals: &Vitals) -> Self {
        let counts = &vitals.counts;
        let outputs = vitals.outputs.iter();
        let losses = [
            ("ring_buffer".to_owned(), counts.lost_in_ring),
            ("queue".to_owned(), counts.lost_in_queue),
            ("decode".to_owned(), counts.undecodable),
            ("process_tree".to_owned(), counts.untracked_processes),
            ("identity".to_owned(), counts.unknown_containers),
            ("alerts".to_owned(), vitals.undelivered),
        ]
        .into_iter()
        .chain(outputs.map(|output| (format!("output_{}", output.name), output.lost + output.refused)));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel: vitals.kernel.clone(),
            event_count: counts.events,
            losses: losses
                .filter(|(_, count)| *count > 0)
                .take(MAX_HEARTBEAT_ROWS)
                .map(|(reason, count)| Loss { reason, count })
                .collect(),
            blind_spots: vitals
                .blind_spots
                .iter()
                .take(MAX_HEARTBEAT_ROWS)
                .map(|(subject, reason)| BlindSpot {
                    subject: subject.clone(),
                    reason: reason.clone(),
                })
                .collect(),
            containers: vitals
                .containers
                .iter()
                .take(MAX_HEARTBEAT_CONTAINERS)
                .map(|(container, source)| seen(container, *source))
                .collect(),
        }
    }
}

fn seen(container: &Container, source: Option<ReportSource>) -> Seen {
    let image = container.image.as_ref();
    let pod = container.pod.as_ref();
    Seen {
        id: container.id.clone(),
        name: container.name.clone(),
        runtime: match container.runtime {
            ContainerRuntime::Podman => "podman",
            ContainerRuntime::Docker => "docker",
            ContainerRuntime::Containerd => "containerd",
            ContainerRuntime::Crio => "crio",
            ContainerRuntime::Runc => "runc",
            _ => "unknown",
        },
        image: image.map(|image| image.reference.clone()),
        config_digest: image
            .and_then(|image| image.config_digest)
            .map(|digest| digest.to_string()),
        manifest_digest: image
            .and_then(|image| image.manifest_digest)
            .map(|digest| digest.to_string()),
        namespace: pod.map(|pod| pod.namespace.clone()),
        pod: pod.map(|pod| pod.name.clone()),
        profile: source.map(|source| match source {
            ReportSource::Folder => "scan",
            ReportSource::Server => "server",
            ReportSource::Registry => "registry",
        }),
    }
}
