//! One table of routes: each says who may use it and how large its body may be. The router, the checks, the API
//! description and the test of roles against routes are all made from it.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::{HeaderMap, Method},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};

use crate::{
    answer::ApiError,
    app::App,
    caller::{self, Caller},
    limits,
    store::Role,
};

/// One method of one path.
pub(crate) struct Route {
    /// What is done.
    pub(crate) verb: Verb,
    /// Below [`PREFIX`], in axum's notation.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) access: Access,
    /// Largest body, in bytes.
    pub(crate) max_body_bytes: usize,
    /// Makes the handler; [`handler`] gives it.
    pub(crate) make: fn() -> MethodRouter<App>,
}

/// Where the API's paths begin.
pub(crate) const PREFIX: &str = "/api/v1";

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Looks.
    Get,
    /// Adds or acts.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Verb {
    /// As axum filters.
    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// As requests say it.
    #[cfg(test)]
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody: log-in and enrolment, which check a secret themselves.
    Public,
    /// Whoever is logged in, even before they have chosen a password.
    Account,
    /// Users with at least this role.
    Role(Role),
    /// Enrolled agents.
    Agent,
}

impl Route {
    /// A route that reads.
    pub(crate) const fn get(path: &'static str, access: Access, make: fn() -> MethodRouter<App>) -> Self {
        Self::new(Verb::Get, path, access, make)
    }

    /// A route that adds or acts.
    pub(crate) const fn post(path: &'static str, access: Access, make: fn() -> MethodRouter<App>) -> Self {
        Self::new(Verb::Post, path, access, make)
    }

    /// A route that replaces.
    pub(crate) const fn put(path: &'static str, access: Access, make: fn() -> MethodRouter<App>) -> Self {
        Self::new(Verb::Put, path, access, make)
    }

    /// A route that removes.
    pub(crate) const fn delete(path: &'static str, access: Access, make: fn() -> MethodRouter<App>) -> Self {
        Self::new(Verb::Delete, path, access, make)
    }

    const fn new(verb: Verb, path: &'static str, access: Access, make: fn() -> MethodRouter<App>) -> Self {
        Self {
            verb,
            path,
            access,
            max_body_bytes: limits::MAX_BODY_BYTES,
            make,
        }
    }

    /// With a larger body.
    pub(crate) const fn with_body(self, max_body_bytes: usize) -> Self {
        Self { max_body_bytes, ..self }
    }
}

/// A handler for one verb.
pub(crate) fn handler<H: Handler<T, App>, T: 'static>(verb: Verb, handle: H) -> MethodRouter<App> {
    on(verb.filter(), handle)
}

/// Adds a route with its checks in front.
pub(crate) fn add(router: Router<App>, app: &App, route: &Route) -> Router<App> {
    let gate = Gate {
        app: app.clone(),
        access: route.access,
        body_kib: u32::try_from(route.max_body_bytes.div_ceil(1024)).unwrap_or(u32::MAX),
    };
    let guarded = (route.make)()
        .layer(DefaultBodyLimit::max(route.max_body_bytes))
        .layer(middleware::from_fn_with_state(gate, check));
    router.route(&format!("{PREFIX}{}", route.path), guarded)
}

#[derive(Clone)]
struct Gate {
    app: App,
    access: Access,
    body_kib: u32,
}

/// Finds out who calls, refuses whoever may not, and waits until there is memory for the body.
async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if gate.access != Access::Public {
        match admit(&gate, request.method(), request.headers()).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(error) => return error.into_response(),
        }
    }
    if is_safe(request.method()) {
        return next.run(request).await;
    }
    // The semaphore is never closed, so a permit always comes, or the request's time ends.
    let _memory = gate
        .app
        .body_memory
        .acquire_many(gate.body_kib.min(limits::MAX_BODY_MEMORY_KIB))
        .await;
    next.run(request).await
}

async fn admit(gate: &Gate, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = caller::identify(&gate.app, headers).await?;
    if !is_safe(method) {
        caller.check_csrf(headers)?;
    }
    match (&caller, gate.access) {
        (_, Access::Public) | (Caller::User(_), Access::Account) => Ok(caller),
        (Caller::User(user), _) if user.must_change_password() => Err(ApiError::password_change_required()),
        (Caller::User(user), Access::Role(role)) if user.role >= role => Ok(caller),
        (Caller::User(_), Access::Role(role)) => {
            Err(ApiError::forbidden(format!("this needs the role {}", role.name())))
        }
        (Caller::Agent(_), Access::Agent) => Ok(caller),
        (Caller::User(_), Access::Agent) => Err(ApiError::forbidden("this is for enrolled agents")),
        (Caller::Agent(_), _) => Err(ApiError::forbidden("this is not for agents")),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
