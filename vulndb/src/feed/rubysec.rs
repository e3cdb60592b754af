//! Ruby's advisory database: one YAML file per advisory and gem, with the versions that are *not* affected.

use serde::Deserialize;

use super::requirement::{Operators, affected_outside};
use super::{Affected, Batch, Feed, Framing, Record, checked, one_line, yaml};
use crate::cvss;
use crate::version::Gem;

/// <https://github.com/rubysec/ruby-advisory-db>, `gems/**.yml`.
pub(super) struct RubySec;

#[derive(Deserialize)]
struct Advisory {
    /// Missing for advisories about Ruby itself.
    gem: Option<String>,
    cve: Option<serde_json::Value>,
    ghsa: Option<String>,
    osvdb: Option<serde_json::Value>,
    #[serde(default)]
    title: String,
    date: Option<String>,
    cvss_v3: Option<f32>,
    cvss_v2: Option<f32>,
    #[serde(default)]
    patched_versions: Option<Vec<String>>,
    #[serde(default)]
    unaffected_versions: Option<Vec<String>>,
}

impl Feed for RubySec {
    fn name(&self) -> &'static str {
        "rubysec"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let starts = |start: &[u8]| head.starts_with(start) || head.starts_with(&[b"---\n", start].concat());
        file_name.ends_with(".yml") && (starts(b"gem:") || starts(b"engine:"))
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let advisory: Advisory = yaml(document)?;
        let Some(gem) = &advisory.gem else { return Ok(()) };
        let text = |value: &Option<serde_json::Value>| {
            value
                .as_ref()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let cve = text(&advisory.cve).map(|number| format!("CVE-{number}"));
        let ghsa = advisory.ghsa.as_ref().map(|id| format!("GHSA-{id}"));
        let osvdb = text(&advisory.osvdb).map(|number| format!("OSVDB-{number}"));
        let mut names = [cve, ghsa, osvdb].into_iter().flatten();
        let first = names
            .next()
            .unwrap_or_else(|| format!("{gem} {}", one_line(&advisory.title)));
        let mut record = Record::new("rubysec", checked("id", &first)?, names.collect());
        record.modified = advisory.date.unwrap_or_default();
        record.summary = one_line(&advisory.title);
        let score = advisory
            .cvss_v3
            .or(advisory.cvss_v2)
            .filter(|score| (0.0..=10.0).contains(score));
        record.cvss = score.map(|score| (score, String::new()));
        record.severity = score.map(cvss::severity).unwrap_or_default();
        let template = Affected::new("RubyGems", &checked("gem", gem)?);
        let lists = [advisory.patched_versions, advisory.unaffected_versions];
        let fine: Vec<String> = lists.into_iter().flatten().flatten().collect();
        record.affected = affected_outside(&fine, &Gem, Operators::Gem, &template)?;
        batch.records.push(record);
        Ok(())
    }
}
