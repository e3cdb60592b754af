//! Software that is recognised by its bytes, one row each, by family.
//!
//! Which patterns were held against real files is in `scanner/tests/fixtures/classifiers/README.md`.

mod containers;
mod databases;
mod java;
mod languages;
mod libraries;
mod network;
mod servers;
mod tools;

use super::classifier::Classifier;

/// All rows.
pub(super) const ALL: &[&[Classifier]] = &[
    containers::ALL,
    databases::ALL,
    java::ALL,
    languages::ALL,
    libraries::ALL,
    network::ALL,
    servers::ALL,
    tools::ALL,
];
