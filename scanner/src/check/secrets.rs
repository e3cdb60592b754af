//! What the watcher of contents saw, and the image's config, in; findings about secrets out. Nothing of a secret is told
//! but its kind, its place, four characters of a long one and its length.

use std::sync::LazyLock;

use plimsoll_model::Severity;

use super::{Check, Findings, Input, Kind};
use crate::{layer::watch::Sighting, secret};

/// Files of all layers, hidden ones too; environment, labels, history and command line.
pub(super) struct Secrets;

const IN_ENVIRONMENT: Kind = Kind {
    id: "secret-in-environment",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.10"),
    title: "an environment variable whose name says that it is a secret has a value",
    hint: "give it to the container when it starts",
};
const IN_BUILD_ARGUMENT: Kind = Kind {
    id: "secret-in-build-argument",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.10"),
    title: "a build argument whose name says that it is a secret is in the history",
    hint: "use `RUN --mount=type=secret`",
};

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let mut kinds = vec![IN_ENVIRONMENT, IN_BUILD_ARGUMENT];
    kinds.extend(secret::kinds().map(|kind| kind.kind));
    kinds
});

impl Check for Secrets {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        files(input, out);
        config(input, out);
    }
}

fn files(input: &Input<'_>, out: &mut Findings) {
    let all = input.tree.all_sightings();
    for (path, layer, digest) in &all.places {
        let current = input.tree.get(path);
        let is_there = current.is_some_and(|entry| entry.digest.as_ref() == Some(digest));
        // What a distribution's package brought, everybody can download.
        let package = current.and_then(|entry| input.sbom.packages.get(entry.package? as usize));
        if is_there && package.is_some_and(|package| package.kind.is_of_os()) {
            continue;
        }
        if is_there && current.is_some_and(|entry| entry.layer != *layer) {
            // A later layer brought the same content again, and has a place of its own.
            continue;
        }
        for sighting in all.of(digest) {
            let Sighting::Secret { kind, line, redacted } = sighting else {
                continue;
            };
            let Some(kind) = KINDS.iter().find(|one| one.id == kind) else {
                continue;
            };
            let hidden = match (is_there, current) {
                (true, _) => "",
                (false, Some(_)) => ", which a later layer replaces, and whoever has the image can still read",
                (false, None) => ", which a later layer removes, and whoever has the image can still read",
            };
            let message = format!("{} {redacted} in line {line}, layer {}{hidden}", kind.title, layer + 1);
            out.push(kind, message, Some(path), Some(*layer));
        }
    }
}

