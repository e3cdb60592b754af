//! One placed event: profile check, rules, alert.

use std::sync::Arc;

use plimsoll_model::{Event, EventKind, ExecutableOrigin, Phase, Reason};
use plimsoll_policy::{Context, Deviation, Judgement, judge};
use plimsoll_rules::{Observation, Rule};

use super::{Observed, Output, Pipeline, guard::refused_without_reason};
use crate::{
    alert::{Material, alerting, draft},
    phase::Placed,
    raw::Verdict,
    state::Seen,
};

impl Pipeline {
    /// An event of a container's process.
    pub(super) fn check_in(&mut self, id: &Arc<str>, seen: Seen, out: &mut Vec<Output>) {
        let Some(sandbox) = self.sandboxes.get_mut(id) else {
            return;
        };
        let verdict = seen.verdict;
        let has_happened = verdict != Some(Verdict::Refused);
        let Placed { phase, entry, cause } = match has_happened {
            true => sandbox.advance(&seen),
            false => sandbox.peek(&seen),
        };
        let image = sandbox.image.clone();
        let mut event = seen.event;
        event.container = Some(Arc::clone(&sandbox.container));
        event.phase = phase;
        let judgement = image.as_ref().filter(|_| is_judged(&event)).map(|image| {
            let context = Context {
                files: &image.files,
                entry,
                before: seen.before,
            };
            judge(&image.profile, &event, context)
        });
        if let (Some(observed), Some(judgement)) = (&mut self.observed, &judgement) {
            observed.push(Observed {
                event: event.clone(),
                judgement: judgement.clone(),
            });
        }
        if let (Some(logbook), Some(image), true) = (&mut self.logbook, &image, has_happened) {
            let news = logbook.note(image, &event, judgement.as_ref());
            out.extend(news.map(Output::Notice));
        }
        let deviations = match judgement {
            Some(Judgement::Deviates(deviations)) => deviations,
            _ => Vec::new(),
        };
        let origin = sandbox.origin(&event.process);
        let against = Against {
            deviations,
            has_profile: image.is_some(),
            origin: origin.as_ref(),
            verdict,
        };
        let Some((number, is_tree)) = self.conclude(&event, against, cause) else {
            if verdict.is_some() {
                out.push(Output::Notice(refused_without_reason(&event)));
            }
            return;
        };
        if let (Some(logbook), Some(image)) = (&mut self.logbook, &image) {
            logbook.trouble(image, &event);
        }
        if is_tree
            && has_happened
            && let Some(sandbox) = self.sandboxes.get_mut(id)
        {
            sandbox.blame(event.process.key, number);
        }
    }

    /// An event of a process that is in no container: rules only.
    pub(super) fn on_host(&mut self, seen: &Seen) {
        if seen.event.sequence > 0 {
            self.conclude(&seen.event, Against::default(), None);
        }
    }

    fn conclude(&mut self, event: &Event, against: Against<'_>, cause: Option<u64>) -> Option<(u64, bool)> {
        let Against {
            deviations,
            has_profile,
            origin,
            verdict,
        } = against;
        if let Some(placed) = &mut self.placed {
            placed.push(event.clone());
        }
        self.meter.saw(event);
        let reasons: Vec<Reason> = deviations.iter().map(Deviation::reason).collect();
        let (node, rules) = (Arc::clone(&self.setup.node), Arc::clone(&self.setup.rules));
        let accounts = self.setup.accounts.clone();
        let observation = Observation {
            event,
            deviations: &reasons,
            origin: origin.map(|origin| &**origin),
            has_profile,
            node: &node,
            host_accounts: accounts.as_deref(),
        };
        let mut fired: Vec<&Rule> = Vec::new();
        rules.evaluate(&observation, &mut |rule| fired.push(rule));
        fired.iter().for_each(|rule| self.meter.matched(rule.name()));
        let deviations = alerting(deviations);
        if deviations.is_empty() && fired.is_empty() {
            return None;
        }
        let lost_events = self.lost_before(event.time_ns);
        let material = Material {
            event,
            deviations: &deviations,
            rules: &fired,
            observation: &observation,
            origin,
            node: &node,
            boot_id: &self.setup.boot_id,
            boot_offset_ns: self.setup.boot_offset_ns,
            lost_events,
            verdict,
            inside_ancestors: self.inside_ancestors(event),
        };
        let draft = draft(&material)?;
        let is_tree = draft.is_tree;
        let before = self.told.len();
        let number = self.causes.raise(draft, cause, &mut self.told);
        self.counts.followed += u64::from(self.told.len() == before);
        Some((number, is_tree))
    }

    fn inside_ancestors(&self, event: &Event) -> Option<usize> {
        let sandbox = self.sandboxes.get(event.container.as_ref()?.id.as_str())?;
        let ancestors = event.process.lineage().skip(1);
        Some(ancestors.take_while(|ancestor| sandbox.holds(ancestor)).count())
    }
}

/// What is known against an event before rules are asked.
#[derive(Default)]
struct Against<'a> {
    deviations: Vec<Deviation>,
    has_profile: bool,
    origin: Option<&'a Arc<ExecutableOrigin>>,
    verdict: Option<Verdict>,
}

/// The profile speaks of programs of the container; what the runtime does while it sets the container up is its own,
/// and a process whose program was lost cannot be held to anything.
fn is_judged(event: &Event) -> bool {
    let knows_program = match &event.kind {
        EventKind::Exec { previous, .. } => {
            !previous.exe.is_empty() || event.phase.is_some_and(|phase| phase != Phase::Serving)
        }
        _ => !event.process.exe.is_empty(),
    };
    // That a connection failed is told after it was asked for, and that was judged. A refusal is told once.
    // An open that failed has done nothing.
    let is_outcome = matches!(
        event.kind,
        EventKind::Connect { error, .. } | EventKind::Open { error, .. } if error < 0 && error != -libc::EPERM
    );
    knows_program && event.phase.is_some() && !is_outcome
}
