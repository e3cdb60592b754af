//! `- rule:` items: definitions, appends, overrides, and the bare `enabled`.

use std::rc::Rc;

use plimsoll_model::Decision;

use super::{
    catalog::invalid,
    decode::{Decoder, Refused},
    item::{Capture, Entry, ExceptionInfo, Order, RuleInfo, RuleUpdate},
    reader::{APPEND_IS_DEPRECATED, APPEND_WITH_OVERRIDE, Overrides, Reader},
};
use crate::{
    Priority,
    diagnostic::{Code, Finding},
    field,
    yaml::{Node, Value},
};

const CAN_APPEND: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const CAN_REPLACE: [&str; 12] = [
    "condition",
    "output",
    "desc",
    "priority",
    "capture",
    "capture_duration",
    "tags",
    "exceptions",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "action",
];
const KEYS: [&str; 16] = [
    "rule",
    "condition",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "tags",
    "exceptions",
    "override",
    "append",
    "action",
];
const ENABLED_IS_DEPRECATED: &str = "The standalone 'enabled' key usage is deprecated. The correct approach requires \
                                     also a 'replace' entry under the 'override' key (i.e. 'enabled: replace').";

type Done = Result<(), Refused>;

/// Reads a `- rule:` item.
pub(super) fn read(reader: &mut Reader<'_, '_>, node: &Node) -> Done {
    let name = reader.decoder(node, String::new()).text("rule")?.to_owned();
    let item = reader.decoder(node, format!("rule \"{name}\""));
    let source = match item.get("source") {
        Some(node) if node.is_null() || node.as_text() == Some("") => String::new(),
        _ => item
            .optional("source")?
            .and_then(Node::as_text)
            .unwrap_or_default()
            .to_owned(),
    };
    let has_append_flag = item.boolean("append")?.unwrap_or(false);
    if has_append_flag {
        reader.warn(Code::LoadDeprecatedItem, &item, node, APPEND_IS_DEPRECATED);
    }
    let overrides = Overrides::read(&item, &CAN_APPEND, &CAN_REPLACE)?;
    if has_append_flag && !overrides.is_empty() {
        return Err(item.refuse(node, APPEND_WITH_OVERRIDE));
    }
    if !overrides.is_empty() {
        change(reader, &item, &name, &source, &overrides)?;
    } else if has_append_flag {
        let update = update(reader, &item, &["condition", "exceptions"], true)?;
        reader
            .catalog
            .append_rule(&name, &source, update, &item.own_place(), &item.item)?;
    } else {
        let defining = ["condition", "output", "desc", "priority"];
        if defining.into_iter().all(|key| item.get(key).is_none()) {
            let is_enabled = item.boolean("enabled")?;
            let Some(is_enabled) = is_enabled else {
                return Err(item.refuse(node, "Item has no mapping for key 'enabled'"));
            };
            reader.warn(Code::LoadDeprecatedItem, &item, node, ENABLED_IS_DEPRECATED);
            reader
                .catalog
                .enable_rule(&name, is_enabled, &item.own_place(), &item.item)?;
        } else {
            let rule = define(reader, &item, name)?;
            if field::Sources::named(&rule.source).is_none() {
                let message = format!("Unknown source {}, skipping", rule.source);
                let hint = field::Sources::suggestion(&rule.source);
                let place = item.place(item.get("source").map_or(node, |source| source));
                let finding = Finding::new(Code::LoadUnknownSource, place, &item.item, message).hint(hint);
                reader.diagnostics.warn(finding);
            }
            reader.catalog.define_rule(rule, &item.item)?;
        }
    }
    reader.unknown_keys(&item, &KEYS);
    Ok(())
}

