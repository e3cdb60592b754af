//! Real processes in, raw events out: the sensors on the kernel that runs the tests. Needs root and BPF; says so loudly
//! and passes where it has neither.

#![allow(clippy::unwrap_used)]

mod calls;
mod cgroups;
mod datagrams;
mod death;
mod environment;
mod filters;
mod guards;
mod libraries;
mod load;
mod rights;
mod rings;
mod sensors;
mod snapshots;
mod watch;
