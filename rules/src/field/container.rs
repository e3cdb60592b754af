//! `container.*` and `k8s.*`: where it happened.

use plimsoll_model::{Container, ContainerImage, ContainerRuntime, Digest, Pod};

use std::fmt::Write;

use super::{Context, Field, FieldType, Value, context::with_buffer};

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
        "Runtime: `podman`, `docker`, `containerd`, `cri-o`, `runc`; `host` outside.",
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
