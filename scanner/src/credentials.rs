//! Credential files of docker, podman and skopeo in, what one repository wants to see out (containers-auth.json(5)).
//! Credentials are only ever returned for the host that they are written for.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{
    layout::read_limited,
    limits::{HELPER_TIMEOUT, MAX_CREDENTIALS_BYTES, MAX_HELPER_BYTES},
    registry::RegistryError,
};

/// What shows who we are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A user and a password.
    Basic { user: String, password: String },
    /// A long-lived token that a token server takes instead of a password.
    IdentityToken(String),
    /// A token that the registry itself takes.
    RegistryToken(String),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct AuthFile {
    auths: BTreeMap<String, AuthEntry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase", default)]
struct AuthEntry {
    auth: String,
    identitytoken: String,
    registrytoken: String,
}

/// The first file that has an entry for the repository decides. `None`: anonymous.
pub(crate) fn find(files: &[PathBuf], host: &str, repository: &str) -> Result<Option<Credentials>, RegistryError> {
    for path in files {
        let Ok(file) = File::open(path) else {
            continue;
        };
        let refuse = |reason: String| RegistryError::File {
            path: path.clone(),
            reason,
        };
        let bytes = read_limited("", file, MAX_CREDENTIALS_BYTES).map_err(|error| refuse(error.to_string()))?;
        // The parser's message gives the place, not what stands there.
        let content: AuthFile = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        if let Some(found) = lookup(&content, host, repository) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A helper for this very host, the helper for all, then what the file itself holds: docker's order.
fn lookup(file: &AuthFile, host: &str, repository: &str) -> Option<Credentials> {
    let keys = keys(host, repository);
    let special = keys.iter().find_map(|key| Some((key, file.cred_helpers.get(key)?)));
    if let Some((key, helper)) = special {
        return ask(helper, key);
    }
    if let Some(helper) = &file.creds_store {
        let stored = keys.iter().find(|key| file.auths.contains_key(*key));
        let key = stored.map_or_else(|| server_of(host), Clone::clone);
        if let Some(found) = ask(helper, &key) {
            return Some(found);
        }
    }
    keys.iter().find_map(|key| decode(file.auths.get(key)?))
}

const HUB: &str = "https://index.docker.io/v1/";

fn server_of(host: &str) -> String {
    if is_hub(host) { HUB.to_owned() } else { host.to_owned() }
}

fn is_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "registry-1.docker.io" | "index.docker.io")
}

/// The most special first: `host/team/redis`, `host/team`, `host`, then the forms with a scheme that docker writes.
fn keys(host: &str, repository: &str) -> Vec<String> {
    let names = if is_hub(host) {
        vec!["docker.io", host]
    } else {
        vec![host]
    };
    let mut keys = Vec::new();
    for host in &names {
        let mut scope = format!("{host}/{repository}");
        while scope.len() > host.len() {
            keys.push(scope.clone());
            scope.truncate(scope.rfind('/').unwrap_or(0));
        }
        keys.push((*host).to_owned());
        keys.extend([
            format!("https://{host}"),
            format!("https://{host}/"),
            format!("https://{host}/v1/"),
            format!("https://{host}/v2/"),
        ]);
    }
    if is_hub(host) {
        keys.push(HUB.to_owned());
    }
    keys
}

fn decode(entry: &AuthEntry) -> Option<Credentials> {
    if !entry.registrytoken.is_empty() {
        return Some(Credentials::RegistryToken(entry.registrytoken.clone()));
    }
    if !entry.identitytoken.is_empty() {
        return Some(Credentials::IdentityToken(entry.identitytoken.clone()));
    }
    let text = String::from_utf8(STANDARD.decode(entry.auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(credentials(user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Helpers, and docker's own files, write `<token>` where the secret is no password.
fn credentials(user: String, password: String) -> Credentials {
    if user == "<token>" {
        Credentials::IdentityToken(password)
    } else {
        Credentials::Basic { user, password }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// Runs `docker-credential-NAME get`. What it cannot give is said and done without: most images need no credentials.
fn ask(name: &str, server: &str) -> Option<Credentials> {
    // The name becomes part of a program's name, never a path.
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let answer = if is_word {
        run_helper(&format!("docker-credential-{name}"), server)
    } else {
        Err("its name is no program's".to_owned())
    };
    match answer {
        Ok(found) => found,
        Err(reason) => {
            tracing::warn!(helper = name, server, reason, "credential helper gave nothing");
            None
        }
    }
}

fn run_helper(program: &str, server: &str) -> Result<Option<Credentials>, String> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (sender, answer) = mpsc::channel();
    let server = server.to_owned();
    std::thread::spawn(move || {
        if let Some(stdin) = &mut stdin {
            // A helper that does not read its input has nothing for us; its output will tell.
            let _ = stdin.write_all(server.as_bytes());
        }
        drop(stdin);
        let mut bytes = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MAX_HELPER_BYTES).read_to_end(&mut bytes));
        // Whoever gave up waiting does not listen any more.
        let _ = sender.send(read.is_some_and(|read| read.is_ok()).then_some(bytes));
    });
    let answer = answer.recv_timeout(HELPER_TIMEOUT);
    if answer.is_err() {
        // It may have ended in between.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let bytes = answer
        .map_err(|_| format!("no answer within {} s", HELPER_TIMEOUT.as_secs()))?
        .ok_or("its output cannot be read")?;
    if !status.success() {
        // This is how helpers say that they have nothing (docker-credential-helpers, credentials/error.go).
        if bytes.starts_with(b"credentials not found") {
            return Ok(None);
        }
        return Err(format!("it ended with {status}"));
    }
    // The parser's message would quote the secret.
    let answer: HelperAnswer = serde_json::from_slice(&bytes).map_err(|_| "its answer is no JSON".to_owned())?;
    Ok((!answer.secret.is_empty()).then(|| credentials(answer.username, answer.secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: Option<Credentials>) -> Option<String> {
        found.map(|found| match found {
            Credentials::Basic { user, password } => format!("{user}:{password}"),
            Credentials::IdentityToken(token) => format!("identity {token}"),
            Credentials::RegistryToken(token) => format!("registry {token}"),
        })
    }

    #[test]
    fn the_most_special_entry_wins_and_other_hosts_get_nothing() {
        let json = format!(
            r#"{{"auths":{{"r.example:5000":{{"auth":"{}"}},"r.example:5000/team":{{"auth":"{}"}},"empty.example":{{}},
                "id.example":{{"auth":"{}","identitytoken":"long"}},"https://index.docker.io/v1/":{{"auth":"{}"}}}}}}"#,
            STANDARD.encode("all:secret"),
            STANDARD.encode("team:p:w"),
            STANDARD.encode("x:"),
            STANDARD.encode("<token>:hub"),
        );
        let file: AuthFile = serde_json::from_str(&json).unwrap();
        for (host, repository, expected) in [
            ("r.example:5000", "team/redis", Some("team:p:w")),
            ("r.example:5000", "other", Some("all:secret")),
            ("r.example", "other", None),
            ("evil.r.example:5000", "other", None),
            ("empty.example", "x", None),
            ("id.example", "x", Some("identity long")),
            ("registry-1.docker.io", "library/redis", Some("identity hub")),
        ] {
            let found = shown(lookup(&file, host, repository));
            assert_eq!(found.as_deref(), expected, "{host}/{repository}");
        }
    }

    #[test]
    fn a_helper_that_is_missing_or_misnamed_gives_nothing() {
        assert!(ask("plimsoll-no-such-helper", "r.example").is_none());
        assert!(ask("../../bin/sh", "r.example").is_none());
        assert!(ask("", "r.example").is_none());
    }
}
