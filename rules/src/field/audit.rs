//! `ka.*` and `jevt.*`: one Kubernetes audit event (audit.k8s.io/v1), read by paths through its JSON. The paths also
//! serve the objects of admission.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{
    Argument, Context, Field, FieldType, Getter, Shape, Sources, Value, argument::Takes, context::with_buffer,
    table::Many,
};
use crate::Source;

mod fields;

pub(super) use fields::{CONTAINERS, EPHEMERAL_CONTAINERS, FIELDS, INIT_CONTAINERS};

/// A way through a JSON document, and what is done with what lies at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonPath {
    /// Where it begins.
    pub(super) root: Root,
    /// Keys, joined by `|`. Arrays on the way are gone through, or cut down to the element with the argument's index.
    pub(super) keys: &'static str,
    pub(super) end: End,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// At the audit event.
    Event,
    /// At the request of an admission review.
    Request,
    /// At the pod, or template of a pod, that the request's object holds.
    Pod,
    /// At each of that pod's containers, init and ephemeral ones too.
    Containers,
}

/// What lies at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The value as text; JSON when it is no text.
    Whole,
    /// The items of an array.
    Items,
    /// The items of an array joined by blanks.
    Joined,
    /// The part of an image reference before `:` and `@`.
    Repository,
    /// `hostPort`, else `containerPort`, of the items.
    HostPorts,
}

const AUDIT: Sources = Sources::of(Source::K8sAudit);

impl JsonPath {
    /// Shows what the path leads to.
    pub(crate) fn each(self, context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
        self.root.each(context, &mut |from| {
            walk(from, self.keys, argument.index, &mut |value| self.end.show(value, show));
        });
    }
}

impl Root {
    /// Gives every value at which a path begins.
    pub(super) fn each(self, context: &Context<'_>, found: &mut dyn FnMut(&Json)) {
        let request = || context.admission().map(|observation| observation.request);
        let pod = || context.admission().and_then(|observation| observation.pod);
        match self {
            Self::Event => context.audit().into_iter().for_each(found),
            Self::Request => request().into_iter().for_each(found),
            Self::Pod => pod().into_iter().for_each(found),
            Self::Containers => {
                let Some(spec) = pod().and_then(|pod| pod.get("spec")) else {
                    return;
                };
                for list in ["initContainers", "containers", "ephemeralContainers"] {
                    let containers = spec.get(list).and_then(Json::as_array);
                    containers.into_iter().flatten().for_each(&mut *found);
                }
            }
        }
    }
}

