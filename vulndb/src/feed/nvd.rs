//! NVD's records (<https://nvd.nist.gov/developers/vulnerabilities>, version 2.0 of the API and of the yearly files):
//! which products by their CPE names are affected, and CVSS vectors.

use plimsoll_model::FixState;
use serde::Deserialize;
use serde_json::Value;

use super::{Affected, Batch, Enrichment, Feed, Framing, Record, checked, is_cve, one_line};
use crate::cvss;
use crate::ecosystem::{CPE, CpeName};
use crate::limits::{MAX_AFFECTED_PER_RECORD, MAX_DOCUMENT_BYTES};

/// A page or a file of NVD, or one `cve` per line.
pub(super) struct Nvd;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    vulnerabilities: Vec<Entry>,
    cve: Option<Cve>,
    /// Corrections of NVD's configurations carry the id here.
    #[serde(rename = "_annotation")]
    annotation: Option<Annotation>,
}

#[derive(Deserialize)]
struct Entry {
    cve: Cve,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    cve_id: String,
    #[serde(default)]
    modified: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve {
    #[serde(default)]
    id: String,
    #[serde(default)]
    last_modified: String,
    #[serde(default)]
    vuln_status: String,
    #[serde(default)]
    descriptions: Vec<Description>,
    /// `cvssMetricV31` and its like → judgements.
    #[serde(default)]
    metrics: Value,
    #[serde(default)]
    configurations: Vec<Configuration>,
}

#[derive(Deserialize)]
struct Description {
    lang: String,
    value: String,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    operator: String,
    #[serde(default)]
    negate: bool,
    #[serde(default)]
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default)]
    operator: String,
    #[serde(default)]
    negate: bool,
    #[serde(default)]
    cpe_match: Vec<CpeMatch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CpeMatch {
    vulnerable: bool,
    criteria: String,
    version_start_including: Option<String>,
    version_start_excluding: Option<String>,
    version_end_including: Option<String>,
    version_end_excluding: Option<String>,
}

impl Feed for Nvd {
    fn name(&self) -> &'static str {
        "nvd"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"\"NVD_CVE\"") || has(b"\"cpeMatch\"") && has(b"\"configurations\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn max_document_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let page: Page = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        if page.cve.is_none() && page.vulnerabilities.is_empty() {
            return Err("it has no `cve` and no `vulnerabilities`".to_owned());
        }
        for entry in page.vulnerabilities {
            add(entry.cve, batch)?;
        }
        if let Some(mut cve) = page.cve {
            if let Some(annotation) = page.annotation.filter(|_| cve.id.is_empty()) {
                cve.id = annotation.cve_id;
                cve.last_modified = annotation.modified;
                cve.descriptions = vec![Description {
                    lang: "en".to_owned(),
                    value: annotation.description,
                }];
            }
            add(cve, batch)?;
        }
        Ok(())
    }
}

fn add(cve: Cve, batch: &mut Batch) -> Result<(), String> {
    if !is_cve(&cve.id) {
        return Err(format!("`{}` is no CVE id", one_line(&cve.id)));
    }
    let mut record = Record::new("nvd", cve.id, Vec::new());
    record.modified = cve.last_modified;
    record.withdrawn = cve.vuln_status == "Rejected";
    let english = cve.descriptions.iter().find(|text| text.lang == "en");
    record.summary = english.map(|text| one_line(&text.value)).unwrap_or_default();
    record.cvss = vector(&cve.metrics);
    for configuration in &cve.configurations {
        // `AND` says "this on that", and what a program runs on is not known of it: nothing is guessed.
        if configuration.negate || configuration.operator == "AND" {
            continue;
        }
        let nodes = configuration.nodes.iter();
        for node in nodes.filter(|node| !node.negate && (node.operator != "AND" || node.cpe_match.len() == 1)) {
            for criterion in &node.cpe_match {
                record.affected.extend(affected(criterion)?);
            }
        }
    }
    if record.affected.len() > MAX_AFFECTED_PER_RECORD {
        return Err(format!("more than {MAX_AFFECTED_PER_RECORD} affected ranges"));
    }
    if let Some(cvss) = &record.cvss {
        batch.enrichments.push(Enrichment {
            cve: record.key.clone(),
            cvss: Some(cvss.clone()),
            source: "cvss",
            ..Enrichment::default()
        });
    }
    batch.records.push(record);
    Ok(())
}

/// The newest vector that NVD itself gave, else that of others.
fn vector(metrics: &Value) -> Option<(f32, String)> {
    let all: Vec<&Value> = metrics
        .as_object()?
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .collect();
    let of = |is_primary: bool| {
        let wanted = all.iter().filter(|one| (one["type"] == "Primary") == is_primary);
        cvss::newest(wanted.filter_map(|one| one.pointer("/cvssData/vectorString")?.as_str()))
    };
    of(true).or_else(|| of(false))
}

