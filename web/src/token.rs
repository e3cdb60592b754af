//! Tokens made on the server's own machine, without logging in: whoever may write the database may do anything with it.
//! Meant for scripts that set a server up; works beside a running server.

use std::path::Path;

use crate::{
    Error,
    clock::Clock,
    error::Result,
    limits,
    secret::{self, TokenKind},
    store::{
        AccountStore as _, AgentStore as _, Enrolment, JournalStore as _, NewApiToken, NewAuditEntry, Role,
        sqlite::SqliteStore,
    },
};

/// What a token made on the console is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewToken {
    /// Acts for the user [`CONSOLE_USER`], who has no password and cannot log in.
    Api {
        /// What it is for, shown in the list of tokens.
        name: String,
        /// What it may do.
        role: Role,
        /// Days until it stops working, 1 to 3650.
        valid_days: u32,
    },
    /// Admits agents.
    Enrolment {
        /// How many, 1 to [`limits::MAX_ENROLMENT_USES`].
        uses: u32,
        /// Hours until it stops working, 1 to 720.
        valid_hours: u32,
    },
}

/// Who tokens made here act for, and who the audit log names.
pub const CONSOLE_USER: &str = "console";

/// Makes a token in a server's database and gives it back; it is stored as a digest only.
///
/// # Errors
/// There is no such database, nobody has started a server with it yet, or a number is out of its range.
pub fn make_token(database: &Path, new: &NewToken) -> Result<String> {
    if !database.is_file() {
        return Err(Error::NoDatabase(database.to_owned()));
    }
    let store = SqliteStore::open(database)?;
    let now_ms = Clock::default().now_ms();
    let (token, action, subject) = match new {
        NewToken::Api { name, role, valid_days } => {
            let token = secret::new_token(TokenKind::Api)?;
            let new = NewApiToken {
                user: console_user(&store)?,
                name: name.clone(),
                role: *role,
                expires_ms: Some(now_ms + i64::from(*valid_days) * 86_400_000),
            };
            store.add_api_token(&new, &secret::digest_token(&token), now_ms)?;
            (token, "add-token", name.clone())
        }
        NewToken::Enrolment { uses, valid_hours } => {
            let token = secret::new_token(TokenKind::Enrolment)?;
            let valid_ms = (i64::from(*valid_hours) * 3_600_000).min(limits::MAX_ENROLMENT_MS);
            let new = Enrolment {
                id: 0,
                created_by: CONSOLE_USER.to_owned(),
                created_ms: now_ms,
                expires_ms: now_ms + valid_ms,
                uses_left: (*uses).min(limits::MAX_ENROLMENT_USES),
            };
            let id = store.add_enrolment(&new, &secret::digest_token(&token))?;
            (token, "add-enrolment-token", id.to_string())
        }
    };
    store.add_audit(&audit(action, subject), now_ms)?;
    Ok(token)
}

/// The console's account, made at its first token. Its password is random and told to nobody.
fn console_user(store: &SqliteStore) -> Result<i64> {
    if let Some(found) = store.find_user(CONSOLE_USER)? {
        return Ok(found.user.id);
    }
    let hash = secret::hash_password(&secret::new_token(TokenKind::Session)?)?;
    store.add_user(CONSOLE_USER, &hash, Role::Admin, Clock::default().now_ms())?;
    let added = store.find_user(CONSOLE_USER)?;
    let id = added
        .ok_or_else(|| Error::Task("the console's account vanished".to_owned()))?
        .user
        .id;
    // A new account has to choose a password at its first log-in, which this one never has.
    store.set_password(id, &hash, false, None)?;
    Ok(id)
}

fn audit(action: &'static str, subject: String) -> NewAuditEntry {
    NewAuditEntry {
        actor: CONSOLE_USER.to_owned(),
        action,
        subject,
        detail: String::new(),
        address: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_made_on_the_console_are_found_and_audited() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("plimsoll.db");
        let new = NewToken::Api {
            name: "set-up".to_owned(),
            role: Role::Operator,
            valid_days: 1,
        };
        assert!(
            matches!(make_token(&database, &new), Err(Error::NoDatabase(_))),
            "a typing error makes no database"
        );
        let store = SqliteStore::open(&database).unwrap();
        for _ in 0..2 {
            let token = make_token(&database, &new).unwrap();
            let now_ms = Clock::default().now_ms();
            let owner = store
                .find_api_token(&secret::digest_token(&token), now_ms)
                .unwrap()
                .unwrap();
            assert_eq!(
                (owner.user.name.as_str(), owner.role, owner.user.must_change_password),
                (CONSOLE_USER, Role::Operator, false)
            );
        }
        let enrolment = make_token(
            &database,
            &NewToken::Enrolment {
                uses: 2,
                valid_hours: 1,
            },
        )
        .unwrap();
        assert!(TokenKind::Enrolment.is_kind_of(&enrolment));
        assert_eq!(store.list_enrolments().unwrap()[0].uses_left, 2);
        let entries = store.list_audit(&crate::store::Page::first(10)).unwrap().rows;
        assert!(entries.len() == 3 && entries.iter().all(|entry| entry.actor == CONSOLE_USER));
    }
}
