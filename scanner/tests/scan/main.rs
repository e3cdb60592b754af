//! Whole images in, whole scans out: real bytes made by other people's writers (tar, flate2, zstd, skopeo).

#![allow(clippy::unwrap_used, reason = "what helps tests is test code too")]

mod builder;
mod cache;
mod checks;
mod chunked;
mod ci_reports;
mod classifiers;
mod cyclonedx;
mod demo_images;
mod ecosystems;
mod hostile;
mod languages;
mod merge;
mod os_packages;
mod packages;
mod programs;
mod registry;
mod report_formats;
mod reports;
mod sboms;
mod scale;
mod schemas;
mod sources;
mod tar_formats;
mod validators;
