//! `container.*` and `k8s.*`: where it happened.

use plimsoll_model::{
    Container, ContainerDetails, ContainerImage, ContainerMount, ContainerRuntime, Digest, Pod, star_matches,
};

use std::fmt::Write;

use super::{Argument, Context, Field, FieldType, Value, argument::Takes, context::with_buffer};

/// Length of a short container id, as docker and podman print it.
const SHORT_ID: usize = 12;
/// Length of a full container id.
const FULL_ID: usize = 64;

fn container<'c>(context: &'c Context<'c>) -> Option<&'c Container> {
    context.event()?.container.as_deref()
}

fn pod<'c>(context: &'c Context<'c>) -> Option<&'c Pod> {
    container(context)?.pod.as_ref()
}

/// `host`, or the first twelve digits; names that runc was given stay whole.
fn short_id<'c>(context: &'c Context<'c>) -> Option<Value<'c>> {
    context.event()?;
    let Some(container) = container(context) else {
        return Some(Value::Text("host"));
    };
    let is_digest = container.id.len() == FULL_ID && container.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digest {
        return Some(Value::Text(&container.id));
    }
    Some(Value::Text(&container.id[..SHORT_ID]))
}

fn image<'c>(context: &'c Context<'c>) -> Option<&'c ContainerImage> {
    container(context)?.image.as_ref()
}

/// Shows a digest as `sha256:…`.
pub(super) fn show_digest(digest: Option<&Digest>, show: &mut dyn FnMut(Value<'_>)) {
    let Some(digest) = digest else { return };
    with_buffer(|buffer| {
        let _ = write!(buffer, "{digest}");
        show(Value::Text(buffer));
    });
}

fn reference<'c>(context: &'c Context<'c>) -> Option<&'c str> {
    Some(&image(context)?.reference)
}

/// The reference cut into repository and tag; a digest belongs to neither.
fn split_reference(reference: &str) -> (&str, Option<&str>) {
    let name = memchr::memchr(b'@', reference.as_bytes()).map_or(reference, |at| &reference[..at]);
    let last = memchr::memrchr(b'/', name.as_bytes()).map_or(0, |slash| slash + 1);
    match memchr::memchr(b':', &name.as_bytes()[last..]) {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    }
}

fn details<'c>(context: &'c Context<'c>) -> Option<&'c ContainerDetails> {
    Some(&container(context)?.details)
}

fn sandbox_id<'c>(context: &'c Context<'c>) -> Option<&'c str> {
    pod(context)?;
    Some(details(context)?.sandbox_id.as_str()).filter(|id| !id.is_empty())
}

fn label<'c>(labels: &'c [(String, String)], argument: &Argument) -> Option<Value<'c>> {
    let found = labels.iter().find(|(key, _)| key == argument.as_str())?;
    Some(Value::Text(&found.1))
}

fn show_labels(labels: Option<&[(String, String)]>, show: &mut dyn FnMut(Value<'_>)) {
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
        return;
    };
    with_buffer(|buffer| {
        for (position, (key, value)) in labels.iter().enumerate() {
            let separator = if position == 0 { "" } else { "," };
            let _ = write!(buffer, "{separator}{key}:{value}");
        }
        show(Value::Text(buffer));
    });
}

/// Which end of a mount an argument names.
#[derive(Clone, Copy)]
enum By {
    Source,
    Destination,
}

fn mount<'c>(context: &'c Context<'c>, argument: &Argument, by: By) -> Option<&'c ContainerMount> {
    let mounts = &details(context)?.mounts;
    if let Some(index) = argument.index {
        return mounts.get(index);
    }
    mounts.iter().find(|mount| {
        let end = match by {
            By::Source => &mount.source,
            By::Destination => &mount.destination,
        };
        star_matches(argument.as_str().as_bytes(), end.as_bytes())
    })
}

fn of_mount<'c>(
    context: &'c Context<'c>,
    argument: &Argument,
    get: impl Fn(&'c ContainerMount) -> &'c str,
) -> Option<Value<'c>> {
    details(context)?;
    Some(Value::Text(mount(context, argument, By::Source).map_or("none", get)))
}

fn write_mount(mount: &ContainerMount, out: &mut String) {
    let ContainerMount {
        source,
        destination,
        mode,
        is_writable,
        propagation,
    } = mount;
    let _ = write!(out, "{source}:{destination}:{mode}:{is_writable}:{propagation}");
}

const fn mount_field(name: &'static str, doc: &'static str, get: super::table::One) -> Field {
    Field::text(name, doc, get).takes(Takes::Required)
}

