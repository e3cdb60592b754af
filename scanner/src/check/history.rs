//! The image's build instructions, as its history states them, in; findings about what they do out.

use plimsoll_model::{HistoryEntry, Severity};

use super::{Check, Findings, Input, Kind};

/// What was run, added and left to images built on this one.
pub(super) struct History;

const ADD_URL: Kind = Kind {
    id: "add-url",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.9"),
    title: "`ADD` of a URL: whatever was there on the day of the build",
    hint: "download in a `RUN` that compares a digest, or use `ADD --checksum`",
};
const ADD_FILE: Kind = Kind {
    id: "add-instead-of-copy",
    severity: Severity::Negligible,
    benchmark: Some("CIS Docker 4.9"),
    title: "`ADD` of files, which also unpacks archives and fetches URLs",
    hint: "use `COPY` where nothing is unpacked",
};
const UPDATE_ALONE: Kind = Kind {
    id: "update-alone",
    severity: Severity::Low,
    benchmark: Some("CIS Docker 4.7"),
    title: "package lists are updated in an instruction of their own, which a build cache keeps for ever",
    hint: "update and install in one `RUN`",
};
const UPGRADE: Kind = Kind {
    id: "upgrade-in-build",
    severity: Severity::Negligible,
    benchmark: None,
    title: "all packages are upgraded: what comes out depends on the day of the build",
    hint: "build on a newer base image",
};
const PIPE_TO_SHELL: Kind = Kind {
    id: "pipe-to-shell",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.11"),
    title: "a download is run without looking at it",
    hint: "download to a file, compare its digest or signature, then run it",
};
const UNVERIFIED: Kind = Kind {
    id: "unverified-packages",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.11"),
    title: "packages or certificates are not verified",
    hint: "leave signature and certificate checks on",
};
const ONBUILD: Kind = Kind {
    id: "onbuild",
    severity: Severity::Low,
    benchmark: None,
    title: "`ONBUILD`: runs in the builds of others, where nobody sees it",
    hint: "write the instructions where they run",
};
const OPEN_MODE: Kind = Kind {
    id: "chmod-777",
    severity: Severity::Low,
    benchmark: None,
    title: "an instruction makes files writable for everybody",
    hint: "give the files to the user that needs them: `COPY --chown`",
};

impl Check for History {
    fn kinds(&self) -> &'static [Kind] {
        const {
            &[
                ADD_URL,
                ADD_FILE,
                UPDATE_ALONE,
                UPGRADE,
                PIPE_TO_SHELL,
                UNVERIFIED,
                ONBUILD,
                OPEN_MODE,
            ]
        }
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        let mut layer = 0_u32;
        let count = input.config.history.iter().filter(|line| !line.empty_layer).count();
        // History is only what the builder wrote; layers can be told apart when there are as many.
        let agrees = count == input.layers.len();
        for line in &input.config.history {
            let at = (agrees && !line.empty_layer).then_some(layer);
            layer += u32::from(!line.empty_layer);
            instruction(line, at, at == Some(0), out);
        }
    }
}

