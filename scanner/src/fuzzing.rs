//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

mod image;
mod locks;
mod packages;

use std::{fs::File, io::Write as _, os::fd::AsRawFd as _, time::Duration};

use rustix::fs::{MemfdFlags, memfd_create};

use self::image::{in_image, settings, started_by};
use crate::{
    DEFAULT_MAX_ENTRIES, RegistryOptions, ScanOptions, Silent, Target, oci, parse_platform,
    sbom::{self, Format},
    scan, secret,
    source::{ContainerdOptions, EngineOptions, SourceOptions},
};

/// Name, reader, and files of the repository that it reads without a fault. Those that end in `.zst` are given unpacked.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line in its table; without a real file, what it begins with is in `fuzz/corpus/NAME/`.
pub fn parsers() -> impl Iterator<Item = &'static Parser> {
    OTHERS.iter().chain(packages::PARSERS).chain(locks::PARSERS)
}

/// Documents, archives, and what checks and profiles read.
const OTHERS: &[Parser] = &[
    // Documents and archives of images.
    ("oci-document", |bytes| drop(oci::parse_document("fuzz", bytes)), &[]),
    ("oci-config", |bytes| drop(oci::parse_config("fuzz", bytes)), &[]),
    ("platform", |bytes| drop(parse_platform(&text(bytes))), &[]),
    ("docker-archive", |bytes| scanned("docker-archive", bytes), &[]),
    ("oci-archive", |bytes| scanned("oci-archive", bytes), &[]),
    ("layer", image::layer, &[]),
    // What checks and licences read.
    ("accounts", |b| in_image("/etc/passwd", b), &[]),
    ("shadow", |b| in_image("/etc/shadow", b), &[]),
    ("copyright", |b| in_image("/usr/share/doc/acme/copyright", b), &[]),
    ("secrets", secrets, &[]),
    // What profiles read.
    ("pod", |bytes| drop(crate::pod::parse(&text(bytes))), &[]),
    (
        "shell",
        started_by,
        &[
            "scanner/tests/fixtures/entrypoint/postgres.sh",
            "scanner/tests/fixtures/entrypoint/nginx.sh",
            "scanner/tests/fixtures/entrypoint/redis.sh",
        ],
    ),
    (
        "settings-redis",
        |b| settings(&["/usr/bin/redis-server", "/etc/redis.conf"], "/etc/redis.conf", b),
        &[],
    ),
    (
        "settings-postgres",
        |b| {
            settings(
                &["/usr/lib/postgresql/15/bin/postgres"],
                "/usr/share/postgresql/15/postgresql.conf.sample",
                b,
            )
        },
        &[],
    ),
    (
        "settings-nginx",
        |b| settings(&["/usr/sbin/nginx"], "/etc/nginx/nginx.conf", b),
        &[],
    ),
    (
        "settings-mysql",
        |b| settings(&["/usr/sbin/mysqld"], "/etc/my.cnf", b),
        &[],
    ),
    (
        "settings-haproxy",
        |b| settings(&["/usr/sbin/haproxy"], "/etc/haproxy/haproxy.cfg", b),
        &[],
    ),
    (
        "settings-httpd",
        |b| settings(&["/usr/sbin/apache2"], "/etc/apache2/apache2.conf", b),
        &[],
    ),
    (
        "settings-properties",
        |b| {
            settings(
                &["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                "/etc/rabbitmq/rabbitmq.conf",
                b,
            )
        },
        &[],
    ),
    ("profile-places", image::place, &[]),
    // Bills of materials.
    ("cyclonedx-json", |b| drop(sbom::read(Format::CycloneDxJson, b)), &[]),
    ("cyclonedx-xml", |b| drop(sbom::read(Format::CycloneDxXml, b)), &[]),
    (
        "spdx-json",
        |b| drop(sbom::read(Format::SpdxJson, b)),
        &["scanner/tests/fixtures/ecosystems/acme-sails.spdx.json"],
    ),
    ("spdx-tag-value", |b| drop(sbom::read(Format::SpdxTagValue, b)), &[]),
    ("syft-json", |b| drop(sbom::read(Format::SyftJson, b)), &[]),
];

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn secrets(bytes: &[u8]) {
    secret::find(bytes, 0..bytes.len(), &mut |_, found| {
        secret::redact(&bytes[found]);
    });
    in_image("/app/settings.env", bytes);
}

/// A whole scan of an archive, which lives in memory.
fn scanned(scheme: &str, bytes: &[u8]) {
    let file = memfd_create("archive", MemfdFlags::CLOEXEC).expect("Linux has files in memory");
    let mut file = File::from(file);
    file.write_all(bytes).expect("memory takes what is given");
    let place = format!("{scheme}:/proc/self/fd/{}", file.as_raw_fd());
    let Ok(target) = Target::parse(&place) else { return };
    let options = ScanOptions {
        source: SourceOptions {
            platform: None,
            registry: RegistryOptions {
                plain_http: false,
                is_insecure: false,
                ca_files: Vec::new(),
                certificate_folders: Vec::new(),
                credential_files: Vec::new(),
                mirrors: Vec::new(),
                configuration_files: Vec::new(),
                max_wait: Duration::ZERO,
            },
            engines: EngineOptions {
                docker_sockets: Vec::new(),
                podman_sockets: Vec::new(),
                containerd: ContainerdOptions {
                    address: None,
                    namespace: String::new(),
                },
            },
        },
        parallel_layers: 1,
        memory_bytes: None,
        max_entries: DEFAULT_MAX_ENTRIES,
        cache: None,
        progress: &Silent,
    };
    drop(scan(&target, &options));
}
