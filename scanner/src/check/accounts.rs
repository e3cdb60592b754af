//! `/etc/passwd` and `/etc/shadow` in, findings about who may become whom out (passwd(5), shadow(5)).

use std::collections::BTreeMap;

use plimsoll_model::Severity;

use super::{Check, Findings, Input, Kind};

/// Accounts that need no password, that are root by another name, that are there twice.
pub(super) struct Accounts;

const EMPTY_PASSWORD: Kind = Kind {
    id: "empty-password",
    severity: Severity::High,
    benchmark: None,
    title: "an account has no password and is not locked",
    hint: "lock it: `passwd -l NAME`",
};
const SECOND_ROOT: Kind = Kind {
    id: "second-root",
    severity: Severity::High,
    benchmark: None,
    title: "an account that is not called root has the user id 0",
    hint: "give it an id of its own",
};
const DOUBLE_ACCOUNT: Kind = Kind {
    id: "double-account",
    severity: Severity::Low,
    benchmark: None,
    title: "two accounts have one name or one user id",
    hint: "give each its own",
};
const OLD_PASSWORD: Kind = Kind {
    id: "password-in-passwd",
    severity: Severity::High,
    benchmark: None,
    title: "a password's hash is in `/etc/passwd`, which everybody can read",
    hint: "run `pwconv`, and change the password",
};
const BAKED_PASSWORD: Kind = Kind {
    id: "secret-password-hash",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.10"),
    title: "an account's password is part of the image: it is the same in all its containers",
    hint: "lock the account: `passwd -l NAME`",
};
const READABLE_SHADOW: Kind = Kind {
    id: "readable-shadow",
    severity: Severity::Medium,
    benchmark: None,
    title: "everybody may read the file of passwords",
    hint: "`chmod 640 /etc/shadow`",
};

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";

impl Check for Accounts {
    fn kinds(&self) -> &'static [Kind] {
        const {
            &[
                EMPTY_PASSWORD,
                SECOND_ROOT,
                DOUBLE_ACCOUNT,
                OLD_PASSWORD,
                BAKED_PASSWORD,
                READABLE_SHADOW,
            ]
        }
    }

    fn wants(&self, path: &str) -> bool {
        // The profile has `/etc/passwd` kept.
        path == SHADOW
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        passwd(input, out);
        shadow(input, out);
    }
}

fn passwd(input: &Input<'_>, out: &mut Findings) {
    let (Some(entry), Some(content)) = (input.tree.get(PASSWD), input.tree.content(PASSWD)) else {
        return;
    };
    let content = String::from_utf8_lossy(content);
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for line in content.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, id, ..] = fields[..] else { continue };
        match password {
            "" => out.file(&EMPTY_PASSWORD, entry, format!("{name} has no password")),
            // BSD's and Debian's words for "no password fits".
            "x" | "*" | "!" | "!!" | "*LK*" => {}
            _ if is_hash(password) => out.file(&OLD_PASSWORD, entry, format!("the password's hash of {name} is here")),
            _ => {}
        }
        if id == "0" && name != "root" {
            out.file(&SECOND_ROOT, entry, format!("{name} has the user id 0"));
        } else if let Some(other) = ids.insert(id, name) {
            out.file(
                &DOUBLE_ACCOUNT,
                entry,
                format!("{name} and {other} both have the user id {id}"),
            );
        }
        let count = names.entry(name).or_default();
        *count += 1;
        if *count == 2 {
            out.file(&DOUBLE_ACCOUNT, entry, format!("{name} is there twice"));
        }
    }
}

fn shadow(input: &Input<'_>, out: &mut Findings) {
    let Some(entry) = input.tree.get(SHADOW) else { return };
    if entry.mode & 0o004 != 0 {
        out.file(&READABLE_SHADOW, entry, format!("its mode is {:04o}", entry.mode));
    }
    let content = input.tree.content(SHADOW).unwrap_or_default();
    for line in String::from_utf8_lossy(content).lines() {
        let Some((name, rest)) = line.split_once(':') else {
            continue;
        };
        let password = rest.split(':').next().unwrap_or_default();
        if password.is_empty() {
            out.file(&EMPTY_PASSWORD, entry, format!("{name} has no password"));
        } else if is_hash(password) {
            out.file(&BAKED_PASSWORD, entry, format!("{name} has a password"));
        }
    }
}

/// crypt(5): `$id$…`, or the 13 characters of DES. A `!` before it locks the account.
fn is_hash(text: &str) -> bool {
    let is_des = text.len() == 13
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    (text.starts_with('$') && text.matches('$').count() >= 2) || is_des
}

#[cfg(test)]
mod tests {
    use plimsoll_model::ImageConfig;

    use super::*;
    use crate::check::testing;

    fn found(passwd: &str, shadow: &str) -> Vec<String> {
        let tree = testing::tree(&[(PASSWD, passwd), (SHADOW, shadow)]);
        let all = testing::found(&Accounts, &ImageConfig::default(), &tree);
        // The tree of tests has files that everybody can read.
        all.into_iter()
            .filter(|line| line != "readable-shadow /etc/shadow")
            .collect()
    }

    #[test]
    fn judges_accounts() {
        let root = "root:x:0:0:root:/root:/bin/bash\n";
        for (passwd, shadow, expected) in [
            (
                "daemon:*:1:1::/:\n",
                "root:*:19000:0:99999:7:::\nbin:!:1::::::\nx:!$6$a$b:1::::::\n",
                &[][..],
            ),
            ("", "root::19000:0:99999:7:::\n", &["empty-password /etc/shadow"]),
            ("toor:x:0:0::/:/bin/sh\n", "", &["second-root /etc/passwd"]),
            ("eve::1:1::/:\n", "", &["empty-password /etc/passwd"]),
            ("eve:$6$salt$hash:1:1::/:\n", "", &["password-in-passwd /etc/passwd"]),
            (
                "",
                "root:$6$salt$hash:19000::::::\n",
                &["secret-password-hash /etc/shadow"],
            ),
            ("a:x:1:1::/:\nb:x:1:1::/:\n", "", &["double-account /etc/passwd"]),
            ("a:x:1:1::/:\na:x:2:1::/:\n", "", &["double-account /etc/passwd"]),
            ("+::::::\nnonsense\n", "nonsense\n", &["empty-password /etc/passwd"]),
        ] {
            assert_eq!(found(&format!("{root}{passwd}"), shadow), expected, "{passwd}{shadow}");
        }
    }
}
