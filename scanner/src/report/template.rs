//! `template`: a report as the user's own template writes it (Jinja), from the same data as `json`. A template cannot read
//! files, and how much it computes and writes is limited.

use std::io::{self, Write};

use minijinja::{
    Environment, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{Serde, ValueKind},
};

use super::{Document, Report, shown};
use crate::limits::{MAX_TEMPLATE_BYTES, MAX_TEMPLATE_FUEL};

/// What the user's template makes of a scan.
pub(super) struct Templated;

/// Shipped templates by name, each with its text.
const SHIPPED: &[(&str, &str)] = &[
    ("packages.csv", include_str!("template/packages.csv")),
    ("vulnerabilities.csv", include_str!("template/vulnerabilities.csv")),
];

/// A template that can be filled in.
#[derive(Debug)]
pub struct Template(Environment<'static>);

/// Why a template is not usable.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// After `@` stands no name of a shipped template.
    #[error("find the template `@{name}`: there is @{}", available.join(", @"))]
    Unknown {
        /// As given.
        name: String,
        /// The shipped ones.
        available: Vec<&'static str>,
    },
    /// It is longer than anybody writes.
    #[error("read the template: more than {MAX_TEMPLATE_BYTES} bytes")]
    Limit,
    /// It is not written in Jinja's language; says where.
    #[error("parse the template: {0}")]
    Syntax(String),
}

const NAME: &str = "template";

impl Template {
    /// A shipped one by its name without `@`.
    pub fn shipped(name: &str) -> Result<Self, TemplateError> {
        let found = SHIPPED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| TemplateError::Unknown {
            name: name.to_owned(),
            available: SHIPPED.iter().map(|(name, _)| *name).collect(),
        })?;
        Self::parse(name, text)
    }

    /// A template of one's own. `file_name` says how values are escaped: for HTML in `.html` and `.xml`, as JSON in `.json`,
    /// `.js` and `.yaml`, not at all in others; `.j2` after it does not count.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::Limit);
        }
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(MAX_TEMPLATE_FUEL));
        let escape = minijinja::default_auto_escape_callback(file_name);
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.add_filter("csv", csv);
        environment.add_filter("shown", |text: &str| shown(text));
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| TemplateError::Syntax(explain(&error)))?;
        Ok(Self(environment))
    }
}

/// A line that holds a block only leaves no line behind, and files end with their newline.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("Jinja's own delimiters are valid")
}

impl Report for Templated {
    fn name(&self) -> &'static str {
        "template"
    }

    fn summary(&self) -> &'static str {
        "what --template FILE makes of it; @packages.csv and @vulnerabilities.csv are shipped"
    }

    fn write(&self, document: &Document<'_>, out: &mut dyn Write) -> io::Result<()> {
        let template = document
            .template
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no template was given"))?;
        let template = template.0.get_template(NAME).map_err(io::Error::other)?;
        let written = template.render_captured_to(Value::from(Serde(document.report)), out);
        written.map(drop).map_err(|error| {
            let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
            match source {
                // A reader that has seen enough must stay recognisable as one.
                Some(source) => io::Error::new(source.kind(), explain(&error)),
                None => io::Error::other(explain(&error)),
            }
        })
    }
}

/// What is wrong and in which line.
fn explain(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), shown);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// One line of comma-separated values (RFC 4180). What a spreadsheet would take for a formula is kept a text.
fn csv(row: &Value) -> Result<String, minijinja::Error> {
    let mut line = String::new();
    for (index, value) in row.try_iter()?.enumerate() {
        if index > 0 {
            line.push(',');
        }
        if matches!(value.kind(), ValueKind::None | ValueKind::Undefined) {
            continue;
        }
        let text = match value.kind() {
            ValueKind::Bool => value.is_true().to_string(),
            _ => shown(&value.to_string()),
        };
        let is_formula = value.kind() == ValueKind::String && text.starts_with(['=', '+', '-', '@']);
        let mark = if is_formula { "'" } else { "" };
        match text.contains([',', '"']) || is_formula {
            true => line.push_str(&format!("\"{mark}{}\"", text.replace('"', "\"\""))),
            false => line.push_str(&text),
        }
    }
    Ok(line)
}
