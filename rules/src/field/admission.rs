//! `admission.*`: one object that somebody asks a Kubernetes cluster to accept (admission.k8s.io/v1), read by paths
//! through its JSON. <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>

use serde_json::Value as Json;

use super::{
    Argument, Context, Field, FieldType, Getter, Shape, Sources, Value,
    argument::Takes,
    audit::{End, JsonPath, Root, pointer_in, setting_of, show_json, types_of_volumes},
};
use crate::Source;

const ADMISSION: Sources = Sources::of(Source::Admission);

const fn one(name: &'static str, root: Root, keys: &'static str, doc: &'static str) -> Field {
    let path = JsonPath {
        root,
        keys,
        end: End::Whole,
    };
    Field::new(name, FieldType::Text, doc, Getter::Json(path)).of(ADMISSION)
}

const fn request(name: &'static str, keys: &'static str, doc: &'static str) -> Field {
    one(name, Root::Request, keys, doc)
}

const fn pod(name: &'static str, keys: &'static str, doc: &'static str) -> Field {
    one(name, Root::Pod, keys, doc)
}

const fn list(name: &'static str, root: Root, keys: &'static str, end: End, doc: &'static str) -> Field {
    let path = JsonPath { root, keys, end };
    Field::new(name, FieldType::Text, doc, Getter::Json(path))
        .of(ADMISSION)
        .shape(Shape::List)
}

const fn containers(name: &'static str, keys: &'static str, end: End, doc: &'static str) -> Field {
    list(name, Root::Containers, keys, end, doc)
}

/// A value of the object's metadata by name.
fn metadata(context: &Context<'_>, map: &str, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let request = context.admission().map(|observation| observation.request);
    let value = request.and_then(|request| request.get("object")?.get("metadata")?.get(map)?.get(argument.as_str()));
    if let Some(value) = value {
        show_json(value, show);
    }
}

/// Name of the object, or what its name will begin with.
fn name(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    let Some(observation) = context.admission() else { return };
    let of_object = |key: &str| observation.request.get("object")?.get("metadata")?.get(key);
    let given = observation.request.get("name").filter(|name| name.as_str() != Some(""));
    if let Some(name) = given
        .or_else(|| of_object("name"))
        .or_else(|| of_object("generateName"))
    {
        show_json(name, show);
    }
}

/// What each container gets for a security setting: its own, else the pod's, else `otherwise`.
fn effective(context: &Context<'_>, key: &str, otherwise: Json, show: &mut dyn FnMut(Value<'_>)) {
    let spec = context.admission().and_then(|observation| observation.pod?.get("spec"));
    let Some(spec) = spec else { return };
    let of_pod = setting_of(spec, key).unwrap_or(otherwise);
    Root::Containers.each(context, &mut |container| {
        show_json(setting_of(container, key).as_ref().unwrap_or(&of_pod), show);
    });
}

fn volume_types(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    if let Some(pod) = context.admission().and_then(|observation| observation.pod) {
        types_of_volumes(pod, "spec|volumes", show);
    }
}

fn pinned(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    Root::Containers.each(context, &mut |container| {
        if let Some(image) = container.get("image").and_then(Json::as_str) {
            show(Value::Bool(image.contains("@sha256:")));
        }
    });
}

fn decisions(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    let images = context.admission().map_or(&[][..], |observation| observation.images);
    for image in images {
        show(Value::Text(
            image.decision.map_or("unknown", |decision| decision.as_str()),
        ));
    }
}

