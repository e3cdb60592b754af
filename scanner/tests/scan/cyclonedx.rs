//! What the CycloneDX report says; that it follows the schema is in `validators.rs`.

use serde_json::Value;

use crate::reports::written;

#[test]
fn says_what_a_reader_needs() {
    let bom: Value = serde_json::from_str(&written("cyclonedx", false)).unwrap();
    assert_eq!(bom["specVersion"], "1.6");
    assert_eq!(bom["metadata"]["timestamp"], "2024-05-01T10:00:00Z");
    let component = &bom["components"][0];
    assert_eq!(component["purl"], "pkg:deb/debian/app@1:2?arch=amd64&distro=debian-12");
    assert_eq!(component["evidence"]["occurrences"][0]["location"], "/bin/app");
    assert_eq!(component["supplier"]["name"], "A <a@b>");
    assert_eq!(bom["dependencies"][0]["dependsOn"][0], component["bom-ref"]);
    let vulnerability = &bom["vulnerabilities"][0];
    assert_eq!(vulnerability["affects"][0]["ref"], component["bom-ref"]);
    let serial = bom["serialNumber"].as_str().unwrap();
    assert!(
        serial.starts_with("urn:uuid:") && serial.len() == 45 && &serial[23..24] == "8",
        "{serial}"
    );
}