fn change(reader: &mut Reader<'_, '_>, item: &Decoder<'_>, name: &str, source: &str, overrides: &Overrides) -> Done {
    for (keys, kind) in [(&overrides.append, "append"), (&overrides.replace, "replace")] {
        if let Some(key) = keys.iter().find(|key| item.get(key).is_none()) {
            let message = format!("An {kind} override for '{key}' was specified but '{key}' is not defined");
            return Err(item.refuse(item.node, message));
        }
    }
    if !overrides.append.is_empty() {
        let update = update(reader, item, &overrides.append, true)?;
        let source = if overrides.append.contains(&"condition") {
            source
        } else {
            ""
        };
        reader
            .catalog
            .append_rule(name, source, update, &item.own_place(), &item.item)?;
    }
    if !overrides.replace.is_empty() {
        let update = update(reader, item, &overrides.replace, false)?;
        let source = if overrides.replace.contains(&"condition") {
            source
        } else {
            ""
        };
        reader
            .catalog
            .replace_in_rule(name, source, update, &item.own_place(), &item.item)?;
    }
    for key in CAN_REPLACE {
        let is_expected = overrides.append.contains(&key) || overrides.replace.contains(&key);
        if let Some(node) = item.get(key)
            && !is_expected
        {
            let message = format!("Unexpected key '{key}': no corresponding entry under 'override' is defined.");
            return Err(item.refuse(node, message));
        }
    }
    Ok(())
}

