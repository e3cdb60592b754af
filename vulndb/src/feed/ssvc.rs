//! CISA's decision points for stakeholder-specific vulnerability categorisation (SSVC), in the container that it adds to
//! CVE records (<https://github.com/cisagov/vulnrichment>): one record of a CVE per document.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Batch, Enrichment, Feed, Framing, is_cve, one_line};
use crate::cvss;

/// CVE records, format 5, with CISA's container.
pub(super) struct Ssvc;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CveRecord<'a> {
    #[serde(borrow)]
    cve_metadata: Metadata<'a>,
    #[serde(default)]
    containers: Containers<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    cve_id: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
struct Containers<'a> {
    #[serde(borrow, default)]
    adp: Vec<Container<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow)]
    provider_metadata: Option<Provider<'a>>,
    #[serde(borrow, default)]
    metrics: Vec<Metric<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider<'a> {
    #[serde(borrow, default)]
    short_name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Metric<'a> {
    #[serde(borrow)]
    other: Option<Other<'a>>,
    #[serde(borrow, rename = "cvssV4_0")]
    v4: Option<Vector<'a>>,
    #[serde(borrow, rename = "cvssV3_1")]
    v3: Option<Vector<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector<'a> {
    #[serde(borrow, default)]
    vector_string: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    options: Vec<Decision<'a>>,
}

/// One decision point.
#[derive(Deserialize)]
struct Decision<'a> {
    #[serde(borrow, rename = "Exploitation")]
    exploitation: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "Automatable")]
    automatable: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "Technical Impact")]
    impact: Option<Cow<'a, str>>,
}

/// All answers: exploitation (none, public proof of concept, active), automatable (no, yes), technical impact (partial, total).
const ANSWERS: [&str; 12] = [
    "none/no/partial",
    "none/no/total",
    "none/yes/partial",
    "none/yes/total",
    "poc/no/partial",
    "poc/no/total",
    "poc/yes/partial",
    "poc/yes/total",
    "active/no/partial",
    "active/no/total",
    "active/yes/partial",
    "active/yes/total",
];

/// The answers `exploitation/automatable/impact`, if they are ones.
pub(crate) fn answers(exploitation: &str, automatable: &str, impact: &str) -> Option<&'static str> {
    // `public poc` is what the scheme calls it since its version 1.1.
    let exploitation = exploitation.strip_prefix("public ").unwrap_or(exploitation);
    let wanted = format!("{exploitation}/{automatable}/{impact}").to_ascii_lowercase();
    known(&wanted)
}

/// The same text for the life of the program.
pub(crate) fn known(text: &str) -> Option<&'static str> {
    ANSWERS.into_iter().find(|one| *one == text)
}

impl Feed for Ssvc {
    fn name(&self) -> &'static str {
        "ssvc"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        file_name.ends_with(".json") && has(b"\"CVE_RECORD\"") && has(b"\"cveMetadata\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let record: CveRecord<'_> = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let cve = record.cve_metadata.cve_id;
        if !is_cve(&cve) {
            return Err(format!("`{}` is no CVE id", one_line(&cve)));
        }
        let is_cisa = |container: &&Container<'_>| {
            let provider = container.provider_metadata.as_ref();
            provider.is_some_and(|provider| provider.short_name == "CISA-ADP")
        };
        let containers: Vec<&Container<'_>> = record.containers.adp.iter().filter(is_cisa).collect();
        let metrics = || containers.iter().flat_map(|container| &container.metrics);
        let decisions = metrics()
            .filter_map(|metric| metric.other.as_ref())
            .filter(|other| other.kind == "ssvc")
            .filter_map(|other| other.content.as_ref());
        for content in decisions {
            let (mut exploitation, mut automatable, mut impact) = ("", "", "");
            for decision in &content.options {
                exploitation = decision.exploitation.as_deref().unwrap_or(exploitation);
                automatable = decision.automatable.as_deref().unwrap_or(automatable);
                impact = decision.impact.as_deref().unwrap_or(impact);
            }
            let ssvc = answers(exploitation, automatable, impact).ok_or_else(|| {
                let said = format!("{exploitation}, {automatable}, {impact}");
                format!("`{}` are no answers", one_line(&said))
            })?;
            batch.enrichments.push(Enrichment {
                cve: cve.clone().into_owned(),
                ssvc: Some(ssvc),
                source: "ssvc",
                ..Enrichment::default()
            });
        }
        let vectors = metrics().flat_map(|metric| metric.v4.iter().chain(&metric.v3));
        if let Some(scored) = cvss::newest(vectors.map(|vector| vector.vector_string.as_ref())) {
            batch.enrichments.push(Enrichment {
                cve: cve.into_owned(),
                cvss: Some(scored),
                source: "cvss",
                ..Enrichment::default()
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `2024/3xxx/CVE-2024-3018.json`, the assigner's container shortened; the score is that of another record.
    const RECORD: &str = r#"{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-3018",
        "assignerShortName":"Wordfence","state":"PUBLISHED"},"containers":{"cna":{"metrics":[{"cvssV3_1":
        {"vectorString":"CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}}]},"adp":[{"metrics":[{"other":{"type":"ssvc","content":
        {"id":"CVE-2024-3018","role":"CISA Coordinator","options":[{"Exploitation":"none"},{"Automatable":"no"},
        {"Technical Impact":"partial"}],"version":"2.0.3","timestamp":"2024-04-01T17:33:59.355004Z"}}},
        {"cvssV3_1":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}}],
        "providerMetadata":{"shortName":"CISA-ADP"},"title":"CISA ADP Vulnrichment"}]}}"#;

    #[test]
    fn the_container_of_cisa_is_read_and_no_other() {
        assert!(Ssvc.recognises("CVE-2024-3018.json", RECORD.as_bytes()));
        let mut batch = Batch::default();
        Ssvc.parse(RECORD.as_bytes(), &mut batch).unwrap();
        let [ssvc, cvss] = batch.enrichments.as_slice() else {
            panic!("{batch:?}")
        };
        assert_eq!((ssvc.source, ssvc.ssvc), ("ssvc", Some("none/no/partial")));
        assert_eq!(cvss.cvss.as_ref().map(|(score, _)| *score), Some(7.5));
        let mut other = Batch::default();
        Ssvc.parse(RECORD.replace("CISA-ADP", "CVE").as_bytes(), &mut other)
            .unwrap();
        assert!(other.enrichments.is_empty());
    }

    #[test]
    fn unknown_answers_and_ids_are_errors() {
        for (from, to) in [
            ("\"Automatable\":\"no\"", "\"Automatable\":\"maybe\""),
            ("{\"Technical Impact\":\"partial\"}", "{}"),
            ("\"cveId\":\"CVE-2024-3018\"", "\"cveId\":\"CVE-1\""),
        ] {
            let text = RECORD.replace(from, to);
            assert_ne!(text, RECORD, "{from}");
            assert!(Ssvc.parse(text.as_bytes(), &mut Batch::default()).is_err(), "{to}");
        }
        assert_eq!(answers("public poc", "yes", "total"), Some("poc/yes/total"));
        assert_eq!(answers("Active", "No", "Total"), Some("active/no/total"));
    }
}
