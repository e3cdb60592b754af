//! One item of a rule file in, one change of the catalogue out.

use std::rc::Rc;

use super::{
    catalog::{Catalog, invalid},
    decode::{Decoder, Refused},
    item::{ListInfo, MacroInfo, Order},
    rule_item,
    version::{self, PluginRequirement, Version},
};
use crate::{
    diagnostic::{Code, Collector, Finding, nearest},
    yaml::{Node, Value},
};

pub(super) const APPEND_IS_DEPRECATED: &str =
    "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead.";
pub(super) const APPEND_WITH_OVERRIDE: &str = "Keys 'override' and 'append: true' cannot be used together. Add an \
                                               'append' entry (e.g. 'condition: append') under 'override' instead.";

/// Reads items of one file.
pub(super) struct Reader<'r, 'f> {
    pub(super) file: usize,
    pub(super) source: &'r str,
    pub(super) catalog: &'r mut Catalog,
    pub(super) diagnostics: &'r mut Collector<'f>,
}

type Done = Result<(), Refused>;

const ITEMS: [&str; 5] = [
    "required_engine_version",
    "required_plugin_versions",
    "list",
    "macro",
    "rule",
];

impl<'r> Reader<'r, '_> {
    /// Reads one item.
    pub(super) fn read(&mut self, node: &Node) -> Done {
        let item = self.decoder(node, String::new());
        if !matches!(node.value, Value::Mapping(_)) {
            let message = "Unexpected element type. Each element should be a yaml associative array.";
            return Err(item.refuse(node, message));
        }
        match ITEMS.into_iter().find(|key| node.get(key).is_some()) {
            Some("required_engine_version") => self.engine_version(&item),
            Some("required_plugin_versions") => self.plugin_versions(&item),
            Some("list") => self.list(node),
            Some("macro") => self.macro_item(node),
            Some("rule") => rule_item::read(self, node),
            _ => {
                let first = node.entries().first().and_then(|(key, _)| key.as_text()).unwrap_or("");
                let hint = nearest(first, ITEMS.into_iter()).map(|name| format!("did you mean `{name}`?"));
                let finding = Finding::new(Code::LoadUnknownItem, item.own_place(), "", "Unknown top level item");
                self.diagnostics.warn(finding.hint(hint));
                Ok(())
            }
        }
    }

    pub(super) fn decoder<'n>(&self, node: &'n Node, item: String) -> Decoder<'n>
    where
        'r: 'n,
    {
        Decoder {
            node,
            file: self.file,
            source: self.source,
            item,
        }
    }

    pub(super) fn warn(&mut self, code: Code, item: &Decoder<'_>, node: &Node, message: impl Into<String>) {
        let finding = Finding::new(code, item.place(node), &item.item, message);
        self.diagnostics.warn(finding);
    }

    /// Warns about keys that mean nothing here.
    pub(super) fn unknown_keys(&mut self, item: &Decoder<'_>, known: &[&str]) {
        for (key, _) in item.node.entries() {
            let name = key.as_text().unwrap_or("?");
            if known.contains(&name) {
                continue;
            }
            let message = format!("Unknown key '{name}'. The key will be ignored.");
            let hint = nearest(name, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
            let finding = Finding::new(Code::LoadUnknownKey, item.place(key), &item.item, message).hint(hint);
            self.diagnostics.warn(finding);
        }
    }

    fn engine_version(&mut self, item: &Decoder<'_>) -> Done {
        let text = item.text("required_engine_version")?;
        let required = match text.parse::<u32>() {
            Ok(number) => Version::implicit(number),
            Err(_) => text.parse().map_err(|()| {
                let message = format!(
                    "Unable to parse engine version '{text}' as a semver string. Expected \"x.y.z\" semver format."
                );
                item.refuse(item.node, message)
            })?,
        };
        if !version::ENGINE.satisfies(required) {
            let message = format!(
                "Rules require engine version {required}, but engine version is {}",
                version::ENGINE
            );
            return Err(invalid(&item.own_place(), "", message));
        }
        self.unknown_keys(item, &["required_engine_version"]);
        Ok(())
    }

    fn plugin_versions(&mut self, item: &Decoder<'_>) -> Done {
        let Some(node) = item.get("required_plugin_versions") else {
            return Ok(());
        };
        let Value::Sequence(plugins) = &node.value else {
            return Err(item.refuse(node, "Value of required_plugin_versions must be a sequence"));
        };
        for plugin in plugins {
            let mut alternatives = vec![self.plugin(plugin, "Plugin version must be a mapping")?];
            if let Some(others) = plugin.get("alternatives") {
                let Value::Sequence(others) = &others.value else {
                    let message = "Value of plugin version alternatives must be a sequence";
                    return Err(item.refuse(others, message));
                };
                for other in others {
                    let alternative = self.plugin(other, "Plugin version alternative must be a mapping")?;
                    if alternatives.iter().any(|(name, _)| *name == alternative.0) {
                        let message = format!(
                            "Defined multiple alternative version requirements for plugin '{}'",
                            alternative.0
                        );
                        return Err(invalid(&item.place(other), "", message));
                    }
                    alternatives.push(alternative);
                }
            }
            let place = item.place(plugin);
            self.catalog.plugins.push((PluginRequirement { alternatives }, place));
        }
        self.unknown_keys(item, &["required_plugin_versions"]);
        Ok(())
    }

    fn plugin(&self, node: &Rc<Node>, not_a_mapping: &str) -> Result<(String, Version), Refused> {
        let item = self.decoder(node, String::new());
        if !matches!(node.value, Value::Mapping(_)) {
            return Err(item.refuse(node, not_a_mapping));
        }
        let name = item.text("name")?.to_owned();
        let text = item.text("version")?;
        let version = text.parse().map_err(|()| {
            let message = format!("Invalid required version '{text}' for plugin '{name}'");
            invalid(&item.own_place(), "", message)
        })?;
        Ok((name, version))
    }

    /// What `append` and `override` say of an item that has one key that can be changed.
    fn is_append(&mut self, item: &Decoder<'_>, key: &'static str) -> Result<bool, Refused> {
        let has_flag = item.boolean("append")?.unwrap_or(false);
        if has_flag {
            self.warn(Code::LoadDeprecatedItem, item, item.node, APPEND_IS_DEPRECATED);
        }
        let overrides = Overrides::read(item, &[key], &[key])?;
        if has_flag && !overrides.is_empty() {
            return Err(item.refuse(item.node, APPEND_WITH_OVERRIDE));
        }
        Ok(has_flag || overrides.append.contains(&key))
    }

    fn list(&mut self, node: &Node) -> Done {
        let name = self.decoder(node, String::new()).text("list")?.to_owned();
        let item = self.decoder(node, format!("list \"{name}\""));
        if !is_bare(&name) {
            let message = "List has an invalid name. List names should match a regular expression: \
                           ([^()\"'[:space:]=,]+)";
            self.warn(Code::LoadInvalidListName, &item, node, message);
        }
        let Some(items) = item.scalars("items")? else {
            return Err(item.refuse(node, "Item has no mapping for key 'items'"));
        };
        let list = ListInfo {
            name,
            items,
            place: item.own_place(),
            order: Order::default(),
        };
        if self.is_append(&item, "items")? {
            self.catalog.append_list(list, &item.item)?;
        } else {
            self.catalog.define_list(list);
        }
        self.unknown_keys(&item, &["list", "items", "append", "override"]);
        Ok(())
    }

    fn macro_item(&mut self, node: &Node) -> Done {
        let name = self.decoder(node, String::new()).text("macro")?.to_owned();
        let item = self.decoder(node, format!("macro \"{name}\""));
        if !is_identifier(&name) {
            let message = "Macro has an invalid name. Macro names should match a regular expression: \
                           ([a-zA-Z]+[a-zA-Z0-9_]*)";
            self.warn(Code::LoadInvalidMacroName, &item, node, message);
        }
        let defined = MacroInfo {
            name,
            condition: item.mapped("condition")?,
            place: item.own_place(),
            order: Order::default(),
        };
        if self.is_append(&item, "condition")? {
            self.catalog.append_macro(&defined, &item.item)?;
        } else {
            self.catalog.define_macro(defined);
        }
        self.unknown_keys(&item, &["macro", "condition", "append", "override"]);
        Ok(())
    }
}

