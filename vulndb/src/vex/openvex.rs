//! OpenVEX (<https://github.com/openvex/spec>, 0.0.1 and 0.2.0) in and out.

use plimsoll_model::Sbom;
use serde_json::{Value, json};

use super::{Suppressed, VexStatement, VexStatus, list, text};

const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";

/// Status and word, both ways.
const STATUSES: [(&str, VexStatus); 4] = [
    ("not_affected", VexStatus::NotAffected),
    ("affected", VexStatus::Affected),
    ("fixed", VexStatus::Fixed),
    ("under_investigation", VexStatus::UnderInvestigation),
];

pub(super) fn read(document: &Value) -> Result<Vec<VexStatement>, String> {
    let of_document = match text(document, "last_updated") {
        "" => text(document, "timestamp"),
        time => time,
    };
    list(document, "statements")
        .iter()
        .map(|one| statement(one, of_document))
        .collect()
}

fn statement(one: &Value, of_document: &str) -> Result<VexStatement, String> {
    let word = text(one, "status");
    let (_, status) = STATUSES
        .into_iter()
        .find(|(name, _)| *name == word)
        .ok_or_else(|| format!("`{word}` is no status"))?;
    let vulnerability = one.get("vulnerability").unwrap_or(&Value::Null);
    // Before 0.2.0 it was a string.
    let mut vulnerabilities = match vulnerability.as_str() {
        Some(id) => vec![id.to_owned()],
        None => vec![text(vulnerability, "name").to_owned()],
    };
    vulnerabilities.extend(
        list(vulnerability, "aliases")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned),
    );
    vulnerabilities.retain(|id| !id.is_empty());
    if vulnerabilities.is_empty() {
        return Err("a statement names no vulnerability".to_owned());
    }
    let time = match text(one, "timestamp") {
        "" => of_document,
        time => time,
    };
    Ok(VexStatement {
        vulnerabilities,
        products: list(one, "products").iter().flat_map(product).collect(),
        status,
        justification: text(one, "justification").to_owned(),
        impact: text(one, "impact_statement").to_owned(),
        timestamp: time.to_owned(),
    })
}

/// A product may be called by several identifiers.
fn product(one: &Value) -> Vec<(String, Vec<String>)> {
    let components: Vec<String> = list(one, "subcomponents").iter().flat_map(names).collect();
    names(one).into_iter().map(|name| (name, components.clone())).collect()
}

fn names(one: &Value) -> Vec<String> {
    if let Some(name) = one.as_str() {
        return vec![name.to_owned()];
    }
    let purl = one.pointer("/identifiers/purl").and_then(Value::as_str);
    let mut names: Vec<String> = [Some(text(one, "@id")), purl]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

/// An OpenVEX document that says of `product` (the image's package URL or reference) what was waived in it: so that
/// whoever scans the same image elsewhere need not judge again. `id` is the document's IRI, `now` an RFC 3339 time.
pub fn write_openvex(
    suppressed: &[Suppressed],
    sbom: &Sbom,
    product: &str,
    author: &str,
    id: &str,
    now: &str,
) -> Value {
    let statements = suppressed.iter().map(|one| {
        let word = STATUSES
            .into_iter()
            .find(|(_, status)| *status == one.statement.status)
            .map_or("under_investigation", |(word, _)| word);
        let package = sbom.packages.get(one.one.package as usize);
        let components: Vec<Value> = package.iter().map(|package| json!({"@id": package.purl})).collect();
        let mut statement = json!({
            "vulnerability": {"name": one.one.vulnerability.id, "aliases": one.one.vulnerability.aliases},
            "products": [{"@id": product, "subcomponents": components}],
            "status": word,
        });
        for (name, value) in [
            ("justification", &one.statement.justification),
            ("impact_statement", &one.statement.impact),
            ("timestamp", &one.statement.timestamp),
        ] {
            if !value.is_empty() {
                statement[name] = json!(value);
            }
        }
        statement
    });
    json!({
        "@context": CONTEXT,
        "@id": id,
        "author": author,
        "timestamp": now,
        "version": 1,
        "statements": statements.collect::<Vec<_>>(),
    })
}
