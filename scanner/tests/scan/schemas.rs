//! The published JSON Schemas of a scan report and of a profile: they are what the code writes, what it writes follows
//! them, and version 1 is frozen: it only grows.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p plimsoll-scanner schemas` writes them anew after fields were added; it refuses to take
//! any away.

use std::{collections::BTreeMap, fs, path::PathBuf};

use plimsoll_model::{Profile, ScanReport};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    builder::{Blob, Layer, oci, scan_target},
    reports::assembled,
    validators::{hostile, hostile_texts},
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema")).join(name)
}

/// The schema of what is written, in the dialect 2020-12.
fn generated<T: JsonSchema>(name: &str, title: &str) -> Value {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    schema["$id"] = json!(format!("https://plimsoll.invalid/schema/{name}"));
    schema["title"] = json!(title);
    schema
}

fn check(name: &str, generated: &Value) {
    let path = path(name);
    let committed: Option<Value> = fs::read(&path)
        .ok()
        .map(|bytes| serde_json::from_slice(&bytes).unwrap());
    if let Some(committed) = &committed {
        let taken = taken_away(&promises(committed), &promises(generated));
        assert_eq!(
            taken,
            Vec::<String>::new(),
            "{name}: version 1 is frozen; a change like this is version 2"
        );
    }
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(generated).unwrap() + "\n").unwrap();
        return;
    }
    assert!(
        committed.as_ref() == Some(generated),
        "{name} is not what the code writes: fields were added; see the head of this file"
    );
}

/// What a schema promises of each place in a document: its types, values it can have, and whether it is always there.
fn promises(schema: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(schema, "", &mut found);
    found
}

fn collect(schema: &Value, place: &str, found: &mut BTreeMap<String, String>) {
    let Some(object) = schema.as_object() else { return };
    for keyword in ["type", "$ref", "const", "pattern", "format"] {
        if let Some(value) = object.get(keyword) {
            found.insert(format!("{place} {keyword}"), value.to_string());
        }
    }
    for value in object.get("enum").and_then(Value::as_array).into_iter().flatten() {
        found.insert(format!("{place} value {value}"), String::new());
    }
    for value in object.get("required").and_then(Value::as_array).into_iter().flatten() {
        found.insert(format!("{place} requires {value}"), String::new());
    }
    for keyword in ["properties", "$defs"] {
        for (name, inner) in object.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            collect(inner, &format!("{place}/{name}"), found);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = object.get(keyword) {
            collect(inner, &format!("{place}/{keyword}"), found);
        }
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for inner in object.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            // By what it is, not by its number: variants may be added anywhere.
            let name = variant(inner);
            collect(inner, &format!("{place}/{name}"), found);
        }
    }
}

fn variant(schema: &Value) -> String {
    let constant = &schema["const"];
    let tagged = schema["properties"].as_object().map(|properties| {
        let tags: Vec<String> = properties
            .iter()
            .map(|(name, inner)| format!("{name}={}", inner["const"]))
            .collect();
        tags.join(",")
    });
    let reference = schema["$ref"].as_str().map(str::to_owned);
    reference.or(tagged).unwrap_or_else(|| match constant.is_null() {
        true => schema["type"].to_string(),
        false => constant.to_string(),
    })
}

fn taken_away(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let changed = before.iter().filter(|(place, value)| after.get(*place) != Some(value));
    changed
        .map(|(place, value)| format!("{place} {value} → {:?}", after.get(place)))
        .collect()
}

#[test]
fn the_schema_of_a_report_is_the_published_one() {
    check(
        "scan-report-v1.json",
        &generated::<ScanReport>("scan-report-v1.json", "Plimsoll scan report, version 1"),
    );
}

#[test]
fn the_schema_of_a_profile_is_the_published_one() {
    check(
        "profile-v1.json",
        &generated::<Profile>("profile-v1.json", "Plimsoll profile, version 1"),
    );
}

#[test]
fn what_is_taken_away_or_changed_is_found() {
    let before = json!({
        "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"$ref": "#/$defs/C"}}},
        "required": ["a"],
        "$defs": {"C": {"oneOf": [{"const": "x", "type": "string"}, {"const": "y", "type": "string"}]}},
    });
    let with = |change: &dyn Fn(&mut Value)| {
        let mut after = before.clone();
        change(&mut after);
        taken_away(&promises(&before), &promises(&after)).len()
    };
    assert_eq!(with(&|_| {}), 0);
    assert_eq!(with(&|schema| schema["properties"]["c"] = json!({"type": "string"})), 0);
    assert_eq!(
        with(&|schema| schema["$defs"]["C"]["oneOf"][0] = json!({"const": "z", "type": "string"})),
        2
    );
    assert_eq!(with(&|schema| schema["properties"]["a"]["type"] = json!("integer")), 1);
    assert_eq!(with(&|schema| schema["required"] = json!([])), 1);
    assert_eq!(
        with(&|schema| schema["properties"]["b"]["items"] = json!({"type": "string"})),
        1
    );
    let remove = |schema: &mut Value| drop(schema["properties"].as_object_mut().unwrap().remove("b"));
    assert_eq!(with(&remove), 2);
}

#[test]
fn every_report_follows_the_published_schema() {
    let load = |name: &str| -> Value { serde_json::from_slice(&fs::read(path(name)).unwrap()).unwrap() };
    let scan_schema = jsonschema::validator_for(&load("scan-report-v1.json")).unwrap();
    let profile_schema = jsonschema::validator_for(&load("profile-v1.json")).unwrap();
    let packs = plimsoll_rules::packs::shipped();
    let mut reports = vec![assembled().0];
    reports.extend(hostile_texts().iter().map(|text| hostile(text)));
    let empty = oci(&[Blob::gzip(&Layer::new().tar())]).scan().unwrap();
    reports.push(plimsoll_scanner::report::assemble(empty, None, Vec::new(), packs).0);
    let image = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/demo/images/redis"));
    if image.join("index.json").exists() {
        let scan = scan_target(image.to_str().unwrap()).unwrap();
        reports.push(plimsoll_scanner::report::assemble(scan, Some(Vec::new()), Vec::new(), packs).0);
    } else {
        eprintln!("SKIPPED: no images in target/demo/images (make demo builds them)");
    }
    for report in reports {
        let mut document = serde_json::to_value(&report).unwrap();
        let errors = |schema: &jsonschema::Validator, document: &Value| -> Vec<String> {
            schema.iter_errors(document).map(|error| error.to_string()).collect()
        };
        assert_eq!(errors(&scan_schema, &document), Vec::<String>::new());
        assert_eq!(errors(&profile_schema, &document["profile"]), Vec::<String>::new());
        document["file_count"] = json!("many");
        assert_eq!(errors(&scan_schema, &document).len(), 1);
    }
}