impl End {
    fn show(self, value: &Json, show: &mut dyn FnMut(Value<'_>)) {
        match (self, value) {
            (Self::Whole, value) => show_json(value, show),
            (Self::Items, Json::Array(items)) => items.iter().for_each(|item| show_json(item, show)),
            (Self::Joined, Json::Array(items)) => with_buffer(|buffer| {
                for (index, word) in items.iter().filter_map(Json::as_str).enumerate() {
                    buffer.push_str(if index > 0 { " " } else { "" });
                    buffer.push_str(word);
                }
                show(Value::Text(buffer));
            }),
            (Self::Repository, Json::String(image)) => {
                show(Value::Text(image.split([':', '@']).next().unwrap_or(image)));
            }
            (Self::HostPorts, Json::Array(ports)) => {
                for port in ports
                    .iter()
                    .filter_map(|port| port.get("hostPort").or_else(|| port.get("containerPort")))
                {
                    show_json(port, show);
                }
            }
            _ => {}
        }
    }
}

/// Goes down `keys`; arrays stand for all their elements, or for the one with `index`.
fn walk(value: &Json, keys: &str, index: Option<usize>, found: &mut dyn FnMut(&Json)) {
    let (key, rest) = match keys.split_once('|') {
        Some((key, rest)) => (key, Some(rest)),
        None => (keys, None),
    };
    if let Json::Array(items) = value {
        let chosen = items
            .iter()
            .enumerate()
            .filter(|(at, _)| index.is_none_or(|index| index == *at));
        chosen.for_each(|(_, item)| walk(item, keys, index, found));
        return;
    }
    match (value.get(key), rest) {
        (Some(inner), Some(rest)) => walk(inner, rest, index, found),
        (Some(inner), None) => found(inner),
        (None, _) => {}
    }
}

pub(super) fn show_json(value: &Json, show: &mut dyn FnMut(Value<'_>)) {
    match value {
        Json::String(text) => show(Value::Text(text)),
        other => with_buffer(|buffer| {
            let _ = write!(buffer, "{other}");
            show(Value::Text(buffer));
        }),
    }
}

const fn path(name: &'static str, keys: &'static str, doc: &'static str) -> Field {
    let path = JsonPath {
        root: Root::Event,
        keys,
        end: End::Whole,
    };
    Field::new(name, FieldType::Text, doc, Getter::Json(path)).of(AUDIT)
}

const fn list(name: &'static str, keys: &'static str, end: End, doc: &'static str) -> Field {
    let path = JsonPath {
        root: Root::Event,
        keys,
        end,
    };
    Field::new(name, FieldType::Text, doc, Getter::Json(path))
        .of(AUDIT)
        .shape(Shape::List)
        .takes(Takes::OptionalIndex)
}

const fn computed(name: &'static str, doc: &'static str, get: Many) -> Field {
    Field::many(name, FieldType::Text, doc, get).of(AUDIT)
}

/// Names of a role binding's subjects of one kind.
fn subjects(context: &Context<'_>, kind: &str, with_namespace: bool, show: &mut dyn FnMut(Value<'_>)) {
    let Some(event) = context.audit() else { return };
    walk(event, "requestObject|subjects", None, &mut |subjects| {
        for subject in subjects.as_array().into_iter().flatten() {
            let text = |key: &str| subject.get(key).and_then(Json::as_str);
            let (Some(found), Some(name)) = (text("kind"), text("name")) else {
                continue;
            };
            match text("namespace") {
                _ if found != kind => {}
                Some(namespace) if with_namespace => with_buffer(|buffer| {
                    let _ = write!(buffer, "{namespace}:{name}");
                    show(Value::Text(buffer));
                }),
                None if with_namespace => {}
                _ => show(Value::Text(name)),
            }
        }
    });
}

/// A security setting of a container or of a pod's spec.
pub(super) fn setting_of(of: &Json, key: &str) -> Option<Json> {
    of.get("securityContext")?.get(key).cloned()
}

/// A security setting of each container; where it has none, the pod's, else 0.
fn effective(context: &Context<'_>, containers: &str, key: &str, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let Some(spec) = context
        .audit()
        .and_then(|event| event.get("requestObject")?.get("spec"))
    else {
        return;
    };
    let of_pod = setting_of(spec, key).unwrap_or_else(|| Json::from(0));
    let listed = spec.get(containers).and_then(Json::as_array).into_iter().flatten();
    for (at, container) in listed.enumerate() {
        if argument.index.is_none_or(|index| index == at) {
            show_json(setting_of(container, key).as_ref().unwrap_or(&of_pod), show);
        }
    }
}

/// A parameter of the request's URI, percent-decoded.
fn uri_parameter(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let uri = context.audit().and_then(|event| event.get("requestURI")?.as_str());
    let Some((_, query)) = uri.and_then(|uri| uri.split_once('?')) else {
        return;
    };
    let query = query.split('#').next().unwrap_or(query);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decoded(name) == argument.as_str() {
            show(Value::Text(&percent_decoded(value)));
            return;
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'+' => Some(b' '),
            b'%' => {
                let digits = rest.clone().take(2).map(char::from).collect::<String>();
                let decoded = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
                if decoded.is_some() {
                    rest.next();
                    rest.next();
                }
                decoded
            }
            _ => None,
        };
        bytes.push(decoded.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a volume mounts a path of the host: equal to the argument, or below it when that ends in `*`.
fn mounts_host_path(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let Some(event) = context.audit() else { return };
    let wanted = argument.as_str();
    let mut is_there = false;
    let mut is_mounted = false;
    walk(event, "requestObject|spec|volumes", None, &mut |_| is_there = true);
    walk(event, "requestObject|spec|volumes|hostPath|path", None, &mut |path| {
        let path = path.as_str().unwrap_or("");
        is_mounted |= path == wanted || wanted.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix));
    });
    if is_there {
        show(Value::Text(if is_mounted { "true" } else { "false" }));
    }
}

fn is_privileged(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    let Some(event) = context.audit() else { return };
    let mut has_containers = false;
    let mut is_privileged = false;
    walk(event, "requestObject|spec|containers", None, &mut |_| {
        has_containers = true
    });
    walk(
        event,
        "requestObject|spec|containers|securityContext|privileged",
        None,
        &mut |value| {
            is_privileged |= value.as_bool() == Some(true);
        },
    );
    if has_containers {
        show(Value::Text(if is_privileged { "true" } else { "false" }));
    }
}

/// The first container's image.
fn first_image(context: &Context<'_>, end: End, show: &mut dyn FnMut(Value<'_>)) {
    if let Some(event) = context.audit() {
        walk(event, "requestObject|spec|containers|image", Some(0), &mut |image| {
            end.show(image, show)
        });
    }
}

fn pointer(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    if let Some(event) = context.audit() {
        pointer_in(event, argument, show);
    }
}

/// A value of a document by JSON pointer (RFC 6901).
pub(super) fn pointer_in(document: &Json, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let text = argument.as_str();
    let found = match text.strip_prefix('/') {
        Some(_) => document.pointer(text),
        None if text.is_empty() => Some(document),
        None => document.pointer(&format!("/{text}")),
    };
    if let Some(value) = found {
        show_json(value, show);
    }
}

fn volume_types(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    if let Some(event) = context.audit() {
        types_of_volumes(event, "requestObject|spec|volumes", show);
    }
}

/// Types of the volumes that are at `keys`.
pub(super) fn types_of_volumes(document: &Json, keys: &str, show: &mut dyn FnMut(Value<'_>)) {
    walk(document, keys, None, &mut |volumes| {
        for volume in volumes.as_array().into_iter().flatten().filter_map(Json::as_object) {
            volume
                .keys()
                .filter(|key| *key != "name")
                .for_each(|key| show(Value::Text(key)));
        }
    });
}

fn pod_name(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>)) {
    let Some(event) = context.audit() else { return };
    let of = |key: &str| {
        event
            .get("objectRef")
            .and_then(|object| object.get(key)?.as_str())
            .unwrap_or("")
    };
    if of("resource") == "pods" && of("subresource").is_empty() {
        walk(event, "responseObject|metadata|name", None, &mut |name| {
            show_json(name, show)
        });
    }
}
