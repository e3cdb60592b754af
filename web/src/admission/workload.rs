//! Where Kubernetes objects name their images: an object in, its containers out.

use serde_json::Value;

use super::review::Request;
use crate::limits;

/// A container and its image, as the object writes them. Hostile text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContainerImage {
    /// Name of the container; empty when the object gives none.
    pub(super) container: String,
    /// Image.
    pub(super) image: String,
}

/// What an object says of images.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Images {
    /// It has containers.
    Some(Vec<ContainerImage>),
    /// It is of a kind that runs nothing, or of one that we do not know.
    NotAWorkload,
    /// It should have containers and they cannot be read.
    Unreadable(&'static str),
}

/// Path of the pod spec in each kind that has one: group, kind, JSON pointer.
const POD_SPECS: [(&str, &str, &str); 11] = [
    ("", "Pod", "/spec"),
    ("", "PodTemplate", "/template/spec"),
    ("", "ReplicationController", "/spec/template/spec"),
    // Before Kubernetes 1.23, `kubectl debug` sent this kind; its containers are at the top.
    ("", "EphemeralContainers", ""),
    ("apps", "Deployment", "/spec/template/spec"),
    ("apps", "ReplicaSet", "/spec/template/spec"),
    ("apps", "StatefulSet", "/spec/template/spec"),
    ("apps", "DaemonSet", "/spec/template/spec"),
    ("batch", "Job", "/spec/template/spec"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("extensions", "Deployment", "/spec/template/spec"),
];

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// What an object of the request's kind holds of a pod: an object with `metadata` and `spec`.
pub(super) fn pod_of<'o>(request: &Request, object: &'o Value) -> Option<&'o Value> {
    let (_, _, spec) = known(request)?;
    object.pointer(spec.strip_suffix("/spec")?)
}

fn known(request: &Request) -> Option<&'static (&'static str, &'static str, &'static str)> {
    POD_SPECS
        .iter()
        .find(|(group, kind, _)| *group == request.kind.group && *kind == request.kind.kind)
}

/// The containers of the object as it would be.
pub(super) fn images_of(request: &Request, object: &Value) -> Images {
    let Some((_, _, pointer)) = known(request) else {
        return Images::NotAWorkload;
    };
    let Some(spec) = object.pointer(pointer).and_then(Value::as_object) else {
        // A replication controller may have no template of its own; the API server decides whether that is right.
        return match request.kind.kind.as_str() {
            "ReplicationController" if object.pointer("/spec/template").is_none_or(Value::is_null) => {
                Images::Some(Vec::new())
            }
            _ => Images::Unreadable("the object has no pod spec"),
        };
    };
    let mut images = Vec::new();
    for list in LISTS {
        match spec.get(list) {
            None | Some(Value::Null) => {}
            Some(Value::Array(containers)) => {
                for container in containers {
                    let Some(image) = container["image"].as_str().filter(|image| !image.is_empty()) else {
                        return Images::Unreadable("a container has no image");
                    };
                    images.push(ContainerImage {
                        container: container["name"].as_str().unwrap_or_default().to_owned(),
                        image: image.to_owned(),
                    });
                }
            }
            Some(_) => return Images::Unreadable("a list of containers is no list"),
        }
        if images.len() > limits::MAX_REVIEW_CONTAINERS {
            return Images::Unreadable("the object has too many containers");
        }
    }
    Images::Some(images)
}

/// The containers whose image an update brings in. What ran before goes on: an object that was admitted must stay
/// changeable, or nobody could scale it down or remove a finalizer.
pub(super) fn new_images(request: &Request, images: Vec<ContainerImage>) -> Vec<ContainerImage> {
    if request.operation != "UPDATE" {
        return images;
    }
    match images_of(request, request.old_object()) {
        Images::Some(old) => images
            .into_iter()
            .filter(|new| !old.iter().any(|old| old.image == new.image))
            .collect(),
        Images::NotAWorkload | Images::Unreadable(_) => images,
    }
}
