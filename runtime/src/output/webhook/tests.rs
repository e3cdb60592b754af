//! Falco's shape, from alerts as the pipeline makes them.

use super::*;
use crate::output::spool::sample;

#[test]
fn has_all_that_receivers_of_falco_read() {
    let mut alert = sample("a1");
    alert.time_ns = 1_700_000_000_123_456_789;
    alert.priority = "critical".to_owned();
    alert.techniques = vec!["T1059.004".to_owned()];
    let shape = falco_shape(&alert);
    assert_eq!(shape["time"], "2023-11-14T22:13:20.123456789Z");
    assert_eq!(shape["output"], "22:13:20.123456789: Critical sh was started");
    assert_eq!(
        (&shape["priority"], &shape["source"], &shape["hostname"], &shape["rule"]),
        (
            &json!("Critical"),
            &json!("syscall"),
            &json!("node"),
            &json!("unexpected-exec")
        )
    );
    assert_eq!(shape["tags"], json!(["T1059.004"]));
    let fields = &shape["output_fields"];
    assert_eq!(fields["evt.time"], 1_700_000_000_123_456_789_u64);
    assert_eq!(fields["container.id"], "host");
    assert_eq!(fields["plimsoll.id"], "a1");
    assert_eq!(fields["proc.exepath"], "/usr/bin/dash");
    assert!(fields.get("k8s.pod.name").is_none(), "what is not known is left out");
}

#[test]
fn references_are_split_as_falco_does() {
    for (reference, expected) in [
        ("registry:5000/a/redis:7", (Some("registry:5000/a/redis"), Some("7"))),
        ("registry:5000/a/redis", (Some("registry:5000/a/redis"), None)),
        ("redis@sha256:00", (Some("redis"), None)),
    ] {
        assert_eq!(split_reference(reference), expected, "{reference}");
    }
}
