//! Whole images in, whole scans out: real bytes made by other people's writers (tar, flate2, zstd, skopeo).

#![allow(clippy::unwrap_used, reason = "what helps tests is test code too")]

mod builder;
mod ci_reports;
mod cyclonedx;
mod demo_images;
mod hostile;
mod languages;
mod merge;
mod packages;
mod registry;
mod reports;
mod sources;
mod tar_formats;
