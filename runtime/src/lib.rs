//! Kernel events in, alerts out: sensors, state, container identity, profile and rule checks, sinks.

pub mod capture;
mod limits;
mod load;
pub mod raw;
pub mod read;
pub mod sensor;
pub mod snapshot;
pub mod wire;
