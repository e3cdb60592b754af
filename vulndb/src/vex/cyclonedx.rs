//! CycloneDX (<https://cyclonedx.org/capabilities/vex/>, 1.4 and later) in, statements out, and back.

use std::collections::{BTreeSet, HashMap};

use plimsoll_model::{FixState, Sbom};
use serde_json::{Value, json};

use super::claim::{VexClaim, VexHeader, unique};
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

/// A CycloneDX 1.6 document of what is said of an image's packages: one entry per claim, with the packages that they name.
pub fn write_cyclonedx_vex(claims: &[VexClaim<'_>], sbom: &Sbom, header: &VexHeader<'_>) -> Value {
    let is_package = |claim: &&VexClaim<'_>| sbom.packages.len() > claim.one.package as usize;
    let claims: Vec<&VexClaim<'_>> = claims.iter().filter(is_package).collect();
    let named: BTreeSet<u32> = claims.iter().map(|claim| claim.one.package).collect();
    let components = named.into_iter().map(|index| {
        let package = &sbom.packages[index as usize];
        let version: String = package.version.chars().take(MAX_VERSION_CHARS).collect();
        let mut component = json!({
            "type": "library",
            "bom-ref": reference(index),
            "name": package.name,
            "version": version,
        });
        if !package.purl.is_empty() {
            component["purl"] = json!(package.purl);
        }
        component
    });
    let vulnerabilities = (0..).zip(&claims).map(|(number, claim)| vulnerability(number, claim));
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": header.now,
            "authors": [{"name": header.author}],
            "tools": {"components": [{"type": "application", "name": "plimsoll", "version": env!("CARGO_PKG_VERSION")}]},
            "component": {"type": "container", "bom-ref": "image", "name": header.product},
        },
        "components": components.collect::<Vec<_>>(),
        "vulnerabilities": vulnerabilities.collect::<Vec<_>>(),
    });
    if header.id.starts_with("urn:uuid:") {
        document["serialNumber"] = json!(header.id);
    }
    document
}

/// Of a version, as the schema limits it.
const MAX_VERSION_CHARS: usize = 1024;

fn reference(package: u32) -> String {
    format!("package:{package}")
}

fn vulnerability(number: usize, claim: &VexClaim<'_>) -> Value {
    let state = STATES
        .into_iter()
        .find(|(_, status)| *status == claim.status)
        .map_or("in_triage", |(word, _)| word);
    let mut analysis = json!({"state": state});
    match claim.status {
        VexStatus::NotAffected => {
            if let Some(word) = claim.cyclonedx_word() {
                analysis["justification"] = json!(word);
            }
            analysis["detail"] = json!(claim.reason());
        }
        VexStatus::Affected => {
            let response = match claim.one.fix_state {
                FixState::Fixed => Some("update"),
                FixState::WillNotFix | FixState::EndOfLife => Some("will_not_fix"),
                _ => None,
            };
            if let Some(response) = response {
                analysis["response"] = json!([response]);
            }
            analysis["detail"] = json!(claim.action());
        }
        VexStatus::Fixed | VexStatus::UnderInvestigation => {}
    }
    if !claim.timestamp.is_empty() {
        analysis["lastUpdated"] = json!(claim.timestamp);
    }
    let details = &claim.one.vulnerability;
    let references = unique(&details.aliases);
    let references = references
        .into_iter()
        .map(|id| json!({"id": id, "source": {"name": claim.one.evidence.source}}));
    json!({
        "bom-ref": format!("claim:{number}"),
        "id": details.id,
        "source": {"name": claim.one.evidence.source},
        "references": references.collect::<Vec<_>>(),
        "description": details.summary,
        "analysis": analysis,
        "affects": [{"ref": reference(claim.one.package)}],
    })
}