pub(super) const FIELDS: &[Field] = &[
    request(
        "admission.operation",
        "operation",
        "What is asked for: `CREATE`, `UPDATE`.",
    ),
    request("admission.kind", "kind|kind", "Kind of the object: `Pod`."),
    request(
        "admission.group",
        "kind|group",
        "API group of the kind; empty for the core group.",
    ),
    request(
        "admission.resource",
        "resource|resource",
        "Resource of the object: `pods`.",
    ),
    request(
        "admission.subresource",
        "subResource",
        "Sub-resource: `ephemeralcontainers`.",
    ),
    request("admission.namespace", "namespace", "Namespace of the object."),
    Field::many(
        "admission.name",
        FieldType::Text,
        "Name of the object, or what its name will begin with.",
        |c, _, show| name(c, show),
    )
    .of(ADMISSION),
    request("admission.user.name", "userInfo|username", "User who asks."),
    list(
        "admission.user.groups",
        Root::Request,
        "userInfo|groups",
        End::Items,
        "Groups of the user.",
    ),
    request(
        "admission.dry_run",
        "dryRun",
        "Whether nothing may be changed or stored.",
    ),
    Field::many(
        "admission.label",
        FieldType::Text,
        "A label of the object.",
        |c, a, show| metadata(c, "labels", a, show),
    )
    .of(ADMISSION)
    .takes(Takes::Required),
    Field::many(
        "admission.annotation",
        FieldType::Text,
        "An annotation of the object.",
        |c, a, show| metadata(c, "annotations", a, show),
    )
    .of(ADMISSION)
    .takes(Takes::Required),
    Field::many(
        "admission.value",
        FieldType::Text,
        "A value of the request by JSON pointer: `admission.value[/object/spec/replicas]`.",
        |c, a, show| {
            if let Some(observation) = c.admission() {
                pointer_in(observation.request, a, show);
            }
        },
    )
    .of(ADMISSION)
    .takes(Takes::Required),
    pod(
        "admission.pod.host_network",
        "spec|hostNetwork",
        "`hostNetwork` of the pod, if it says it.",
    ),
    pod(
        "admission.pod.host_pid",
        "spec|hostPID",
        "`hostPID` of the pod, if it says it.",
    ),
    pod(
        "admission.pod.host_ipc",
        "spec|hostIPC",
        "`hostIPC` of the pod, if it says it.",
    ),
    pod(
        "admission.pod.service_account",
        "spec|serviceAccountName",
        "Service account that the pod names.",
    ),
    pod(
        "admission.pod.automount_token",
        "spec|automountServiceAccountToken",
        "`automountServiceAccountToken` of the pod, if it says it.",
    ),
    list(
        "admission.pod.volumes.host_path",
        Root::Pod,
        "spec|volumes|hostPath|path",
        End::Whole,
        "Paths of the host that volumes mount.",
    ),
    Field::many(
        "admission.pod.volumes.type",
        FieldType::Text,
        "Types of the volumes: `hostPath`, `emptyDir`.",
        |c, _, show| volume_types(c, show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    containers(
        "admission.containers.name",
        "name",
        End::Whole,
        "Names of all containers, init and ephemeral ones too.",
    ),
    containers(
        "admission.containers.image",
        "image",
        End::Whole,
        "Images of all containers.",
    ),
    containers(
        "admission.containers.image.repository",
        "image",
        End::Repository,
        "Repositories of these images.",
    ),
    Field::many(
        "admission.containers.image.pinned",
        FieldType::Bool,
        "For each container, whether its image is named by digest.",
        |c, _, show| pinned(c, show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    Field::many(
        "admission.containers.image.decision",
        FieldType::Text,
        "What the policy decided about each image that was judged: `go`, `warn`, `stop`, or `unknown` without a scan.",
        |c, _, show| decisions(c, show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    containers(
        "admission.containers.command",
        "command",
        End::Joined,
        "Commands of the containers.",
    ),
    containers(
        "admission.containers.args",
        "args",
        End::Joined,
        "Arguments of the containers.",
    ),
    containers(
        "admission.containers.env",
        "env|name",
        End::Whole,
        "Names of environment variables of the containers.",
    ),
    containers(
        "admission.containers.host_port",
        "ports|hostPort",
        End::Whole,
        "Ports of the host that containers take.",
    ),
    containers(
        "admission.containers.privileged",
        "securityContext|privileged",
        End::Whole,
        "`privileged` of each container that says it.",
    ),
    Field::many(
        "admission.containers.allow_privilege_escalation",
        FieldType::Text,
        "Whether each container may gain privileges; `true` when it does not say.",
        |c, _, show| effective(c, "allowPrivilegeEscalation", Json::Bool(true), show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    Field::many(
        "admission.containers.read_only_fs",
        FieldType::Text,
        "Whether each container's root file system is read-only; `false` when it does not say.",
        |c, _, show| effective(c, "readOnlyRootFilesystem", Json::Bool(false), show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    Field::many(
        "admission.containers.run_as_user",
        FieldType::Text,
        "User that each container is made to start as; `image` when neither it nor the pod says one.",
        |c, _, show| effective(c, "runAsUser", Json::from("image"), show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    Field::many(
        "admission.containers.run_as_non_root",
        FieldType::Text,
        "`runAsNonRoot` of each container or its pod; `false` when neither says it.",
        |c, _, show| effective(c, "runAsNonRoot", Json::Bool(false), show),
    )
    .of(ADMISSION)
    .shape(Shape::List),
    containers(
        "admission.containers.add_capabilities",
        "securityContext|capabilities|add",
        End::Items,
        "Capabilities that are added.",
    ),
    containers(
        "admission.containers.drop_capabilities",
        "securityContext|capabilities|drop",
        End::Items,
        "Capabilities that are dropped.",
    ),
    containers(
        "admission.containers.seccomp",
        "securityContext|seccompProfile|type",
        End::Whole,
        "Type of the seccomp profile of each container that says it: `RuntimeDefault`.",
    ),
];
