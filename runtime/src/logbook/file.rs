//! The logbook's files: read at the start, written now and then on a thread of their own, and at the end.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    thread::{self, JoinHandle},
    time::Instant,
};

use plimsoll_model::{Usage, schema};
use plimsoll_policy::ObservedLog;
use serde::{Serialize, de::DeserializeOwned};

use super::{Logbook, LogbookOptions};
use crate::{
    limits::{MAX_LOGBOOK_BYTES, SAVE_LOGBOOK_EVERY},
    output::write_whole,
};

/// Writes a logbook down.
#[derive(Debug)]
pub(crate) struct Saver {
    options: LogbookOptions,
    saved_at: Instant,
    writing: Option<JoinHandle<Vec<String>>>,
}

/// What there is to write.
struct Documents {
    usage: Option<Usage>,
    observed: Option<ObservedLog>,
}

impl Saver {
    /// Opens the files; what cannot be read is begun anew, and said.
    pub(crate) fn open(options: LogbookOptions, node: &str, goes_on: bool) -> (Self, Logbook, Vec<String>) {
        let mut notices = Vec::new();
        let (mut usage, mut observed) = (None, None);
        if goes_on {
            usage = read::<Usage>(
                options.usage.as_deref(),
                |found| found.schema == schema::USAGE,
                &mut notices,
            );
            let is_known = |found: &ObservedLog| found.schema == schema::OBSERVED;
            observed = read::<ObservedLog>(options.learn.as_deref(), is_known, &mut notices);
        }
        let logbook = Logbook::new(node, options.learn.is_some(), usage, observed);
        let saver = Self {
            options,
            saved_at: Instant::now(),
            writing: None,
        };
        (saver, logbook, notices)
    }

    /// Whether it is time to write again, and the last writing is done.
    pub(crate) fn is_due(&self) -> bool {
        self.saved_at.elapsed() >= SAVE_LOGBOOK_EVERY && self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Begins to write; what went wrong the last time comes back.
    pub(crate) fn save(&mut self, logbook: &Logbook) -> Vec<String> {
        self.saved_at = Instant::now();
        let said = self.settle();
        let (options, documents) = (self.options.clone(), self.documents(logbook));
        let started = thread::Builder::new()
            .name("logbook".to_owned())
            .spawn(move || write(&options, &documents));
        self.writing = started.ok();
        said
    }

    /// Writes for the last time, and waits for it.
    pub(crate) fn finish(mut self, logbook: &Logbook) -> Vec<String> {
        let mut said = self.settle();
        said.extend(write(&self.options, &self.documents(logbook)));
        said
    }

    fn documents(&self, logbook: &Logbook) -> Documents {
        Documents {
            usage: self.options.usage.as_ref().map(|_| logbook.usage()),
            observed: self.options.learn.as_ref().map(|_| logbook.observed()),
        }
    }

    fn settle(&mut self) -> Vec<String> {
        let writing = self.writing.take();
        writing.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

fn write(options: &LogbookOptions, documents: &Documents) -> Vec<String> {
    let usage = options.usage.as_deref().zip(documents.usage.as_ref());
    let observed = options.learn.as_deref().zip(documents.observed.as_ref());
    let results = [
        usage.map(|(path, usage)| (path, write_one(path, usage))),
        observed.map(|(path, observed)| (path, write_one(path, observed))),
    ];
    let failed = results.into_iter().flatten().filter_map(|(path, result)| {
        let error = result.err()?;
        Some(format!("{} is not written: {error}", path.display()))
    });
    failed.collect()
}

fn write_one(path: &Path, document: &impl Serialize) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(document)?)
}

fn read<T: DeserializeOwned>(
    path: Option<&Path>,
    is_known: impl Fn(&T) -> bool,
    notices: &mut Vec<String>,
) -> Option<T> {
    let path = path?;
    let found = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
        Ok(file) => parse(file, is_known),
    };
    match found {
        Ok(found) => Some(found),
        Err(reason) => {
            // What is there may be somebody's: it is kept under another name.
            let mut aside = path.as_os_str().to_owned();
            aside.push(".unreadable");
            let _ = fs::rename(path, &aside);
            notices.push(format!(
                "{} cannot be gone on with ({reason}): it is begun anew, and what was there is kept as {}",
                path.display(),
                Path::new(&aside).display()
            ));
            None
        }
    }
}

fn parse<T: DeserializeOwned>(file: fs::File, is_known: impl Fn(&T) -> bool) -> Result<T, String> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_LOGBOOK_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_LOGBOOK_BYTES {
        return Err(format!("it is over {MAX_LOGBOOK_BYTES} bytes"));
    }
    let found: T = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    match is_known(&found) {
        true => Ok(found),
        false => Err("its schema is not this version's".to_owned()),
    }
}