fn config(input: &Input<'_>, out: &mut Findings) {
    let config = input.config;
    for line in &config.env {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let is_known = texts(line, &format!("the environment variable {}", shown(name)), out);
        if !is_known && names_a_secret(name) && is_value(value) {
            let value = secret::redact(value.as_bytes());
            out.image(&IN_ENVIRONMENT, format!("{} has a value: {value}", shown(name)));
        }
    }
    for (name, value) in &config.labels {
        texts(&format!("{name}={value}"), &format!("the label {}", shown(name)), out);
    }
    for (what, words) in [("the entrypoint", &config.entrypoint), ("the command", &config.cmd)] {
        texts(&words.join("\n"), what, out);
    }
    if let Some(check) = &config.health_check {
        texts(&check.test.join("\n"), "the health check", out);
    }
    for (index, line) in config.history.iter().enumerate() {
        texts(&line.created_by, &format!("line {} of the history", index + 1), out);
        for (name, value) in build_arguments(&line.created_by) {
            if names_a_secret(name) && is_value(value) {
                let value = secret::redact(value.as_bytes());
                out.image(
                    &IN_BUILD_ARGUMENT,
                    format!("{} has a value in the history: {value}", shown(name)),
                );
            }
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// Whether a text holds a secret whose form is known; tells it.
fn texts(text: &str, place: &str, out: &mut Findings) -> bool {
    let bytes = text.as_bytes();
    let mut any = false;
    secret::find(bytes, 0..bytes.len(), &mut |kind, range| {
        any = true;
        out.image(
            &kind.kind,
            format!("{} {} in {place}", kind.kind.title, secret::redact(&bytes[range])),
        );
    });
    any
}

/// Words of a name, between `_`, that say what it is.
fn names_a_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(['_', '-', '.']).collect();
    // The name of a file, or how something is used, is no secret.
    if matches!(
        words.last(),
        Some(
            &("FILE"
                | "PATH"
                | "DIR"
                | "URL"
                | "URI"
                | "HOST"
                | "NAME"
                | "ID"
                | "TTL"
                | "LENGTH"
                | "TYPE"
                | "POLICY"
                | "EXPIRY"
                | "TIMEOUT")
        )
    ) {
        return false;
    }
    let has = |word: &str| words.contains(&word);
    let follows = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
    [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "CREDENTIALS",
    ]
    .iter()
    .any(|word| has(word))
        || words
            .iter()
            .any(|word| word.ends_with("PASSWORD") || word.ends_with("SECRET"))
        || [
            ("API", "KEY"),
            ("ACCESS", "KEY"),
            ("PRIVATE", "KEY"),
            ("SECRET", "KEY"),
            ("ENCRYPTION", "KEY"),
        ]
        .iter()
        .any(|(first, second)| follows(first, second))
}

/// Not empty, no switch, no number, no path, no variable.
fn is_value(value: &str) -> bool {
    let lower = value.trim_matches(['"', '\'']).to_ascii_lowercase();
    let is_switch = matches!(
        lower.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null" | "disabled" | "enabled"
    );
    lower.len() >= 4
        && !is_switch
        && !lower.starts_with(['/', '$', '<', '{', '%'])
        && lower.parse::<f64>().is_err()
        && !secret::allow::is_example(value.as_bytes())
}

/// `|2 NAME=value NAME=value /bin/sh -c …` as builders before BuildKit write, `ARG NAME=value`, and
/// `RUN |1 NAME=value /bin/sh -c …` as BuildKit does.
fn build_arguments(line: &str) -> Vec<(&str, &str)> {
    let text = line.trim_start();
    let text = text.strip_prefix("/bin/sh -c #(nop)").map_or(text, str::trim_start);
    if let Some(rest) = text.strip_prefix("ARG ") {
        return rest
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .collect();
    }
    let text = text.strip_prefix("RUN ").unwrap_or(text);
    let Some((count, rest)) = text.strip_prefix('|').and_then(|rest| rest.split_once(' ')) else {
        return Vec::new();
    };
    let count = count.parse::<usize>().unwrap_or(0).min(64);
    rest.split_whitespace()
        .take(count)
        .filter_map(|word| word.split_once('='))
        .collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Digest, FileKind, HistoryEntry, ImageConfig, Sbom};

    use super::*;
    use crate::{Tree, check::testing, layer::watch::Sighted};

    fn of_config(change: impl FnOnce(&mut ImageConfig)) -> Vec<String> {
        let mut config = ImageConfig::default();
        change(&mut config);
        testing::found(&Secrets, &config, &Tree::default())
    }

    #[test]
    fn finds_secrets_by_the_names_of_variables_and_arguments() {
        for (line, expected) in [
            ("DB_PASSWORD=s3cr3t-Horse", true),
            ("POSTGRES_PASSWORD_FILE=/run/secrets/pg", false),
            ("PASSWORD_MIN_LENGTH=12", false),
            ("API_KEY=k9f2m1zq", true),
            ("GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", false),
            ("TOKENIZERS_PARALLELISM=false", false),
            ("APP_SECRET=${APP_SECRET}", false),
            ("APP_SECRET=changeme-please", false),
            ("PATH=/usr/bin", false),
        ] {
            let found = of_config(|config| config.env = vec![line.to_owned()]);
            assert_eq!(found == ["secret-in-environment"], expected, "{line}: {found:?}");
        }
        for (line, expected) in [
            ("|2 V=1 REPO_TOKEN=k9f2m1zq /bin/sh -c make", true),
            ("RUN |1 REPO_TOKEN=k9f2m1zq /bin/sh -c make # buildkit", true),
            ("ARG REPO_TOKEN=k9f2m1zq", true),
            ("ARG REPO_TOKEN", false),
            ("|1 V=1 /bin/sh -c REPO_TOKEN=x make", false),
        ] {
            let entry = HistoryEntry {
                created_by: line.to_owned(),
                empty_layer: false,
            };
            let found = of_config(|config| config.history = vec![entry]);
            assert_eq!(found == ["secret-in-build-argument"], expected, "{line}: {found:?}");
        }
    }

    #[test]
    fn a_known_form_is_told_once_and_redacted() {
        let token = ["glpat", "-", "q7Rk2mZx9LwT4vBn8sYd"].concat();
        let config = ImageConfig {
            env: vec![format!("CI_TOKEN={token}")],
            ..ImageConfig::default()
        };
        let (found, _) = testing::run(&Secrets, &config, &Tree::default(), &Sbom::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].check, "secret-gitlab-token");
        assert!(found[0].message.contains("glpa… (26 characters)") && !found[0].message.contains(&token[6..]));
    }

    #[test]
    fn a_removed_file_still_holds_its_secret_and_a_packages_file_none() {
        let (gone, there, shipped) = (
            Digest::from_bytes([1; 32]),
            Digest::from_bytes([2; 32]),
            Digest::from_bytes([3; 32]),
        );
        let mut tree = Tree::default();
        for (path, digest, package) in [("/there", there, None), ("/shipped", shipped, Some(0))] {
            let mut entry = testing::entry(path, FileKind::Regular, 0o644);
            (entry.digest, entry.layer, entry.package) = (Some(digest), 1, package);
            tree.insert(entry, None);
        }
        for (path, layer, digest) in [("/gone", 0, gone), ("/there", 1, there), ("/shipped", 1, shipped)] {
            tree.see(Sighted {
                path: path.to_owned(),
                layer,
                digest,
                sightings: vec![Sighting::Secret {
                    kind: "secret-private-key".to_owned(),
                    line: 1,
                    redacted: "… (1700 characters)".to_owned(),
                }],
            });
        }
        let package = serde_json::json!({
            "kind": "dpkg", "name": "demo", "version": "1", "purl": "", "layer": 0, "evidence_path": "", "files": []
        });
        let sbom = Sbom {
            os: None,
            packages: vec![serde_json::from_value(package).unwrap()],
        };
        let (found, _) = testing::run(&Secrets, &ImageConfig::default(), &tree, &sbom);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.path.as_deref().unwrap(), one.message.contains("removes")))
            .collect();
        assert_eq!(told, [("/gone", true), ("/there", false)]);
    }
}
