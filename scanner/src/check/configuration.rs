//! The image's config in, findings about how its container is started out.

use plimsoll_model::Severity;

use super::{Check, Findings, Input, Kind};

/// User, health check, tag, ports, volumes.
pub(super) struct Configuration;

const RUNS_AS_ROOT: Kind = Kind {
    id: "runs-as-root",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.1"),
    title: "no user but root is named",
    hint: "add a `USER` instruction with a user of its own",
};
const USER_BY_NAME: Kind = Kind {
    id: "user-by-name",
    severity: Severity::Low,
    benchmark: None,
    title: "the user is a name, which Kubernetes' `runAsNonRoot` cannot judge",
    hint: "write the numeric id: `USER 10001`",
};
const UNKNOWN_USER: Kind = Kind {
    id: "user-unknown",
    severity: Severity::Medium,
    benchmark: None,
    title: "the user is a name that `/etc/passwd` does not have: the container does not start",
    hint: "add the user, or write a numeric id",
};
const NO_HEALTH_CHECK: Kind = Kind {
    id: "no-health-check",
    severity: Severity::Negligible,
    benchmark: Some("CIS Docker 4.6"),
    title: "no `HEALTHCHECK`; Kubernetes ignores it, other engines do not",
    hint: "add a `HEALTHCHECK` instruction, or a probe where the image is deployed",
};
const LATEST_TAG: Kind = Kind {
    id: "latest-tag",
    severity: Severity::Low,
    benchmark: None,
    title: "asked for by the tag `latest`, which means another image tomorrow",
    hint: "name a version, or better a digest",
};
const SSH_PORT: Kind = Kind {
    id: "ssh-port",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 5.6"),
    title: "the SSH port is exposed",
    hint: "leave sshd out and use the engine's exec",
};
const ENGINE_SOCKET: Kind = Kind {
    id: "engine-socket",
    severity: Severity::High,
    benchmark: Some("CIS Docker 5.31"),
    title: "a container engine's socket is declared as volume or baked in: whoever may write it is root on the host",
    hint: "do not mount the engine's socket",
};
const SENSITIVE_VOLUME: Kind = Kind {
    id: "sensitive-volume",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 5.5"),
    title: "a system folder is declared as volume",
    hint: "declare the folder of the data only",
};

/// Names that engines listen at.
const SOCKETS: &[&str] = &["docker.sock", "podman.sock", "containerd.sock", "crio.sock"];
/// CIS Docker 5.5's list.
const SYSTEM_FOLDERS: &[&str] = &[
    "/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/bin", "/sbin",
];

impl Check for Configuration {
    fn kinds(&self) -> &'static [Kind] {
        const {
            &[
                RUNS_AS_ROOT,
                USER_BY_NAME,
                UNKNOWN_USER,
                NO_HEALTH_CHECK,
                LATEST_TAG,
                SSH_PORT,
                ENGINE_SOCKET,
                SENSITIVE_VOLUME,
            ]
        }
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        user(input, out);
        let health = input.config.health_check.as_ref();
        if health.is_none_or(|check| check.test.first().is_none_or(|word| word == "NONE")) {
            out.image(&NO_HEALTH_CHECK, "the image has no health check");
        }
        if input.reference.contains(":latest") && !input.reference.contains("@sha256:") {
            out.image(&LATEST_TAG, "the image was asked for by the tag latest");
        }
        for port in &input.config.exposed_ports {
            if matches!(port.as_str(), "22" | "22/tcp") {
                out.image(&SSH_PORT, format!("port {port} is exposed"));
            }
        }
        for volume in &input.config.volumes {
            let path = volume.trim_end_matches('/');
            if is_socket(path) {
                out.image(&ENGINE_SOCKET, format!("{volume} is declared as a volume"));
            } else if SYSTEM_FOLDERS.contains(&if path.is_empty() { "/" } else { path }) {
                out.image(&SENSITIVE_VOLUME, format!("{volume} is declared as a volume"));
            }
        }
    }
}

fn is_socket(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| SOCKETS.contains(&name))
}

fn user(input: &Input<'_>, out: &mut Findings) {
    let user = input.config.user.split(':').next().unwrap_or_default();
    let lines = input.tree.content("/etc/passwd").unwrap_or_default();
    let lines = String::from_utf8_lossy(lines);
    let mut accounts = lines.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let account = accounts.find(|fields| fields.first() == Some(&user));
    let uid = account.as_ref().and_then(|fields| fields.get(2)).copied();
    match user {
        "" => out.image(&RUNS_AS_ROOT, "the image names no user: its processes are root"),
        "root" => out.image(&RUNS_AS_ROOT, "the image's user is root"),
        _ if user.parse() == Ok(0_u32) || uid == Some("0") => {
            out.image(&RUNS_AS_ROOT, format!("the image's user {user} has the id 0"));
        }
        _ if user.parse::<u32>().is_ok() => {}
        _ if account.is_none() => {
            out.image(&UNKNOWN_USER, format!("the image's user {user} is not in /etc/passwd"));
        }
        _ => {
            let id = uid.map_or(String::new(), |uid| format!(" (it is {uid})"));
            out.image(
                &USER_BY_NAME,
                format!("the image's user {user} is not given by its id{id}"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{HealthCheck, ImageConfig};

    use super::*;
    use crate::check::testing;

    fn found(change: impl FnOnce(&mut ImageConfig)) -> Vec<String> {
        let tree = testing::tree(&[(
            "/etc/passwd",
            "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nredis:x:999:999::/:\n",
        )]);
        let mut config = ImageConfig {
            user: "999".to_owned(),
            health_check: Some(HealthCheck {
                test: vec!["CMD".to_owned(), "true".to_owned()],
            }),
            ..ImageConfig::default()
        };
        change(&mut config);
        testing::found(&Configuration, &config, &tree)
    }

    #[test]
    fn judges_users() {
        for (user, expected) in [
            ("", "runs-as-root"),
            ("0:0", "runs-as-root"),
            ("root", "runs-as-root"),
            ("toor:redis", "runs-as-root"),
            ("redis", "user-by-name"),
            ("nobody-here", "user-unknown"),
        ] {
            assert_eq!(found(|config| config.user = user.to_owned()), [expected], "{user}");
        }
        assert_eq!(found(|config| config.user = "999:999".to_owned()), Vec::<String>::new());
    }

    #[test]
    fn judges_the_rest() {
        assert_eq!(found(|config| config.health_check = None), ["no-health-check"]);
        let none = HealthCheck {
            test: vec!["NONE".to_owned()],
        };
        assert_eq!(found(|config| config.health_check = Some(none)), ["no-health-check"]);
        let ports = vec!["22/tcp".to_owned(), "2222/tcp".to_owned()];
        assert_eq!(found(|config| config.exposed_ports = ports), ["ssh-port"]);
        let volumes = ["/var/run/docker.sock", "/etc/", "/data", "/"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            found(|config| config.volumes = volumes),
            ["engine-socket", "sensitive-volume", "sensitive-volume"]
        );
    }
}
