//! OpenVEX (<https://github.com/openvex/spec>, 0.0.1 and 0.2.0) in and out.

use std::collections::{BTreeSet, HashMap};

use plimsoll_model::Sbom;
use serde_json::{Value, json};

use super::claim::{VexClaim, VexHeader, unique};
use super::{VexStatement, VexStatus, list, text};

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

/// Whether an OpenVEX document would have a statement: one of a package that the image has. It costs no document.
pub fn has_openvex_statement(claims: &[VexClaim<'_>], sbom: &Sbom) -> bool {
    claims
        .iter()
        .any(|claim| sbom.packages.get(claim.one.package as usize).is_some())
}

/// An OpenVEX document of what is said of an image's packages: so that whoever scans the same image elsewhere need not
/// judge again. `None`: there is nothing to say, and the format's schema asks for one statement at least.
pub fn write_openvex(claims: &[VexClaim<'_>], sbom: &Sbom, header: &VexHeader<'_>) -> Option<Value> {
    if !has_openvex_statement(claims, sbom) {
        return None;
    }
    // What is said alike of several packages, as of all that one source makes, is one statement.
    let mut order: Vec<(Value, BTreeSet<&str>)> = Vec::new();
    let mut places = HashMap::new();
    for claim in claims {
        let Some(package) = sbom.packages.get(claim.one.package as usize) else {
            continue;
        };
        let statement = said(claim, header);
        // A package without a URL cannot be named as a part: the image is what is meant.
        let key = (statement.to_string(), package.purl.is_empty());
        let place = *places.entry(key).or_insert_with(|| {
            order.push((statement, BTreeSet::new()));
            order.len() - 1
        });
        order[place]
            .1
            .extend((!package.purl.is_empty()).then_some(package.purl.as_str()));
    }
    let statements = order.into_iter().map(|(mut statement, parts)| {
        if !parts.is_empty() {
            let parts: Vec<Value> = parts.into_iter().map(|purl| json!({"@id": purl})).collect();
            statement["products"][0]["subcomponents"] = json!(parts);
        }
        statement
    });
    let statements: Vec<Value> = statements.collect();
    Some(json!({
        "@context": CONTEXT,
        "@id": header.id,
        "author": header.author,
        "timestamp": header.now,
        "version": 1,
        "tooling": concat!("plimsoll ", env!("CARGO_PKG_VERSION")),
        "statements": statements,
    }))
}

/// What a claim says of the image, without the package.
fn said(claim: &VexClaim<'_>, header: &VexHeader<'_>) -> Value {
    let word = STATUSES
        .into_iter()
        .find(|(_, status)| *status == claim.status)
        .map_or("under_investigation", |(word, _)| word);
    let vulnerability = &claim.one.vulnerability;
    let mut statement = json!({
        "vulnerability": {"name": vulnerability.id, "aliases": unique(&vulnerability.aliases)},
        "products": [{"@id": header.product}],
        "status": word,
    });
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            statement[name] = json!(value);
        }
    };
    set("timestamp", claim.timestamp);
    match claim.status {
        VexStatus::Affected => {
            set("action_statement", &claim.action());
            set("status_notes", claim.impact);
        }
        VexStatus::NotAffected => {
            set("justification", claim.justification_word().unwrap_or_default());
            set("impact_statement", &claim.reason());
        }
        VexStatus::Fixed | VexStatus::UnderInvestigation => set("status_notes", claim.impact),
    }
    statement
}
