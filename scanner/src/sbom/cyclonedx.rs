//! CycloneDX 1.2 to 1.6 (ECMA-424) in, components out. The XML form is brought into the shape of the JSON form first.

use plimsoll_model::{Note, NoteKind, OsRelease, SourcePackage};
use serde::Deserialize;
use serde_json::json;

use super::{
    check_version,
    entry::{self, Entries, Ours},
    xml::Element,
};

const VERSIONS: &[&str] = &["1.2", "1.3", "1.4", "1.5", "1.6"];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Bom {
    spec_version: String,
    metadata: Metadata,
    components: Vec<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    properties: Vec<Property>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    r#type: String,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    group: String,
    name: String,
    version: String,
    description: String,
    purl: String,
    cpe: String,
    supplier: Supplier,
    publisher: String,
    licenses: Vec<Licence>,
    properties: Vec<Property>,
    evidence: Evidence,
    components: Vec<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Supplier {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Licence {
    expression: String,
    license: LicenceChoice,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LicenceChoice {
    id: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Evidence {
    occurrences: Vec<Occurrence>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Occurrence {
    location: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Property {
    name: String,
    value: String,
}

/// Takes every component, those within others too.
pub(super) fn collect(bom: Bom, entries: &mut Entries) -> Result<(), String> {
    check_version("CycloneDX", &bom.spec_version, VERSIONS, entries);
    let is_incomplete = property(&bom.metadata.properties, "plimsoll:scan:incomplete") == Some("true");
    if is_incomplete {
        let detail = "whoever wrote it could not look at everything";
        entries.notes.push(Note::new(NoteKind::Unreadable, "SBOM", detail));
    }
    let mut left = bom.components;
    while let Some(mut component) = left.pop() {
        left.append(&mut component.components);
        match component.r#type.as_str() {
            "operating-system" => entries.os = Some(operating_system(&component)),
            // Syft lists the files that it looked at; an image within an image is no package.
            "file" | "container" | "device" | "device-driver" | "data" | "cryptographic-asset" | "platform" => {}
            _ => entries.add(entry(component)),
        }
    }
    Ok(())
}

fn property<'a>(properties: &'a [Property], name: &str) -> Option<&'a str> {
    let found = properties.iter().find(|property| property.name == name)?;
    Some(&found.value)
}

fn operating_system(component: &Component) -> OsRelease {
    let stated = |ours: &str, syft: &str| {
        let value = property(&component.properties, ours).or_else(|| property(&component.properties, syft));
        value.map(str::to_owned)
    };
    let id_like = component
        .properties
        .iter()
        .filter(|property| property.name == "plimsoll:os:id-like" || property.name.starts_with("syft:distro:idLike:"));
    OsRelease {
        id: stated("", "syft:distro:id").unwrap_or_else(|| component.name.clone()),
        version_id: stated("", "syft:distro:versionID").unwrap_or_else(|| component.version.clone()),
        version_codename: stated("plimsoll:os:version-codename", "syft:distro:versionCodename").unwrap_or_default(),
        id_like: id_like.map(|property| property.value.clone()).collect(),
        pretty_name: stated("", "syft:distro:prettyName").unwrap_or_else(|| component.description.clone()),
    }
}

fn entry(component: Component) -> entry::Component {
    let stated = |name: &str| property(&component.properties, name);
    let kind = stated("plimsoll:package:kind").and_then(|kind| serde_json::from_value(json!(kind)).ok());
    let source = stated("plimsoll:package:source-name").map(|name| SourcePackage {
        name: name.to_owned(),
        version: stated("plimsoll:package:source-version").unwrap_or_default().to_owned(),
    });
    let ours = Ours {
        kind,
        evidence: stated("plimsoll:package:evidence").unwrap_or_default().to_owned(),
        source,
    };
    let owner = stated("plimsoll:package:owner").map(str::to_owned);
    let licences = component.licenses.into_iter().map(|licence| {
        let stated = [licence.expression, licence.license.id, licence.license.name];
        stated.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    });
    let maintainer = [component.supplier.name, component.publisher];
    entry::Component {
        id: component.bom_ref,
        name: match component.group.is_empty() {
            true => component.name,
            false => format!("{}/{}", component.group, component.name),
        },
        version: component.version,
        purl: component.purl,
        cpes: Some(component.cpe).filter(|cpe| !cpe.is_empty()).into_iter().collect(),
        licences: licences.filter(|text| !text.is_empty()).collect(),
        maintainer: maintainer.into_iter().find(|text| !text.is_empty()),
        files: component
            .evidence
            .occurrences
            .into_iter()
            .map(|occurrence| occurrence.location)
            .filter(|location| location.starts_with('/'))
            .collect(),
        owner,
        ours,
    }
}

/// The XML form: attributes and elements become members, lists lose the element around each of their items.
pub(super) fn of_xml(root: &Element) -> Bom {
    let space = root.attribute("xmlns").unwrap_or_default();
    let version = space.rsplit('/').next().unwrap_or_default();
    Bom {
        spec_version: version.to_owned(),
        metadata: Metadata {
            properties: root.child("metadata").map(properties).unwrap_or_default(),
        },
        components: components(root),
    }
}

fn components(parent: &Element) -> Vec<Component> {
    parent.items("components", "component").map(component).collect()
}

fn component(element: &Element) -> Component {
    let text = |name: &str| {
        element
            .child(name)
            .map(|child| child.text.trim().to_owned())
            .unwrap_or_default()
    };
    let licences = element
        .child("licenses")
        .map(|list| &list.children[..])
        .unwrap_or_default();
    Component {
        r#type: element.attribute("type").unwrap_or_default().to_owned(),
        bom_ref: element.attribute("bom-ref").unwrap_or_default().to_owned(),
        group: text("group"),
        name: text("name"),
        version: text("version"),
        description: text("description"),
        purl: text("purl"),
        cpe: text("cpe"),
        supplier: Supplier {
            name: element
                .child("supplier")
                .and_then(|one| one.child("name"))
                .map(|one| one.text.clone())
                .unwrap_or_default(),
        },
        publisher: text("publisher"),
        licenses: licences.iter().map(licence).collect(),
        properties: properties(element),
        evidence: Evidence {
            occurrences: element
                .child("evidence")
                .into_iter()
                .flat_map(|evidence| evidence.items("occurrences", "occurrence"))
                .filter_map(|occurrence| occurrence.child("location"))
                .map(|location| Occurrence {
                    location: location.text.clone(),
                })
                .collect(),
        },
        components: components(element),
    }
}

fn licence(element: &Element) -> Licence {
    let text = |name: &str| element.child(name).map(|child| child.text.clone()).unwrap_or_default();
    match element.name.as_str() {
        "expression" => Licence {
            expression: element.text.clone(),
            ..Licence::default()
        },
        _ => Licence {
            license: LicenceChoice {
                id: text("id"),
                name: text("name"),
            },
            ..Licence::default()
        },
    }
}

fn properties(parent: &Element) -> Vec<Property> {
    let list = parent.items("properties", "property");
    list.map(|property| Property {
        name: property.attribute("name").unwrap_or_default().to_owned(),
        value: property.text.clone(),
    })
    .collect()
}
