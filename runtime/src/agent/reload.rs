//! New rules while the agent runs: rule sets in; rules, and the sensors that they need, out. New sensors are attached before
//! old ones go, and rules that cannot be had leave what runs as it is.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
    thread,
};

use plimsoll_rules::{RuleSet, WritePaths};

use super::{Input, kernel_side, kernel_side::KernelSide, vitals_of};
use crate::{
    enforce::{Enforcement, Guard},
    output::SharedVitals,
    read::{Eyes, Filter},
    sensor::{Kernel, Needs, SensorError, plan},
};

/// What is to happen to the rules of a running agent.
#[derive(Debug)]
pub enum RuleChange {
    /// These replace them.
    Rules(Box<RuleSet>),
    /// There are new ones, and they cannot be used: those that run stay. Why, on one line.
    Refused(String),
}

/// Rules for the pipeline, and what comes with them.
pub(super) struct NewRules {
    pub(super) rules: Arc<RuleSet>,
    /// New tables in the kernel and who fills them, where sensors had to change.
    pub(super) kernel: Option<(KernelSide, Option<Guard>)>,
    /// The new sensors; the sensors' thread keeps them.
    pub(super) eyes: Option<Eyes>,
}

/// What rules ask of the kernel side.
#[derive(Debug, PartialEq, Eq)]
struct Demand {
    needs: Needs,
    filter: Filter,
    writes: WritePaths,
}

impl Demand {
    fn of(rules: &RuleSet) -> Self {
        Self {
            needs: Needs::wanted_by(rules.wants()),
            filter: Filter::for_rules(rules),
            writes: rules.write_paths(),
        }
    }
}

/// Takes rule changes.
pub(super) struct Reloader {
    demand: Demand,
    enforcement: Option<Enforcement>,
    is_recording: bool,
    inputs: SyncSender<Input>,
    /// To the sensors' thread, which knows what happened before.
    given: SyncSender<NewRules>,
    vitals: SharedVitals,
}

impl Reloader {
    /// `inputs` leads to the pipeline, `given` to the sensors' thread.
    pub(super) fn new(
        rules: &RuleSet,
        enforcement: Option<Enforcement>,
        inputs: SyncSender<Input>,
        given: SyncSender<NewRules>,
        vitals: SharedVitals,
    ) -> Self {
        Self {
            demand: Demand::of(rules),
            enforcement,
            is_recording: false,
            inputs,
            given,
            vitals,
        }
    }

    /// Whether a capture is made, for which everything is told.
    pub(super) fn recording(self, is_recording: bool) -> Self {
        Self { is_recording, ..self }
    }

    /// Starts the thread. It ends when nobody can change rules any more, or the agent has ended.
    pub(super) fn start(mut self, changes: Receiver<RuleChange>) -> io::Result<()> {
        let run = move || {
            for change in changes {
                let result = match change {
                    RuleChange::Rules(rules) => self.take(*rules),
                    RuleChange::Refused(why) => Err(why),
                };
                let is_heard = match result {
                    Ok(new) => self.given.send(new).is_ok(),
                    Err(why) => self.inputs.send(Input::RulesRefused(why)).is_ok(),
                };
                if !is_heard {
                    return;
                }
            }
        };
        thread::Builder::new().name("rules".to_owned()).spawn(run).map(drop)
    }

    fn take(&mut self, rules: RuleSet) -> Result<NewRules, String> {
        let demand = Demand::of(&rules);
        let (kernel, eyes) = match demand == self.demand {
            true => (None, None),
            false => {
                let opened = self.open(&rules, &demand);
                let (eyes, kernel) =
                    opened.map_err(|error| format!("sensors for them cannot be had: failed to {error}"))?;
                (Some(kernel), Some(eyes))
            }
        };
        self.demand = demand;
        Ok(NewRules {
            rules: Arc::new(rules),
            kernel,
            eyes,
        })
    }

    fn open(&self, rules: &RuleSet, demand: &Demand) -> Result<(Eyes, (KernelSide, Option<Guard>)), SensorError> {
        let plan = plan(&demand.needs, &Kernel::probe());
        let guard = kernel_side::guard(rules, self.enforcement.clone(), self.is_recording);
        let (eyes, kernel, guard) = kernel_side::open(&plan, &demand.filter, guard)?;
        let fresh = vitals_of(&plan).lock().clone();
        let mut vitals = self.vitals.lock();
        vitals.blind_spots = fresh.blind_spots;
        vitals.sensors = fresh.sensors;
        Ok((eyes, (kernel, guard)))
    }
}
