//! Users and groups of a root: what its `/etc/passwd` and `/etc/group` call the numbers that the kernel knows.

use serde::{Deserialize, Serialize};

/// Users and groups, each sorted by number. Numbers are those of the host's user namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

/// A line of `/etc/passwd` (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Number, in the host's user namespace.
    pub uid: u32,
    /// Name. Hostile text.
    pub name: String,
    /// Home directory. Hostile text.
    pub home: String,
    /// Shell. Hostile text.
    pub shell: String,
}

/// A line of `/etc/group` (group(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Number, in the host's user namespace.
    pub gid: u32,
    /// Name. Hostile text.
    pub name: String,
}

impl Accounts {
    /// Sorts; of several with one number the first counts, as for getpwuid(3).
    pub fn new(mut users: Vec<User>, mut groups: Vec<Group>) -> Self {
        users.sort_by_key(|user| user.uid);
        users.dedup_by_key(|user| user.uid);
        groups.sort_by_key(|group| group.gid);
        groups.dedup_by_key(|group| group.gid);
        Self { users, groups }
    }

    /// The user of this number.
    pub fn user(&self, uid: u32) -> Option<&User> {
        let position = self.users.binary_search_by_key(&uid, |user| user.uid).ok()?;
        self.users.get(position)
    }

    /// The group of this number.
    pub fn group(&self, gid: u32) -> Option<&Group> {
        let position = self.groups.binary_search_by_key(&gid, |group| group.gid).ok()?;
        self.groups.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_number_counts() {
        let user = |uid, name: &str| User {
            uid,
            name: name.to_owned(),
            home: "/".to_owned(),
            shell: String::new(),
        };
        let accounts = Accounts::new(vec![user(100, "b"), user(0, "root"), user(0, "toor")], Vec::new());
        let name = |uid| accounts.user(uid).map(|user| user.name.as_str());
        assert_eq!((name(0), name(100), name(7)), (Some("root"), Some("b"), None));
        assert!(accounts.group(0).is_none());
    }
}
