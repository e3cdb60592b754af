//! What the integration tests stand on: the repository's files, the built command, a real registry, real containers, the
//! agent as a child process. Everything that is started here is stopped when its value is dropped.

pub mod agent;
pub mod behaviour;
pub mod command;
pub mod container;
pub mod engine;
pub mod evtgen;
pub mod fault_proxy;
pub mod image;
pub mod issuer;
pub mod machine;
pub mod mutation;
pub mod page;
pub mod parsers;
pub mod registry;
pub mod repository;
pub mod stage;
pub mod tls;