fn is_bare(name: &str) -> bool {
    !name.contains(['(', ')', '"', '\'', '=', ',']) && !name.contains(char::is_whitespace)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the key `override` says.
pub(super) struct Overrides {
    pub(super) append: Vec<&'static str>,
    pub(super) replace: Vec<&'static str>,
}

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }

    pub(super) fn read(
        item: &Decoder<'_>,
        can_append: &[&'static str],
        can_replace: &[&'static str],
    ) -> Result<Self, Refused> {
        let mut overrides = Self {
            append: Vec::new(),
            replace: Vec::new(),
        };
        let Some(node) = item.get("override") else {
            return Ok(overrides);
        };
        if !matches!(node.value, Value::Mapping(_)) && !node.is_null() {
            return Err(item.refuse(node, "override must be a mapping of keys to append or replace"));
        }
        for (key, operation) in node.entries() {
            let name = key.as_text().unwrap_or_default();
            let appendable = can_append.iter().copied().find(|known| *known == name);
            let replaceable = can_replace.iter().copied().find(|known| *known == name);
            match operation.as_text().unwrap_or_default() {
                "append" => match appendable {
                    Some(known) => overrides.append.push(known),
                    None => {
                        let message = format!("Key '{name}' cannot be appended to, use 'replace' instead");
                        return Err(item.refuse(key, message));
                    }
                },
                "replace" => match replaceable {
                    Some(known) => overrides.replace.push(known),
                    None => return Err(item.refuse(key, format!("Key '{name}' cannot be replaced"))),
                },
                other => {
                    let mut message =
                        format!("Invalid override operation for key '{name}': '{other}'. Allowed values are: ");
                    if appendable.is_some() {
                        message.push_str("append ");
                    }
                    if replaceable.is_some() {
                        message.push_str("replace ");
                    }
                    return Err(item.refuse(operation, message));
                }
            }
        }
        Ok(overrides)
    }
}
