//! One alert per cause: drafts in, news out. What a process does that should not run at all, and what its children do,
//! follows from the alert about it; the same act again is counted; a file that is written and run at once is one act.
//!
//! A consequence that is more urgent than its alert is news of its own. All times are the events': a replay decides alike.

use std::collections::HashMap;

use plimsoll_model::{Alert, FollowUp, Reason};
use plimsoll_rules::Priority;

use super::{CauseKey, Draft};
use crate::limits::{
    ALERT_OPEN_NS, ALERT_QUIET_NS, MAX_FOLLOW_UPS, MAX_OPEN_ALERTS, MAX_OPEN_PER_TITLE, UPDATE_AFTER_NS, WRITE_HOLD_NS,
};

/// What is to be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// A new alert.
    New(Box<Alert>),
    /// An alert that was told already, with more follow-ups or a higher count.
    Changed(Box<Alert>),
}

#[derive(Debug)]
struct Open {
    alert: Alert,
    priority: Priority,
    key: CauseKey,
    opened_ns: u64,
    touched_ns: u64,
    has_changed: bool,
}

/// All open alerts.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    open: HashMap<u64, Open>,
    by_key: HashMap<CauseKey, u64>,
    held: Vec<(u64, Draft)>,
    last: u64,
}

impl Causes {
    /// Takes a draft. `cause` is the alert that its process is a consequence of. Gives the number of the alert that the
    /// draft became part of.
    pub(crate) fn raise(&mut self, draft: Draft, cause: Option<u64>, told: &mut Vec<Told>) -> u64 {
        let now_ns = draft.alert.time_ns;
        self.tell_held(now_ns, told);
        let live = |number: &u64| self.open.get(number).is_some_and(|open| open.takes(now_ns));
        if let Some(number) = cause.filter(live)
            && self
                .open
                .get(&number)
                .is_some_and(|open| open.priority <= draft.priority)
        {
            self.follow(number, &draft);
            return number;
        }
        if let Some(number) = self.by_key.get(&draft.key).copied().filter(live) {
            self.repeat(number, now_ns);
            return number;
        }
        if let Some(number) = self.crowded(&draft, now_ns) {
            self.follow(number, &draft);
            return number;
        }
        self.last += 1;
        if draft.written.is_some() {
            self.held.push((self.last, draft));
        } else {
            let draft = self.with_write_before(draft);
            self.open(self.last, draft, told);
        }
        self.last
    }

    /// Tells what has waited long enough at this time of the stream, and closes what is over.
    pub(crate) fn advance(&mut self, now_ns: u64, told: &mut Vec<Told>) {
        self.tell_held(now_ns, told);
        let mut over = Vec::new();
        for (number, open) in &mut self.open {
            if open.has_changed && open.touched_ns.saturating_add(UPDATE_AFTER_NS) <= now_ns {
                open.has_changed = false;
                told.push(Told::Changed(Box::new(open.alert.clone())));
            }
            if !open.takes(now_ns) {
                over.push(*number);
            }
        }
        for number in over {
            self.close(number, told);
        }
    }

    /// Tells everything: the stream has ended.
    pub(crate) fn finish(&mut self, told: &mut Vec<Told>) {
        self.tell_held(u64::MAX, told);
        let mut numbers: Vec<u64> = self.open.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            self.close(number, told);
        }
    }

    fn tell_held(&mut self, now_ns: u64, told: &mut Vec<Told>) {
        while let Some(at) = self
            .held
            .iter()
            .position(|(_, draft)| draft.alert.time_ns.saturating_add(WRITE_HOLD_NS) < now_ns)
        {
            let (number, draft) = self.held.remove(at);
            // The same folder may have been written twice while the first was held.
            match self.by_key.get(&draft.key).copied() {
                Some(first) => self.repeat(first, draft.alert.time_ns),
                None => self.open(number, draft, told),
            }
        }
    }

    /// The file that is run now was written a moment ago: one act, the run says more.
    fn with_write_before(&mut self, mut draft: Draft) -> Draft {
        let is_first_half = |held: &Draft| {
            held.key.container == draft.key.container
                && held.written.as_ref().is_some_and(|path| draft.run.contains(path))
        };
        while let Some(at) = self.held.iter().position(|(_, held)| is_first_half(held)) {
            let (_, held) = self.held.remove(at);
            draft.alert.count += held.alert.count;
            draft.alert.reasons.extend(held.alert.reasons);
        }
        draft
    }

    fn open(&mut self, number: u64, draft: Draft, told: &mut Vec<Told>) {
        if self.open.len() >= MAX_OPEN_ALERTS
            && let Some(oldest) = self
                .open
                .iter()
                .min_by_key(|(_, open)| open.touched_ns)
                .map(|(number, _)| *number)
        {
            self.close(oldest, told);
        }
        told.push(Told::New(Box::new(draft.alert.clone())));
        self.by_key.insert(draft.key.clone(), number);
        let now_ns = draft.alert.time_ns;
        self.open.insert(
            number,
            Open {
                alert: draft.alert,
                priority: draft.priority,
                key: draft.key,
                opened_ns: now_ns,
                touched_ns: now_ns,
                has_changed: false,
            },
        );
    }

    fn close(&mut self, number: u64, told: &mut Vec<Told>) {
        let Some(open) = self.open.remove(&number) else { return };
        if self.by_key.get(&open.key) == Some(&number) {
            self.by_key.remove(&open.key);
        }
        if open.has_changed {
            told.push(Told::Changed(Box::new(open.alert)));
        }
    }

    fn follow(&mut self, number: u64, draft: &Draft) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.touch(draft.alert.time_ns);
        if open.alert.follow_ups.len() < MAX_FOLLOW_UPS {
            open.alert.follow_ups.push(FollowUp {
                time_ns: draft.alert.time_ns,
                observed: draft.alert.observed.clone(),
                rules: draft.alert.reasons.iter().map(title_of).collect(),
            });
        }
    }

    fn repeat(&mut self, number: u64, now_ns: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.touch(now_ns);
        }
    }

    /// The newest of so many alerts of this title in this container that one more would be a storm.
    fn crowded(&self, draft: &Draft, now_ns: u64) -> Option<u64> {
        let alike = self.open.iter().filter(|(_, open)| {
            open.key.container == draft.key.container && open.key.title == draft.key.title && open.takes(now_ns)
        });
        let numbers: Vec<u64> = alike.map(|(number, _)| *number).collect();
        (numbers.len() >= MAX_OPEN_PER_TITLE)
            .then(|| numbers.into_iter().max())
            .flatten()
    }
}

impl Open {
    fn takes(&self, now_ns: u64) -> bool {
        self.touched_ns.saturating_add(ALERT_QUIET_NS) > now_ns && self.opened_ns.saturating_add(ALERT_OPEN_NS) > now_ns
    }

    fn touch(&mut self, now_ns: u64) {
        self.alert.count += 1;
        self.touched_ns = self.touched_ns.max(now_ns);
        self.has_changed = true;
    }
}

fn title_of(reason: &Reason) -> String {
    match reason {
        Reason::Deviation { kind, .. } => kind.clone(),
        Reason::Rule { name, .. } => name.clone(),
    }
}

#[cfg(test)]
mod tests;