/// Docker's builders before BuildKit, and buildah, write `/bin/sh -c #(nop)` before what is no `RUN`.
fn keyword_and_rest(line: &str) -> (&str, &str) {
    let text = line.trim_start();
    let text = text.strip_prefix("/bin/sh -c #(nop)").map_or(text, str::trim_start);
    if let Some(command) = text.strip_prefix("/bin/sh -c ") {
        return ("RUN", command);
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    // `|2 A=1 B=2 /bin/sh -c …`: build arguments before the command.
    if word.starts_with('|') {
        return (
            "RUN",
            rest.split_once("/bin/sh -c ").map_or(rest, |(_, command)| command),
        );
    }
    (word, rest)
}

fn instruction(line: &HistoryEntry, layer: Option<u32>, is_first: bool, out: &mut Findings) {
    let (keyword, rest) = keyword_and_rest(&line.created_by);
    let mut say = |kind: &Kind, what: &str| {
        let message = format!("{what}: {}", excerpt(rest));
        out.push(kind, message, None, layer);
    };
    let is_url = rest.contains("http://") || rest.contains("https://");
    match keyword {
        "ADD" if is_url && rest.contains("--checksum=") => {}
        "ADD" if is_url => say(&ADD_URL, "ADD of a URL"),
        // The root file system of a base image can come in no other way.
        "ADD" if !is_first => say(&ADD_FILE, "ADD"),
        "ONBUILD" => say(&ONBUILD, "ONBUILD"),
        "RUN" => run(rest, &mut say),
        _ => {}
    }
}

fn run(command: &str, say: &mut dyn FnMut(&Kind, &str)) {
    let has = |texts: &[&str]| texts.iter().any(|text| command.contains(text));
    let installs = [" install", " add ", "apk add", "dnf", "yum", "upgrade", "build-dep"];
    if has(&["apt-get update", "apt update", "apk update"]) && !has(&installs) {
        say(&UPDATE_ALONE, "package lists are updated alone");
    }
    if has(&[
        "apt-get upgrade",
        "apt-get dist-upgrade",
        "apt-get -y upgrade",
        "apt-get -y dist-upgrade",
        "apt upgrade",
    ]) || has(&[
        "apk upgrade",
        "apk -U upgrade",
        "yum update",
        "dnf update",
        "dnf upgrade",
        "yum upgrade",
    ]) {
        say(&UPGRADE, "packages are upgraded");
    }
    if pipes_to_shell(command) {
        say(&PIPE_TO_SHELL, "a download is run");
    }
    if has(&[
        "--allow-unauthenticated",
        "--nogpgcheck",
        "--no-gpg-checks",
        "--allow-untrusted",
        "--force-yes",
    ]) || has(&[
        "--trusted-host",
        "strict-ssl false",
        "NODE_TLS_REJECT_UNAUTHORIZED=0",
        "http.sslVerify false",
    ]) || (has(&["curl "]) && has(&[" -k ", " --insecure ", " -kL", " -skL", " -ksL"]))
        || (has(&["wget "]) && has(&["--no-check-certificate"]))
    {
        say(&UNVERIFIED, "signatures or certificates are not checked");
    }
    if has(&[
        "chmod 777",
        "chmod -R 777",
        "chmod 0777",
        "chmod -R 0777",
        "chmod a+rwx",
        "chmod -R a+rwx",
    ]) {
        say(&OPEN_MODE, "files are made writable for everybody");
    }
}

/// `curl … | sh`, `sh -c "$(curl …)"`, `bash <(curl …)`.
fn pipes_to_shell(command: &str) -> bool {
    let downloads = |text: &str| text.contains("curl ") || text.contains("wget ");
    let is_shell = |word: &str| {
        let name = word
            .trim_matches(['"', '\'', '(', ')', ';'])
            .rsplit('/')
            .next()
            .unwrap_or(word);
        matches!(
            name,
            "sh" | "bash" | "ash" | "dash" | "zsh" | "python" | "python3" | "perl" | "node" | "ruby"
        )
    };
    let statements = command
        .split("&&")
        .flat_map(|part| part.split(';'))
        .flat_map(|part| part.split("||"));
    for statement in statements {
        let mut parts = statement.split('|');
        let mut downloaded = parts.next().is_some_and(downloads);
        for part in parts {
            let mut words = part
                .split_whitespace()
                .filter(|word| *word != "sudo" && !word.contains('='));
            if downloaded && words.next().is_some_and(is_shell) {
                return true;
            }
            downloaded |= downloads(part);
        }
        for opening in ["sh -c \"$(", "sh -c '$(", "sh <(", "eval \"$(", "eval $("] {
            if statement.split_once(opening).is_some_and(|(_, inner)| downloads(inner)) {
                return true;
            }
        }
    }
    false
}

/// Instructions may be long, and may hold secrets: these are found and redacted by a check of their own.
fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 100;
    let redacted = crate::secret::redact_all(text);
    let words: Vec<&str> = redacted.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::ImageConfig;

    use super::*;
    use crate::check::testing;

    fn found(lines: &[&str]) -> Vec<String> {
        let config = ImageConfig {
            history: lines
                .iter()
                .map(|line| HistoryEntry {
                    created_by: (*line).to_owned(),
                    empty_layer: false,
                })
                .collect(),
            ..ImageConfig::default()
        };
        testing::found(&History, &config, &crate::Tree::default())
    }

    #[test]
    fn says_what_each_instruction_does_wrong() {
        for (line, expected) in [
            ("ADD https://example.org/x.tgz /x # buildkit", &["add-url"][..]),
            ("ADD --checksum=sha256:00 https://example.org/x.tgz /x", &[]),
            ("/bin/sh -c #(nop) ADD file:abc in /app ", &["add-instead-of-copy"]),
            ("COPY . /app # buildkit", &[]),
            ("RUN /bin/sh -c apt-get update # buildkit", &["update-alone"]),
            ("/bin/sh -c apt-get update && apt-get install -y curl", &[]),
            (
                "|1 V=1 /bin/sh -c apt-get update && apt-get -y upgrade",
                &["upgrade-in-build"],
            ),
            (
                "RUN /bin/sh -c curl -fsSL https://example.org/i.sh | sudo bash -s -- -y",
                &["pipe-to-shell"],
            ),
            (
                "RUN sh -c \"$(wget -qO- https://example.org/i.sh)\"",
                &["pipe-to-shell"],
            ),
            (
                "RUN curl -o x.tgz https://example.org/x.tgz && tar xf x.tgz | tee log",
                &[],
            ),
            ("RUN curl https://example.org/x | tar xz && bash build.sh", &[]),
            (
                "RUN apt-get install -y --allow-unauthenticated x",
                &["unverified-packages"],
            ),
            ("RUN curl -k https://example.org/x -o x", &["unverified-packages"]),
            ("ONBUILD COPY . /app", &["onbuild"]),
            ("RUN chmod -R 777 /app", &["chmod-777"]),
            ("RUN echo update", &[]),
        ] {
            assert_eq!(found(&[line]), expected, "{line}");
        }
    }
}
