//! The table of `ka.*` and `jevt.*`: a name, where in the event it is found, what it means.

use super::{
    End, computed, effective, first_image, is_privileged, list, mounts_host_path, path, pod_name, pointer, show_json,
    subjects, uri_parameter, volume_types,
};
use crate::field::{Field, Shape, Value, argument::Takes};

/// The fields of one of a pod's lists of containers.
macro_rules! containers {
    ($list:literal) => {
        [
            list(
                concat!("ka.req.pod.", $list, ".name"),
                concat!("requestObject|spec|", $list, "|name"),
                End::Whole,
                "Names of the pod's containers.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".image"),
                concat!("requestObject|spec|", $list, "|image"),
                End::Whole,
                "Images of the pod's containers.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".image.repository"),
                concat!("requestObject|spec|", $list, "|image"),
                End::Repository,
                "Repositories of these images.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".args"),
                concat!("requestObject|spec|", $list, "|args"),
                End::Joined,
                "Arguments of the pod's containers.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".command"),
                concat!("requestObject|spec|", $list, "|command"),
                End::Joined,
                "Commands of the pod's containers.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".host_port"),
                concat!("requestObject|spec|", $list, "|ports"),
                End::HostPorts,
                "Ports on the host.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".privileged"),
                concat!("requestObject|spec|", $list, "|securityContext|privileged"),
                End::Whole,
                "`privileged` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".allow_privilege_escalation"),
                concat!(
                    "requestObject|spec|",
                    $list,
                    "|securityContext|allowPrivilegeEscalation"
                ),
                End::Whole,
                "`allowPrivilegeEscalation` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".read_only_fs"),
                concat!("requestObject|spec|", $list, "|securityContext|readOnlyRootFilesystem"),
                End::Whole,
                "`readOnlyRootFilesystem` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".run_as_user"),
                concat!("requestObject|spec|", $list, "|securityContext|runAsUser"),
                End::Whole,
                "`runAsUser` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".run_as_group"),
                concat!("requestObject|spec|", $list, "|securityContext|runAsGroup"),
                End::Whole,
                "`runAsGroup` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".proc_mount"),
                concat!("requestObject|spec|", $list, "|securityContext|procMount"),
                End::Whole,
                "`procMount` of each container that says it.",
            ),
            list(
                concat!("ka.req.pod.", $list, ".add_capabilities"),
                concat!("requestObject|spec|", $list, "|securityContext|capabilities|add"),
                End::Items,
                "Capabilities that are added.",
            ),
            computed(
                concat!("ka.req.pod.", $list, ".eff_run_as_user"),
                "User that each container starts as; 0 when nothing says it.",
                |c, a, show| effective(c, $list, "runAsUser", a, show),
            )
            .shape(Shape::List)
            .takes(Takes::OptionalIndex),
            computed(
                concat!("ka.req.pod.", $list, ".eff_run_as_group"),
                "Group that each container starts as; 0 when nothing says it.",
                |c, a, show| effective(c, $list, "runAsGroup", a, show),
            )
            .shape(Shape::List)
            .takes(Takes::OptionalIndex),
        ]
    };
}

pub(in crate::field) const CONTAINERS: &[Field] = &containers!("containers");
pub(in crate::field) const INIT_CONTAINERS: &[Field] = &containers!("initContainers");
pub(in crate::field) const EPHEMERAL_CONTAINERS: &[Field] = &containers!("ephemeralContainers");