/// `None` for what is not affected, hardware, an update or edition of a product, and a product for one platform only.
fn affected(criterion: &CpeMatch) -> Result<Option<Affected>, String> {
    let Some(name) = CpeName::parse(&criterion.criteria).filter(|name| criterion.vulnerable && name.part != "h") else {
        return Ok(None);
    };
    if name.rest.iter().any(|part| !matches!(part.as_str(), "*" | "-")) || name.version == "-" {
        return Ok(None);
    }
    let text = |version: &Option<String>| version.as_deref().map(|text| checked("version", text)).transpose();
    let mut row = Affected::new(CPE, &checked("product", &name.package)?);
    row.introduced = match text(&criterion.version_start_excluding)? {
        Some(version) => Some(format!(">{version}")),
        None => text(&criterion.version_start_including)?,
    };
    row.fixed = text(&criterion.version_end_excluding)?;
    row.last_affected = text(&criterion.version_end_including)?;
    if !name.version.is_empty() {
        row.versions = vec![checked("version", &name.version)?];
    }
    if row.fixed.is_some() {
        row.state = FixState::Fixed;
    }
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(matches: &str, operator: &str) -> Vec<String> {
        let document = format!(
            r#"{{"format":"NVD_CVE","version":"2.0","vulnerabilities":[{{"cve":{{"id":"CVE-2024-0001",
            "lastModified":"2024-02-01T00:00:00.000","vulnStatus":"Analyzed",
            "descriptions":[{{"lang":"es","value":"fallo"}},{{"lang":"en","value":"a fault"}}],
            "metrics":{{"cvssMetricV31":[{{"source":"nvd@nist.gov","type":"Primary",
            "cvssData":{{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","baseScore":9.8}}}}]}},
            "configurations":[{{"operator":"{operator}","nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{matches}]}}]}}]}}}}]}}"#
        );
        assert!(Nvd.recognises("nvd.json", document.as_bytes()));
        let mut batch = Batch::default();
        Nvd.parse(document.as_bytes(), &mut batch).unwrap();
        let [record] = batch.records.as_slice() else {
            panic!("{batch:?}")
        };
        assert_eq!(record.summary, "a fault");
        assert_eq!(record.cvss.as_ref().map(|(score, _)| *score), Some(9.8));
        let describe = |one: &Affected| match one.versions.as_slice() {
            [] => format!("{} {}", one.package, one.range().describe()),
            versions => format!("{} = {}", one.package, versions.join(",")),
        };
        record.affected.iter().map(describe).collect()
    }

    #[test]
    fn what_is_simple_is_a_range_and_the_rest_is_not_guessed() {
        let redis = r#"{"vulnerable":true,"criteria":"cpe:2.3:a:redis:redis:*:*:*:*:*:*:*:*","versionStartIncluding":"7.0.0","versionEndExcluding":"7.0.15"}"#;
        for (matches, operator, expected) in [
            (redis, "OR", &["redis:redis >= 7.0.0, < 7.0.15"][..]),
            (redis, "", &["redis:redis >= 7.0.0, < 7.0.15"]),
            (redis, "AND", &[]),
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:a:a\\:b:c:*:*:*:*:*:*:*:*","versionStartExcluding":"1","versionEndIncluding":"2"}"#,
                "",
                &["a:b:c > 1, <= 2"],
            ),
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:a:v:p:1.2:*:*:*:*:*:*:*"}"#,
                "",
                &["v:p = 1.2"],
            ),
            // A plug-in of the same name, a release candidate, hardware, what it runs on, a version that does not apply.
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:a:v:p:1.2:*:*:*:*:wordpress:*:*"}"#,
                "",
                &[],
            ),
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:a:v:p:1.2:rc1:*:*:*:*:*:*"}"#,
                "",
                &[],
            ),
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:h:v:p:-:*:*:*:*:*:*:*"}"#,
                "",
                &[],
            ),
            (
                r#"{"vulnerable":false,"criteria":"cpe:2.3:o:v:p:1:*:*:*:*:*:*:*"}"#,
                "",
                &[],
            ),
            (
                r#"{"vulnerable":true,"criteria":"cpe:2.3:a:v:p:-:*:*:*:*:*:*:*"}"#,
                "",
                &[],
            ),
            (r#"{"vulnerable":true,"criteria":"no name"}"#, "", &[]),
        ] {
            assert_eq!(ranges(matches, operator), expected, "{matches}");
        }
        for bad in [
            "{}",
            r#"{"cve":{"id":"x"}}"#,
            r#"{"vulnerabilities":[{"cve":{"id":"CVE-1"}}]}"#,
        ] {
            assert!(Nvd.parse(bad.as_bytes(), &mut Batch::default()).is_err(), "{bad}");
        }
    }
}
