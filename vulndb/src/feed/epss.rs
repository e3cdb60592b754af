//! FIRST's Exploit Prediction Scoring System: `cve,epss,percentile` lines below a comment with the day.

use super::{Batch, Enrichment, Feed, Framing, is_cve};

/// <https://www.first.org/epss/data_stats>, `epss_scores-<day>.csv.gz`.
pub(super) struct Epss;

impl Feed for Epss {
    fn name(&self) -> &'static str {
        "epss"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        head.starts_with(b"#model_version:") || head.starts_with(b"cve,epss,percentile")
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let line = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        if let Some(comment) = line.strip_prefix('#') {
            // The time has no blanks; mirrors add remarks after it.
            if let Some((_, date)) = comment.split_once("score_date:") {
                let day = date.split([' ', ',']).next().unwrap_or_default();
                batch.freshness.push(("epss", day.to_owned()));
            }
            return Ok(());
        }
        let mut cells = line.split(',');
        let (Some(cve), Some(score)) = (cells.next(), cells.next()) else {
            return Err("fewer than two columns".to_owned());
        };
        if cve == "cve" {
            return Ok(());
        }
        if !is_cve(cve) {
            return Err(format!("`{cve}` is no CVE id"));
        }
        let score: f32 = score.parse().map_err(|_| format!("`{score}` is no number"))?;
        if !(0.0..=1.0).contains(&score) {
            return Err(format!("{score} is no probability"));
        }
        batch.enrichments.push(Enrichment {
            cve: cve.to_owned(),
            epss: Some(score),
            source: "epss",
            ..Enrichment::default()
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_and_refuses_what_is_no_probability() {
        let mut batch = Batch::default();
        for line in [
            "#model_version:v1,score_date:2026-01-11T12:55:00+0000 (mixed)",
            "cve,epss,percentile",
            "CVE-1999-0199,0.00793,0.7",
        ] {
            Epss.parse(line.as_bytes(), &mut batch).unwrap();
        }
        assert_eq!(batch.freshness, [("epss", "2026-01-11T12:55:00+0000".to_owned())]);
        assert_eq!(batch.enrichments.len(), 1);
        assert_eq!(batch.enrichments[0].epss, Some(0.00793));
        for line in ["CVE-1999-0199,1.5,0", "CVE-1999-0199,NaN,0", "x,0.1,0", "CVE-1999-0199"] {
            assert!(Epss.parse(line.as_bytes(), &mut batch).is_err(), "{line}");
        }
    }
}
