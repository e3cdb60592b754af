//! A user's name or number in, who that is in the image's `/etc/passwd` out.

use plimsoll_model::Identity;

use super::lookup::Lookup;

/// A line of `/etc/passwd` (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Who.
    pub(crate) identity: Identity,
    /// Primary group.
    pub(crate) gid: u32,
    /// Home folder.
    pub(crate) home: String,
    /// Login shell; empty means `/bin/sh`.
    pub(crate) shell: String,
}

/// The user of `USER`, `gosu` and the like: `redis`, `999`, `redis:redis`. `None` when the image does not know the name.
pub(crate) fn find(lookup: &Lookup<'_>, text: &str) -> Option<Account> {
    let name = text.split(':').next().unwrap_or(text);
    if name.is_empty() {
        return None;
    }
    let number: Option<u32> = name.parse().ok();
    let passwd = lookup
        .content("/etc/passwd")
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let known = passwd.lines().filter_map(parse).find(|account| match number {
        Some(uid) => account.identity.uid == uid,
        None => account.identity.name.as_deref() == Some(name),
    });
    known.or_else(|| {
        number.map(|uid| Account {
            identity: Identity { uid, name: None },
            gid: 0,
            home: "/".to_owned(),
            shell: String::new(),
        })
    })
}

fn parse(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields.as_slice() else {
        return None;
    };
    Some(Account {
        identity: Identity {
            uid: uid.parse().ok()?,
            name: Some((*name).to_owned()),
        },
        gid: gid.parse().ok()?,
        home: (*home).to_owned(),
        shell: (*shell).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::Image;

    #[test]
    fn finds_users_by_name_and_number() {
        let image = Image::debian();
        let lookup = Lookup::new(&image.tree, &image.config);
        for (text, expected) in [
            ("redis", Some((999, Some("redis")))),
            ("999:999", Some((999, Some("redis")))),
            ("1234", Some((1234, None))),
            ("nobody-here", None),
            ("", None),
        ] {
            let found = find(&lookup, text).map(|account| account.identity);
            let found = found.as_ref().map(|who| (who.uid, who.name.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
