//! An XML document in, its elements out, without name spaces' prefixes. Entities of its own are refused: nothing expands.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::BytesStart, events::Event};

use crate::limits::{MAX_SBOM_DEPTH, MAX_SBOM_ELEMENTS};

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    /// What stands directly in it.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The items of a list: `<list><item/><item/></list>`.
    pub(super) fn items<'a>(&'a self, list: &'a str, item: &'a str) -> impl Iterator<Item = &'a Element> {
        let lists = self.children.iter().filter(move |child| child.name == list);
        lists
            .flat_map(|list| &list.children)
            .filter(move |child| child.name == item)
    }
}

/// The root element.
pub(super) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    // The first one is no element, but what holds the root.
    let mut open = vec![Element::default()];
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) {
            count += 1;
            if count > MAX_SBOM_ELEMENTS {
                return Err(format!("it has more than {MAX_SBOM_ELEMENTS} elements"));
            }
        }
        match event {
            Event::Start(start) if open.len() > MAX_SBOM_DEPTH => {
                return Err(format!(
                    "{} nests deeper than {MAX_SBOM_DEPTH}",
                    name(start.name().as_ref())
                ));
            }
            Event::Start(start) => open.push(element(&start)?),
            Event::Empty(start) => {
                let element = element(&start)?;
                open.last_mut().expect("the first one stays").children.push(element);
            }
            Event::End(_) => {
                let done = open.pop().expect("the reader refuses ends without a start");
                let parent = open.last_mut().ok_or("an element ends that never began")?;
                parent.children.push(done);
            }
            Event::Text(content) => open.last_mut().expect("the first one stays").text.push_str(&content),
            Event::CData(content) => open.last_mut().expect("the first one stays").text.push_str(&content),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(char) => char.to_string(),
                    None => resolve_predefined_entity(&reference)
                        .ok_or("it refers to an entity of its own")?
                        .to_owned(),
                };
                open.last_mut().expect("the first one stays").text.push_str(&resolved);
            }
            Event::Eof => break,
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let mut outermost = match open.as_mut_slice() {
        [outermost] => std::mem::take(&mut outermost.children),
        _ => return Err("it ends within an element".to_owned()),
    };
    outermost.pop().ok_or_else(|| "it has no element".to_owned())
}

fn name(qualified: &str) -> &str {
    qualified.rsplit(':').next().unwrap_or(qualified)
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
        // `xmlns:cdx` names the same as `xmlns` in documents that use a prefix.
        let key = attribute.key.as_ref();
        let key = if key.starts_with("xmlns") { "xmlns" } else { name(key) };
        attributes.push((key.to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: name(start.name().as_ref()).to_owned(),
        attributes,
        ..Element::default()
    })
}
