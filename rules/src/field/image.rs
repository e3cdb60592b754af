//! Fields of the sources over a scanned image: `image.*`, `package.*`, `vuln.*`, `file.*`, `secret.*`, `finding.*`,
//! `profile.*`.

use std::fmt::Write;

use plimsoll_model::{FileEntry, FileKind, Finding, FixState, Match, NoteKind, ScanReport};

use super::{
    Argument, Context, Field, FieldType, Shape, Sources, Value,
    argument::Takes,
    container::show_digest,
    context::with_buffer,
    origin::severity_name,
    table::{Many, One},
};
use crate::{ImageSubject, Source};

const PACKAGE: Sources = Sources::of(Source::Package)
    .with(Sources::of(Source::Vulnerability))
    .with(Sources::of(Source::File));
const VULNERABILITY: Sources = Sources::of(Source::Vulnerability);
const FILE: Sources = Sources::of(Source::File);
const SECRET: Sources = Sources::of(Source::Secret);
const FINDING: Sources = Sources::of(Source::Finding).with(SECRET);

fn report<'c>(context: &'c Context<'c>) -> Option<&'c ScanReport> {
    Some(context.image()?.report)
}

fn file<'c>(context: &'c Context<'c>) -> Option<&'c FileEntry> {
    match context.image()?.subject {
        ImageSubject::File(file) => Some(file),
        _ => None,
    }
}

fn finding<'c>(context: &'c Context<'c>) -> Option<&'c Finding> {
    match context.image()?.subject {
        ImageSubject::Finding(finding) => Some(finding),
        _ => None,
    }
}

fn count(number: usize) -> Option<Value<'static>> {
    i64::try_from(number).ok().map(Value::Number)
}

fn matches(report: &ScanReport) -> &[Match] {
    report.matches.as_deref().unwrap_or_default()
}

/// The user part of `USER`: empty means root, as `0` and `root` do.
fn runs_as_root(report: &ScanReport) -> bool {
    matches!(report.config.user.split(':').next().unwrap_or(""), "" | "0" | "root")
}

fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::Affected => "affected",
        FixState::WillNotFix => "will_not_fix",
        FixState::Deferred => "deferred",
        FixState::EndOfLife => "end_of_life",
        FixState::UnderInvestigation => "under_investigation",
        FixState::NotAffected => "not_affected",
        FixState::Unknown => "unknown",
    }
}

fn words(context: &Context<'_>, list: fn(&ScanReport) -> &[String], show: &mut dyn FnMut(Value<'_>)) {
    for word in report(context).map_or(&[][..], list) {
        show(Value::Text(word));
    }
}

fn label(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    if let Some(text) = report(context).and_then(|report| report.config.labels.get(argument.as_str())) {
        show(Value::Text(text));
    }
}

fn environment(context: &Context<'_>, argument: &Argument, show: &mut dyn FnMut(Value<'_>)) {
    let lines = report(context).map_or(&[][..], |report| &report.config.env);
    for line in lines {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if argument.text.is_none() {
            show(Value::Text(line));
        } else if name == argument.as_str() {
            show(Value::Text(value));
        }
    }
}

const fn text(name: &'static str, sources: Sources, doc: &'static str, get: One) -> Field {
    Field::text(name, doc, get).of(sources)
}

const fn number(name: &'static str, sources: Sources, doc: &'static str, get: One) -> Field {
    Field::number(name, doc, get).of(sources)
}

const fn bool(name: &'static str, sources: Sources, doc: &'static str, get: One) -> Field {
    Field::bool(name, doc, get).of(sources)
}

const fn decimal(name: &'static str, sources: Sources, doc: &'static str, get: One) -> Field {
    Field::new(name, FieldType::Decimal, doc, super::Getter::One(get)).of(sources)
}

const fn many(name: &'static str, sources: Sources, doc: &'static str, get: Many) -> Field {
    Field::many(name, FieldType::Text, doc, get).of(sources)
}

const IMAGE: Sources = Sources::IMAGE;

