//! Rules over the facts of one scanned image, and waivers, in; a [`Verdict`] out.

use jiff::civil::Date;
use plimsoll_model::{Decision, Match, ScanReport, Verdict, VerdictReason};
use plimsoll_rules::{
    AdmissionObservation, Diagnostic, DiagnosticSeverity, ImageObservation, ImageSubject, Rule, RuleFile, RuleSet,
    Source,
};

use crate::{
    limits,
    waiver::{Subject, Waiver},
};

/// A policy, ready to judge.
#[derive(Debug)]
pub struct Policy {
    name: String,
    rules: RuleSet,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Its rule files have errors.
    #[error("load policy {name}: {}", list(.diagnostics))]
    Rules {
        /// Which policy.
        name: String,
        /// All that is to be said of its files.
        diagnostics: Vec<Diagnostic>,
    },
    /// No enabled rule has an `action`: it would let everything go.
    #[error("load policy {name}: no rule has an `action` of stop, warn or go")]
    DecidesNothing {
        /// Which policy.
        name: String,
    },
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == DiagnosticSeverity::Error);
    let lines: Vec<String> = errors
        .take(limits::MAX_LISTED_DIAGNOSTICS)
        .map(|found| format!("{}:{}: {}", found.file, found.line, found.message))
        .collect();
    lines.join("; ")
}

/// What a judgement depends on besides policy and report.
#[derive(Debug, Clone, Copy)]
pub struct VerdictContext<'a> {
    /// Exceptions.
    pub waivers: &'a [Waiver],
    /// Today, UTC: waivers end.
    pub today: Date,
    /// Age of the vulnerability data in whole days; `None` when it is not known.
    pub data_age_days: Option<u64>,
}

const SHIPPED_NAME: &str = "default";
const SHIPPED: &str = include_str!("../../rules/content/policy/default.yaml");

impl Policy {
    /// Loads a policy from rule files; gives warnings beside it.
    ///
    /// # Errors
    /// When a file has errors or no rule decides anything.
    pub fn load(name: &str, files: &[RuleFile]) -> Result<(Self, Vec<Diagnostic>), PolicyError> {
        let loaded = RuleSet::load(files).map_err(|diagnostics| PolicyError::Rules {
            name: name.to_owned(),
            diagnostics,
        })?;
        let decides = |rule: &Rule| rule.is_enabled() && rule.action().is_some();
        if !loaded.rules.rules().iter().any(decides) {
            return Err(PolicyError::DecidesNothing { name: name.to_owned() });
        }
        let policy = Self {
            name: name.to_owned(),
            rules: loaded.rules,
        };
        Ok((policy, loaded.diagnostics))
    }

    /// The rule file of [`Self::shipped`], for policies that add to it.
    pub fn shipped_file() -> RuleFile {
        RuleFile {
            name: "policy/default.yaml".to_owned(),
            text: SHIPPED.to_owned(),
        }
    }

    /// The policy that Plimsoll ships.
    pub fn shipped() -> Self {
        Self::load(SHIPPED_NAME, &[Self::shipped_file()])
            .expect("a test loads the shipped policy")
            .0
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its enabled rules.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.rules().iter().filter(|rule| rule.is_enabled())
    }

    /// Calls `fired` for every `admission` rule that is true of a request.
    pub(crate) fn evaluate_admission(&self, observation: &AdmissionObservation<'_>, fired: &mut dyn FnMut(&Rule)) {
        self.rules.evaluate_admission(observation, &mut |rule| fired(rule));
    }

    /// Judges one image. At most [`limits::MAX_VERDICT_REASONS`] reasons are listed; all of them count.
    pub fn judge(&self, report: &ScanReport, context: VerdictContext<'_>) -> Verdict {
        let current: Vec<&Waiver> = context
            .waivers
            .iter()
            .filter(|waiver| waiver.is_for(&report.image) && waiver.is_current(context.today))
            .collect();
        let mut reasons = Vec::new();
        for subject in self.subjects(report) {
            let observation = ImageObservation {
                report,
                subject,
                data_age_days: context.data_age_days,
            };
            self.rules.evaluate_image(&observation, &mut |rule| {
                if let Some(decision) = rule.action() {
                    reasons.push(reason(rule, decision, &observation, &current));
                }
            });
        }
        self.conclude(reasons, report, context)
    }

