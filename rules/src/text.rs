//! Text that was put together from several places of rule files, and the way back to those places.

use std::ops::Range;

use crate::yaml::{Node, Value};

/// A place in one of the files that are loaded together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the file.
    pub(crate) file: usize,
    /// Bytes of it.
    pub(crate) span: Range<usize>,
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(
            memchr::memchr_iter(b'\n', text.as_bytes())
                .map(|newline| newline + 1)
                .collect(),
        )
    }

    /// The line of a byte, from 1, and where that line begins.
    pub(crate) fn find(&self, offset: usize) -> (usize, usize) {
        let before = self.0.partition_point(|start| *start <= offset);
        (before + 1, before.checked_sub(1).map_or(0, |last| self.0[last]))
    }
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    at: usize,
    file: usize,
    source: usize,
    /// Bytes of the text follow bytes of the source one by one; else all stand for the one place.
    is_linear: bool,
}

/// A text whose bytes know where they come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mapped {
    /// The text.
    pub(crate) text: String,
    segments: Vec<Segment>,
}

impl Mapped {
    /// The text of a scalar, each byte tied to where it is written. `source` is the whole file.
    pub(crate) fn of_scalar(node: &Node, file: usize, source: &str) -> Self {
        let mut mapped = Self::default();
        let Value::Scalar { text, .. } = &node.value else {
            return mapped;
        };
        let raw = source.get(node.span.clone()).unwrap_or("");
        let mut at = node.span.start + content_start(raw);
        let end = node.span.end;
        let mut last_end = usize::MAX;
        for (offset, character) in text.char_indices() {
            if character.is_whitespace() {
                continue;
            }
            // Folding and escapes change blanks only, so the next equal character is the right one.
            let rest = source.get(at..end).unwrap_or("");
            let Some(step) = rest.find(character) else { break };
            let found = at + step;
            if found != last_end || offset == 0 {
                mapped.segments.push(Segment {
                    at: offset,
                    file,
                    source: found,
                    is_linear: true,
                });
            }
            at = found + character.len_utf8();
            last_end = at;
        }
        if mapped.segments.first().is_none_or(|first| first.at != 0) {
            mapped.segments.insert(
                0,
                Segment {
                    at: 0,
                    file,
                    source: node.span.start,
                    is_linear: false,
                },
            );
        }
        mapped.text.push_str(text);
        mapped
    }

    /// Appends text that stands for one place as a whole.
    pub(crate) fn push(&mut self, text: &str, place: &Place) {
        self.segments.push(Segment {
            at: self.text.len(),
            file: place.file,
            source: place.span.start,
            is_linear: false,
        });
        self.text.push_str(text);
    }

    /// Appends a part of another mapped text.
    pub(crate) fn push_part(&mut self, other: &Self, part: Range<usize>) {
        let base = self.text.len();
        let first = other.segment_index(part.start);
        for segment in other.segments.get(first..).unwrap_or_default() {
            if segment.at >= part.end.max(part.start + 1) {
                break;
            }
            let skipped = part.start.saturating_sub(segment.at);
            self.segments.push(Segment {
                at: base + segment.at.saturating_sub(part.start),
                source: if segment.is_linear {
                    segment.source + skipped
                } else {
                    segment.source
                },
                ..*segment
            });
        }
        self.text.push_str(other.text.get(part).unwrap_or(""));
    }

    /// The place that a part of the text comes from: from its first byte to its last.
    pub(crate) fn place(&self, part: &Range<usize>) -> Place {
        let last_byte = part.end.saturating_sub(1).max(part.start);
        let (file, start) = self.locate(part.start);
        let (end_file, end) = self.locate(last_byte);
        let end = if end_file == file && end >= start {
            end + 1
        } else {
            start + 1
        };
        Place { file, span: start..end }
    }

    fn locate(&self, offset: usize) -> (usize, usize) {
        let Some(segment) = self.segments.get(self.segment_index(offset)) else {
            return (0, 0);
        };
        let step = if segment.is_linear {
            offset.saturating_sub(segment.at)
        } else {
            0
        };
        (segment.file, segment.source + step)
    }

    fn segment_index(&self, offset: usize) -> usize {
        self.segments
            .partition_point(|segment| segment.at <= offset)
            .saturating_sub(1)
    }
}

/// Where the content of a raw scalar begins: behind a quote, or behind the line with `>` or `|`.
fn content_start(raw: &str) -> usize {
    match raw.as_bytes().first() {
        Some(b'"' | b'\'') => 1,
        Some(b'>' | b'|') => raw.find('\n').map_or(0, |newline| newline + 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_condition_finds_its_way_back() {
        let source = "- rule: x\n  condition: >\n    a.b = 1\n    and c.d in (x)\n";
        let documents = crate::yaml::parse(source).unwrap();
        let Value::Sequence(items) = &documents[0].value else {
            panic!("not a sequence");
        };
        let node = items[0].get("condition").unwrap();
        let mapped = Mapped::of_scalar(node, 0, source);
        let at = mapped.text.find("c.d").unwrap();
        let place = mapped.place(&(at..at + 3));
        assert_eq!(&source[place.span], "c.d");
        let mut joined = Mapped::default();
        joined.push("(", &Place { file: 0, span: 0..1 });
        joined.push_part(&mapped, at..at + 8);
        let at = joined.text.find("in").unwrap();
        let place = joined.place(&(at..at + 2));
        assert_eq!(&source[place.span], "in");
    }
}
