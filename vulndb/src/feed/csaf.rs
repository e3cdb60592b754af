//! Red Hat's advisories and its records of CVEs as CSAF 2.0 (<https://security.access.redhat.com/data/csaf/v2/>, profiles
//! `csaf_security_advisory` and `csaf_vex`): one document in, one record out.

mod tree;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::{FixState, Severity};
use serde::Deserialize;

use self::tree::{Component, Products};
use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve, is_of_module, one_line, severity_word};
use crate::cvss;
use crate::limits::{MAX_AFFECTED_PER_RECORD, MAX_ALIASES, MAX_CSAF_BYTES};
use crate::version::{Rpm, Scheme as _};

/// CSAF as Red Hat publishes it.
pub(super) struct Csaf;

/// The only publisher whose product trees are known here.
const RED_HAT: &str = "https://www.redhat.com";

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    document: Head<'a>,
    #[serde(borrow, default)]
    product_tree: tree::Tree<'a>,
    #[serde(borrow, default)]
    vulnerabilities: Vec<Vulnerability<'a>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Cow<'a, str>,
    aggregate_severity: Option<Text<'a>>,
    publisher: Publisher<'a>,
    tracking: Tracking<'a>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Publisher<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Tracking<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    current_release_date: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Vulnerability<'a> {
    #[serde(borrow, default)]
    cve: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Cow<'a, str>,
    #[serde(borrow, default)]
    product_status: Statuses<'a>,
    #[serde(borrow, default)]
    remediations: Vec<Remediation<'a>>,
    #[serde(borrow, default)]
    scores: Vec<Score<'a>>,
    #[serde(borrow, default)]
    threats: Vec<Threat<'a>>,
}

#[derive(Deserialize, Default)]
struct Statuses<'a> {
    #[serde(borrow, default)]
    fixed: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    known_affected: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    known_not_affected: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    under_investigation: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Remediation<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Cow<'a, str>,
    #[serde(borrow, default)]
    product_ids: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Score<'a> {
    #[serde(borrow)]
    cvss_v4: Option<Cvss<'a>>,
    #[serde(borrow)]
    cvss_v3: Option<Cvss<'a>>,
    #[serde(borrow)]
    cvss_v2: Option<Cvss<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss<'a> {
    #[serde(borrow, default)]
    vector_string: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Threat<'a> {
    #[serde(borrow, default)]
    category: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Cow<'a, str>,
    /// Empty: all of them.
    #[serde(borrow, default)]
    product_ids: Vec<Cow<'a, str>>,
}

impl Feed for Csaf {
    fn name(&self) -> &'static str {
        "csaf"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        file_name.ends_with(".json") && has(b"\"csaf_version\"") && has(b"\"document\"")
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn max_document_bytes(&self) -> usize {
        MAX_CSAF_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let document: Document<'_> = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let head = &document.document;
        if head.publisher.namespace.trim_end_matches('/') != RED_HAT {
            return Err(format!(
                "`{}` is no known publisher",
                one_line(&head.publisher.namespace)
            ));
        }
        let mut record = Record::new("redhat", checked("id", &head.tracking.id)?, Vec::new());
        record.modified = head.tracking.current_release_date.trim().replace("+00:00", "Z");
        match head.category.as_ref() {
            "csaf_vex" if is_cve(&record.id) => {
                record.summary = document
                    .vulnerabilities
                    .first()
                    .map_or_else(String::new, |one| one_line(&one.title));
            }
            "csaf_security_advisory" => {
                record.summary = one_line(&head.title);
                let cves = document.vulnerabilities.iter().map(|one| one.cve.to_string());
                record.fixes = cves.filter(|cve| is_cve(cve)).collect();
                record.fixes.sort_unstable();
                record.fixes.dedup();
                if record.fixes.len() > MAX_ALIASES {
                    return Err(format!("more than {MAX_ALIASES} vulnerabilities"));
                }
                // An update of bugs alone is none of a vulnerability.
                if record.fixes.is_empty() {
                    return Ok(());
                }
            }
            other => {
                return Err(format!(
                    "`{}` is no profile that says what is affected",
                    one_line(other)
                ));
            }
        }
        let impacts = document.vulnerabilities.iter().flat_map(|one| &one.threats);
        let impact = impacts
            .filter(|threat| threat.category == "impact")
            .map(|threat| &threat.details);
        let aggregate = head.aggregate_severity.as_ref().map(|severity| &severity.text);
        // The document's own word is the highest of those of its vulnerabilities.
        let word = aggregate.into_iter().chain(impact).next();
        record.severity = word.map(|word| severity_word(word.trim())).unwrap_or_default();
        let scores = document.vulnerabilities.iter().flat_map(|one| &one.scores);
        let vectors = scores.flat_map(|score| score.cvss_v4.iter().chain(&score.cvss_v3).chain(&score.cvss_v2));
        record.cvss = cvss::newest(vectors.map(|cvss| cvss.vector_string.as_ref()));
        let products = document.product_tree.products()?;
        let mut rows = Rows {
            aggregate: record.severity,
            ..Rows::default()
        };
        for vulnerability in &document.vulnerabilities {
            rows.add(vulnerability, &products)?;
        }
        record.affected = rows.finish();
        batch.records.push(record);
        Ok(())
    }
}

