//! Lock files that the ecosystems' own tools wrote, against what those tools say is locked (`tests/fixtures/lockfiles/README.md`).

use std::fs;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lockfiles/");

fn entry(path: &str) -> FileEntry {
    let json = format!(
        r#"{{"path": "{path}", "kind": "regular", "mode": 420, "uid": 0, "gid": 0, "size_bytes": 1, "layer": 0}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn cataloged(path: &str, content: &[u8]) -> Catalog {
    let mut catalog = Catalog::default();
    read(&entry(path), content, format_of(path).unwrap(), &mut catalog);
    catalog
}

fn listed(catalog: &Catalog) -> Vec<String> {
    let mut lines: Vec<String> = catalog
        .packages
        .iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    lines.sort();
    lines
}

/// Every fixture, with the list that its tool gave.
const CASES: &[(&str, &str)] = &[
    ("npm1/package-lock.json", "npm"),
    ("npm2/package-lock.json", "npm"),
    ("npm3/package-lock.json", "npm"),
    ("yarn1/yarn.lock", "npm"),
    ("berry/yarn.lock", "npm"),
    ("pnpm7/pnpm-lock.yaml", "npm"),
    ("pnpm8/pnpm-lock.yaml", "npm"),
    ("pnpm9/pnpm-lock.yaml", "npm"),
    ("bun/bun.lock", "npm"),
    ("pip/requirements.txt", "pip"),
    ("uv/uv.lock", "uv"),
    ("poetry/poetry.lock", "poetry"),
    ("pdm/pdm.lock", "poetry"),
    ("pylock/pylock.toml", "pylock"),
    ("pipenv/Pipfile.lock", "pipenv"),
    ("cargo/Cargo.lock", "cargo"),
    ("go/go.mod", "go"),
    ("gem/Gemfile.lock", "gem"),
    ("composer/composer.lock", "composer"),
    ("nuget/packages.lock.json", "nuget"),
];

#[test]
fn what_the_tools_say_is_locked_is_found() {
    for (path, expected) in CASES {
        let content = fs::read(format!("{FOLDER}{path}")).unwrap();
        let found = cataloged(&format!("/app/{path}"), &content);
        assert_eq!(found.notes, [], "{path}");
        let expected = fs::read_to_string(format!("{FOLDER}{expected}.expected")).unwrap();
        // pip and Pipenv normalise names in different ways.
        let normal = |text: &str| text.to_lowercase().replace("zope.", "zope-");
        let mut expected: Vec<String> = expected.lines().map(normal).collect();
        expected.sort();
        let found: Vec<String> = listed(&found).iter().map(|line| normal(line)).collect();
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn cut_and_changed_files_never_panic() {
    for (path, _) in CASES {
        let content = fs::read(format!("{FOLDER}{path}")).unwrap();
        let path = format!("/app/{path}");
        // The small ones at every byte, the others at 500 places.
        let step = content.len() / 500 + 1;
        for cut in (0..content.len()).step_by(step) {
            cataloged(&path, &content[..cut]);
            let mut changed = content.clone();
            changed[cut] = b"\xff\"{[:@"[cut / step % 6];
            cataloged(&path, &changed);
        }
    }
}

#[test]
fn what_makes_no_sense_is_noted() {
    for (path, content) in [
        ("/a/package-lock.json", "{"),
        ("/a/bun.lock", "{\"packages\": 7}"),
        ("/a/yarn.lock", "nonsense\n"),
        ("/a/pnpm-lock.yaml", "packages:\n"),
        ("/a/poetry.lock", "[[package]"),
        ("/a/Pipfile.lock", "[]"),
        ("/a/Cargo.lock", "package = 7"),
        ("/a/go.mod", "\u{1}"),
        ("/a/Gemfile.lock", "{}"),
        ("/a/composer.lock", ""),
        ("/a/packages.lock.json", "{}"),
        ("/a/pom.xml", "<project><dependencies>"),
    ] {
        let found = cataloged(path, content.as_bytes());
        assert_eq!(found.notes.len(), 1, "{path}");
        assert!(found.notes[0].makes_incomplete() && found.packages.is_empty(), "{path}");
    }
    let found = cataloged("/a/go.mod", b"module a\nrequire b v1.\xff\n");
    assert_eq!(found.notes.len(), 1);
}

#[test]
fn nesting_is_bounded() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for (path, content) in [
        ("/a/package-lock.json", deep("{\"dependencies\":{\"a\":", "}}")),
        ("/a/pom.xml", deep("<a>", "</a>")),
        ("/a/poetry.lock", format!("a = {}", deep("[", "]"))),
        ("/a/Cargo.lock", format!("a{} = 1", ".a".repeat(100_000))),
    ] {
        let found = cataloged(path, content.as_bytes());
        assert_eq!(found.notes.len(), 1, "{path}");
    }
}

#[test]
fn formats_are_known_by_name_and_not_inside_what_was_installed() {
    for (path, expected) in [
        ("/app/requirements.txt", true),
        ("/app/requirements-dev.txt", true),
        ("/app/dev-requirements.txt", true),
        ("/app/requirements/base.txt", false),
        ("/app/notes.txt", false),
        ("/app/node_modules/a/yarn.lock", false),
        ("/usr/lib/python3/site-packages/a/poetry.lock", false),
        ("/app/go.mod", true),
    ] {
        assert_eq!(format_of(path).is_some(), expected, "{path}");
    }
}

#[test]
fn particulars_of_formats() {
    for (path, content, expected) in [
        (
            "/requirements.txt",
            "a==1.0 ; python_version < '3'\nB[c]==2.0 \\\n  --hash=sha256:00\nd>=1\ne==1.*\n-r other.txt\nf === 3 # why\ng @ file:///g\n",
            &["B 2.0", "a 1.0", "f 3"][..],
        ),
        (
            "/go.mod",
            "module a\nrequire b v1.0.0\nrequire (\n\tc v2.0.0+incompatible // indirect\n\td v1.0.0\n\te v1.0.0\n)\n\
             replace d => ./d\nreplace (\n\te v1.0.0 => f v1.1.0\n\tb v9.0.0 => g v1.0.0\n)\n",
            &["b v1.0.0", "c v2.0.0+incompatible", "f v1.1.0"],
        ),
        (
            "/pom.xml",
            "<project xmlns='m'><dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId><version>1</version>\
             <exclusions><exclusion><groupId>x</groupId></exclusion></exclusions></dependency>\
             <dependency><groupId>a</groupId><artifactId>c</artifactId><version>${v}</version></dependency>\
             <dependency><groupId>a</groupId><artifactId>d</artifactId></dependency></dependencies></project>",
            &["a:b 1"],
        ),
        (
            "/gradle.lockfile",
            "# This is a Gradle generated file for dependency locking.\ncom.google.guava:guava:33.3.0-jre=compileClasspath,runtimeClasspath\nempty=annotationProcessor\n",
            &["com.google.guava:guava 33.3.0-jre"],
        ),
        (
            "/composer.lock",
            r#"{"packages": [{"name": "a/b", "version": "v1.2.0"}], "packages-dev": [{"name": "c/d", "version": "2.0.0"}]}"#,
            &["a/b 1.2.0", "c/d 2.0.0"],
        ),
        (
            "/pnpm-lock.yaml",
            "lockfileVersion: '6.0'\n\npackages:\n\n  /a@1.0.0(b@2.0.0):\n    dev: false\n\n  /@s/a@1.0.0:\n    dev: true\n\n  file:local:\n    name: x\n\nsnapshots:\n\n  z@1.0.0: {}\n",
            &["@s/a 1.0.0", "a 1.0.0"],
        ),
    ] {
        assert_eq!(listed(&cataloged(path, content.as_bytes())), expected, "{path}");
    }
}

#[test]
fn package_urls_have_the_namespaces_of_their_ecosystems() {
    for (path, content, expected) in [
        (
            "/bun.lock",
            r#"{"packages": {"a": ["@s/a@1.0.0",],},}"#,
            "pkg:npm/%40s/a@1.0.0",
        ),
        (
            "/go.mod",
            "module m\nrequire github.com/a/b v1.0.0\n",
            "pkg:golang/github.com/a/b@v1.0.0",
        ),
        ("/gradle.lockfile", "a.b:c:1=x\n", "pkg:maven/a.b/c@1"),
        (
            "/requirements.txt",
            "Zope.Interface==6.4\n",
            "pkg:pypi/zope-interface@6.4",
        ),
    ] {
        assert_eq!(cataloged(path, content.as_bytes()).packages[0].purl, expected);
    }
}
