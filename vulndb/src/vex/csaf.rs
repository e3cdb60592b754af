//! CSAF 2.0 (<https://docs.oasis-open.org/csaf/csaf/v2.0/>, profile VEX) in, statements out, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::{FixState, Sbom};
use serde_json::{Value, json};

use super::claim::{VexClaim, VexHeader, unique};
use super::{VexStatement, VexStatus, list, text};
use crate::purl::Purl;

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
                let Some(product) = products.get(id) else { continue };
                statements.push(VexStatement {
                    vulnerabilities: names.clone(),
                    products: vec![product.clone()],
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

/// A package URL, and that of the part that is meant, if one is.
type Named = (String, Vec<String>);

/// Product id → package URL, for those that have one. A component is meant as a part of what it belongs to, or by its own
/// URL where that has none (a platform that is known by its CPE).
fn products(tree: &Value) -> HashMap<String, Named> {
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
        let platform = found.get(text(relationship, "relates_to_product_reference")).cloned();
        let whole = relationship.get("full_product_name").unwrap_or(&Value::Null);
        if let Some((purl, parts)) = component {
            let named = match platform {
                Some((platform, _)) if parts.is_empty() => (platform, vec![purl]),
                _ => (purl, parts),
            };
            found.entry(text(whole, "product_id").to_owned()).or_insert(named);
        }
    }
    found
}

fn add(product: &Value, found: &mut HashMap<String, Named>) {
    let purl = product
        .pointer("/product_identification_helper/purl")
        .and_then(Value::as_str);
    if let Some(purl) = purl {
        found.insert(
            text(product, "product_id").to_owned(),
            (purl.trim().to_owned(), Vec::new()),
        );
    }
}

/// A CSAF 2.0 document of what is said of an image's packages: profile VEX, or the base profile when nothing is said.
pub fn write_csaf_vex(claims: &[VexClaim<'_>], sbom: &Sbom, header: &VexHeader<'_>) -> Value {
    let mut by_vulnerability: Vec<(&str, Vec<&VexClaim<'_>>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for claim in claims
        .iter()
        .filter(|claim| sbom.packages.len() > claim.one.package as usize)
    {
        let id = claim.one.vulnerability.id.as_str();
        let place = *places.entry(id).or_insert(by_vulnerability.len());
        if place == by_vulnerability.len() {
            by_vulnerability.push((id, Vec::new()));
        }
        by_vulnerability[place].1.push(claim);
    }
    let named: BTreeSet<u32> = by_vulnerability
        .iter()
        .flat_map(|(_, claims)| claims)
        .map(|claim| claim.one.package)
        .collect();
    let category = if by_vulnerability.is_empty() {
        "csaf_base"
    } else {
        "csaf_vex"
    };
    let mut document = json!({
        "document": {
            "category": category,
            "csaf_version": "2.0",
            "publisher": {"category": "other", "name": some(header.author), "namespace": "urn:plimsoll:scan"},
            "title": format!("Vulnerabilities in {}", header.product),
            "tracking": {
                "id": header.id,
                "status": "final",
                "version": "1",
                "initial_release_date": header.now,
                "current_release_date": header.now,
                "revision_history": [{"date": header.now, "number": "1", "summary": "scanned"}],
                "generator": {"engine": {"name": "plimsoll", "version": env!("CARGO_PKG_VERSION")}},
            },
        },
    });
    if by_vulnerability.is_empty() {
        document["document"]["notes"] =
            json!([{"category": "summary", "text": "Nothing is said of any vulnerability."}]);
        return document;
    }
    document["product_tree"] = product_tree(&named, sbom, header.product);
    document["vulnerabilities"] = by_vulnerability
        .iter()
        .map(|(id, claims)| vulnerability(id, claims))
        .collect();
    document
}

/// The image, its packages, and the packages as its parts.
fn product_tree(named: &BTreeSet<u32>, sbom: &Sbom, image: &str) -> Value {
    let product = |id: &str, name: &str, purl: &str| {
        let mut product = json!({"product_id": id, "name": some(name)});
        if is_plain(purl) {
            product["product_identification_helper"] = json!({"purl": purl});
        }
        product
    };
    let packages = named.iter().map(|&index| (index, &sbom.packages[index as usize]));
    let mut products = vec![product(IMAGE, image, image)];
    let mut relationships = Vec::new();
    for (index, package) in packages {
        let name = format!("{} {}", package.name, package.version);
        products.push(product(&format!("package:{index}"), &name, &package.purl));
        relationships.push(json!({
            "category": "default_component_of",
            "full_product_name": {"product_id": part(index), "name": format!("{name} in {image}")},
            "product_reference": format!("package:{index}"),
            "relates_to_product_reference": IMAGE,
        }));
    }
    json!({"full_product_names": products, "relationships": relationships})
}

const IMAGE: &str = "image";

fn part(index: u32) -> String {
    format!("{IMAGE}:package:{index}")
}

/// The schema allows no empty text.
fn some(text: &str) -> &str {
    if text.trim().is_empty() { "unknown" } else { text }
}

/// Whether the schema and the validators of package URLs take it.
fn is_plain(purl: &str) -> bool {
    purl.bytes().all(|byte| byte.is_ascii_graphic()) && Purl::parse(purl).is_ok()
}

/// The status list, the category of remediation, and what is said there, for each of a vulnerability's claims.
fn vulnerability(id: &str, claims: &[&VexClaim<'_>]) -> Value {
    let details = &claims[0].one.vulnerability;
    let summary = if details.summary.trim().is_empty() {
        id
    } else {
        &details.summary
    };
    let mut found = json!({"notes": [{"category": "description", "text": some(summary)}]});
    let mut ids: Vec<&str> = unique(&details.aliases);
    ids.retain(|alias| *alias != id);
    match crate::feed::is_cve(id) {
        true => found["cve"] = json!(id),
        false => ids.insert(0, some(id)),
    }
    ids.retain(|text| !text.trim().is_empty());
    if !ids.is_empty() {
        let ids = ids
            .into_iter()
            .map(|text| json!({"system_name": "advisory", "text": text}));
        found["ids"] = ids.collect();
    }
    let mut status: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut remediations, mut threats, mut flags) = (Vec::new(), Vec::new(), Vec::new());
    for claim in claims {
        let product = part(claim.one.package);
        let list = match claim.status {
            VexStatus::Affected => "known_affected",
            VexStatus::NotAffected => "known_not_affected",
            VexStatus::Fixed => "fixed",
            VexStatus::UnderInvestigation => "under_investigation",
        };
        match claim.status {
            VexStatus::Affected => {
                let category = match claim.one.fix_state {
                    FixState::Fixed => "vendor_fix",
                    FixState::WillNotFix | FixState::EndOfLife => "no_fix_planned",
                    _ => "none_available",
                };
                let remediation = json!({"category": category, "details": claim.action(), "product_ids": [product]});
                remediations.push(remediation);
            }
            VexStatus::NotAffected => {
                threats.push(json!({"category": "impact", "details": claim.reason(), "product_ids": [product]}));
                if let Some(label) = claim.justification_word() {
                    flags.push(json!({"label": label, "product_ids": [product]}));
                }
            }
            VexStatus::Fixed | VexStatus::UnderInvestigation => {}
        }
        status.entry(list).or_default().push(product);
    }
    found["product_status"] = json!(status);
    for (name, list) in [("remediations", remediations), ("threats", threats), ("flags", flags)] {
        if !list.is_empty() {
            found[name] = Value::Array(list);
        }
    }
    found
}