/// Reads those of `keys` that the item has.
fn update(
    reader: &mut Reader<'_, '_>,
    item: &Decoder<'_>,
    keys: &[&'static str],
    is_append: bool,
) -> Result<RuleUpdate, Refused> {
    let mut update = RuleUpdate::default();
    for key in keys.iter().copied().filter(|key| item.get(key).is_some()) {
        match key {
            "condition" => update.condition = Some(item.mapped(key)?),
            "output" => update.output = Some(item.mapped(key)?),
            "desc" => update.description = Some(item.text(key)?.to_owned()),
            "tags" => update.tags = Some(tags(item)?),
            "exceptions" => update.exceptions = Some(exceptions(reader, item, is_append)?),
            "priority" => update.priority = Some(priority(item)?),
            "enabled" => update.is_enabled = item.boolean(key)?,
            "warn_evttypes" => update.warns_about_event_types = item.boolean(key)?,
            "skip-if-unknown-filter" => update.skips_unknown_fields = item.boolean(key)?,
            "capture" => update.capture = item.boolean(key)?,
            "capture_duration" => update.capture_duration_ms = item.number(key)?,
            "action" => update.action = action(item)?,
            _ => {}
        }
    }
    Ok(update)
}

fn define(reader: &mut Reader<'_, '_>, item: &Decoder<'_>, name: String) -> Result<RuleInfo, Refused> {
    let condition = item.mapped("condition")?;
    let output = item.mapped("output")?;
    let description = item.text("desc")?.to_owned();
    let priority = priority(item)?;
    let source = match item.get("source") {
        Some(node) if node.is_null() => return Err(item.refuse(node, "Mapping for key 'source' is empty")),
        _ => item.optional("source")?.and_then(Node::as_text).unwrap_or("syscall"),
    };
    Ok(RuleInfo {
        name,
        description,
        condition,
        output,
        priority,
        source: source.to_owned(),
        tags: tags(item)?,
        is_enabled: item.boolean("enabled")?.unwrap_or(true),
        warns_about_event_types: item.boolean("warn_evttypes")?.unwrap_or(true),
        skips_unknown_fields: item.boolean("skip-if-unknown-filter")?.unwrap_or(false),
        action: action(item)?,
        capture: Capture {
            is_wanted: item.boolean("capture")?.unwrap_or(false),
            duration_ms: item.number("capture_duration")?.unwrap_or(0),
        },
        exceptions: exceptions(reader, item, false)?,
        place: item.own_place(),
        order: Order::default(),
    })
}

fn priority(item: &Decoder<'_>) -> Result<Priority, Refused> {
    let node = item.required("priority")?;
    let text = node.as_text().unwrap_or_default();
    text.parse().map_err(|()| {
        let mut finding = item.refuse(node, "Invalid priority");
        let known = Priority::ALL.map(Priority::as_str).join(", ");
        finding.hint = Some(format!("`{text}` is not one of {known}"));
        finding
    })
}

fn action(item: &Decoder<'_>) -> Result<Option<Decision>, Refused> {
    let Some(node) = item.optional("action")? else {
        return Ok(None);
    };
    match node.as_text().unwrap_or_default() {
        "stop" => Ok(Some(Decision::Stop)),
        "warn" => Ok(Some(Decision::Warn)),
        "go" => Ok(Some(Decision::Go)),
        other => Err(item.refuse(node, format!("action `{other}` is not one of stop, warn, go"))),
    }
}

fn tags(item: &Decoder<'_>) -> Result<Vec<String>, Refused> {
    let mut tags: Vec<String> = Vec::new();
    for tag in item.scalars("tags")?.unwrap_or_default() {
        if !tags.contains(&tag.text) {
            tags.push(tag.text);
        }
    }
    Ok(tags)
}

fn exceptions(reader: &mut Reader<'_, '_>, item: &Decoder<'_>, is_append: bool) -> Result<Vec<ExceptionInfo>, Refused> {
    let Some(node) = item.get("exceptions").filter(|node| !node.is_null()) else {
        return Ok(Vec::new());
    };
    let Value::Sequence(entries) = &node.value else {
        return Err(item.refuse(node, "Rule exceptions must be a sequence"));
    };
    let mut found: Vec<ExceptionInfo> = Vec::new();
    for entry in entries {
        let exception = exception(reader, item, entry, is_append)?;
        if found.iter().any(|other| other.name == exception.name) {
            let message = format!(
                "Multiple definitions of exception '{}' in the same rule",
                exception.name
            );
            reader.warn(Code::LoadExceptionNameNotUnique, item, entry, message);
        }
        found.push(exception);
    }
    Ok(found)
}

fn exception(
    reader: &mut Reader<'_, '_>,
    item: &Decoder<'_>,
    node: &Rc<Node>,
    is_append: bool,
) -> Result<ExceptionInfo, Refused> {
    if !matches!(node.value, Value::Mapping(_)) {
        return Err(item.refuse(node, "Rule exception must be a mapping"));
    }
    let inner = reader.decoder(node, item.item.clone());
    let name = inner.text("name")?.to_owned();
    let inner = reader.decoder(node, format!("{}, exception \"{name}\"", item.item));
    let fields = entry_of(&inner, "fields")?;
    if fields.is_none() && !is_append {
        return Err(inner.refuse(node, "Item has no mapping for key 'fields'"));
    }
    let comparisons = entry_of(&inner, "comps")?;
    let values = match inner.get("values") {
        None => {
            if is_append {
                let message = "Overriding/appending exception with no values";
                reader.warn(Code::LoadAppendNoValues, &inner, node, message);
            }
            Vec::new()
        }
        Some(values) => {
            let Value::Sequence(values) = &values.value else {
                return Err(inner.refuse(values, "Rule exception values must be a sequence"));
            };
            values
                .iter()
                .map(|value| entry(&inner, value))
                .collect::<Result<_, _>>()?
        }
    };
    reader.unknown_keys(&inner, &["name", "fields", "comps", "values"]);
    Ok(ExceptionInfo {
        name,
        fields,
        comparisons,
        values,
        place: inner.own_place(),
    })
}

fn entry_of(item: &Decoder<'_>, key: &str) -> Result<Option<Entry>, Refused> {
    item.get(key).map(|node| entry(item, node)).transpose()
}

fn entry(item: &Decoder<'_>, node: &Node) -> Result<Entry, Refused> {
    match &node.value {
        Value::Scalar { text, .. } if text.is_empty() => Err(item.refuse(node, "Value must be non-empty")),
        Value::Scalar { text, .. } => Ok(Entry::Text {
            text: text.clone(),
            place: item.place(node),
        }),
        Value::Sequence(items) => Ok(Entry::List {
            entries: items.iter().map(|inner| entry(item, inner)).collect::<Result<_, _>>()?,
            place: item.place(node),
        }),
        Value::Mapping(_) => Err(invalid(
            &item.place(node),
            &item.item,
            "an exception holds texts and lists of texts, not mappings",
        )),
    }
}
