//! The CycloneDX report against the official schema, where Python's `cyclonedx-python-lib` has it.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::reports::written;

/// Validates stdin against the 1.6 JSON schema that the package ships.
const VALIDATE: &str = "
import sys
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.schema import SchemaVersion
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())
if error: sys.exit(str(error))
";

#[test]
fn follows_the_official_schema() {
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv-cyclonedx/bin/python");
    let python = if Path::new(venv).exists() { venv } else { "python3" };
    let import = "from cyclonedx.validation.json import JsonStrictValidator; import jsonschema";
    if !Command::new(python)
        .args(["-c", import])
        .output()
        .is_ok_and(|out| out.status.success())
    {
        eprintln!("SKIPPED: no cyclonedx-python-lib[json-validation]; make target/venv-cyclonedx with it");
        return;
    }
    let validate = |text: &str| {
        let mut child = Command::new(python)
            .args(["-c", VALIDATE])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        out.status
            .success()
            .then_some(())
            .ok_or(String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let text = written("cyclonedx", false);
    assert_eq!(validate(&text), Ok(()));
    // The validator does look.
    assert!(validate(&text.replace("\"library\"", "\"libary\"")).is_err());
}

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
