//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

use crate::admission;

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line.
pub const PARSERS: &[Parser] = &[
    (
        "admission-review",
        admission::read_review,
        &[
            "web/tests/fixtures/reviews/deployment-image.json",
            "web/tests/fixtures/reviews/cronjob.json",
            "web/tests/fixtures/reviews/ephemeral.json",
        ],
    ),
    (
        "scan-report",
        |b| drop(serde_json::from_slice::<plimsoll_model::ScanReport>(b)),
        &["web/tests/fixtures/report.json"],
    ),
    (
        "alerts",
        |b| drop(serde_json::from_slice::<Vec<plimsoll_model::Alert>>(b)),
        &[],
    ),
];
