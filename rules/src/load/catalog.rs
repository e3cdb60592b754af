//! What all files together define, and how later items change earlier ones.

use std::collections::HashMap;

use super::{
    exception,
    item::{ListInfo, MacroInfo, Order, RuleInfo, RuleUpdate},
    version::PluginRequirement,
};
use crate::{
    diagnostic::{Code, Finding},
    field,
    text::Place,
};

/// Things with names, in the order of their first definition.
#[derive(Debug)]
pub(crate) struct Named<T> {
    items: Vec<T>,
    indices: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            indices: HashMap::new(),
        }
    }
}

impl<T> Named<T> {
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.items
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.indices.get(name).map(|&index| &mut self.items[index])
    }
}

impl<T: Item> Named<T> {
    /// A new item, or one in the place of an earlier one of that name.
    fn define(&mut self, mut item: T, number: usize) {
        *item.order() = Order {
            index: number,
            visibility: number,
        };
        match self.get_mut(item.name()) {
            Some(previous) => {
                item.order().index = previous.order().index;
                *previous = item;
            }
            None => {
                self.indices.insert(item.name().to_owned(), self.items.len());
                self.items.push(item);
            }
        }
    }
}

/// What files define by name.
pub(crate) trait Item {
    fn name(&self) -> &str;
    fn order(&mut self) -> &mut Order;
}

macro_rules! item {
    ($($kind:ty),*) => {
        $(impl Item for $kind {
            fn name(&self) -> &str {
                &self.name
            }

            fn order(&mut self) -> &mut Order {
                &mut self.order
            }
        })*
    };
}

item!(ListInfo, MacroInfo, RuleInfo);

/// Everything that files define.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) lists: Named<ListInfo>,
    pub(crate) macros: Named<MacroInfo>,
    pub(crate) rules: Named<RuleInfo>,
    pub(crate) plugins: Vec<(PluginRequirement, Place)>,
    next: usize,
}

const NO_PREVIOUS_LIST: &str = "List uses 'append' or 'override.items: append' but no list by that name already exists";
const NO_PREVIOUS_MACRO: &str =
    "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists";
const NO_PREVIOUS_APPEND: &str =
    "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists";
const NO_PREVIOUS_REPLACE: &str =
    "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists";

/// An error in the relation of items to each other.
pub(crate) fn invalid(place: &Place, item: &str, message: impl Into<String>) -> Box<Finding> {
    Box::new(Finding::new(Code::LoadErrValidate, place.clone(), item, message))
}

