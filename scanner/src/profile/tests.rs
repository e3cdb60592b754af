//! Whole profiles of small images.

use plimsoll_model::{FacetState, HealthCheck, Verb};

use super::*;
use testing::Image;

#[test]
fn a_redis_like_image_is_fully_known() {
    let image = Image::debian()
        .binary("/usr/bin/redis-check-rdb", |facts| facts.imports.exec = true)
        .link("/usr/bin/redis-server", "redis-check-rdb")
        .binaries(&["/usr/bin/redis-cli"])
        .package("redis-tools", "/usr/bin/redis-check-rdb")
        .script(
            "/usr/local/bin/docker-entrypoint.sh",
            "#!/bin/sh\nset -e\ncase $1 in -*) set -- redis-server \"$@\";; esac\nif [ \"$(id -u)\" = 0 ]; then\n\
             find . -exec chown redis {} +\nexec gosu redis \"$0\" \"$@\"\nfi\nexec \"$@\"\n",
        )
        .starts(&["docker-entrypoint.sh"], &["redis-server", "--protected-mode", "no"])
        .with(|config| {
            config.working_dir = "/data".to_owned();
            config.volumes = vec!["/data".to_owned()];
            config.exposed_ports = vec!["6379/tcp".to_owned()];
            config.health_check = Some(HealthCheck {
                test: vec!["CMD-SHELL".to_owned(), "redis-cli ping".to_owned()],
            });
        });
    let (profile, notes) = image.profile();
    assert_eq!(notes, []);
    assert_eq!(main_text(&profile), "/usr/bin/redis-check-rdb as redis-server");
    let chain: Vec<String> = profile.entrypoint.iter().map(program_text).collect();
    assert_eq!(
        chain,
        [
            "/usr/bin/dash running /usr/local/bin/docker-entrypoint.sh",
            "/usr/sbin/gosu"
        ]
    );
    let closed = |verb, phase| {
        let found = profile
            .facets
            .iter()
            .find(|facet| facet.verb == verb && facet.phase == phase);
        found.is_some_and(|facet| facet.state == FacetState::Closed)
    };
    for (verb, phase) in [
        (Verb::Exec, Phase::Entrypoint),
        (Verb::Exec, Phase::Serving),
        (Verb::Exec, Phase::Session),
        (Verb::Exec, Phase::Probe),
        (Verb::Listen, Phase::Serving),
        (Verb::Connect, Phase::Serving),
        (Verb::Write, Phase::Serving),
    ] {
        assert!(closed(verb, phase), "{verb:?} in {phase:?}\n{}", view(&profile));
    }
}
