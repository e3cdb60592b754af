//! Debian's lists of source packages whose security support ended before the release's, or is limited: columns of
//! words. The release is in the file's name (`security-support-ended.deb12`).

use super::{Batch, Feed, Framing, Support, SupportKind, checked, one_line};

/// <https://salsa.debian.org/debian/debian-security-support>.
pub(super) struct SecuritySupport;

/// How its files are called.
pub(crate) const PREFIX: &str = "security-support-";

impl Feed for SecuritySupport {
    fn name(&self) -> &'static str {
        "security_support"
    }

    fn recognises(&self, file_name: &str, _head: &[u8]) -> bool {
        file_name == "security-support-limited" || release_of(file_name).is_some()
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, _document: &[u8], _batch: &mut Batch) -> Result<(), String> {
        Err("the release is not known without the file's name".to_owned())
    }

    fn parse_named(&self, file_name: &str, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let release = release_of(file_name);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let row = match release {
                Some(release) => ended(line, release),
                None => limited(line),
            };
            batch
                .support
                .push(row.map_err(|reason| format!("line {number}: {reason}"))?);
        }
        Ok(())
    }
}

/// `12` of `security-support-ended.deb12`.
fn release_of(file_name: &str) -> Option<&str> {
    let release = file_name.strip_prefix("security-support-ended.deb")?;
    (!release.is_empty() && release.bytes().all(|byte| byte.is_ascii_digit())).then_some(release)
}

fn ended(line: &str, release: &str) -> Result<Support, String> {
    let mut words = line.split_whitespace();
    let (Some(package), Some(version), Some(day)) = (words.next(), words.next(), words.next()) else {
        return Err("fewer than three columns".to_owned());
    };
    if !super::is_day(day) {
        return Err(format!("`{day}` is no day"));
    }
    Ok(Support {
        ecosystem: format!("Debian:{release}"),
        package: checked("package name", package)?,
        kind: SupportKind::Ended,
        last_version: checked("version", version)?,
        ended: day.to_owned(),
        until: String::new(),
        text: one_line(&words.collect::<Vec<_>>().join(" ")),
        source: "debian-support",
    })
}

/// Limited support is the same in all releases that the list is shipped with.
fn limited(line: &str) -> Result<Support, String> {
    let (package, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Ok(Support {
        ecosystem: "Debian".to_owned(),
        package: checked("package name", package)?,
        kind: SupportKind::Limited,
        last_version: String::new(),
        ended: String::new(),
        until: String::new(),
        text: one_line(text),
        source: "debian-support",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_lists() {
        let mut batch = Batch::default();
        let ended = b"# a comment\n\nphp-horde.*\t0\t\t2025-03-22  https://lists.example/ incompatible\npdns 4.7.3-2 2025-10-01\n";
        let feed = SecuritySupport;
        assert!(feed.recognises("security-support-ended.deb12", b""));
        assert!(!feed.recognises("security-support-ended.debx", b""));
        feed.parse_named("security-support-ended.deb12", ended, &mut batch)
            .unwrap();
        feed.parse_named("security-support-limited", b"golang.*  See the notes\n", &mut batch)
            .unwrap();
        let rows: Vec<(&str, &str, SupportKind, &str)> = batch
            .support
            .iter()
            .map(|row| {
                (
                    row.ecosystem.as_str(),
                    row.package.as_str(),
                    row.kind,
                    row.ended.as_str(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("Debian:12", "php-horde.*", SupportKind::Ended, "2025-03-22"),
                ("Debian:12", "pdns", SupportKind::Ended, "2025-10-01"),
                ("Debian", "golang.*", SupportKind::Limited, ""),
            ]
        );
        assert_eq!(batch.support[0].text, "https://lists.example/ incompatible");
        for broken in ["pdns", "pdns 1 soon"] {
            let mut batch = Batch::default();
            assert!(
                feed.parse_named("security-support-ended.deb12", broken.as_bytes(), &mut batch)
                    .is_err()
            );
        }
    }
}
