//! Kernel events in, alerts out: sensors, state, container identity, profile and rule checks, sinks.

pub mod raw;
