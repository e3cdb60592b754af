//! What the cataloger of lock files reads, by name.

use super::{Parser, image::in_image};

pub(super) const PARSERS: &[Parser] = &[
    (
        "lock-cargo",
        |b| in_image("/app/Cargo.lock", b),
        &["scanner/tests/fixtures/lockfiles/cargo/Cargo.lock"],
    ),
    (
        "lock-composer",
        |b| in_image("/app/composer.lock", b),
        &["scanner/tests/fixtures/lockfiles/composer/composer.lock"],
    ),
    (
        "lock-gem",
        |b| in_image("/app/Gemfile.lock", b),
        &["scanner/tests/fixtures/lockfiles/gem/Gemfile.lock"],
    ),
    (
        "lock-go",
        |b| in_image("/app/go.mod", b),
        &["scanner/tests/fixtures/lockfiles/go/go.mod"],
    ),
    ("lock-gradle", |b| in_image("/app/gradle.lockfile", b), &[]),
    (
        "lock-maven",
        |b| in_image("/app/pom.xml", b),
        &[
            "scanner/tests/fixtures/maven/boot.pom.xml",
            "scanner/tests/fixtures/maven/shade.pom.xml",
        ],
    ),
    (
        "lock-npm",
        |b| in_image("/app/package-lock.json", b),
        &[
            "scanner/tests/fixtures/lockfiles/npm1/package-lock.json",
            "scanner/tests/fixtures/lockfiles/npm3/package-lock.json",
        ],
    ),
    (
        "lock-bun",
        |b| in_image("/app/bun.lock", b),
        &["scanner/tests/fixtures/lockfiles/bun/bun.lock"],
    ),
    (
        "lock-yarn",
        |b| in_image("/app/yarn.lock", b),
        &[
            "scanner/tests/fixtures/lockfiles/yarn1/yarn.lock",
            "scanner/tests/fixtures/lockfiles/berry/yarn.lock",
        ],
    ),
    (
        "lock-pnpm",
        |b| in_image("/app/pnpm-lock.yaml", b),
        &[
            "scanner/tests/fixtures/lockfiles/pnpm7/pnpm-lock.yaml",
            "scanner/tests/fixtures/lockfiles/pnpm9/pnpm-lock.yaml",
        ],
    ),
    ("lock-nuget", |b| in_image("/app/packages.lock.json", b), &[]),
    (
        "lock-python",
        |b| in_image("/app/uv.lock", b),
        &["scanner/tests/fixtures/lockfiles/uv/uv.lock"],
    ),
    (
        "lock-pipfile",
        |b| in_image("/app/Pipfile.lock", b),
        &["scanner/tests/fixtures/lockfiles/pipenv/Pipfile.lock"],
    ),
    (
        "lock-requirements",
        |b| in_image("/app/requirements.txt", b),
        &["scanner/tests/fixtures/lockfiles/pip/requirements.txt"],
    ),
];
