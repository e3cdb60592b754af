//! Ends of life of Debian's and Ubuntu's releases: a CSV file of each, from the package `distro-info-data`.

use super::{Batch, Feed, Framing, Support, SupportKind, checked, is_day};

/// <https://salsa.debian.org/debian/distro-info-data>, `debian.csv` and `ubuntu.csv`.
pub(super) struct DistroInfo;

impl Feed for DistroInfo {
    fn name(&self) -> &'static str {
        "distro_info"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        head.starts_with(b"version,codename,series,created,release,eol")
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| header.iter().position(|cell| *cell == name);
        // Advisories are still written until then: by Debian's LTS team, and for subscribers by Ubuntu.
        let (distribution, extended) = match (column("eol-lts"), column("eol-esm")) {
            (Some(lts), _) => ("Debian", lts),
            (None, Some(esm)) => ("Ubuntu", esm),
            (None, None) => return Err("it has neither the column eol-lts nor eol-esm".to_owned()),
        };
        let eol = column("eol").ok_or("it has no column eol")?;
        for (number, line) in (2..).zip(lines) {
            let cells: Vec<&str> = line.split(',').collect();
            let day = |index: usize| cells.get(index).copied().unwrap_or_default();
            // `22.04 LTS`
            let version = cells[0].split(' ').next().unwrap_or_default();
            let ended = day(eol);
            if version.is_empty() || ended.is_empty() {
                continue;
            }
            let until = Some(day(extended)).filter(|day| !day.is_empty()).unwrap_or(ended);
            for day in [ended, until] {
                if !is_day(day) {
                    return Err(format!("line {number}: `{day}` is no day"));
                }
            }
            batch.support.push(Support {
                ecosystem: checked("release", &format!("{distribution}:{version}"))?,
                package: String::new(),
                kind: SupportKind::Release,
                last_version: String::new(),
                ended: ended.to_owned(),
                until: until.to_owned(),
                text: String::new(),
                source: "distro-info",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_distributions() {
        let mut batch = Batch::default();
        let debian = "version,codename,series,created,release,eol,eol-lts,eol-elts\n\
            12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n\
            14,Forky,forky,2025-08-09\n,Sid,sid,1993-08-16\n";
        let ubuntu = "version,codename,series,created,release,eol,eol-server,eol-esm,eol-legacy\n\
            22.04 LTS,Jammy Jellyfish,jammy,2021-10-14,2022-04-21,2027-06-01,2027-06-01,2032-04-09\n\
            4.10,Warty Warthog,warty,2004-03-05,2004-10-20,2006-04-30\n";
        for text in [debian, ubuntu] {
            assert!(DistroInfo.recognises("x.csv", text.as_bytes()));
            DistroInfo.parse(text.as_bytes(), &mut batch).unwrap();
        }
        let rows: Vec<(&str, &str, &str)> = batch
            .support
            .iter()
            .map(|row| (row.ecosystem.as_str(), row.ended.as_str(), row.until.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("Debian:12", "2026-07-11", "2028-06-30"),
                ("Ubuntu:22.04", "2027-06-01", "2032-04-09"),
                ("Ubuntu:4.10", "2006-04-30", "2006-04-30"),
            ]
        );
        let broken = debian.replace("2028-06-30", "some day");
        assert!(DistroInfo.parse(broken.as_bytes(), &mut Batch::default()).is_err());
    }
}
