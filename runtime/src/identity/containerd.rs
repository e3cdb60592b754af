//! containerd, by `ctr` or below Kubernetes: the running task's OCI spec and its annotations.

use std::fs;

use plimsoll_model::{Container, ContainerDetails, ContainerImage, ContainerRuntime, Pod};

use super::{Case, Engine, Identified, is_hex_id, parse_digest, spec::Spec};

/// containerd.
pub(crate) struct Containerd;

/// State folder of tasks.
const TASKS: &str = "/run/containerd/io.containerd.runtime.v2.task";

impl Engine for Containerd {
    fn runtime(&self) -> ContainerRuntime {
        ContainerRuntime::Containerd
    }

    /// `/kubepods/<class>/pod<uid>/<id>`, `/kubepods.slice/…/cri-containerd-<id>.scope`, or `/<namespace>/<name>`.
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str> {
        let last = cgroup_path.rsplit('/').next()?;
        if let Some(id) = last
            .strip_suffix(".scope")
            .and_then(|part| part.strip_prefix("cri-containerd-"))
        {
            return is_hex_id(id).then_some(id);
        }
        if cgroup_path.starts_with("/kubepods") {
            return is_hex_id(last).then_some(last);
        }
        let mut parts = cgroup_path.strip_prefix('/')?.split('/');
        let (namespace, name) = (parts.next()?, parts.next()?);
        let is_plain = parts.next().is_none()
            && [namespace, name].iter().all(|part| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            })
            && !namespace.ends_with(".slice")
            && namespace != "libpod_parent";
        is_plain.then_some(name)
    }

    fn identify(&self, case: &Case<'_>) -> Option<Identified> {
        let namespaces = fs::read_dir(case.at(TASKS)).ok()?;
        namespaces.flatten().take(MAX_NAMESPACES).find_map(|namespace| {
            let folder = namespace.path().join(case.container_id);
            let spec = Spec::read(&folder.join("config.json"))?;
            let pid = fs::read_to_string(folder.join("init.pid")).unwrap_or_default();
            Some(Identified {
                container: describe(case, &spec, pid.trim().parse().unwrap_or(0)),
                diff_ids: Vec::new(),
            })
        })
    }
}

/// containerd namespaces that are looked through.
const MAX_NAMESPACES: usize = 64;

fn describe(case: &Case<'_>, spec: &Spec, init_pid: i32) -> Container {
    let annotation = |key: &str| spec.annotation(&format!("io.kubernetes.cri.{key}")).map(str::to_owned);
    let pod = annotation("sandbox-name").map(|name| Pod {
        name,
        namespace: annotation("sandbox-namespace").unwrap_or_default(),
        uid: annotation("sandbox-uid").unwrap_or_default(),
    });
    let plain = case.container(ContainerRuntime::Containerd);
    Container {
        name: match annotation("container-name") {
            Some(name) => name,
            None if annotation("container-type").as_deref() == Some("sandbox") => "POD".to_owned(),
            None => plain.name.clone(),
        },
        image: annotation("image-name").map(image_named),
        init_pid,
        pod,
        privileged: spec.is_privileged(),
        details: ContainerDetails {
            sandbox_id: annotation("sandbox-id").unwrap_or_default(),
            ..spec.details(|key| !key.starts_with("io.kubernetes.cri."))
        },
        ..plain
    }
}

/// The name may be a reference with a manifest digest, or the config digest alone.
fn image_named(reference: String) -> ContainerImage {
    let manifest_digest = reference.split_once('@').and_then(|(_, digest)| parse_digest(digest));
    let config_digest = reference
        .starts_with("sha256:")
        .then(|| parse_digest(&reference))
        .flatten();
    ContainerImage {
        reference,
        manifest_digest,
        config_digest,
    }
}