impl Catalog {
    fn number(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn define_list(&mut self, list: ListInfo) {
        let number = self.number();
        self.lists.define(list, number);
    }

    pub(crate) fn append_list(&mut self, list: ListInfo, item: &str) -> Result<(), Box<Finding>> {
        let number = self.number();
        let Some(previous) = self.lists.get_mut(&list.name) else {
            return Err(invalid(&list.place, item, NO_PREVIOUS_LIST));
        };
        previous.items.extend(list.items);
        previous.order.visibility = number;
        Ok(())
    }

    pub(crate) fn define_macro(&mut self, defined: MacroInfo) {
        let number = self.number();
        self.macros.define(defined, number);
    }

    pub(crate) fn append_macro(&mut self, added: &MacroInfo, item: &str) -> Result<(), Box<Finding>> {
        let number = self.number();
        let Some(previous) = self.macros.get_mut(&added.name) else {
            return Err(invalid(&added.place, item, NO_PREVIOUS_MACRO));
        };
        previous.condition.push(" ", &added.place);
        let whole = 0..added.condition.text.len();
        previous.condition.push_part(&added.condition, whole);
        previous.order.visibility = number;
        Ok(())
    }

    /// A rule of that name, if its source is not another one. An empty `source` says nothing.
    fn previous_rule(
        &mut self,
        name: &str,
        source: &str,
        place: &Place,
        item: &str,
    ) -> Result<Option<&mut RuleInfo>, Box<Finding>> {
        let previous = self.rules.get_mut(name);
        if previous
            .as_ref()
            .is_some_and(|rule| !source.is_empty() && rule.source != source)
        {
            return Err(invalid(place, item, "Rule has been re-defined with a different source"));
        }
        Ok(previous)
    }

    pub(crate) fn define_rule(&mut self, mut rule: RuleInfo, item: &str) -> Result<(), Box<Finding>> {
        let number = self.number();
        let sources = field::Sources::named(&rule.source);
        for exception in &mut rule.exceptions {
            exception::validate(exception, sources, item, "item must")?;
        }
        self.previous_rule(&rule.name, &rule.source, &rule.place, item)?;
        self.rules.define(rule, number);
        Ok(())
    }

    pub(crate) fn append_rule(
        &mut self,
        name: &str,
        source: &str,
        update: RuleUpdate,
        place: &Place,
        item: &str,
    ) -> Result<(), Box<Finding>> {
        let number = self.number();
        let Some(previous) = self.previous_rule(name, source, place, item)? else {
            return Err(invalid(place, item, NO_PREVIOUS_APPEND));
        };
        if update.is_empty() {
            return Err(invalid(
                place,
                item,
                "Appended rule must have exceptions or condition property",
            ));
        }
        if let Some(condition) = &update.condition {
            previous.condition.push(" ", place);
            previous.condition.push_part(condition, 0..condition.text.len());
        }
        if let Some(output) = &update.output {
            previous.output.push(" ", place);
            previous.output.push_part(output, 0..output.text.len());
        }
        if let Some(description) = &update.description {
            previous.description.push(' ');
            previous.description.push_str(description);
        }
        for tag in update.tags.into_iter().flatten() {
            if !previous.tags.contains(&tag) {
                previous.tags.push(tag);
            }
        }
        let sources = field::Sources::named(&previous.source);
        for added in update.exceptions.into_iter().flatten() {
            exception::append(&mut previous.exceptions, added, sources, item)?;
        }
        previous.order.visibility = number;
        Ok(())
    }

    pub(crate) fn replace_in_rule(
        &mut self,
        name: &str,
        source: &str,
        update: RuleUpdate,
        place: &Place,
        item: &str,
    ) -> Result<(), Box<Finding>> {
        let number = self.number();
        let Some(previous) = self.previous_rule(name, source, place, item)? else {
            return Err(invalid(place, item, NO_PREVIOUS_REPLACE));
        };
        if let Some(mut exceptions) = update.exceptions {
            let sources = field::Sources::named(&previous.source);
            for exception in &mut exceptions {
                exception::validate(exception, sources, item, "item must")?;
            }
            previous.exceptions = exceptions;
        }
        replace(&mut previous.condition, update.condition);
        replace(&mut previous.output, update.output);
        replace(&mut previous.description, update.description);
        replace(&mut previous.tags, update.tags);
        replace(&mut previous.priority, update.priority);
        replace(&mut previous.is_enabled, update.is_enabled);
        replace(&mut previous.warns_about_event_types, update.warns_about_event_types);
        replace(&mut previous.skips_unknown_fields, update.skips_unknown_fields);
        replace(&mut previous.capture.is_wanted, update.capture);
        replace(&mut previous.capture.duration_ms, update.capture_duration_ms);
        if update.action.is_some() {
            previous.action = update.action;
        }
        previous.order.visibility = number;
        Ok(())
    }

    pub(crate) fn enable_rule(
        &mut self,
        name: &str,
        is_enabled: bool,
        place: &Place,
        item: &str,
    ) -> Result<(), Box<Finding>> {
        let Some(previous) = self.rules.get_mut(name) else {
            return Err(invalid(
                place,
                item,
                "Rule has 'enabled' key but no rule by that name already exists",
            ));
        };
        previous.is_enabled = is_enabled;
        Ok(())
    }
}

fn replace<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
    }
}