pub(in crate::field) const FIELDS: &[Field] = &[
    path("ka.auditid", "auditID", "Unique id of the audit event."),
    path("ka.stage", "stage", "Stage of the request: `ResponseComplete`."),
    path(
        "ka.auth.decision",
        "annotations|authorization.k8s.io/decision",
        "`allow` or `forbid`.",
    ),
    path(
        "ka.auth.reason",
        "annotations|authorization.k8s.io/reason",
        "Why it was allowed or not.",
    ),
    path(
        "ka.auth.openshift.decision",
        "annotations|authentication.openshift.io/decision",
        "OpenShift's decision.",
    ),
    path(
        "ka.auth.openshift.username",
        "annotations|authentication.openshift.io/username",
        "OpenShift's user.",
    ),
    path(
        "ka.validations.admission.policy.failure",
        "annotations|validation.policy.admission.k8s.io/validation_failure",
        "Why an admission policy refused it.",
    ),
    path(
        "ka.security.pod.violations",
        "annotations|pod-security.kubernetes.io/audit-violations",
        "Pod security standards that it violates.",
    ),
    path("ka.user.name", "user|username", "User who asked."),
    list("ka.user.groups", "user|groups", End::Items, "Groups of the user.").takes(Takes::Nothing),
    path(
        "ka.impuser.name",
        "impersonatedUser|username",
        "User whom the user impersonates.",
    ),
    path("ka.verb", "verb", "What was asked for: `create`."),
    path("ka.uri", "requestURI", "URI of the request."),
    computed("ka.uri.param", "A parameter of the URI.", uri_parameter).takes(Takes::Required),
    path("ka.target.name", "objectRef|name", "Name of the object."),
    path("ka.target.namespace", "objectRef|namespace", "Namespace of the object."),
    path(
        "ka.target.resource",
        "objectRef|resource",
        "Resource of the object: `pods`.",
    ),
    path(
        "ka.target.subresource",
        "objectRef|subresource",
        "Sub-resource: `exec`.",
    ),
    computed(
        "ka.target.pod.name",
        "Name of the pod, when the object is one.",
        |c, _, show| pod_name(c, show),
    ),
    list(
        "ka.req.binding.subjects",
        "requestObject|subjects",
        End::Items,
        "Subjects of a role binding, as JSON.",
    )
    .takes(Takes::Nothing),
    computed(
        "ka.req.binding.subjects.user_names",
        "Users of a role binding.",
        |c, _, show| subjects(c, "User", false, show),
    )
    .shape(Shape::List),
    computed(
        "ka.req.binding.subjects.group_names",
        "Groups of a role binding.",
        |c, _, show| subjects(c, "Group", false, show),
    )
    .shape(Shape::List),
    computed(
        "ka.req.binding.subjects.serviceaccount_names",
        "Service accounts of a role binding.",
        |c, _, show| subjects(c, "ServiceAccount", false, show),
    )
    .shape(Shape::List),
    computed(
        "ka.req.binding.subjects.serviceaccount_ns_names",
        "Service accounts of a role binding, with namespace.",
        |c, _, show| subjects(c, "ServiceAccount", true, show),
    )
    .shape(Shape::List),
    path(
        "ka.req.binding.role",
        "requestObject|roleRef|name",
        "Role of a role binding.",
    ),
    computed(
        "ka.req.binding.subject.has_name",
        "Always `true`; kept for old rules.",
        |_, _, show| show(Value::Text("true")),
    )
    .takes(Takes::Required),
    path("ka.req.configmap.name", "objectRef|name", "Name of the config map."),
    path(
        "ka.req.configmap.obj",
        "requestObject|data",
        "Content of the config map, as JSON.",
    ),
    computed(
        "ka.req.container.image",
        "Image of the first container.",
        |c, _, show| first_image(c, End::Whole, show),
    ),
    computed(
        "ka.req.container.image.repository",
        "Repository of that image.",
        |c, _, show| first_image(c, End::Repository, show),
    ),
    computed(
        "ka.req.container.privileged",
        "Whether any container is privileged.",
        |c, _, show| is_privileged(c, show),
    ),
    path(
        "ka.req.container.host_network",
        "requestObject|spec|hostNetwork",
        "As `ka.req.pod.host_network`.",
    ),
    path(
        "ka.req.pod.host_ipc",
        "requestObject|spec|hostIPC",
        "`hostIPC` of the pod.",
    ),
    path(
        "ka.req.pod.host_network",
        "requestObject|spec|hostNetwork",
        "`hostNetwork` of the pod.",
    ),
    path(
        "ka.req.pod.host_pid",
        "requestObject|spec|hostPID",
        "`hostPID` of the pod.",
    ),
    path(
        "ka.req.pod.run_as_user",
        "requestObject|spec|securityContext|runAsUser",
        "`runAsUser` of the pod.",
    ),
    path(
        "ka.req.pod.run_as_group",
        "requestObject|spec|securityContext|runAsGroup",
        "`runAsGroup` of the pod.",
    ),
    path(
        "ka.req.pod.fs_group",
        "requestObject|spec|securityContext|fsGroup",
        "`fsGroup` of the pod.",
    ),
    list(
        "ka.req.pod.supplemental_groups",
        "requestObject|spec|securityContext|supplementalGroups",
        End::Items,
        "`supplementalGroups` of the pod.",
    ),
    list(
        "ka.req.pod.volumes.hostpath",
        "requestObject|spec|volumes|hostPath|path",
        End::Whole,
        "Paths of the host that volumes mount.",
    ),
    list(
        "ka.req.pod.volumes.flexvolume_driver",
        "requestObject|spec|volumes|flexVolume|driver",
        End::Whole,
        "Drivers of flex volumes.",
    ),
    computed(
        "ka.req.pod.volumes.volume_type",
        "Types of the volumes.",
        |c, _, show| volume_types(c, show),
    )
    .shape(Shape::List),
    computed(
        "ka.req.volume.hostpath",
        "Whether a volume mounts that path of the host; `*` at its end for all below.",
        mounts_host_path,
    )
    .takes(Takes::Required),
    list(
        "ka.req.role.rules",
        "requestObject|rules",
        End::Items,
        "Rules of a role, as JSON.",
    )
    .takes(Takes::Nothing),
    list(
        "ka.req.role.rules.apiGroups",
        "requestObject|rules|apiGroups",
        End::Items,
        "API groups of a role's rules.",
    ),
    list(
        "ka.req.role.rules.nonResourceURLs",
        "requestObject|rules|nonResourceURLs",
        End::Items,
        "URLs of a role's rules.",
    ),
    list(
        "ka.req.role.rules.verbs",
        "requestObject|rules|verbs",
        End::Items,
        "Verbs of a role's rules.",
    ),
    list(
        "ka.req.role.rules.resources",
        "requestObject|rules|resources",
        End::Items,
        "Resources of a role's rules.",
    ),
    path(
        "ka.req.service.type",
        "requestObject|spec|type",
        "Type of the service: `NodePort`.",
    ),
    list(
        "ka.req.service.ports",
        "requestObject|spec|ports",
        End::Items,
        "Ports of the service, as JSON.",
    ),
    path(
        "ka.resp.name",
        "responseObject|metadata|name",
        "Name of the object in the response.",
    ),
    path(
        "ka.response.code",
        "responseStatus|code",
        "Status code of the response.",
    ),
    path(
        "ka.response.reason",
        "responseStatus|reason",
        "Reason in the response, of failures.",
    ),
    path("ka.useragent", "userAgent", "User agent of the client."),
    list("ka.sourceips", "sourceIPs", End::Items, "Addresses of the client."),
    path("ka.cluster.name", "annotations|cluster_name", "Name of the cluster."),
    computed("jevt.value", "A value of the event by JSON pointer.", pointer).takes(Takes::Required),
    computed("json.value", "As `jevt.value`.", pointer).takes(Takes::Required),
    computed("jevt.obj", "The whole event, as JSON.", |c, _, show| {
        if let Some(event) = c.audit() {
            show_json(event, show)
        }
    }),
    computed("json.obj", "As `jevt.obj`.", |c, _, show| {
        if let Some(event) = c.audit() {
            show_json(event, show)
        }
    }),
    path(
        "jevt.rawtime",
        "stageTimestamp",
        "When this stage was reached, RFC 3339.",
    ),
    path("json.rawtime", "stageTimestamp", "As `jevt.rawtime`."),
    path("jevt.time", "stageTimestamp", "As `jevt.rawtime`."),
    path("jevt.time.iso8601", "stageTimestamp", "As `jevt.rawtime`."),
    computed("evt.source", "`k8s_audit`.", |_, _, show| {
        show(Value::Text("k8s_audit"))
    }),
    path("evt.time", "stageTimestamp", "As `jevt.rawtime`."),
];
