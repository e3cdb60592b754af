//! The thread that judges: what sensors, identities and rule changes bring in, parcels for delivery out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use plimsoll_model::Note;

use super::{
    AgentError, Input, Summary,
    clock::Clock,
    delivery::{Delivered, Delivery, Parcel},
    kernel_side::KernelSide,
    open::boot_offset_ns_now,
    record,
    reload::NewRules,
};
use crate::{
    alert::Told,
    limits::MAX_OUTPUTS,
    logbook::{Logbook, Saver},
    output::SharedVitals,
    pipeline::{Output, Pipeline},
    sensor::WITHOUT_CGROUPS,
    snapshot::RawProcess,
};

/// The pipeline is woken at least this often, to tell what is due.
const TICK: Duration = Duration::from_millis(20);
/// Heartbeats and readings show a state of this age at most.
const VITALS: Duration = Duration::from_secs(1);
/// Events may be this long on their way from the kernel.
const SLACK_NS: u64 = 20_000_000;

/// The thread that judges, and what it holds.
pub(super) struct Run {
    pub(super) pipeline: Pipeline,
    pub(super) parcels: SyncSender<Parcel>,
    delivery: JoinHandle<Delivered>,
    pub(super) out: Vec<Output>,
    pub(super) clock: Clock,
    pub(super) undelivered: u64,
    pub(super) vitals: SharedVitals,
    vitals_at: Instant,
    pub(super) kernel: KernelSide,
    pub(super) pulse: Option<Box<dyn FnMut() + Send>>,
    saver: Option<Saver>,
}

