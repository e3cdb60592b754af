//! `cyclonedx-xml`: CycloneDX 1.6 XML (ECMA-424): the same document as `cyclonedx`, element by element in the order that
//! the schema wants.

use std::io::{self, Write};

use super::{
    Document, Report,
    cyclonedx::bom::{self, Bom, Component, License, Property, Vulnerability},
    xml::xml,
};

/// A bill of materials for other tools.
pub(super) struct CycloneDxXml;

impl Report for CycloneDxXml {
    fn name(&self) -> &'static str {
        "cyclonedx-xml"
    }

    fn summary(&self) -> &'static str {
        "CycloneDX 1.6 XML"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let bom = bom::bom(document.report);
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(
            out,
            "<bom xmlns=\"http://cyclonedx.org/schema/bom/{}\" serialNumber=\"{}\" version=\"{}\">",
            bom.spec_version, bom.serial_number, bom.version
        )?;
        metadata(&bom, out)?;
        writeln!(out, "  <components>")?;
        for one in bom.components.iter() {
            component(&one, out)?;
        }
        writeln!(out, "  </components>\n  <dependencies>")?;
        for dependency in &bom.dependencies {
            writeln!(out, "    <dependency ref=\"{}\">", xml(&dependency.r#ref))?;
            for reference in &dependency.depends_on {
                writeln!(out, "      <dependency ref=\"{}\"/>", xml(reference))?;
            }
            writeln!(out, "    </dependency>")?;
        }
        writeln!(out, "  </dependencies>")?;
        if let Some(found) = &bom.vulnerabilities {
            writeln!(out, "  <vulnerabilities>")?;
            for one in found.iter() {
                vulnerability(&one, out)?;
            }
            writeln!(out, "  </vulnerabilities>")?;
        }
        writeln!(out, "</bom>")
    }
}

/// `<name>text</name>` on a line of its own.
fn element(name: &str, text: &str, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:indent$}<{name}>{}</{name}>", "", xml(text))
}

fn metadata(bom: &Bom<'_>, out: &mut dyn Write) -> io::Result<()> {
    let metadata = &bom.metadata;
    writeln!(out, "  <metadata>")?;
    if let Some(time) = metadata.timestamp {
        element("timestamp", time, 4, out)?;
    }
    writeln!(out, "    <tools>\n      <components>")?;
    for tool in &metadata.tools.components {
        writeln!(out, "        <component type=\"{}\">", tool.r#type)?;
        element("name", tool.name, 10, out)?;
        element("version", tool.version, 10, out)?;
        writeln!(out, "        </component>")?;
    }
    writeln!(out, "      </components>\n    </tools>")?;
    let image = &metadata.component;
    writeln!(
        out,
        "    <component type=\"{}\" bom-ref=\"{}\">",
        image.r#type,
        xml(&image.bom_ref)
    )?;
    element("name", image.name, 6, out)?;
    element("version", &image.version, 6, out)?;
    writeln!(out, "    </component>")?;
    properties(&metadata.properties, 4, out)?;
    writeln!(out, "  </metadata>")
}

fn properties(properties: &[Property], indent: usize, out: &mut dyn Write) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    writeln!(out, "{:indent$}<properties>", "")?;
    for property in properties {
        let (name, value) = (xml(&property.name), xml(&property.value));
        writeln!(out, "{:indent$}  <property name=\"{name}\">{value}</property>", "")?;
    }
    writeln!(out, "{:indent$}</properties>", "")
}

fn component(one: &Component<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "    <component type=\"{}\" bom-ref=\"{}\">",
        one.r#type,
        xml(&one.bom_ref)
    )?;
    if let Some(supplier) = &one.supplier {
        writeln!(out, "      <supplier>")?;
        element("name", supplier.name, 8, out)?;
        writeln!(out, "      </supplier>")?;
    }
    element("name", one.name, 6, out)?;
    element("version", &one.version, 6, out)?;
    if !one.description.is_empty() {
        element("description", one.description, 6, out)?;
    }
    if !one.licenses.is_empty() {
        writeln!(out, "      <licenses>")?;
        for licence in &one.licenses {
            match licence {
                License::Expression(expression) => element("expression", expression, 8, out)?,
                License::License(stated) => {
                    writeln!(out, "        <license>")?;
                    element("name", stated.name, 10, out)?;
                    writeln!(out, "        </license>")?;
                }
            }
        }
        writeln!(out, "      </licenses>")?;
    }
    if let Some(cpe) = one.cpe {
        element("cpe", cpe, 6, out)?;
    }
    if let Some(purl) = one.purl {
        element("purl", purl, 6, out)?;
    }
    properties(&one.properties, 6, out)?;
    if let Some(evidence) = &one.evidence {
        writeln!(out, "      <evidence>\n        <occurrences>")?;
        for occurrence in &evidence.occurrences {
            writeln!(out, "          <occurrence>")?;
            element("location", &occurrence.location, 12, out)?;
            writeln!(out, "          </occurrence>")?;
        }
        writeln!(out, "        </occurrences>\n      </evidence>")?;
    }
    writeln!(out, "    </component>")
}

fn vulnerability(one: &Vulnerability<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    <vulnerability bom-ref=\"{}\">", xml(&one.bom_ref))?;
    element("id", one.id, 6, out)?;
    source(one.source.name, 6, out)?;
    writeln!(out, "      <ratings>")?;
    for rating in &one.ratings {
        writeln!(out, "        <rating>")?;
        source(rating.source.name, 10, out)?;
        if let Some(score) = rating.score {
            element("score", &score.to_string(), 10, out)?;
        }
        element("severity", rating.severity, 10, out)?;
        writeln!(out, "        </rating>")?;
    }
    writeln!(out, "      </ratings>")?;
    if !one.description.is_empty() {
        element("description", one.description, 6, out)?;
    }
    if let Some(text) = &one.recommendation {
        element("recommendation", text, 6, out)?;
    }
    if let Some(analysis) = &one.analysis {
        writeln!(out, "      <analysis>")?;
        if let Some(state) = analysis.state {
            element("state", state, 8, out)?;
        }
        if !analysis.response.is_empty() {
            writeln!(out, "        <responses>")?;
            for response in &analysis.response {
                element("response", response, 10, out)?;
            }
            writeln!(out, "        </responses>")?;
        }
        writeln!(out, "      </analysis>")?;
    }
    writeln!(out, "      <affects>")?;
    for target in &one.affects {
        writeln!(out, "        <target>")?;
        element("ref", &target.r#ref, 10, out)?;
        writeln!(out, "          <versions>")?;
        for version in &target.versions {
            writeln!(out, "            <version>")?;
            element("version", &version.version, 14, out)?;
            element("status", version.status, 14, out)?;
            writeln!(out, "            </version>")?;
        }
        writeln!(out, "          </versions>\n        </target>")?;
    }
    writeln!(out, "      </affects>")?;
    properties(&one.properties, 6, out)?;
    writeln!(out, "    </vulnerability>")
}

fn source(name: &str, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:indent$}<source><name>{}</name></source>", "", xml(name))
}
