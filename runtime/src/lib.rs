//! Kernel events in, alerts out: sensors, state, container identity, profile and rule checks, sinks.

pub mod agent;
mod alert;
pub mod capture;
pub mod confine;
pub mod enforce;
#[doc(hidden)]
pub mod fuzzing;
pub mod identity;
pub mod images;
mod limits;
mod load;
pub mod logbook;
pub mod meter;
pub mod output;
mod phase;
mod pipeline;
pub mod raw;
pub mod read;
mod reason;
#[cfg(test)]
mod scene;
pub mod sensor;
pub mod sink;
pub mod snapshot;
mod state;
pub mod wire;
