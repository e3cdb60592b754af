//! CycloneDX (<https://cyclonedx.org/capabilities/vex/>, 1.4 and later) in, statements out.

use std::collections::HashMap;

use serde_json::Value;

use super::{VexStatement, VexStatus, list, text};

/// The words of `analysis.state`.
const STATES: [(&str, VexStatus); 6] = [
    ("not_affected", VexStatus::NotAffected),
    ("false_positive", VexStatus::NotAffected),
    ("resolved", VexStatus::Fixed),
    ("resolved_with_pedigree", VexStatus::Fixed),
    ("exploitable", VexStatus::Affected),
    ("in_triage", VexStatus::UnderInvestigation),
];

pub(super) fn read(document: &Value) -> Result<Vec<VexStatement>, String> {
    let mut purls: HashMap<&str, &str> = HashMap::new();
    let mut open: Vec<&Value> = list(document, "components").iter().collect();
    open.extend(document.pointer("/metadata/component"));
    while let Some(component) = open.pop() {
        open.extend(list(component, "components"));
        purls.insert(text(component, "bom-ref"), text(component, "purl"));
    }
    let of_document = document
        .pointer("/metadata/timestamp")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut statements = Vec::new();
    for vulnerability in list(document, "vulnerabilities") {
        // A vulnerability without an analysis is a finding, not a statement.
        let Some(analysis) = vulnerability.get("analysis") else {
            continue;
        };
        let word = text(analysis, "state");
        let (_, status) = STATES
            .into_iter()
            .find(|(name, _)| *name == word)
            .ok_or_else(|| format!("`{word}` is no state of an analysis"))?;
        let references = list(vulnerability, "references").iter().map(|one| text(one, "id"));
        let names = std::iter::once(text(vulnerability, "id")).chain(references);
        let affects = list(vulnerability, "affects").iter().map(|one| text(one, "ref"));
        let time = match text(analysis, "lastUpdated") {
            "" => of_document,
            time => time,
        };
        statements.push(VexStatement {
            vulnerabilities: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            products: affects.map(|one| (purl_of(one, &purls), Vec::new())).collect(),
            status,
            justification: text(analysis, "justification").to_owned(),
            impact: match (text(analysis, "detail"), word) {
                ("", "false_positive") => "false positive".to_owned(),
                (detail, _) => detail.to_owned(),
            },
            timestamp: time.to_owned(),
        });
    }
    Ok(statements)
}

/// A reference is a `bom-ref` of the document, a BOM-Link to another one whose fragment is one, or a package URL.
fn purl_of(reference: &str, purls: &HashMap<&str, &str>) -> String {
    let local = match reference.strip_prefix("urn:cdx:") {
        Some(link) => link.split_once('#').map_or("", |(_, fragment)| fragment),
        None => reference,
    };
    match purls.get(local) {
        Some(purl) if !purl.is_empty() => (*purl).to_owned(),
        _ => local.to_owned(),
    }
}
