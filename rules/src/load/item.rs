//! Lists, macros and rules as files define them, before anything is compiled.

use plimsoll_model::Decision;

use crate::{
    Priority,
    text::{Mapped, Place},
};

/// A list.
#[derive(Debug)]
pub(crate) struct ListInfo {
    pub(crate) name: String,
    pub(crate) items: Vec<ListItem>,
    pub(crate) place: Place,
    pub(crate) order: Order,
}

/// One item of a list.
#[derive(Debug, Clone)]
pub(crate) struct ListItem {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// When an item was first defined, and up to when what it refers to must have been.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Order {
    /// Number of the first definition.
    pub(crate) index: usize,
    /// Number of the last change: only items first defined before it are visible.
    pub(crate) visibility: usize,
}

/// A macro.
#[derive(Debug)]
pub(crate) struct MacroInfo {
    pub(crate) name: String,
    pub(crate) condition: Mapped,
    pub(crate) place: Place,
    pub(crate) order: Order,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct RuleInfo {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) condition: Mapped,
    pub(crate) output: Mapped,
    pub(crate) priority: Priority,
    /// As written; `syscall` when the file does not say.
    pub(crate) source: String,
    pub(crate) tags: Vec<String>,
    pub(crate) is_enabled: bool,
    pub(crate) warns_about_event_types: bool,
    pub(crate) skips_unknown_fields: bool,
    pub(crate) action: Option<Decision>,
    pub(crate) capture: Capture,
    pub(crate) exceptions: Vec<ExceptionInfo>,
    pub(crate) place: Place,
    pub(crate) order: Order,
}

/// Whether the surroundings of an event are to be recorded when the rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Capture {
    pub(crate) is_wanted: bool,
    /// Milliseconds; 0 is the default of whoever records.
    pub(crate) duration_ms: u32,
}

/// What an `append` or `replace` changes in a rule. `None`: not this.
#[derive(Debug, Default)]
pub(crate) struct RuleUpdate {
    pub(crate) condition: Option<Mapped>,
    pub(crate) output: Option<Mapped>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) exceptions: Option<Vec<ExceptionInfo>>,
    pub(crate) priority: Option<Priority>,
    pub(crate) is_enabled: Option<bool>,
    pub(crate) warns_about_event_types: Option<bool>,
    pub(crate) skips_unknown_fields: Option<bool>,
    pub(crate) capture: Option<bool>,
    pub(crate) capture_duration_ms: Option<u32>,
    pub(crate) action: Option<Decision>,
}

impl RuleUpdate {
    pub(crate) fn is_empty(&self) -> bool {
        self.condition.is_none()
            && self.output.is_none()
            && self.description.is_none()
            && self.tags.is_none()
            && self.exceptions.is_none()
            && self.priority.is_none()
            && self.is_enabled.is_none()
            && self.warns_about_event_types.is_none()
            && self.skips_unknown_fields.is_none()
            && self.capture.is_none()
            && self.capture_duration_ms.is_none()
            && self.action.is_none()
    }
}

/// An exception of a rule.
#[derive(Debug, Clone)]
pub(crate) struct ExceptionInfo {
    pub(crate) name: String,
    pub(crate) fields: Option<Entry>,
    pub(crate) comparisons: Option<Entry>,
    pub(crate) values: Vec<Entry>,
    pub(crate) place: Place,
}

/// A text or a list of entries, as exceptions are made of.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Text { text: String, place: Place },
    List { entries: Vec<Entry>, place: Place },
}

impl Entry {
    pub(crate) fn place(&self) -> &Place {
        match self {
            Self::Text { place, .. } | Self::List { place, .. } => place,
        }
    }
}
