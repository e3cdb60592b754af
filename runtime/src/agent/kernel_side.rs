//! The kernel's side of policies: what the pipeline says of processes in, entries of maps out; counts back.

use std::time::{Duration, Instant};

use plimsoll_rules::RuleSet;

use crate::{
    enforce::{Enforcement, Guard, Old, Tables, Tallies},
    pipeline::{Output, Telling},
    read::{Eyes, Filter, GuardOptions},
    sensor::{Plan, SensorError},
};

/// An earlier agent's refusals stay this long, until ours are in place: containers that run are known by then.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// Tables in the kernel, if there is anything to put there.
#[derive(Default)]
pub(super) struct KernelSide {
    tables: Option<Tables>,
    old: Option<(Instant, Old)>,
    tallies: Tallies,
    /// What tables counted that were replaced.
    before: Tallies,
    /// Policies that the kernel did not take.
    failed: u64,
    is_failure_told: bool,
}

/// `is_recording`: a capture is to hold what another profile or other rules might ask for, so that everything is told.
pub(super) fn guard(rules: &RuleSet, enforcement: Option<Enforcement>, is_recording: bool) -> Option<Guard> {
    let writes = Some(rules.write_paths()).filter(|_| !is_recording);
    let guard = Guard::new(writes, enforcement);
    (!guard.is_idle()).then_some(guard)
}

/// Attaches the sensors, and what keeps and enforces policies where there may be some. Refusals of an agent that is no more
/// end: at once, or when ours outlive us too, once they are in place.
pub(super) fn open(
    plan: &Plan,
    filter: &Filter,
    guard: Option<Guard>,
) -> Result<(Eyes, KernelSide, Option<Guard>), SensorError> {
    let mut old = Old::find();
    let Some(guard) = guard else {
        old.release();
        return Ok((super::watch::open(plan, filter)?, KernelSide::default(), None));
    };
    let enforcement = guard.enforcement();
    let outlives_agent = enforcement.is_some_and(|enforcement| enforcement.outlives_agent);
    let options = GuardOptions {
        told_names: guard.told_names(),
        refuse: enforcement
            .filter(|enforcement| enforcement.may_refuse())
            .map(|enforcement| enforcement.instead),
        outlives_agent,
    };
    let (eyes, tables) = Eyes::open_guarded(plan, filter, &options)?;
    if !outlives_agent {
        old.release();
    }
    let side = KernelSide {
        tables: Some(tables),
        old: Some((Instant::now(), old)),
        ..KernelSide::default()
    };
    Ok((eyes, side, Some(guard)))
}

impl KernelSide {
    /// Hands one message over.
    pub(super) fn tell(&mut self, telling: Telling) {
        let Some(tables) = &mut self.tables else { return };
        let result = match telling {
            Telling::Process(key, exec_id, Some(policy)) => tables.set_process(key, exec_id, &policy),
            Telling::Process(key, _, None) => {
                tables.forget_process(key);
                Ok(())
            }
            Telling::Container(cgroup_id, namespace, Some(policy)) => {
                tables.set_container(cgroup_id, namespace, &policy)
            }
            Telling::Container(cgroup_id, _, None) => {
                tables.forget_container(cgroup_id);
                Ok(())
            }
        };
        if let Err(error) = result {
            tracing::warn!(%error, "policy not handed to the kernel");
            self.failed += 1;
        }
    }

    /// To be called now and then.
    pub(super) fn tick(&mut self, out: &mut Vec<Output>) {
        if self.old.as_ref().is_some_and(|(since, _)| since.elapsed() > TAKE_OVER)
            && let Some((_, mut old)) = self.old.take()
        {
            old.release();
        }
        let before = self.tallies;
        let now = self.tallies();
        self.tallies = now;
        if is_news(before.would_refuse, now.would_refuse) {
            out.push(Output::Notice(format!(
                "{} acts would have been refused so far, were that enforced",
                now.would_refuse
            )));
        }
        if (self.failed > 0 || now.uninherited > 0) && !self.is_failure_told {
            self.is_failure_told = true;
            out.push(Output::Notice(
                "the kernel's tables are full: some processes are held to their container's policy alone".to_owned(),
            ));
        }
    }

    /// Counts so far.
    pub(super) fn tallies(&self) -> Tallies {
        let counted = self.tables.as_ref().and_then(|tables| tables.tallies().ok());
        counted.map_or(self.tallies, |counted| self.before.plus(counted))
    }

    /// New tables take the place of these; what these have counted stays counted.
    pub(super) fn replace(&mut self, new: Self) {
        let before = self.tallies();
        *self = Self {
            before,
            tallies: before,
            failed: self.failed,
            is_failure_told: self.is_failure_told,
            ..new
        };
    }
}

/// The first one is told, and every power of ten.
fn is_news(before: u64, now: u64) -> bool {
    before.checked_ilog10() != now.checked_ilog10() && now > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_ever_more_rarely() {
        let told: Vec<u64> = (1..=1_000).filter(|now| is_news(now - 1, *now)).collect();
        assert_eq!(told, [1, 10, 100, 1_000]);
        assert!(!is_news(0, 0));
    }
}
