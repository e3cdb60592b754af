//! Users, sessions and API tokens in SQLite.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{SqliteStore, to_u64};
use crate::{
    Error,
    error::Result,
    limits,
    secret::TokenDigest,
    store::{AccountStore, ApiToken, NewApiToken, Role, TokenOwner, User, UserSecret},
};

const USER: &str =
    "SELECT id, name, role, is_disabled, must_change_password, created_ms, last_login_ms, password_hash FROM user";

/// The time of use is written at most this often, so that reading does not cost a write each time.
const USE_GRANULARITY_MS: i64 = 60_000;

impl AccountStore for SqliteStore {
    fn add_user(&self, name: &str, password_hash: &str, role: Role, now_ms: i64) -> Result<Option<User>> {
        let is_full = |db: &Connection| {
            db.query_row("SELECT count(*) >= ? FROM user", [limits::MAX_USERS], |row| {
                row.get::<_, bool>(0)
            })
        };
        let added = self.write("add a user", |db| {
            if is_full(db)? {
                return Ok(Err(()));
            }
            db.query_row(
                "INSERT INTO user (name, password_hash, role, must_change_password, created_ms) VALUES (?, ?, ?, 1, ?)
                 ON CONFLICT DO NOTHING RETURNING id, name, role, is_disabled, must_change_password, created_ms, last_login_ms",
                params![name, password_hash, role.name(), now_ms],
                read_user,
            )
            .optional()
            .map(Ok)
        })?;
        added.map_err(|()| Error::Limit(format!("add a user: there are {} already", limits::MAX_USERS)))
    }

    fn list_users(&self) -> Result<Vec<User>> {
        self.read("list users", |db| {
            let mut statement = db.prepare_cached(&format!("{USER} ORDER BY name"))?;
            statement.query_map([], read_user)?.collect()
        })
    }

    fn find_user(&self, name: &str) -> Result<Option<UserSecret>> {
        self.read("find a user", |db| {
            db.query_row(&format!("{USER} WHERE name = ?"), [name], read_secret)
                .optional()
        })
    }

    fn find_user_by_id(&self, id: i64) -> Result<Option<UserSecret>> {
        self.read("find a user", |db| {
            db.query_row(&format!("{USER} WHERE id = ?"), [id], read_secret)
                .optional()
        })
    }

    fn change_user(&self, id: i64, role: Role, is_disabled: bool) -> Result<Option<User>> {
        let changed = self.write("change a user", |db| {
            let admin_stays: bool = db.query_row(
                "SELECT count(*) > 0 FROM user WHERE role = 'admin' AND is_disabled = 0 AND id <> ?",
                [id],
                |row| row.get(0),
            )?;
            if !admin_stays && (role != Role::Admin || is_disabled) {
                return Ok(Err(()));
            }
            if is_disabled {
                db.execute("DELETE FROM session WHERE user = ?", [id])?;
            }
            db.execute(
                "UPDATE user SET role = ?, is_disabled = ? WHERE id = ?",
                params![role.name(), is_disabled, id],
            )?;
            db.query_row(&format!("{USER} WHERE id = ?"), [id], read_user)
                .optional()
                .map(Ok)
        })?;
        changed.map_err(|()| Error::Limit("change the user: no enabled admin would be left".to_owned()))
    }

    fn set_password(&self, id: i64, hash: &str, must_change: bool, keep: Option<&TokenDigest>) -> Result<()> {
        self.write("set a password", |db| {
            db.execute(
                "UPDATE user SET password_hash = ?, must_change_password = ? WHERE id = ?",
                params![hash, must_change, id],
            )?;
            let keep = keep.map_or(&[][..], |digest| digest.as_slice());
            db.execute("DELETE FROM session WHERE user = ? AND digest <> ?", params![id, keep])
                .map(|_| ())
        })
    }

    fn add_session(&self, session: &TokenDigest, user: i64, now_ms: i64) -> Result<()> {
        self.write("start a session", |db| {
            db.execute("UPDATE user SET last_login_ms = ? WHERE id = ?", params![now_ms, user])?;
            db.execute(
                "INSERT INTO session (digest, user, created_ms, used_ms) VALUES (?1, ?2, ?3, ?3)",
                params![session, user, now_ms],
            )?;
            db.execute(
                "DELETE FROM session WHERE used_ms < ? OR created_ms < ?",
                params![now_ms - limits::SESSION_IDLE_MS, now_ms - limits::SESSION_MS],
            )?;
            db.execute(
                "DELETE FROM session WHERE digest IN
                    (SELECT digest FROM session WHERE user = ? ORDER BY created_ms DESC, digest LIMIT -1 OFFSET ?)",
                params![user, limits::MAX_SESSIONS_OF_USER],
            )
            .map(|_| ())
        })
    }

    fn find_session(&self, session: &TokenDigest, now_ms: i64) -> Result<Option<User>> {
        let found = self.read("find a session", |db| {
            db.prepare_cached(
                "SELECT u.id, u.name, u.role, u.is_disabled, u.must_change_password, u.created_ms, u.last_login_ms, s.used_ms
                 FROM session s JOIN user u ON u.id = s.user
                 WHERE s.digest = ? AND s.used_ms >= ? AND s.created_ms >= ? AND u.is_disabled = 0",
            )?
            .query_row(
                params![session, now_ms - limits::SESSION_IDLE_MS, now_ms - limits::SESSION_MS],
                |row| Ok((read_user(row)?, row.get::<_, i64>(7)?)),
            )
            .optional()
        })?;
        let Some((user, used_ms)) = found else { return Ok(None) };
        if now_ms - used_ms > USE_GRANULARITY_MS {
            self.write("keep a session alive", |db| {
                db.execute(
                    "UPDATE session SET used_ms = ? WHERE digest = ?",
                    params![now_ms, session],
                )
            })?;
        }
        Ok(Some(user))
    }

