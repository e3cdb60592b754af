//! CSAF 2.0 (<https://docs.oasis-open.org/csaf/csaf/v2.0/>, profile VEX) in, statements out.

use std::collections::HashMap;

use serde_json::Value;

use super::{VexStatement, VexStatus, list, text};

/// Lists of product ids and what being in one means.
const STATUSES: [(&str, VexStatus); 5] = [
    ("known_not_affected", VexStatus::NotAffected),
    ("fixed", VexStatus::Fixed),
    ("first_fixed", VexStatus::Fixed),
    ("known_affected", VexStatus::Affected),
    ("under_investigation", VexStatus::UnderInvestigation),
];

pub(super) fn read(document: &Value) -> Result<Vec<VexStatement>, String> {
    let time = document
        .pointer("/document/tracking/current_release_date")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let products = products(document.get("product_tree").unwrap_or(&Value::Null));
    let mut statements = Vec::new();
    for vulnerability in list(document, "vulnerabilities") {
        let ids = list(vulnerability, "ids").iter().map(|id| text(id, "text"));
        let names: Vec<String> = std::iter::once(text(vulnerability, "cve"))
            .chain(ids)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Err("a vulnerability has neither a CVE nor an id".to_owned());
        }
        let status = vulnerability.get("product_status").unwrap_or(&Value::Null);
        for (word, status_of_word) in STATUSES {
            // One statement per product, because each may have a reason of its own.
            for id in list(status, word).iter().filter_map(Value::as_str) {
                let Some(purl) = products.get(id) else { continue };
                statements.push(VexStatement {
                    vulnerabilities: names.clone(),
                    products: vec![(purl.clone(), Vec::new())],
                    status: status_of_word,
                    justification: reason(list(vulnerability, "flags"), id, "label"),
                    impact: reason(list(vulnerability, "threats"), id, "details"),
                    timestamp: time.to_owned(),
                });
            }
        }
    }
    Ok(statements)
}

/// The first entry that is about a product; one without products is about all.
fn reason(entries: &[Value], product: &str, member: &str) -> String {
    let is_about = |entry: &&Value| {
        let ids = list(entry, "product_ids");
        let is_impact = matches!(text(entry, "category"), "" | "impact");
        is_impact && (ids.is_empty() || ids.iter().any(|id| id.as_str() == Some(product)))
    };
    entries
        .iter()
        .find(is_about)
        .map_or("", |entry| text(entry, member))
        .to_owned()
}

/// Product id → package URL, for those that have one. A component as a part of a platform is meant by its own URL.
fn products(tree: &Value) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut open: Vec<&Value> = list(tree, "branches").iter().collect();
    while let Some(branch) = open.pop() {
        open.extend(list(branch, "branches"));
        add(branch.get("product").unwrap_or(&Value::Null), &mut found);
    }
    for product in list(tree, "full_product_names") {
        add(product, &mut found);
    }
    for relationship in list(tree, "relationships") {
        let component = found.get(text(relationship, "product_reference")).cloned();
        let whole = relationship.get("full_product_name").unwrap_or(&Value::Null);
        if let Some(purl) = component {
            found.entry(text(whole, "product_id").to_owned()).or_insert(purl);
        }
    }
    found
}

fn add(product: &Value, found: &mut HashMap<String, String>) {
    let purl = product
        .pointer("/product_identification_helper/purl")
        .and_then(Value::as_str);
    if let Some(purl) = purl {
        found.insert(text(product, "product_id").to_owned(), purl.trim().to_owned());
    }
}