pub(super) const FIELDS: &[Field] = &[
    text(
        "image.reference",
        IMAGE,
        "Reference as it was given to the scan.",
        |c, _| Some(Value::Text(&report(c)?.image.reference)),
    ),
    many("image.digest", IMAGE, "Manifest digest.", |c, _, show| {
        show_digest(report(c).and_then(|report| report.image.manifest_digest.as_ref()), show);
    }),
    many("image.id", IMAGE, "Config digest.", |c, _, show| {
        show_digest(report(c).map(|report| &report.image.config_digest), show);
    }),
    text(
        "image.os",
        IMAGE,
        "`ID` of os-release: `debian`; missing without one.",
        |c, _| Some(Value::Text(&report(c)?.sbom.os.as_ref()?.id)),
    ),
    text("image.os_version", IMAGE, "`VERSION_ID` of os-release.", |c, _| {
        Some(Value::Text(&report(c)?.sbom.os.as_ref()?.version_id))
    }),
    text("image.architecture", IMAGE, "Processor: `amd64`.", |c, _| {
        Some(Value::Text(&report(c)?.image.platform.architecture))
    }),
    text("image.user", IMAGE, "`USER` as written; empty means root.", |c, _| {
        Some(Value::Text(&report(c)?.config.user))
    }),
    bool(
        "image.runs_as_root",
        IMAGE,
        "Whether `USER` is empty, `0` or `root`.",
        |c, _| Some(Value::Bool(runs_as_root(report(c)?))),
    ),
    bool(
        "image.has_health_check",
        IMAGE,
        "Whether it has a `HEALTHCHECK`.",
        |c, _| Some(Value::Bool(report(c)?.config.health_check.is_some())),
    ),
    many("image.port", IMAGE, "`EXPOSE` entries: `6379/tcp`.", |c, _, show| {
        words(c, |report| &report.config.exposed_ports, show)
    })
    .shape(Shape::Any),
    many("image.volume", IMAGE, "`VOLUME` paths.", |c, _, show| {
        words(c, |report| &report.config.volumes, show)
    })
    .shape(Shape::Any),
    many(
        "image.env",
        IMAGE,
        "`NAME=value` lines; with `[NAME]`, the value alone.",
        environment,
    )
    .takes(Takes::Optional)
    .shape(Shape::Any),
    many("image.label", IMAGE, "A label, by its name in brackets.", label).takes(Takes::Required),
    number("image.layer_count", IMAGE, "Number of layers.", |c, _| {
        count(report(c)?.layers.len())
    }),
    number("image.package_count", IMAGE, "Number of packages.", |c, _| {
        count(report(c)?.sbom.packages.len())
    }),
    number("image.file_count", IMAGE, "Number of files of all kinds.", |c, _| {
        i64::try_from(report(c)?.file_count).ok().map(Value::Number)
    }),
    number(
        "image.vuln_count",
        IMAGE,
        "Number of matches with vulnerabilities; missing without vulnerability data.",
        |c, _| count(report(c)?.matches.as_ref()?.len()),
    ),
    number(
        "image.kev_count",
        IMAGE,
        "How many of them are known to be exploited.",
        |c, _| {
            let report = report(c)?;
            report.matches.as_ref()?;
            count(
                matches(report)
                    .iter()
                    .filter(|found| found.vulnerability.known_exploited)
                    .count(),
            )
        },
    ),
    bool(
        "image.has_vulnerability_data",
        IMAGE,
        "Whether a vulnerability database was used.",
        |c, _| Some(Value::Bool(report(c)?.matches.is_some())),
    ),
    number(
        "image.data_age_days",
        IMAGE,
        "Age of the vulnerability data in days; missing when not known.",
        |c, _| i64::try_from(c.image()?.data_age_days?).ok().map(Value::Number),
    ),
    bool(
        "image.complete",
        IMAGE,
        "Whether everything in it could be read.",
        |c, _| {
            Some(Value::Bool(
                !report(c)?.notes.iter().any(plimsoll_model::Note::makes_incomplete),
            ))
        },
    ),
    bool(
        "image.recognised",
        IMAGE,
        "Whether an operating system or a package was recognised.",
        |c, _| {
            Some(Value::Bool(
                !report(c)?.notes.iter().any(|note| note.kind == NoteKind::Unrecognised),
            ))
        },
    ),
    text(
        "package.name",
        PACKAGE,
        "Name as its package manager knows it.",
        |c, _| Some(Value::Text(&c.package()?.name)),
    ),
    text(
        "package.version",
        PACKAGE,
        "Version as its package manager writes it.",
        |c, _| Some(Value::Text(&c.package()?.version)),
    ),
    text(
        "package.kind",
        PACKAGE,
        "`dpkg`, `apk`, `rpm`, `python`, `npm`, …",
        |c, _| Some(Value::Text(c.package()?.kind.name())),
    ),
    text("package.purl", PACKAGE, "Package URL.", |c, _| {
        Some(Value::Text(&c.package()?.purl))
    }),
    text(
        "package.source",
        PACKAGE,
        "Source package; missing where there is no difference.",
        |c, _| Some(Value::Text(&c.package()?.source.as_ref()?.name)),
    ),
    many("package.licence", PACKAGE, "Licences as stated.", |c, _, show| {
        c.package()
            .map_or(&[][..], |package| &package.licences)
            .iter()
            .for_each(|licence| show(Value::Text(licence)));
    })
    .shape(Shape::Any),
    number(
        "package.layer",
        PACKAGE,
        "Index of the layer that brought it, from 0.",
        |c, _| Some(Value::Number(i64::from(c.package()?.layer))),
    ),
    text("vuln.id", VULNERABILITY, "CVE id, else the advisory's.", |c, _| {
        Some(Value::Text(&c.vulnerability()?.vulnerability.id))
    }),
    many("vuln.alias", VULNERABILITY, "All other ids.", |c, _, show| {
        c.vulnerability()
            .map_or(&[][..], |found| &found.vulnerability.aliases)
            .iter()
            .for_each(|alias| show(Value::Text(alias)));
    })
    .shape(Shape::Any),
    text(
        "vuln.severity",
        VULNERABILITY,
        "`unknown`, `negligible`, `low`, `medium`, `high` or `critical`.",
        |c, _| Some(Value::Text(severity_name(c.vulnerability()?.vulnerability.severity))),
    ),
    decimal(
        "vuln.cvss",
        VULNERABILITY,
        "CVSS base score; missing when there is none.",
        |c, _| {
            c.vulnerability()?
                .vulnerability
                .cvss_score
                .map(f64::from)
                .map(Value::Decimal)
        },
    ),
    decimal(
        "vuln.epss",
        VULNERABILITY,
        "Probability of exploitation within 30 days, 0 to 1.",
        |c, _| c.vulnerability()?.vulnerability.epss.map(f64::from).map(Value::Decimal),
    ),
    bool(
        "vuln.kev",
        VULNERABILITY,
        "Whether it is known to be exploited.",
        |c, _| Some(Value::Bool(c.vulnerability()?.vulnerability.known_exploited)),
    ),
    bool(
        "vuln.fixable",
        VULNERABILITY,
        "Whether a fixed version exists.",
        |c, _| Some(Value::Bool(c.vulnerability()?.fix_state == FixState::Fixed)),
    ),
    text(
        "vuln.fix_state",
        VULNERABILITY,
        "`fixed`, `affected`, `will_not_fix`, `deferred`, …",
        |c, _| Some(Value::Text(fix_state(c.vulnerability()?.fix_state))),
    ),
    text(
        "vuln.fixed_version",
        VULNERABILITY,
        "The version that fixes it.",
        |c, _| c.vulnerability()?.fixed_version.as_deref().map(Value::Text),
    ),
    text("vuln.summary", VULNERABILITY, "One line about it.", |c, _| {
        Some(Value::Text(&c.vulnerability()?.vulnerability.summary))
    }),
    text("vuln.source", VULNERABILITY, "The feed that it came with.", |c, _| {
        Some(Value::Text(&c.vulnerability()?.evidence.source))
    }),
    text("file.path", FILE, "Absolute path.", |c, _| {
        Some(Value::Text(&file(c)?.path))
    }),
    text("file.name", FILE, "Last component of the path.", |c, _| {
        file(c)?.path.rsplit('/').next().map(Value::Text)
    }),
    text(
        "file.kind",
        FILE,
        "`regular`, `directory`, `symlink`, `device` or `fifo`.",
        |c, _| {
            Some(Value::Text(match file(c)?.kind {
                FileKind::Regular => "regular",
                FileKind::Directory => "directory",
                FileKind::Symlink => "symlink",
                FileKind::Device => "device",
                FileKind::Fifo => "fifo",
            }))
        },
    ),
    many(
        "file.mode",
        FILE,
        "Permission bits in octal, four digits: `4755`.",
        |c, _, show| {
            let Some(file) = file(c) else { return };
            with_buffer(|buffer| {
                let _ = write!(buffer, "{:04o}", file.mode);
                show(Value::Text(buffer));
            });
        },
    ),
    number("file.uid", FILE, "Owner.", |c, _| {
        Some(Value::Number(i64::from(file(c)?.uid)))
    }),
    number("file.gid", FILE, "Group.", |c, _| {
        Some(Value::Number(i64::from(file(c)?.gid)))
    }),
    number("file.size", FILE, "Bytes of content.", |c, _| {
        i64::try_from(file(c)?.size_bytes).ok().map(Value::Number)
    }),
    many("file.digest", FILE, "Digest of its content.", |c, _, show| {
        show_digest(file(c).and_then(|file| file.digest.as_ref()), show);
    }),
    bool(
        "file.executable",
        FILE,
        "A regular file with an execute bit.",
        |c, _| Some(Value::Bool(file(c)?.is_executable())),
    ),
    bool("file.setuid", FILE, "Runs as its owner.", |c, _| {
        let file = file(c)?;
        Some(Value::Bool(file.is_executable() && file.mode & 0o4000 != 0))
    }),
    bool("file.setgid", FILE, "Runs as its group.", |c, _| {
        let file = file(c)?;
        Some(Value::Bool(file.is_executable() && file.mode & 0o2000 != 0))
    }),
    bool(
        "file.world_writable",
        FILE,
        "A regular file that everybody may write.",
        |c, _| {
            let file = file(c)?;
            Some(Value::Bool(file.kind == FileKind::Regular && file.mode & 0o002 != 0))
        },
    ),
    bool("file.has_capabilities", FILE, "Has file capabilities.", |c, _| {
        Some(Value::Bool(file(c)?.has_capabilities))
    }),
    bool("file.elf", FILE, "Is an ELF file.", |c, _| {
        Some(Value::Bool(file(c)?.elf.is_some()))
    }),
    bool("file.packaged", FILE, "A package owns it.", |c, _| {
        Some(Value::Bool(file(c)?.package.is_some()))
    }),
    number(
        "file.layer",
        FILE,
        "Index of the layer that brought it, from 0.",
        |c, _| Some(Value::Number(i64::from(file(c)?.layer))),
    ),
    text("finding.check", FINDING, "Id of the check: `runs-as-root`.", |c, _| {
        Some(Value::Text(&finding(c)?.check))
    }),
    text("finding.severity", FINDING, "`low` to `critical`.", |c, _| {
        Some(Value::Text(severity_name(finding(c)?.severity)))
    }),
    text(
        "finding.message",
        FINDING,
        "What was found, secrets redacted.",
        |c, _| Some(Value::Text(&finding(c)?.message)),
    ),
    text("finding.path", FINDING, "The file it is about.", |c, _| {
        finding(c)?.path.as_deref().map(Value::Text)
    }),
    text("secret.kind", SECRET, "Id of the check that found it.", |c, _| {
        Some(Value::Text(&finding(c)?.check))
    }),
    text("secret.path", SECRET, "The file that holds it.", |c, _| {
        finding(c)?.path.as_deref().map(Value::Text)
    }),
    text(
        "profile.main",
        IMAGE,
        "Path of the program that the image is for; missing when it could not be derived.",
        |c, _| Some(Value::Text(&report(c)?.profile.main.as_ref()?.path.0)),
    ),
    number("profile.fact_count", IMAGE, "Number of expected facts.", |c, _| {
        count(report(c)?.profile.facts.len())
    }),
    number("profile.denial_count", IMAGE, "Number of denials.", |c, _| {
        count(report(c)?.profile.denials.len())
    }),
    many(
        "profile.pack",
        IMAGE,
        "Workload packs that contributed.",
        |c, _, show| words(c, |report| &report.profile.packs, show),
    )
    .shape(Shape::Any),
];