    fn remove_session(&self, session: &TokenDigest) -> Result<()> {
        self.write("end a session", |db| {
            db.execute("DELETE FROM session WHERE digest = ?", [session])
                .map(|_| ())
        })
    }

    fn add_api_token(&self, token: &NewApiToken, digest: &TokenDigest, now_ms: i64) -> Result<ApiToken> {
        let added = self.write("add an API token", |db| add_token(db, token, digest, now_ms))?;
        added.ok_or_else(|| Error::Limit(format!("add an API token: the user has {}", limits::MAX_TOKENS_OF_USER)))
    }

    fn list_api_tokens(&self, user: Option<i64>) -> Result<Vec<ApiToken>> {
        self.read("list API tokens", |db| {
            let mut statement =
                db.prepare_cached(&format!("{TOKEN} WHERE ?1 IS NULL OR t.user = ?1 ORDER BY t.id DESC"))?;
            statement.query_map([user], read_token)?.collect()
        })
    }

    fn remove_api_token(&self, id: i64, owner: Option<i64>) -> Result<bool> {
        self.write("remove an API token", |db| {
            db.execute(
                "DELETE FROM api_token WHERE id = ?1 AND (?2 IS NULL OR user = ?2)",
                params![id, owner],
            )
            .map(|rows| rows > 0)
        })
    }

    fn find_api_token(&self, digest: &TokenDigest, now_ms: i64) -> Result<Option<TokenOwner>> {
        let found = self.read("find an API token", |db| {
            db.prepare_cached(
                "SELECT u.id, u.name, u.role, u.is_disabled, u.must_change_password, u.created_ms, u.last_login_ms, t.role, t.name,
                    t.last_used_ms, t.id
                 FROM api_token t JOIN user u ON u.id = t.user
                 WHERE t.digest = ? AND (t.expires_ms IS NULL OR t.expires_ms > ?) AND u.is_disabled = 0",
            )?
            .query_row(params![digest, now_ms], |row| {
                let user = read_user(row)?;
                let role = read_role(row, 7)?.min(user.role);
                let owner = TokenOwner {
                    user,
                    role,
                    token: row.get(8)?,
                };
                Ok((owner, row.get::<_, Option<i64>>(9)?, row.get::<_, i64>(10)?))
            })
            .optional()
        })?;
        let Some((owner, last_used_ms, id)) = found else {
            return Ok(None);
        };
        if last_used_ms.is_none_or(|used_ms| now_ms - used_ms > USE_GRANULARITY_MS) {
            self.write("note the use of an API token", |db| {
                db.execute(
                    "UPDATE api_token SET last_used_ms = ? WHERE id = ?",
                    params![now_ms, id],
                )
            })?;
        }
        Ok(Some(owner))
    }

    fn count_users(&self) -> Result<u64> {
        self.read("count users", |db| {
            db.query_row("SELECT count(*) FROM user", [], |row| row.get(0))
                .map(to_u64)
        })
    }
}

const TOKEN: &str = "SELECT t.id, t.name, u.name, t.role, t.created_ms, t.expires_ms, t.last_used_ms
    FROM api_token t JOIN user u ON u.id = t.user";

fn add_token(
    db: &Transaction<'_>,
    token: &NewApiToken,
    digest: &TokenDigest,
    now_ms: i64,
) -> rusqlite::Result<Option<ApiToken>> {
    let count: i64 = db.query_row("SELECT count(*) FROM api_token WHERE user = ?", [token.user], |row| {
        row.get(0)
    })?;
    if count >= limits::MAX_TOKENS_OF_USER {
        return Ok(None);
    }
    let id: i64 = db.query_row(
        "INSERT INTO api_token (user, digest, name, role, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        params![token.user, digest, token.name, token.role.name(), now_ms, token.expires_ms],
        |row| row.get(0),
    )?;
    db.query_row(&format!("{TOKEN} WHERE t.id = ?"), [id], read_token)
        .map(Some)
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        role: read_role(row, 2)?,
        is_disabled: row.get(3)?,
        must_change_password: row.get(4)?,
        created_ms: row.get(5)?,
        last_login_ms: row.get(6)?,
    })
}

fn read_secret(row: &Row<'_>) -> rusqlite::Result<UserSecret> {
    Ok(UserSecret {
        user: read_user(row)?,
        password_hash: row.get(7)?,
    })
}

/// A role that a newer version may have written is no role here: the row does not read, so nobody gets its rights.
fn read_role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let name: String = row.get(column)?;
    Role::from_name(&name).ok_or_else(|| rusqlite::Error::InvalidColumnType(column, name, rusqlite::types::Type::Text))
}

fn read_token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: row.get(0)?,
        name: row.get(1)?,
        user: row.get(2)?,
        role: read_role(row, 3)?,
        created_ms: row.get(4)?,
        expires_ms: row.get(5)?,
        last_used_ms: row.get(6)?,
    })
}
