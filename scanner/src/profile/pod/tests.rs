//! A redis image and pods that run it in; profiles with the pod's word in them out.

use plimsoll_model::{Digest, FacetState, ImageIdentity, Platform, Profile};

use super::*;
use crate::{
    pod::{PodMount, PodPort, PodProbe},
    profile::testing::Image,
};

fn redis() -> Image {
    Image::debian()
        .binary("/usr/bin/redis-server", |_| {})
        .binary("/usr/bin/redis-cli", |_| {})
        .script("/entry.sh", "#!/bin/sh\nexec \"$@\"\n")
        .starts(&["/entry.sh"], &["redis-server"])
        .with(|config| config.env = vec!["PATH=/usr/bin:/bin".to_owned(), "PORT=6379".to_owned()])
}

fn pod() -> PodContainer {
    PodContainer {
        object: "Pod p".to_owned(),
        name: "redis".to_owned(),
        ..PodContainer::default()
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn built(image: &Image, pod: &PodContainer) -> (Profile, Vec<Note>) {
    let identity = ImageIdentity {
        reference: "test".to_owned(),
        manifest_digest: None,
        config_digest: Digest::from_bytes([0; 32]),
        diff_ids: Vec::new(),
        platform: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        },
    };
    let input = Input {
        image: &identity,
        config: &image.config,
        tree: &image.tree,
        sbom: &image.sbom,
        packs: plimsoll_rules::packs::shipped(),
    };
    build_in_pod(&input, pod)
}

/// Facts that the pod vouches for, as `confidence verb object: detail`.
fn by_the_pod(profile: &Profile) -> Vec<String> {
    let mut lines = Vec::new();
    for fact in &profile.facts {
        for evidence in fact.evidence.iter().filter(|one| one.source == EvidenceSource::Pod) {
            let object = crate::profile::draft::object_text(&fact.action);
            lines.push(format!(
                "{:?} {:?} {object}: {}",
                fact.confidence,
                fact.action.verb(),
                evidence.detail
            ));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_pod_that_says_nothing_changes_nothing() {
    let image = redis();
    let (mut profile, notes) = built(&image, &pod());
    let (own, own_notes) = image.profile();
    profile.image.clone_from(&own.image);
    assert_eq!((profile, notes), (own, own_notes));
}

#[test]
fn command_and_arguments_take_the_place_of_the_images() {
    let image = redis();
    for (command, args, main, chain, said) in [
        (
            &["redis-cli"][..],
            &["ping"][..],
            "/usr/bin/redis-cli",
            0,
            "command redis-cli",
        ),
        (&[], &["redis-cli", "ping"], "/usr/bin/redis-cli", 1, "args /entry.sh"),
        (
            &["sh", "-c", "exec redis-server --port $(PORT)"],
            &[],
            "/usr/bin/redis-server",
            1,
            "command sh",
        ),
    ] {
        let given = PodContainer {
            command: words(command),
            args: words(args),
            ..pod()
        };
        let (profile, _) = built(&image, &given);
        let found = profile.main.as_ref().map(|main| main.path.0.as_str());
        assert_eq!(found, Some(main), "{command:?} {args:?}");
        assert_eq!(profile.entrypoint.len(), chain, "{:?}", profile.entrypoint);
        let expected = format!("{said} of container redis in Pod p");
        let facts = by_the_pod(&profile);
        assert!(
            facts.iter().any(|line| line.ends_with(&expected)),
            "{expected}: {facts:?}"
        );
    }
}

#[test]
fn ports_mounts_user_and_probes_are_facts() {
    let given = PodContainer {
        run_as_user: Some(999),
        ports: vec![PodPort {
            name: "client".to_owned(),
            port: port(plimsoll_model::Transport::Tcp, 6380),
            host_port: Some(80),
        }],
        mounts: vec![
            PodMount {
                path: "/cache/".to_owned(),
                volume: "emptyDir cache".to_owned(),
                is_read_only: false,
                has_sub_path: false,
            },
            PodMount {
                path: "/etc/redis".to_owned(),
                volume: "configMap redis".to_owned(),
                is_read_only: true,
                has_sub_path: false,
            },
        ],
        has_read_only_root: true,
        probes: vec![
            PodProbe {
                kind: "livenessProbe",
                action: ProbeAction::Exec(words(&["sh", "-c", "redis-cli ping"])),
            },
            PodProbe {
                kind: "readinessProbe",
                action: ProbeAction::Port(6380),
            },
        ],
        ..pod()
    };
    let (profile, _) = built(&redis(), &given);
    let facts = by_the_pod(&profile);
    for expected in [
        "B Listen tcp/6380: containerPort 6380 (hostPort 80) of container redis in Pod p",
        "B Listen tcp/6380: readinessProbe of port 6380 of container redis in Pod p",
        "A Write /cache/**: volumeMounts /cache/: emptyDir cache of container redis in Pod p",
        "A Become redis (999): runAsUser 999 of container redis in Pod p",
    ] {
        assert!(facts.iter().any(|line| line == expected), "{expected}: {facts:#?}");
    }
    let probe = facts
        .iter()
        .find(|line| line.contains("Exec /usr/bin/dash") && line.contains("livenessProbe"));
    assert!(probe.is_some(), "{facts:#?}");
    let starts_client = profile.facts.iter().any(|fact| {
        fact.phases == [Phase::Probe]
            && matches!(&fact.action, Action::Exec(program) if program.path.0 == "/usr/bin/redis-cli")
    });
    assert!(starts_client, "what the probe's shell starts is followed");
    assert_eq!(profile.probes, [words(&["sh", "-c", "redis-cli ping"])]);
    let denied: Vec<&str> = profile
        .denials
        .iter()
        .filter(|denial| denial.evidence.iter().any(|one| one.source == EvidenceSource::Pod))
        .filter_map(|denial| denial.object.as_ref().map(|object| object.0.as_str()))
        .collect();
    assert_eq!(denied, ["/**", "/etc/redis/**"]);
}

#[test]
fn a_mounted_volume_hides_what_the_image_has_there() {
    let image = redis();
    let mounted = |path: &str, has_sub_path| PodContainer {
        mounts: vec![PodMount {
            path: path.to_owned(),
            volume: "emptyDir v".to_owned(),
            is_read_only: false,
            has_sub_path,
        }],
        ..pod()
    };
    let (profile, _) = built(&image, &mounted("/entry.sh", true));
    assert_eq!(profile.main, None, "nobody knows what the mounted script does");
    let is_closed = |facet: &&plimsoll_model::Facet| {
        let works = matches!(facet.phase, Phase::Entrypoint | Phase::Serving);
        works && facet.state == FacetState::Closed && facet.verb == Verb::Exec
    };
    assert_eq!(profile.facets.iter().filter(is_closed).count(), 0);
    let (profile, _) = built(&image, &mounted("/usr/bin", false));
    assert_eq!(profile.main, None);
    let (profile, _) = built(&image, &mounted("/elsewhere", false));
    assert!(profile.main.is_some());
}

#[test]
fn variables_are_replaced_as_kubernetes_does_and_unknown_ones_are_told() {
    let given = PodContainer {
        command: words(&["redis-server", "--port", "$(PORT)", "$$(PORT)", "$(NOBODY)", "a$"]),
        env: vec![
            ("PORT".to_owned(), Some("7000".to_owned())),
            ("BOTH".to_owned(), Some("$(PORT)1".to_owned())),
            ("SECRET".to_owned(), None),
        ],
        has_env_from: true,
        is_privileged: true,
        ..pod()
    };
    let (config, notes) = config_in_pod(&redis().config, &given);
    assert_eq!(
        config.entrypoint,
        ["redis-server", "--port", "7000", "$(PORT)", "$(NOBODY)", "a$"]
    );
    assert_eq!(config.cmd, Vec::<String>::new());
    assert!(config.env.contains(&"BOTH=70001".to_owned()), "{:?}", config.env);
    let said: Vec<bool> = ["env SECRET", "envFrom", "privileged"]
        .iter()
        .map(|what| {
            notes
                .iter()
                .any(|note| note.detail.contains(what) && !note.makes_incomplete())
        })
        .collect();
    assert_eq!(said, [true; 3], "{notes:?}");
}