/// Release, package and module.
type About = (String, String, Option<String>);

/// What is said of each package, once: the same holds for every processor.
#[derive(Default)]
struct Rows {
    fixed: BTreeSet<(About, String)>,
    open: BTreeMap<About, FixState>,
    unaffected: BTreeSet<About>,
    /// Where it is not that of the whole.
    severities: BTreeMap<About, Severity>,
    aggregate: Severity,
}

impl Rows {
    fn add(&mut self, vulnerability: &Vulnerability<'_>, products: &Products<'_>) -> Result<(), String> {
        let status = &vulnerability.product_status;
        self.add_severities(&vulnerability.threats, products)?;
        for component in found(&status.fixed, products) {
            // Without a version nobody could say what is fixed.
            let Some(version) = component.version.clone() else {
                continue;
            };
            self.fixed.insert((about(&component, Some(&version))?, version));
        }
        let planned = planned(&vulnerability.remediations);
        for id in &status.known_affected {
            if let Some(component) = products.component(id) {
                let state = planned.get(id.as_ref()).copied().unwrap_or(FixState::Affected);
                self.open.insert(about(&component, None)?, state);
            }
        }
        for component in found(&status.under_investigation, products) {
            self.open
                .entry(about(&component, None)?)
                .or_insert(FixState::UnderInvestigation);
        }
        for component in found(&status.known_not_affected, products) {
            self.unaffected.insert(about(&component, component.version.as_deref())?);
        }
        if self.fixed.len() + self.open.len() + self.unaffected.len() > MAX_AFFECTED_PER_RECORD {
            return Err(format!("more than {MAX_AFFECTED_PER_RECORD} affected ranges"));
        }
        Ok(())
    }

    /// Red Hat's severity of a package in one release may be another than that of the vulnerability.
    fn add_severities(&mut self, threats: &[Threat<'_>], products: &Products<'_>) -> Result<(), String> {
        for threat in threats.iter().filter(|threat| threat.category == "impact") {
            let severity = severity_word(threat.details.trim());
            if severity == self.aggregate || severity == Severity::Unknown {
                continue;
            }
            for component in found(&threat.product_ids, products) {
                let about = about(&component, component.version.as_deref())?;
                let known = self.severities.entry(about).or_insert(severity);
                *known = severity.max(*known);
            }
        }
        Ok(())
    }

    /// What has a fix, lowest first; then what has none; then what is not affected at all.
    fn finish(mut self) -> Vec<Affected> {
        let has_fix: BTreeSet<About> = self.fixed.iter().map(|(about, _)| about.clone()).collect();
        self.unaffected
            .retain(|about| !has_fix.contains(about) && !self.open.contains_key(about));
        // A package that a later minor release fixes is open in an earlier one under the same name.
        self.open.retain(|about, _| !has_fix.contains(about));
        let mut fixed: Vec<(About, String)> = self.fixed.into_iter().collect();
        fixed.sort_by(|(about, version), (other, later)| {
            let order = || Rpm.compare(version, later).unwrap_or_else(|_| version.cmp(later));
            about.cmp(other).then_with(order)
        });
        let severity = |about: &About| self.severities.get(about).copied().unwrap_or_default();
        let fixed = fixed.into_iter().map(|(about, version)| Affected {
            fixed: Some(version),
            severity: severity(&about),
            ..row(about, FixState::Fixed)
        });
        let open = self.open.into_iter().map(|(about, state)| Affected {
            severity: severity(&about),
            ..row(about, state)
        });
        let unaffected = self.unaffected.into_iter();
        let unaffected = unaffected.map(|about| row(about, FixState::NotAffected));
        fixed.chain(open).chain(unaffected).collect()
    }
}

fn found<'p>(ids: &'p [Cow<'_, str>], products: &'p Products<'_>) -> impl Iterator<Item = Component> + 'p {
    ids.iter().filter_map(|id| products.component(id))
}

fn about(component: &Component, version: Option<&str>) -> Result<About, String> {
    let module = match &component.module {
        Some(module) => Some(checked("module", module)?),
        None => version.is_some_and(is_of_module).then(String::new),
    };
    let name = checked("package name", &component.package)?;
    Ok((format!("Red Hat:{}", component.release), name, module))
}

fn row((ecosystem, package, module): About, state: FixState) -> Affected {
    Affected {
        state,
        module,
        ..Affected::new(&ecosystem, &package)
    }
}

/// Product id → why there is no fix.
fn planned<'a>(remediations: &'a [Remediation<'_>]) -> HashMap<&'a str, FixState> {
    let mut planned = HashMap::new();
    for remediation in remediations {
        let state = match (remediation.category.as_ref(), remediation.details.as_ref()) {
            ("no_fix_planned", "Out of support scope") => FixState::EndOfLife,
            ("no_fix_planned", _) => FixState::WillNotFix,
            ("none_available", "Fix deferred") => FixState::Deferred,
            _ => continue,
        };
        planned.extend(remediation.product_ids.iter().map(|id| (id.as_ref(), state)));
    }
    planned
}

#[cfg(test)]
mod tests;
