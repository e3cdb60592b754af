//! The API's description, made from the routes and their handlers; `web/openapi.json` is its committed copy.

use utoipa::openapi::{
    OpenApi, PathItem, Paths, SecurityRequirement,
    path::Operation,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use crate::{
    api,
    route::{Access, PREFIX, Route, Verb},
};

/// The whole description as pretty JSON with a newline at its end.
pub fn openapi_json() -> String {
    let mut json = serde_json::to_string_pretty(&describe()).expect("the description has string keys only");
    json.push('\n');
    json
}

fn describe() -> OpenApi {
    let mut whole = OpenApi::default();
    whole.info.title = "Plimsoll".to_owned();
    whole.info.version = "1".to_owned();
    whole.info.description = Some(
        "All times are milliseconds since the Unix epoch, in names that end in `_ms`. Lists give `next`, to be sent back as \
         `cursor`. A session needs the header `x-csrf-token` (from `GET /api/v1/me`) with every request that is not GET."
            .to_owned(),
    );
    for resource in api::ALL {
        let mut part = resource.description();
        let paths = std::mem::replace(&mut part.paths, Paths::new());
        whole.merge(part);
        for (path, mut item) in paths.paths {
            for route in resource.routes().iter().filter(|route| route.path == path) {
                if let Some(operation) = operation(&mut item, route.verb) {
                    complete(operation, resource.name(), route);
                }
            }
            whole.paths.paths.insert(format!("{PREFIX}{path}"), item);
        }
    }
    let tags = api::ALL
        .iter()
        .map(|resource| TagBuilder::new().name(resource.name()).build());
    whole.tags = Some(tags.collect());
    let components = whole.components.get_or_insert_default();
    let bearer = || SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("plimsoll_session")));
    components.add_security_scheme("session", cookie);
    components.add_security_scheme("token", bearer());
    components.add_security_scheme("agent", bearer());
    whole
}

/// Adds what the route knows: tag, who may, and by which proof.
fn complete(operation: &mut Operation, tag: &str, route: &Route) {
    let (note, schemes): (&str, &[&str]) = match route.access {
        Access::Public => ("Needs nothing.", &[]),
        Access::Account => ("Needs any account.", &["session", "token"]),
        Access::Role(role) => (need(role), &["session", "token"]),
        Access::Agent => ("Needs an enrolled agent's token.", &["agent"]),
    };
    operation.tags = Some(vec![tag.to_owned()]);
    operation.description = Some(note.to_owned());
    operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
    let none: [&str; 0] = [];
    operation.security = Some(
        schemes
            .iter()
            .map(|scheme| SecurityRequirement::new(*scheme, none))
            .collect(),
    );
}

fn need(role: crate::store::Role) -> &'static str {
    use crate::store::Role;
    match role {
        Role::Viewer => "Needs the role viewer.",
        Role::Operator => "Needs the role operator.",
        Role::Admin => "Needs the role admin.",
    }
}

fn operation(item: &mut PathItem, verb: Verb) -> Option<&mut Operation> {
    match verb {
        Verb::Get => item.get.as_mut(),
        Verb::Post => item.post.as_mut(),
        Verb::Put => item.put.as_mut(),
        Verb::Delete => item.delete.as_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let mut described: Vec<String> = Vec::new();
        for (path, mut item) in describe().paths.paths {
            for verb in [Verb::Get, Verb::Post, Verb::Put, Verb::Delete] {
                if let Some(operation) = operation(&mut item, verb) {
                    assert!(
                        operation.security.is_some(),
                        "{verb:?} {path} is described but not routed"
                    );
                    described.push(format!("{verb:?} {path}"));
                }
            }
        }
        let mut routed: Vec<String> = api::routes()
            .map(|route| format!("{:?} {PREFIX}{}", route.verb, route.path))
            .collect();
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }

    /// `PLIMSOLL_WRITE_OPENAPI=1 cargo test -p plimsoll-web openapi` writes the file anew.
    #[test]
    fn the_committed_description_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("PLIMSOLL_WRITE_OPENAPI").is_some() {
            std::fs::write(path, openapi_json()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == openapi_json(),
            "web/openapi.json is not what the code describes; write it anew"
        );
    }
}
