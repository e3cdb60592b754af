//! Kernel events in, alerts out: sensors, state, container identity, profile and rule checks, sinks.

pub mod capture;
pub mod raw;
pub mod read;
pub mod sensor;
pub mod snapshot;