impl Run {
    pub(super) fn start(
        pipeline: Pipeline,
        delivery: Delivery,
        boot_offset_ns: u64,
        vitals: SharedVitals,
    ) -> Result<Self, AgentError> {
        let (parcels, receiver) = sync_channel(MAX_OUTPUTS);
        let shared = vitals.clone();
        let delivery = thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || delivery.run(&receiver, &shared.depths().parcels))
            .map_err(AgentError::Thread)?;
        Ok(Self {
            pipeline,
            parcels,
            delivery,
            out: Vec::new(),
            clock: Clock::start(boot_offset_ns, boot_offset_ns_now),
            undelivered: 0,
            vitals,
            vitals_at: Instant::now(),
            kernel: KernelSide::default(),
            pulse: None,
            saver: None,
        })
    }

    /// What is written down from now on.
    pub(super) fn open_logbook(&mut self, opened: Option<(Saver, Logbook, Vec<String>)>) {
        let Some((saver, logbook, notices)) = opened else {
            return;
        };
        self.saver = Some(saver);
        self.pipeline.logbook = Some(logbook);
        self.out.extend(notices.into_iter().map(Output::Notice));
    }

    /// Writes down what images use and what may be learned, and lets outputs know.
    fn keep_logbook(&mut self) {
        let (Some(saver), Some(logbook)) = (&mut self.saver, &mut self.pipeline.logbook) else {
            return;
        };
        if logbook.take_urgency() || saver.is_due() {
            let said = saver.save(logbook);
            self.out.extend(said.into_iter().map(Output::Notice));
            self.vitals.lock().usage = Arc::new(logbook.usage().images);
        }
    }

    /// Writes it down for the last time.
    pub(super) fn close_logbook(&mut self) {
        if let (Some(saver), Some(logbook)) = (self.saver.take(), &self.pipeline.logbook) {
            let said = saver.finish(logbook);
            self.out.extend(said.into_iter().map(Output::Notice));
        }
    }

    /// Lets outputs know how the agent is.
    fn note_vitals(&mut self) {
        if self.vitals_at.elapsed() < VITALS {
            return;
        }
        self.vitals_at = Instant::now();
        self.keep_logbook();
        self.kernel.tick(&mut self.out);
        self.out.extend(self.clock.look().map(Output::Notice));
        if let Some(pulse) = &mut self.pulse {
            pulse();
        }
        self.write_vitals();
    }

    /// What others read.
    pub(super) fn write_vitals(&self) {
        let containers = self.pipeline.running().collect();
        let (processes, waiting) = self.pipeline.load();
        let mut vitals = self.vitals.lock();
        vitals.meter = self.pipeline.meter.clone();
        vitals.processes = processes as u64;
        vitals.waiting = waiting as u64;
        vitals.counts = self.pipeline.counts();
        vitals.undelivered = self.undelivered;
        vitals.containers = containers;
    }

    pub(super) fn say_notes(&mut self, notes: &[Note]) {
        for note in notes {
            self.out
                .push(Output::Notice(format!("scan report {}: {}", note.subject, note.detail)));
        }
    }

    /// Ends when the watcher has drained the ring buffer and closed its end.
    fn loop_until_closed(
        &mut self,
        inputs: &Receiver<Input>,
        mut recorder: Option<&mut record::Recorder>,
    ) -> Result<(), AgentError> {
        loop {
            match inputs.recv_timeout(TICK) {
                Ok(Input::Batch(batch)) if batch.is_empty() => return Ok(()),
                Ok(Input::Batch(batch)) => {
                    self.vitals.depths().batches.leave();
                    let mut last_ns = 0;
                    for event in batch {
                        last_ns = event.time_ns.max(last_ns);
                        if let Some(recorder) = &mut recorder {
                            recorder.event(&event);
                        }
                        self.pipeline.push(event, &mut self.out);
                    }
                    // While there is more to read, the stream's own clock counts: what is late must not look missing.
                    self.pipeline
                        .tick(last_ns.saturating_add(self.clock.offset_ns), &mut self.out);
                }
                Ok(Input::Answer(cgroup_id, answer)) => self.pipeline.answer(cgroup_id, *answer, &mut self.out),
                Ok(Input::Failed(error)) => return Err(error.into()),
                Ok(Input::Rules(new)) => self.change_rules(*new),
                Ok(Input::RulesRefused(why)) => self.pipeline.refuse_rules(&why, &mut self.out),
                Err(RecvTimeoutError::Timeout) => self
                    .pipeline
                    .tick(self.clock.steady_ns().saturating_sub(SLACK_NS), &mut self.out),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.flush(recorder.as_deref_mut())?;
            self.note_vitals();
        }
    }

    /// Judges until the sensors' thread closes, then tells what is left.
    pub(super) fn until_the_end(
        mut self,
        inputs: Receiver<Input>,
        watcher: JoinHandle<()>,
        mut recorder: Option<record::Recorder>,
        stop: &AtomicBool,
    ) -> Result<Summary, AgentError> {
        let result = self.loop_until_closed(&inputs, recorder.as_mut());
        stop.store(true, Ordering::Relaxed);
        drop(inputs);
        let _ = watcher.join();
        self.pipeline.finish(&mut self.out);
        self.close_logbook();
        let recorded = self.flush(recorder.as_mut());
        let finished = recorder.map_or(Ok(()), |recorder| recorder.finish(&self.pipeline));
        let summary = self.end();
        result.and(recorded).and(finished)?;
        Ok(summary)
    }

    /// Takes in what is there already.
    pub(super) fn seed(
        &mut self,
        cgroups: impl IntoIterator<Item = (u64, String)>,
        processes: Vec<RawProcess>,
        mut recorder: Option<&mut record::Recorder>,
    ) {
        let mut is_any = false;
        for (cgroup_id, path) in cgroups {
            is_any = true;
            self.pipeline.know(cgroup_id, path, &mut self.out);
        }
        if !is_any {
            self.out.push(Output::Notice(WITHOUT_CGROUPS.to_owned()));
        }
        for process in processes {
            if let Some(recorder) = &mut recorder {
                recorder.process(&process);
            }
            self.pipeline.seed(process, &mut self.out);
        }
    }

    fn change_rules(&mut self, new: NewRules) {
        let guard = new.kernel.map(|(kernel, guard)| {
            self.kernel.replace(kernel);
            guard
        });
        self.pipeline.change_rules(new.rules, guard, &mut self.out);
    }

    /// Hands over what came out. A sink that is slower than the alerts blocks nobody: what does not fit is counted.
    fn flush(&mut self, mut recorder: Option<&mut record::Recorder>) -> Result<(), AgentError> {
        for output in self.out.drain(..) {
            if let (Output::Identified(container), Some(recorder)) = (&output, &mut recorder) {
                recorder.container((**container).clone())?;
            }
            if let Output::Telling(telling) = output {
                self.kernel.tell(telling);
                continue;
            }
            let Some(parcel) = parcel(output, &self.clock) else {
                continue;
            };
            match self.parcels.try_send(parcel) {
                Ok(()) => self.vitals.depths().parcels.enter(),
                Err(_) => self.undelivered += 1,
            }
        }
        recorder.map_or(Ok(()), |recorder| recorder.settle(&self.pipeline))
    }

    pub(super) fn end(self) -> Summary {
        drop(self.parcels);
        let delivered = self.delivery.join().unwrap_or_default();
        Summary {
            counts: self.pipeline.counts(),
            undelivered: self.undelivered + delivered.failed,
            outputs: delivered.outputs,
            tallies: self.kernel.tallies(),
            is_capture_damaged: false,
        }
    }
}

/// What leaves the pipeline's thread of an output.
pub(super) fn parcel(output: Output, clock: &Clock) -> Option<Parcel> {
    match output {
        Output::Told(Told::New(mut alert)) => {
            clock.correct(&mut alert);
            Some(Parcel::Alert(alert))
        }
        Output::Told(Told::Changed(mut alert)) => {
            clock.correct(&mut alert);
            Some(Parcel::Changed(alert))
        }
        Output::Notice(text) => Some(Parcel::Notice(text)),
        Output::Identified(_) | Output::Telling(_) => None,
    }
}
