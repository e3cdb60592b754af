//! Matches and what makers say of exploitability (VEX) in; what stands, what was waived and why, what was not used out.

mod claim;
mod csaf;
mod cyclonedx;
mod openvex;

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;
use plimsoll_model::{Match, Sbom};
use serde_json::Value;

use crate::limits::{MAX_VEX_BYTES, MAX_VEX_STATEMENTS};
use crate::purl::Purl;
pub use claim::{VexClaim, VexHeader, vex_claims};
pub use csaf::write_csaf_vex;
pub use cyclonedx::write_cyclonedx_vex;
pub use openvex::{has_openvex_statement, write_openvex};

/// A document of one of the formats, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexDocument {
    /// What it is called in reports: its file's name.
    pub name: String,
    /// In the document's order.
    pub statements: Vec<VexStatement>,
}

/// What a document says of one vulnerability in some products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexStatement {
    /// All ids of the vulnerability.
    pub vulnerabilities: Vec<String>,
    /// Package URLs (or names of images) of the products, each with the components that are meant; none: the product itself.
    pub products: Vec<(String, Vec<String>)>,
    /// What is said.
    pub status: VexStatus,
    /// A word such as `vulnerable_code_not_present`; empty when none is given.
    pub justification: String,
    /// Prose, hostile text; may be empty.
    pub impact: String,
    /// RFC 3339 time of the statement; empty when not stated.
    pub timestamp: String,
}

/// The four statuses that all formats know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VexStatus {
    /// The product does not suffer from it.
    NotAffected,
    /// The product suffers from it.
    Affected,
    /// The product contains a fix.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// A match that a statement takes away.
#[derive(Debug, Clone, PartialEq)]
pub struct Suppressed {
    /// The match as it was.
    pub one: Match,
    /// Name of the document.
    pub document: String,
    /// The statement.
    pub statement: VexStatement,
}

/// What documents make of matches.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VexOutcome {
    /// What stands, in its old order.
    pub matches: Vec<Match>,
    /// What was taken away, with the reason.
    pub suppressed: Vec<Suppressed>,
    /// Statements that would have taken something away and had nothing to: `<document>: <vulnerability> in <product>`.
    pub unused: Vec<String>,
}

/// Reads an OpenVEX, CSAF or CycloneDX document. An error is the reason, as a lower-case fragment: a document that
/// cannot be read waives nothing.
pub fn read_vex(name: &str, bytes: &[u8]) -> Result<VexDocument, String> {
    if bytes.len() > MAX_VEX_BYTES {
        return Err(format!("it is longer than {MAX_VEX_BYTES} bytes"));
    }
    let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let is_openvex = text(&document, "@context").starts_with("https://openvex.dev/ns");
    let statements = if is_openvex {
        openvex::read(&document)?
    } else if document.pointer("/document/csaf_version").is_some() {
        csaf::read(&document)?
    } else if text(&document, "bomFormat") == "CycloneDX" {
        cyclonedx::read(&document)?
    } else {
        return Err("it is neither OpenVEX nor CSAF nor CycloneDX".to_owned());
    };
    if statements.len() > MAX_VEX_STATEMENTS {
        return Err(format!("it has more than {MAX_VEX_STATEMENTS} statements"));
    }
    let is_bare = |one: &&VexStatement| {
        one.status == VexStatus::NotAffected && one.justification.is_empty() && one.impact.is_empty()
    };
    if let Some(bare) = statements.iter().find(is_bare) {
        return Err(format!(
            "it says without a reason that something is not affected by {}",
            bare.vulnerabilities.join(", ")
        ));
    }
    Ok(VexDocument {
        name: name.to_owned(),
        statements,
    })
}

