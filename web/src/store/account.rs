//! Users, their sessions and API tokens. Passwords and tokens are stored as hashes only.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{error::Result, secret::TokenDigest};

/// Remembers who may do what.
pub trait AccountStore {
    /// Adds a user; `None` when the name is taken.
    fn add_user(&self, name: &str, password_hash: &str, role: Role, now_ms: i64) -> Result<Option<User>>;
    /// By name.
    fn list_users(&self) -> Result<Vec<User>>;
    /// By exact name, with the password hash.
    fn find_user(&self, name: &str) -> Result<Option<UserSecret>>;
    /// By number.
    fn find_user_by_id(&self, id: i64) -> Result<Option<UserSecret>>;
    /// Changes role and whether the user is disabled. `None` when there is none; an error when no enabled admin would
    /// be left. A disabled user's sessions end.
    fn change_user(&self, id: i64, role: Role, is_disabled: bool) -> Result<Option<User>>;
    /// Sets a password; all sessions but `keep` end. `must_change` is true when somebody else set it.
    fn set_password(&self, id: i64, hash: &str, must_change: bool, keep: Option<&TokenDigest>) -> Result<()>;
    /// Starts a session.
    fn add_session(&self, session: &TokenDigest, user: i64, now_ms: i64) -> Result<()>;
    /// Whose session a cookie's digest is, unless it is over; using it keeps it alive.
    fn find_session(&self, session: &TokenDigest, now_ms: i64) -> Result<Option<User>>;
    /// Ends a session.
    fn remove_session(&self, session: &TokenDigest) -> Result<()>;
    /// Stores a new API token's digest; an error when the user has too many.
    fn add_api_token(&self, token: &NewApiToken, digest: &TokenDigest, now_ms: i64) -> Result<ApiToken>;
    /// All of one user, or of everybody.
    fn list_api_tokens(&self, user: Option<i64>) -> Result<Vec<ApiToken>>;
    /// Removes a token; false when there is none, or it is not `owner`'s when that is given.
    fn remove_api_token(&self, id: i64, owner: Option<i64>) -> Result<bool>;
    /// Whom an API token acts for, unless it is too old or its user disabled.
    fn find_api_token(&self, digest: &TokenDigest, now_ms: i64) -> Result<Option<TokenOwner>>;
    /// How many users there are; 0 only before the first run.
    fn count_users(&self) -> Result<u64>;
}

/// What a user may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything but users, tokens and the audit log.
    Viewer,
    /// Acknowledge alerts, push scans, queue scans, write waivers.
    Operator,
    /// Users, agents, settings, audit log.
    Admin,
}

impl Role {
    /// All, weakest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// `viewer`, `operator`, `admin`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of a stored name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A person's account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Number.
    pub id: i64,
    /// Log-in name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// May not log in.
    pub is_disabled: bool,
    /// Has to choose a password of their own before anything else.
    pub must_change_password: bool,
    /// When it was made, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Last log-in, milliseconds since the Unix epoch.
    pub last_login_ms: Option<i64>,
}

/// A user with the password hash; never leaves the server.
#[derive(Debug, Clone)]
pub struct UserSecret {
    /// The account.
    pub user: User,
    /// Argon2id PHC string.
    pub password_hash: String,
}

/// What an API token may do, before it is stored.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// Whose.
    pub user: i64,
    /// What it is for, in the owner's words.
    pub name: String,
    /// Never more than its owner's at the time of use.
    pub role: Role,
    /// Until when, milliseconds since the Unix epoch; `None`: until it is removed.
    pub expires_ms: Option<i64>,
}

/// An API token, without the token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiToken {
    /// Number.
    pub id: i64,
    /// What it is for. Hostile text.
    pub name: String,
    /// Name of its user.
    pub user: String,
    /// Role.
    pub role: Role,
    /// When it was made, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Until when it works; null: until it is removed.
    pub expires_ms: Option<i64>,
    /// Last use, to the minute; null when never used.
    pub last_used_ms: Option<i64>,
}

/// Whom an API token acts for.
#[derive(Debug, Clone)]
pub struct TokenOwner {
    /// The user.
    pub user: User,
    /// The lower of the token's role and the user's.
    pub role: Role,
    /// Name of the token.
    pub token: String,
}
