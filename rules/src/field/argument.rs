//! What stands in a field's square brackets, or behind `evt.arg.`.

/// A field's argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Argument {
    /// As written; `None`: there is none.
    pub(crate) text: Option<Box<str>>,
    /// As a number, when it is one.
    pub(crate) index: Option<usize>,
}

impl Argument {
    pub(crate) fn new(text: Option<&str>) -> Self {
        Self {
            text: text.map(Box::from),
            index: text.and_then(|text| text.parse().ok()),
        }
    }

    /// As written, or empty.
    pub(crate) fn as_str(&self) -> &str {
        self.text.as_deref().unwrap_or("")
    }
}

/// Whether a field takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Optional,
    Required,
    /// A number, or nothing.
    OptionalIndex,
}