/// Takes away the matches that the newest statement about them calls fixed or not affected. A statement is about a match
/// if it names the vulnerability by any of its ids and the package by its package URL, alone or as a component of a
/// product that the image is or contains. `image_names` are the image's own names: its reference, its `pkg:oci` URL.
pub fn apply_vex(matches: Vec<Match>, sbom: &Sbom, image_names: &[String], documents: &[VexDocument]) -> VexOutcome {
    let purls: Vec<Option<Purl>> = sbom
        .packages
        .iter()
        .map(|package| Purl::parse(&package.purl).ok())
        .collect();
    let scope = Scope {
        purls: &purls,
        image_names,
    };
    let mut statements: Vec<(&VexDocument, &VexStatement, bool)> = documents
        .iter()
        .flat_map(|document| {
            document
                .statements
                .iter()
                .map(move |statement| (document, statement, false))
        })
        .collect();
    // The newest first, one without a time last; of equally new ones the later in the documents' order.
    statements.reverse();
    statements.sort_by_cached_key(|(_, statement, _)| Reverse(statement.timestamp.parse::<Timestamp>().ok()));
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, (_, statement, _)) in statements.iter().enumerate() {
        for name in &statement.vulnerabilities {
            by_name.entry(name).or_default().push(index);
        }
    }
    let mut outcome = VexOutcome::default();
    for one in matches {
        let names = std::iter::once(&one.vulnerability.id).chain(&one.vulnerability.aliases);
        let indexes = names.filter_map(|name| by_name.get(name.as_str())).flatten();
        let newest = indexes
            .filter(|&&index| scope.is_about(statements[index].1, &one))
            .min();
        match newest.map(|&index| &mut statements[index]) {
            Some((document, statement, is_used)) if statement.takes_away() => {
                *is_used = true;
                outcome.suppressed.push(Suppressed {
                    one,
                    document: document.name.clone(),
                    statement: (*statement).clone(),
                });
            }
            _ => outcome.matches.push(one),
        }
    }
    let unused = statements
        .iter()
        .filter(|(_, statement, is_used)| !is_used && statement.takes_away());
    outcome.unused = unused
        .map(|(document, statement, _)| {
            let products: Vec<&str> = statement.products.iter().map(|(product, _)| product.as_str()).collect();
            let vulnerability = statement.vulnerabilities.first().map_or("", String::as_str);
            format!("{}: {vulnerability} in {}", document.name, products.join(", "))
        })
        .collect();
    outcome.unused.sort_unstable();
    outcome
}

impl VexStatement {
    fn takes_away(&self) -> bool {
        matches!(self.status, VexStatus::NotAffected | VexStatus::Fixed)
    }
}

/// What an image is and contains.
struct Scope<'a> {
    purls: &'a [Option<Purl>],
    image_names: &'a [String],
}

impl Scope<'_> {
    /// Whether a statement, which names the match's vulnerability, means its package.
    fn is_about(&self, statement: &VexStatement, one: &Match) -> bool {
        let package = self.purls.get(one.package as usize).and_then(Option::as_ref);
        let is_package = |text: &str| {
            let wanted = Purl::parse(text).ok();
            wanted
                .zip(package)
                .is_some_and(|(wanted, package)| wanted.covers(package))
        };
        statement.products.iter().any(|(product, components)| {
            if components.is_empty() {
                is_package(product) || self.is_image(product)
            } else {
                self.has(product) && components.iter().any(|component| is_package(component))
            }
        })
    }

    fn is_image(&self, product: &str) -> bool {
        let wanted = Purl::parse(product).ok();
        self.image_names.iter().any(|name| {
            let own = Purl::parse(name).ok();
            name == product
                || wanted
                    .as_ref()
                    .zip(own)
                    .is_some_and(|(wanted, own)| wanted.covers(&own))
        })
    }

    fn has(&self, product: &str) -> bool {
        let wanted = Purl::parse(product).ok();
        self.is_image(product) || wanted.is_some_and(|wanted| self.purls.iter().flatten().any(|own| wanted.covers(own)))
    }
}

/// A member that is a string; empty when it is not.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a member that is a list.
fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