    fn conclude(&self, mut reasons: Vec<VerdictReason>, report: &ScanReport, context: VerdictContext<'_>) -> Verdict {
        let counts = |reason: &&VerdictReason| reason.waived_by.is_none();
        let decision = reasons
            .iter()
            .filter(counts)
            .map(|reason| reason.decision)
            .max()
            .unwrap_or(Decision::Go);
        let is_used = |waiver: &Waiver| {
            reasons
                .iter()
                .any(|reason| reason.waived_by.as_ref() == Some(&waiver.id))
        };
        let unused_waivers = context
            .waivers
            .iter()
            .filter(|waiver| waiver.is_for(&report.image) && !is_used(waiver))
            .map(|waiver| waiver.id.clone())
            .collect();
        // Stable: within a decision the report's own order stays, worst vulnerability first.
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.decision), reason.waived_by.is_some()));
        reasons.truncate(limits::MAX_VERDICT_REASONS);
        Verdict {
            decision,
            policy: self.name.clone(),
            reasons,
            unused_waivers,
        }
    }

    /// Everything of an image that a rule of this policy may judge.
    fn subjects<'r>(&self, report: &'r ScanReport) -> Vec<ImageSubject<'r>> {
        let has = |sources: &[Source]| {
            self.rules
                .rules()
                .iter()
                .any(|rule| rule.is_enabled() && sources.contains(&rule.source()))
        };
        let mut subjects = vec![ImageSubject::Image, ImageSubject::Profile];
        if has(&[Source::Vulnerability]) {
            subjects.extend(report.matches.iter().flatten().map(ImageSubject::Vulnerability));
        }
        if has(&[Source::Package]) {
            subjects.extend(report.sbom.packages.iter().map(ImageSubject::Package));
        }
        if has(&[Source::File]) {
            subjects.extend(report.files.iter().map(ImageSubject::File));
        }
        if has(&[Source::Secret, Source::Finding]) {
            subjects.extend(report.findings.iter().map(ImageSubject::Finding));
        }
        subjects
    }
}

fn reason(rule: &Rule, decision: Decision, observation: &ImageObservation<'_>, waivers: &[&Waiver]) -> VerdictReason {
    let text = describe(observation);
    let subject = Subject {
        text: &text,
        names: names(observation),
    };
    let waiver = waivers.iter().find(|waiver| waiver.covers(rule.name(), subject));
    let output = rule.image_output(observation);
    let message = if output.is_empty() {
        rule.description().to_owned()
    } else {
        output
    };
    VerdictReason {
        decision,
        rule: rule.name().to_owned(),
        message,
        waived_by: waiver.map(|waiver| waiver.id.clone()),
        subject: text,
    }
}

fn package_of<'r>(report: &'r ScanReport, found: &Match) -> Option<&'r plimsoll_model::Package> {
    report.sbom.packages.get(found.package as usize)
}

fn describe(observation: &ImageObservation<'_>) -> String {
    match observation.subject {
        ImageSubject::Image => observation.report.image.reference.clone(),
        ImageSubject::Profile => format!("profile of {}", observation.report.image.reference),
        ImageSubject::Package(package) => format!("{} {}", package.name, package.version),
        ImageSubject::Vulnerability(found) => match package_of(observation.report, found) {
            Some(package) => format!("{} in {} {}", found.vulnerability.id, package.name, package.version),
            None => found.vulnerability.id.clone(),
        },
        ImageSubject::File(file) => file.path.clone(),
        ImageSubject::Finding(finding) => match &finding.path {
            Some(path) => format!("{} in {path}", finding.check),
            None => finding.check.clone(),
        },
    }
}

fn names<'o>(observation: &ImageObservation<'o>) -> [Option<&'o str>; 2] {
    match observation.subject {
        ImageSubject::Vulnerability(found) => {
            let package = package_of(observation.report, found).map(|package| package.name.as_str());
            [Some(found.vulnerability.id.as_str()), package]
        }
        ImageSubject::Package(package) => [Some(package.name.as_str()), None],
        ImageSubject::Finding(finding) => [Some(finding.check.as_str()), finding.path.as_deref()],
        ImageSubject::Image | ImageSubject::Profile | ImageSubject::File(_) => [None, None],
    }
}

#[cfg(test)]
mod tests;
