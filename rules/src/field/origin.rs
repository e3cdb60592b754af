//! What a scan knows of the process behind a kernel event: `profile.*`, `package.*`, `vuln.*`, `file.*`, `image.*`.

use plimsoll_model::{Confidence, ContainerImage, ExecutableOrigin, Phase, Reason, Severity};

use super::{Context, Field, FieldType, Shape, Value, container::show_digest};

fn origin<'c>(context: &'c Context<'c>) -> Option<&'c ExecutableOrigin> {
    context.observation()?.origin
}

fn image<'c>(context: &'c Context<'c>) -> Option<&'c ContainerImage> {
    context.event()?.container.as_deref()?.image.as_ref()
}

/// Name and version of the package that owns the executable.
fn package<'c>(context: &'c Context<'c>) -> Option<(&'c str, &'c str)> {
    let text = origin(context)?.package.as_deref()?;
    Some(text.split_once(' ').unwrap_or((text, "")))
}

/// Whether the profile expects the event; missing without a profile.
fn is_expected(context: &Context<'_>) -> Option<bool> {
    let observation = context.observation()?;
    observation.has_profile.then_some(observation.deviations.is_empty())
}

fn deviations<'c>(context: &'c Context<'c>) -> impl Iterator<Item = (&'c str, Confidence)> {
    let all = context
        .observation()
        .map_or(&[][..], |observation| observation.deviations);
    all.iter().filter_map(|reason| match reason {
        Reason::Deviation { kind, confidence, .. } => Some((kind.as_str(), *confidence)),
        Reason::Rule { .. } => None,
    })
}

/// Lower-case name of a phase.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Init => "init",
        Phase::Entrypoint => "entrypoint",
        Phase::Serving => "serving",
        Phase::Session => "session",
        Phase::Probe => "probe",
    }
}

/// Lower-case name of a severity.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Unknown => "unknown",
        Severity::Negligible => "negligible",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

pub(super) const FIELDS: &[Field] = &[
    Field::bool(
        "profile.known",
        "Whether the container's image has a profile.",
        |c, _| Some(Value::Bool(c.observation()?.has_profile)),
    ),
    Field::bool(
        "profile.expected",
        "Whether the profile expects this event; missing without a profile. Where a facet is open, everything is expected.",
        |c, _| is_expected(c).map(Value::Bool),
    ),
    Field::many(
        "profile.deviation",
        FieldType::Text,
        "Kinds of deviations that this event is: `unexpected-exec`, `exec-not-in-image`, …",
        |c, _, show| {
            deviations(c).for_each(|(kind, _)| show(Value::Text(kind)));
        },
    )
    .shape(Shape::Any),
    Field::text(
        "profile.confidence",
        "Best confidence of the deviations: `A` may be enforced, `B` alerts, `C` ranks.",
        |c, _| {
            deviations(c).map(|(_, confidence)| confidence).min().map(|best| {
                Value::Text(match best {
                    Confidence::A => "A",
                    Confidence::B => "B",
                    Confidence::C => "C",
                })
            })
        },
    ),
    Field::text(
        "profile.phase",
        "`init`, `entrypoint`, `serving`, `session` or `probe`; missing on the host.",
        |c, _| c.event()?.phase.map(phase_name).map(Value::Text),
    ),
    Field::text("package.name", "Package that owns the executable.", |c, _| {
        package(c).map(|(name, _)| Value::Text(name))
    }),
    Field::text("package.version", "Version of that package.", |c, _| {
        package(c)
            .map(|(_, version)| version)
            .filter(|version| !version.is_empty())
            .map(Value::Text)
    }),
    Field::bool("package.known", "Whether a package owns the executable.", |c, _| {
        Some(Value::Bool(origin(c)?.package.is_some()))
    }),
    Field::bool(
        "package.kev",
        "Whether that package has a vulnerability that is known to be exploited.",
        |c, _| Some(Value::Bool(origin(c)?.known_exploited)),
    ),
    Field::bool(
        "package.vulnerable",
        "Whether that package has vulnerabilities.",
        |c, _| Some(Value::Bool(origin(c)?.vulnerability_count > 0)),
    ),
    Field::number("vuln.count", "How many vulnerabilities that package has.", |c, _| {
        Some(Value::Number(i64::from(origin(c)?.vulnerability_count)))
    }),
    Field::many(
        "vuln.id",
        FieldType::Text,
        "Ids of that package's worst vulnerabilities.",
        |c, _, show| {
            let found = origin(c).map_or(&[][..], |origin| &origin.vulnerabilities);
            found.iter().for_each(|(id, _)| show(Value::Text(id)));
        },
    )
    .shape(Shape::Any),
    Field::text(
        "vuln.severity",
        "Worst severity among that package's vulnerabilities.",
        |c, _| {
            let worst = origin(c)?.vulnerabilities.iter().map(|(_, severity)| *severity).max()?;
            Some(Value::Text(severity_name(worst)))
        },
    ),
    Field::bool(
        "file.in_image",
        "Whether the image has a file at the executable's path.",
        |c, _| Some(Value::Bool(origin(c)?.is_in_image)),
    ),
    Field::bool(
        "file.modified",
        "Whether the executable was written after the container started.",
        |c, _| Some(Value::Bool(origin(c)?.is_modified)),
    ),
    Field::many(
        "file.digest",
        FieldType::Text,
        "Digest of the executable in the image.",
        |c, _, show| {
            show_digest(origin(c).and_then(|origin| origin.digest.as_ref()), show);
        },
    ),
    Field::text("image.reference", "Reference of the container's image.", |c, _| {
        Some(Value::Text(&image(c)?.reference))
    }),
    Field::many(
        "image.digest",
        FieldType::Text,
        "Manifest digest of the container's image.",
        |c, _, show| {
            show_digest(image(c).and_then(|image| image.manifest_digest.as_ref()), show);
        },
    ),
    Field::many(
        "image.id",
        FieldType::Text,
        "Config digest of the container's image.",
        |c, _, show| {
            show_digest(image(c).and_then(|image| image.config_digest.as_ref()), show);
        },
    ),
];