pub(super) const FIELDS: &[Field] = &[
    Field::text("container.id", "Short id; `host` outside containers.", |c, _| {
        short_id(c)
    }),
    Field::text("container.full_id", "Full id; `host` outside containers.", |c, _| {
        c.event()?;
        Some(Value::Text(container(c).map_or("host", |container| &container.id)))
    }),
    Field::text("container.name", "Name; `host` outside containers.", |c, _| {
        c.event()?;
        Some(Value::Text(container(c).map_or("host", |container| &container.name)))
    }),
    Field::text(
        "container.image",
        "Reference of the image, as the runtime states it.",
        |c, _| reference(c).map(Value::Text),
    ),
    Field::text(
        "container.image.repository",
        "The reference without tag and digest.",
        |c, _| Some(Value::Text(split_reference(reference(c)?).0)),
    ),
    Field::text("container.image.tag", "The tag of the reference.", |c, _| {
        split_reference(reference(c)?).1.map(Value::Text)
    }),
    Field::many(
        "container.image.digest",
        FieldType::Text,
        "Manifest digest of the image.",
        |c, _, show| {
            show_digest(image(c).and_then(|image| image.manifest_digest.as_ref()), show);
        },
    ),
    Field::many(
        "container.image.id",
        FieldType::Text,
        "Config digest of the image: its id.",
        |c, _, show| {
            show_digest(image(c).and_then(|image| image.config_digest.as_ref()), show);
        },
    ),
    Field::text(
        "container.type",
        "Runtime: `podman`, `docker`, `containerd`, `cri-o`, `runc`, `systemd-nspawn`; `host` outside.",
        |c, _| {
            c.event()?;
            Some(Value::Text(container(c).map_or(
                "host",
                |container| match container.runtime {
                    ContainerRuntime::Podman => "podman",
                    ContainerRuntime::Docker => "docker",
                    ContainerRuntime::Containerd => "containerd",
                    ContainerRuntime::Crio => "cri-o",
                    ContainerRuntime::Runc => "runc",
                    ContainerRuntime::Nspawn => "systemd-nspawn",
                    _ => "unknown",
                },
            )))
        },
    ),
    Field::bool(
        "container.privileged",
        "Started with all capabilities; missing when not known.",
        |c, _| container(c)?.privileged.map(Value::Bool),
    ),
    Field::text("k8s.pod.name", "Name of the pod.", |c, _| {
        Some(Value::Text(&pod(c)?.name))
    }),
    Field::text("k8s.pod.uid", "Uid of the pod.", |c, _| Some(Value::Text(&pod(c)?.uid))),
    Field::text("k8s.pod.id", "As `k8s.pod.uid`.", |c, _| {
        Some(Value::Text(&pod(c)?.uid))
    }),
    Field::text("k8s.ns.name", "Namespace of the pod.", |c, _| {
        Some(Value::Text(&pod(c)?.namespace))
    }),
    Field::text(
        "k8s.pod.sandbox_id",
        "Short id of the sandbox that the containers of the pod share.",
        |c, _| {
            let id = sandbox_id(c)?;
            Some(Value::Text(id.get(..SHORT_ID).unwrap_or(id)))
        },
    ),
    Field::text(
        "k8s.pod.full_sandbox_id",
        "Id of the sandbox that the containers of the pod share.",
        |c, _| sandbox_id(c).map(Value::Text),
    ),
    Field::text(
        "k8s.pod.label",
        "One label of the pod, by its key; CRI-O writes them down, containerd does not.",
        |c, a| label(&details(c)?.pod_labels, a),
    )
    .takes(Takes::Required),
    Field::many(
        "k8s.pod.labels",
        FieldType::Text,
        "All labels of the pod: `key:value,key:value`.",
        |c, _, show| show_labels(details(c).map(|details| &*details.pod_labels), show),
    ),
    Field::text(
        "container.label",
        "One label of the container, by its key; containerd's are the annotations of its configuration, podman's are not known.",
        |c, a| label(&details(c)?.labels, a),
    )
    .takes(Takes::Required),
    Field::many(
        "container.labels",
        FieldType::Text,
        "All labels of the container: `key:value,key:value`.",
        |c, _, show| show_labels(details(c).map(|details| &*details.labels), show),
    ),
    Field::many(
        "container.mounts",
        FieldType::Text,
        "All mounts of the host's files, separated by blanks, each `source:destination:mode:writable:propagation`.",
        |c, _, show| {
            let Some(details) = details(c).filter(|details| !details.mounts.is_empty()) else { return };
            with_buffer(|buffer| {
                for (position, mount) in details.mounts.iter().enumerate() {
                    buffer.push_str(if position == 0 { "" } else { " " });
                    write_mount(mount, buffer);
                }
                show(Value::Text(buffer));
            });
        },
    ),
    Field::many(
        "container.mount",
        FieldType::Text,
        "One mount as in `container.mounts`, by number or source (`*` fits anything); `none` when there is no such.",
        |c, a, show| {
            if details(c).is_none() {
                return;
            }
            with_buffer(|buffer| {
                match mount(c, a, By::Source) {
                    Some(mount) => write_mount(mount, buffer),
                    None => buffer.push_str("none"),
                }
                show(Value::Text(buffer));
            });
        },
    )
    .takes(Takes::Required),
    mount_field(
        "container.mount.source",
        "Source of a mount, by number or destination; `none` when there is no such.",
        |c, a| Some(Value::Text(details(c).map(|_| mount(c, a, By::Destination).map_or("none", |mount| &mount.source))?)),
    ),
    mount_field(
        "container.mount.dest",
        "Destination of a mount, by number or source; `none` when there is no such.",
        |c, a| of_mount(c, a, |mount| &mount.destination),
    ),
    mount_field(
        "container.mount.mode",
        "Mode of a mount as the runtime states it, by number or source; `none` when there is no such.",
        |c, a| of_mount(c, a, |mount| &mount.mode),
    ),
    mount_field(
        "container.mount.rdwr",
        "Whether a mount may be written, `true` or `false`, by number or source; `none` when there is no such.",
        |c, a| of_mount(c, a, |mount| if mount.is_writable { "true" } else { "false" }),
    ),
    mount_field(
        "container.mount.propagation",
        "Propagation of a mount, by number or source; `none` when there is no such.",
        |c, a| of_mount(c, a, |mount| &mount.propagation),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_fall_apart_at_the_right_colon() {
        assert_eq!(
            split_reference("127.0.0.1:5000/team/redis:1"),
            ("127.0.0.1:5000/team/redis", Some("1"))
        );
        assert_eq!(
            split_reference("127.0.0.1:5000/redis@sha256:ab"),
            ("127.0.0.1:5000/redis", None)
        );
        assert_eq!(split_reference("redis"), ("redis", None));
    }
}
