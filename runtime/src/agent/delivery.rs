//! The thread that writes alerts and notices.

use std::sync::mpsc::Receiver;

use plimsoll_model::Alert;

use crate::sink::Sink;

/// What is to be written.
pub(super) enum Parcel {
    Alert(Box<Alert>),
    Changed(Box<Alert>),
    Notice(String),
}

/// Writes until the other end is closed. Gives the number of writes that failed; the first of each sink is a notice.
pub(super) fn deliver(
    parcels: &Receiver<Parcel>,
    mut sinks: Vec<Box<dyn Sink>>,
    mut notice: Box<dyn FnMut(&str) + Send>,
) -> u64 {
    let mut failed = 0;
    let mut has_said = vec![false; sinks.len()];
    for parcel in parcels {
        if let Parcel::Notice(text) = &parcel {
            notice(text);
            continue;
        }
        for (sink, has_said) in sinks.iter_mut().zip(&mut has_said) {
            let result = match &parcel {
                Parcel::Alert(alert) => sink.alert(alert),
                Parcel::Changed(alert) => sink.changed(alert),
                Parcel::Notice(_) => Ok(()),
            };
            if let Err(error) = result {
                failed += 1;
                if !std::mem::replace(has_said, true) {
                    notice(&format!("an alert could not be written: {error}"));
                }
            }
        }
    }
    failed
}
