//! YAML text in, trees of nodes with their place in the text out.
//!
//! serde would lose the places, and diagnostics live on them.

use std::{collections::HashMap, ops::Range, rc::Rc};

use granit_parser::{Event, Parser, ScalarStyle};

use crate::limits::{MAX_YAML_DEPTH, MAX_YAML_NODES};

/// A YAML value and where it is written.
#[derive(Debug)]
pub(crate) struct Node {
    /// Bytes of the file.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) value: Value,
    /// How many nodes it stands for, itself included.
    size: usize,
}

/// The three kinds of YAML values.
#[derive(Debug)]
pub(crate) enum Value {
    /// Any scalar, as text.
    Scalar {
        /// Escapes and folding resolved.
        text: String,
        /// Written without quotes and not as a block.
        is_plain: bool,
    },
    /// `- a`
    Sequence(Vec<Rc<Node>>),
    /// `a: b`, in the order written.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Why a text is not YAML that we read.
#[derive(Debug)]
pub(crate) struct YamlError {
    /// Byte offset in the text.
    pub(crate) offset: usize,
    /// What is wrong.
    pub(crate) message: String,
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is YAML's null: nothing, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, is_plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of a key of a mapping; the last one wins when it is written twice.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        match &self.value {
            Value::Mapping(entries) => entries
                .iter()
                .rev()
                .find(|(name, _)| name.as_text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The entries of a mapping; empty for anything else.
    pub(crate) fn entries(&self) -> &[(Rc<Node>, Rc<Node>)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }
}

enum Open {
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>, Option<Rc<Node>>),
}

struct Frame {
    open: Open,
    start: usize,
    anchor: usize,
    size: usize,
}

/// Reads all documents of `text`. Empty documents are left out.
pub(crate) fn parse(text: &str) -> Result<Vec<Rc<Node>>, YamlError> {
    let mut builder = Builder::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| YamlError {
            offset: error.marker().byte_offset().unwrap_or(0).min(text.len()),
            message: error.info(),
        })?;
        let range = span.byte_range().unwrap_or(0..0);
        builder.take(event, range.start.min(text.len())..range.end.min(text.len()))?;
    }
    Ok(builder.documents)
}

#[derive(Default)]
struct Builder {
    documents: Vec<Rc<Node>>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    total: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let node = Node {
                    span: range,
                    value: Value::Scalar {
                        text: text.into_owned(),
                        is_plain: style == ScalarStyle::Plain,
                    },
                    size: 1,
                };
                self.finish(node, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Open::Sequence(Vec::new()), range.start, anchor),
            Event::MappingStart(_, anchor, _) => self.open(Open::Mapping(Vec::new(), None), range.start, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.place(node, range.start),
                // The anchor's own node is still open: a structure that contains itself.
                None => Err(YamlError {
                    offset: range.start,
                    message: "an alias inside the node that it stands for".to_owned(),
                }),
            },
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, start: usize, anchor: usize) -> Result<(), YamlError> {
        if self.frames.len() >= MAX_YAML_DEPTH {
            return Err(YamlError {
                offset: start,
                message: format!("nested deeper than {MAX_YAML_DEPTH} levels"),
            });
        }
        self.frames.push(Frame {
            open,
            start,
            anchor,
            size: 1,
        });
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), YamlError> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let value = match frame.open {
            Open::Sequence(items) => Value::Sequence(items),
            Open::Mapping(entries, _) => Value::Mapping(entries),
        };
        let node = Node {
            span: frame.start..end.max(frame.start),
            value,
            size: frame.size,
        };
        self.finish(node, frame.anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        let start = node.span.start;
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.place(node, start)
    }

    fn place(&mut self, node: Rc<Node>, offset: usize) -> Result<(), YamlError> {
        let Some(frame) = self.frames.last_mut() else {
            self.total = self.total.saturating_add(node.size);
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        frame.size = frame.size.saturating_add(node.size);
        if frame.size.saturating_add(self.total) > MAX_YAML_NODES {
            return Err(YamlError {
                offset,
                message: format!("more than {MAX_YAML_NODES} nodes, aliases counted"),
            });
        }
        match &mut frame.open {
            Open::Sequence(items) => items.push(node),
            Open::Mapping(entries, key) => match key.take() {
                None => *key = Some(node),
                Some(name) => entries.push((name, node)),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_places_and_order() {
        let text = "- a: 1\n  b: [x, \"y\"]\n---\n- c\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 2);
        let Value::Sequence(items) = &documents[0].value else {
            panic!("not a sequence");
        };
        let Value::Sequence(letters) = &items[0].get("b").unwrap().value else {
            panic!("not a sequence");
        };
        assert_eq!(&text[letters[1].span.clone()], "\"y\"");
        assert_eq!(letters[1].as_text(), Some("y"));
    }

    #[test]
    fn an_alias_bomb_is_an_error() {
        let mut text = String::from("- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("- &a{level} [{inner}]\n"));
        }
        assert!(parse(&text).unwrap_err().message.contains("nodes"));
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let text = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&text).is_err());
    }
}
