//! What came of an image's acts: the nouns of the table.

use super::{observed::Agreement, suite::Kind, watch::Told};

/// One image's run.
#[derive(Debug, Clone, Default)]
pub struct ImageOutcome {
    /// Its name, with that of the folder of foreign files.
    pub name: String,
    /// Its own name alone.
    pub image: String,
    /// Figures of its profile.
    pub profile: ProfileFigures,
    /// Its acts in order, normal work first.
    pub acts: Vec<ActOutcome>,
    /// Operations that make an hour of usual work.
    pub operations_per_hour: u64,
    /// How well the profile foretold what was observed.
    pub agreement: Agreement,
    /// Why the run ended before its end; `None` when it did not.
    pub failure: Option<String>,
}

/// A profile in numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileFigures {
    /// Facts that are about this image: without those that hold for every program.
    pub facts: usize,
    /// Of these, of confidence A.
    pub sure: usize,
    /// Denials.
    pub denials: usize,
    /// Pairs of verb and phase that are judged.
    pub judged: usize,
    /// Packs that contributed.
    pub packs: Vec<String>,
    /// Time to derive it, milliseconds.
    pub build_ms: f64,
    /// Size as JSON, bytes.
    pub size_bytes: usize,
}

/// What came of one act.
#[derive(Debug, Clone)]
pub struct ActOutcome {
    /// Suite and step.
    pub name: String,
    /// Normal work or attack.
    pub kind: Kind,
    /// What became of it.
    pub verdict: Verdict,
    /// Alerts told meanwhile: title, priority and what was observed.
    pub alerts: Vec<String>,
    /// How many of them were new, not more of a known one.
    pub new_alerts: usize,
    /// From the act's time in the kernel to the line on the agent's output, milliseconds; of the first new alert.
    pub latency_ms: Option<f64>,
    /// Operations that were done.
    pub operations: u64,
    /// What it answered, for errors.
    pub answer: String,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Normal work, done in silence.
    Silent,
    /// Normal work that raised an alert.
    FalseAlert,
    /// An attack that was flagged.
    Flagged,
    /// An attack that was carried out and not flagged, or not for what it is.
    Missed,
    /// The target refused the attack and nothing happened that the kernel would see.
    Refused,
    /// It stays within the server: the kernel has nothing to show for it. With the reason.
    Unseen(String),
    /// A kernel could show it, and it is no alert by design. With the reason.
    Unjudged(String),
    /// It cannot be done here. With the reason.
    NotRun(String),
    /// The suite itself did not work: normal work failed.
    Broken,
}

impl Verdict {
    /// In a word or two.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::FalseAlert => "FALSE ALERT",
            Self::Flagged => "flagged",
            Self::Missed => "MISSED",
            Self::Refused => "refused by the target",
            Self::Unseen(_) => "nothing to see",
            Self::Unjudged(_) => "not judged",
            Self::NotRun(_) => "not run",
            Self::Broken => "BROKEN",
        }
    }
}

impl ActOutcome {
    /// Notes alerts that came while it was done.
    pub(super) fn note(&mut self, told: &[Told]) {
        self.new_alerts = told.iter().filter(|told| !told.is_again).count();
        self.alerts = told
            .iter()
            .map(|told| {
                let alert = &told.alert;
                let more = if told.is_again { ", again" } else { "" };
                format!("{} ({}{more}): {}", alert.rule, alert.priority, alert.summary)
            })
            .collect();
        self.alerts.dedup();
        self.latency_ms = told
            .iter()
            .find(|told| !told.is_again)
            .map(|told| milliseconds(told.arrived_ns.saturating_sub(told.alert.time_ns)));
    }
}

impl ImageOutcome {
    /// Whether it is of the suite's own files, not of a foreign folder.
    pub fn is_own(&self) -> bool {
        self.name == self.image
    }

    /// Acts of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &ActOutcome> {
        self.acts.iter().filter(move |act| act.kind == kind)
    }

    /// Acts that came to this.
    pub fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.acts.iter().filter(|act| is(&act.verdict)).count()
    }

    /// What became of each case, a line each.
    pub fn lines(&self) -> Vec<String> {
        let line = |act: &ActOutcome| {
            let kind = match act.kind {
                Kind::Benign => "work",
                Kind::Attacks => "attack",
            };
            let told: Vec<&str> = act
                .alerts
                .iter()
                .filter_map(|alert| alert.split("): ").next())
                .collect();
            let why = match &act.verdict {
                Verdict::Unseen(reason) | Verdict::Unjudged(reason) | Verdict::NotRun(reason) => reason.clone(),
                Verdict::Refused | Verdict::Missed | Verdict::Broken if told.is_empty() => {
                    act.answer.lines().next().unwrap_or_default().chars().take(80).collect()
                }
                _ if told.is_empty() => String::new(),
                _ => format!("{})", told.join("); ")),
            };
            let latency = act.latency_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default();
            let (name, verdict) = (&act.name, act.verdict.as_str());
            let line = format!("{}\t{kind}\t{name}\t{verdict}\t{latency}\t{why}", self.name);
            line.trim_end().to_owned()
        };
        let failure = self
            .failure
            .iter()
            .map(|why| format!("{}: ended early: {why}", self.name));
        self.acts.iter().map(line).chain(failure).collect()
    }

    /// What went wrong, a line each; empty when normal work was silent and every attack was flagged.
    pub fn complaints(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.failure.iter().map(|why| format!("{}: {why}", self.name)).collect();
        for act in &self.acts {
            let what = match act.verdict {
                Verdict::FalseAlert => "false alert",
                Verdict::Missed => "missed attack",
                Verdict::Broken => "broken step",
                _ => continue,
            };
            let told = act.alerts.join(" | ");
            let answer: String = act.answer.chars().take(400).collect();
            lines.push(format!("{} {}: {what}: {told} [{answer}]", self.name, act.name));
        }
        lines
    }
}

/// Nanoseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// All outcomes in one line.
pub fn total(outcomes: &[ImageOutcome]) -> String {
    let acts = |kind: Kind| outcomes.iter().map(|one| one.of(kind).count()).sum::<usize>();
    let verdicts = |wanted: &str| {
        let all = outcomes.iter().flat_map(|one| &one.acts);
        all.filter(|act| act.verdict.as_str() == wanted).count()
    };
    let failures = outcomes.iter().filter(|one| one.failure.is_some()).count();
    format!(
        "total: {} steps of normal work: {} false alerts, {} broken; {} attacks: {} flagged, {} missed, {} not judged, {} refused \
         by the target, {} with nothing to see, {} not run; {failures} containers ended early",
        acts(Kind::Benign),
        verdicts("FALSE ALERT"),
        verdicts("BROKEN"),
        acts(Kind::Attacks),
        verdicts("flagged"),
        verdicts("MISSED"),
        verdicts("not judged"),
        verdicts("refused by the target"),
        verdicts("nothing to see"),
        verdicts("not run"),
    )
}
