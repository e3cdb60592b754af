//! Credential files of docker, podman and skopeo in, user and password for one registry out
//! (containers-auth.json(5)). Credentials are only ever returned for the registry that they are written for.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_model::ImageRef;
use serde::Deserialize;

use crate::{error::ScanError, layout::read_limited, limits::MAX_CREDENTIALS_BYTES, oci};

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

#[derive(Deserialize)]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, AuthEntry>,
}

#[derive(Deserialize)]
struct AuthEntry {
    #[serde(default)]
    auth: String,
}

/// The first file that has an entry for the image decides. `None`: anonymous.
pub(crate) fn find(files: &[PathBuf], image: &ImageRef) -> Result<Option<Credentials>, ScanError> {
    for path in files {
        let Ok(file) = File::open(path) else {
            continue;
        };
        let what = format!("credentials in {}", path.display());
        let bytes = read_limited(&what, file, MAX_CREDENTIALS_BYTES)?;
        let content: AuthFile = oci::parse_json(&what, &bytes)?;
        if let Some(found) = lookup(&content.auths, image) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn lookup(auths: &BTreeMap<String, AuthEntry>, image: &ImageRef) -> Option<Credentials> {
    keys(image).iter().find_map(|key| decode(&auths.get(key)?.auth))
}

/// The most special first: `host/team/redis`, `host/team`, `host`, then the forms with a scheme that docker writes.
fn keys(image: &ImageRef) -> Vec<String> {
    let host = &image.registry;
    let mut keys = Vec::new();
    let mut scope = format!("{host}/{}", image.repository);
    while scope.len() > host.len() {
        keys.push(scope.clone());
        scope.truncate(scope.rfind('/').unwrap_or(0));
    }
    keys.push(host.clone());
    let mut urls = vec![
        format!("https://{host}"),
        format!("https://{host}/"),
        format!("https://{host}/v1/"),
    ];
    if host == "docker.io" {
        urls.push("https://index.docker.io/v1/".to_owned());
    }
    keys.extend(urls);
    keys
}

fn decode(auth: &str) -> Option<Credentials> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials {
        user: user.to_owned(),
        password: password.trim_end_matches('\0').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_entry_wins_and_other_hosts_get_nothing() {
        let json = format!(
            r#"{{"auths":{{"r.example:5000":{{"auth":"{}"}},"r.example:5000/team":{{"auth":"{}"}},"empty.example":{{}}}}}}"#,
            STANDARD.encode("all:secret"),
            STANDARD.encode("team:p:w"),
        );
        let file: AuthFile = serde_json::from_str(&json).unwrap();
        let user = |image: &str| lookup(&file.auths, &image.parse().unwrap()).map(|found| (found.user, found.password));
        assert_eq!(
            user("r.example:5000/team/redis"),
            Some(("team".to_owned(), "p:w".to_owned()))
        );
        assert_eq!(
            user("r.example:5000/other"),
            Some(("all".to_owned(), "secret".to_owned()))
        );
        assert_eq!(user("r.example/other"), None);
        assert_eq!(user("evil.r.example:5000/other"), None);
        assert_eq!(user("empty.example/x"), None);
    }
}
