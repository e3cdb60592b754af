//! YAML nodes to the types that items need, with upstream's words for what is wrong.

use std::rc::Rc;

use super::item::ListItem;
use crate::{
    diagnostic::{Code, Finding},
    text::{Mapped, Place},
    yaml::{Node, Value},
};

/// Why an item cannot be used.
pub(crate) type Refused = Box<Finding>;

/// An item of a file, and what it is called in diagnostics.
pub(crate) struct Decoder<'a> {
    pub(crate) node: &'a Node,
    pub(crate) file: usize,
    pub(crate) source: &'a str,
    pub(crate) item: String,
}

impl<'a> Decoder<'a> {
    pub(crate) fn place(&self, node: &Node) -> Place {
        Place {
            file: self.file,
            span: node.span.clone(),
        }
    }

    pub(crate) fn own_place(&self) -> Place {
        self.place(self.node)
    }

    pub(crate) fn refuse(&self, node: &Node, message: impl Into<String>) -> Refused {
        Box::new(Finding::new(
            Code::LoadErrYamlValidate,
            self.place(node),
            &self.item,
            message,
        ))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Rc<Node>> {
        self.node.get(key)
    }

    /// The scalar of a key that must be there and say something.
    pub(crate) fn required(&self, key: &str) -> Result<&'a Node, Refused> {
        match self.optional(key)? {
            Some(node) => Ok(node),
            None => Err(self.refuse(self.node, format!("Item has no mapping for key '{key}'"))),
        }
    }

    /// The scalar of a key that may be left out, but must say something where it is.
    pub(crate) fn optional(&self, key: &str) -> Result<Option<&'a Node>, Refused> {
        let Some(node) = self.get(key) else { return Ok(None) };
        if node.is_null() {
            return Err(self.refuse(node, format!("Mapping for key '{key}' is empty")));
        }
        match node.as_text() {
            None => Err(self.refuse(node, "Value is not a scalar value")),
            Some("") => Err(self.refuse(node, "Value must be non-empty")),
            Some(_) => Ok(Some(node)),
        }
    }

    /// As [`Decoder::required`], as text.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str, Refused> {
        Ok(self.required(key)?.as_text().unwrap_or_default())
    }

    /// As [`Decoder::required`], with every byte's place.
    pub(crate) fn mapped(&self, key: &str) -> Result<Mapped, Refused> {
        Ok(Mapped::of_scalar(self.required(key)?, self.file, self.source))
    }

    /// A boolean, as YAML 1.1 writes them.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, Refused> {
        let Some(node) = self.optional(key)? else {
            return Ok(None);
        };
        match node.as_text().unwrap_or_default().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(Some(true)),
            "false" | "no" | "off" | "n" => Ok(Some(false)),
            _ => Err(self.refuse(node, "Can't decode YAML scalar value")),
        }
    }

    /// A number of 32 bits without sign.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u32>, Refused> {
        let Some(node) = self.optional(key)? else {
            return Ok(None);
        };
        match node.as_text().unwrap_or_default().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.refuse(node, "Can't decode YAML scalar value")),
        }
    }

    /// A sequence of scalars. `None`: the key is not there.
    pub(crate) fn scalars(&self, key: &str) -> Result<Option<Vec<ListItem>>, Refused> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let Value::Sequence(items) = &node.value else {
            return Err(self.refuse(node, "Value is not a sequence"));
        };
        items
            .iter()
            .map(|item| match item.as_text() {
                Some(text) => Ok(ListItem {
                    text: text.to_owned(),
                    place: self.place(item),
                }),
                None => Err(self.refuse(item, "sequence value is not scalar")),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }
}
