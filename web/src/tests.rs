//! Tests that drive the whole router without a socket. [`Harness`] is a server over a store in a temporary folder.

mod access;
mod admission;
mod fixture;
mod flow;
mod harness;
mod input;
mod kubernetes;
mod live;
mod queue;
mod recorded;
mod usage;
