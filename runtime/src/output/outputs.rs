//! All outputs of an agent: opened, fed through the spool, ended.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

use plimsoll_model::Alert;

use super::{
    ALL, Context, Kind, Notices, Output, OutputError, OutputOptions, OutputSummary, ReportDesk, SharedVitals,
    driver::Driver,
    spool::{Shared, Spool},
};
use crate::limits::MAX_NOTICES;

/// See the module.
pub(crate) struct Outputs {
    spool: Spool,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    count: usize,
    is_ending: Arc<AtomicBool>,
    notices: Receiver<String>,
    vitals: SharedVitals,
    has_said_full: bool,
}

impl Outputs {
    /// Opens what was asked for and starts it; `None` when nothing was.
    ///
    /// # Errors
    /// An output cannot work as it was asked for, or the spool cannot be opened.
    pub(crate) fn start(
        options: &OutputOptions,
        node: &str,
        vitals: &SharedVitals,
        reports: &Arc<ReportDesk>,
    ) -> Result<Option<Self>, OutputError> {
        let (sender, notices) = sync_channel(MAX_NOTICES);
        let context = Context {
            options,
            node,
            vitals: vitals.clone(),
            notices: Notices(sender),
            reports: Arc::clone(reports),
        };
        let mut opened: Vec<(&'static str, Box<dyn Output>)> = Vec::new();
        for kind in ALL {
            if let Some(output) = kind.open(&context)? {
                opened.push((kind.name(), output));
            }
        }
        if opened.is_empty() {
            return Ok(None);
        }
        let names: Vec<&'static str> = opened.iter().map(|(name, _)| *name).collect();
        let folder = options.state.join("spool");
        let (spool, notes) = Spool::open(&folder, options.pace, &names).map_err(|source| OutputError::Spool {
            folder: folder.display().to_string(),
            source,
        })?;
        notes.into_iter().for_each(|note| context.notices.say(note));
        let mut outputs = Self {
            shared: spool.shared(),
            spool,
            threads: Vec::new(),
            count: opened.len(),
            is_ending: Arc::default(),
            notices,
            vitals: vitals.clone(),
            has_said_full: false,
        };
        for (position, (name, output)) in opened.into_iter().enumerate() {
            let driver = Driver {
                name,
                position,
                output,
                shared: Arc::clone(&outputs.shared),
                pace: options.pace,
                notices: context.notices.clone(),
                is_ending: Arc::clone(&outputs.is_ending),
            };
            let thread = thread::Builder::new()
                .name(format!("out-{name}"))
                .spawn(move || driver.run())
                .map_err(OutputError::Thread)?;
            outputs.threads.push(thread);
        }
        Ok(Some(outputs))
    }

    /// Appends an alert to the spool.
    pub(crate) fn tell(&mut self, kind: Kind, alert: &Alert, notice: &mut dyn FnMut(&str)) {
        let result = self.spool.append(kind, alert);
        self.say_disk(result, notice);
    }

    /// Does what is due: tells the disk to keep what was appended, and people what outputs have to say.
    pub(crate) fn care(&mut self, notice: &mut dyn FnMut(&str)) {
        let result = self.spool.sync();
        self.say_disk(result, notice);
        self.pass_notices(notice);
        let (outputs, spool_bytes) = (self.summaries(), self.shared.bytes());
        let mut vitals = self.vitals.lock();
        vitals.outputs = outputs;
        vitals.spool_bytes = spool_bytes;
    }

    /// Waits until everything was taken, for as long as outputs may take; the rest stays on disk.
    pub(crate) fn finish(mut self, notice: &mut dyn FnMut(&str)) -> Vec<OutputSummary> {
        let result = self.spool.sync();
        self.say_disk(result, notice);
        self.is_ending.store(true, Ordering::Relaxed);
        self.shared.wake_all();
        for thread in std::mem::take(&mut self.threads) {
            let _ = thread.join();
        }
        self.pass_notices(notice);
        self.summaries()
    }

    fn summaries(&self) -> Vec<OutputSummary> {
        (0..self.count).map(|output| self.shared.summary(output)).collect()
    }

    fn pass_notices(&self, notice: &mut dyn FnMut(&str)) {
        for text in self.notices.try_iter() {
            notice(&text);
        }
    }

    fn say_disk(&mut self, result: io::Result<()>, notice: &mut dyn FnMut(&str)) {
        match result {
            Ok(()) => self.has_said_full = false,
            Err(error) if !std::mem::replace(&mut self.has_said_full, true) => {
                notice(&format!(
                    "the spool cannot be written: {error}; alerts are kept in memory until it can"
                ));
            }
            Err(_) => {}
        }
    }
}
