//! `WWW-Authenticate` in, what the registry wants to see out (RFC 9110 section 11, distribution's token.md).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token that `realm` gives.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// Whom the token is for; may be empty.
        service: String,
        /// What the token must allow, as the registry says it.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge to answer: a token is better than a password. `None` when there is none that we know.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let all = headers.get_all(WWW_AUTHENTICATE).iter();
        let known: Vec<Self> = all.filter_map(|value| parse(value.to_str().ok()?)).collect();
        let bearer = known.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(known.first()).cloned()
    }
}

fn parse(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, String::new(), None);
    for (name, value) in parameters(rest) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = value,
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer {
        realm: realm?,
        service,
        scope,
    })
}

/// `name=value` or `name="quoted \"value\""`, with commas between; what follows a mistake is ignored.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_owned();
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, char)) = chars.next() {
                match char {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                    char => value.push(char),
                }
            }
            rest = &quoted[end..];
        } else {
            let end = after.find(',').unwrap_or(after.len());
            after[..end].trim().clone_into(&mut value);
            rest = &after[end..];
        }
        found.push((name, value));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    #[test]
    fn a_token_is_preferred_and_quotes_are_understood() {
        let bearer = Challenge::Bearer {
            realm: "https://auth.example/token?a=b".to_owned(),
            service: "registry, the \"first\"".to_owned(),
            scope: Some("repository:team/redis:pull,push".to_owned()),
        };
        let line = r#"Bearer realm="https://auth.example/token?a=b",service="registry, the \"first\"", scope="repository:team/redis:pull,push""#;
        assert_eq!(of(&["Basic realm=\"x\"", line]), Some(bearer));
        assert_eq!(of(&["basic"]), Some(Challenge::Basic));
        assert_eq!(of(&["Negotiate", "Bearer service=x"]), None);
        let plain = of(&["bearer realm=http://127.0.0.1/t,service=s"]);
        assert!(matches!(plain, Some(Challenge::Bearer { realm, .. }) if realm == "http://127.0.0.1/t"));
        for broken in ["Bearer realm=\"", "Bearer realm=\"\\", "Bearer =", "Bearer a=\"b\"c"] {
            // Whatever it is taken for, it ends.
            let _ = of(&[broken]);
        }
    }
}
