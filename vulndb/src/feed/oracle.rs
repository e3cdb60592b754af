//! Oracle Linux's errata as OVAL (<https://linux.oracle.com/security/oval/>, `com.oracle.elsa-all.xml.bz2`): one document
//! of definitions in, one update per definition out.

use plimsoll_model::FixState;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};

use super::{Affected, Batch, Feed, Framing, Record, checked, is_cve, is_day, is_of_module, one_line, severity_word};
use crate::cvss;
use crate::limits::{MAX_AFFECTED_PER_RECORD, MAX_ALIASES, MAX_DOCUMENT_BYTES, MAX_XML_DEPTH};
use crate::version::{Rpm, Scheme as _};

/// Oracle Linux.
pub(super) struct Oracle;

impl Feed for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn recognises(&self, _file_name: &str, head: &[u8]) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        has(b"<oval_definitions") && has(b"oval:com.oracle.elsa:")
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn max_document_bytes(&self) -> usize {
        MAX_DOCUMENT_BYTES
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open = Definition::default();
        let mut depth = 0_usize;
        let mut has_root = false;
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) => {
                    depth += 1;
                    if depth > MAX_XML_DEPTH {
                        return Err(format!("its elements are nested more than {MAX_XML_DEPTH} deep"));
                    }
                    has_root |= start.local_name().as_ref() == "oval_definitions";
                    open.start(&start)?;
                }
                Event::Empty(start) => {
                    open.start(&start)?;
                    open.end(start.local_name().as_ref());
                }
                Event::Text(text) => open.text.push_str(&text),
                Event::GeneralRef(entity) => open
                    .text
                    .push_str(resolve_predefined_entity(&entity).unwrap_or_default()),
                Event::End(end) => {
                    depth = depth.saturating_sub(1);
                    let name = end.local_name();
                    if name.as_ref() == "definition" {
                        batch.records.push(std::mem::take(&mut open).finish()?);
                    }
                    open.end(name.as_ref());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (depth, has_root) {
            (0, true) => Ok(()),
            (0, false) => Err("it has no definitions".to_owned()),
            _ => Err("it ends within a definition".to_owned()),
        }
    }
}

/// One definition while it is read.
#[derive(Default)]
struct Definition {
    /// Of the element that is open.
    text: String,
    id: String,
    title: String,
    severity: String,
    issued: String,
    fixes: Vec<String>,
    vectors: Vec<String>,
    /// One level per open `criteria`.
    levels: Vec<Level>,
    affected: Vec<Affected>,
}

/// What the tests of one `criteria` ask for; what is inside inherits it.
#[derive(Default, Clone)]
struct Level {
    /// `8` of `Oracle Linux 8 is installed`.
    release: String,
    /// `ruby:2.5` of `Module ruby:2.5 is enabled`.
    module: Option<String>,
    /// Packages and versions, of which a fix in Ksplice's builds counts for nobody else.
    fixes: Vec<(String, String)>,
    is_ksplice: bool,
}

impl Definition {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.text.clear();
        match start.local_name().as_ref() {
            "reference" if attribute(start, "source")? == "elsa" => self.id = attribute(start, "ref_id")?,
            "issued" => self.issued = attribute(start, "date")?,
            "cve" => {
                // `7.5/CVSS:3.1/AV:N/…`
                let score = attribute(start, "cvss3")?;
                self.vectors
                    .extend(score.split_once('/').map(|(_, vector)| vector.to_owned()));
            }
            "criteria" => {
                let mut level = self.levels.last().cloned().unwrap_or_default();
                level.fixes.clear();
                self.levels.push(level);
            }
            "criterion" => self.criterion(&attribute(start, "comment")?)?,
            _ => {}
        }
        Ok(())
    }

    /// What a test asks for is said in words only; its parts lie at the other end of the document.
    fn criterion(&mut self, comment: &str) -> Result<(), String> {
        let Some(level) = self.levels.last_mut() else {
            return Err("a criterion stands alone".to_owned());
        };
        if let Some(release) = comment
            .strip_prefix("Oracle Linux ")
            .and_then(|rest| rest.strip_suffix(" is installed"))
        {
            release.clone_into(&mut level.release);
        } else if let Some(module) = comment
            .strip_prefix("Module ")
            .and_then(|rest| rest.strip_suffix(" is enabled"))
        {
            level.module = Some(checked("module", module)?);
        } else if comment.ends_with(" is ksplice-based") {
            level.is_ksplice = true;
        } else if let Some((name, version)) = comment.split_once(" is earlier than ") {
            level
                .fixes
                .push((checked("package", name)?, checked("version", version)?));
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        let text = std::mem::take(&mut self.text);
        match name {
            "title" if self.title.is_empty() => self.title = one_line(&text),
            "severity" => text.trim().clone_into(&mut self.severity),
            "cve" if is_cve(text.trim()) => self.fixes.push(text.trim().to_owned()),
            "criteria" => {
                let Some(level) = self.levels.pop() else { return };
                // Builds of Ksplice replace what runs already; a package that is not one of them is fixed by others.
                if !level.is_ksplice && !level.release.is_empty() {
                    self.affected.extend(level.fixes.iter().map(|fix| row(fix, &level)));
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Record, String> {
        if self.fixes.len() > MAX_ALIASES {
            return Err(format!("more than {MAX_ALIASES} vulnerabilities"));
        }
        if self.affected.len() > MAX_AFFECTED_PER_RECORD {
            return Err(format!("more than {MAX_AFFECTED_PER_RECORD} affected ranges"));
        }
        let mut record = Record::new("oracle", checked("ref_id", &self.id)?, Vec::new());
        if !self.issued.is_empty() && !is_day(&self.issued) {
            return Err(format!("`{}` is no day", one_line(&self.issued)));
        }
        record.modified = self.issued;
        record.severity = severity_word(&self.severity);
        record.cvss = cvss::newest(self.vectors.iter().map(String::as_str));
        // `ELSA-2007-0057:  Moderate: bind security update  (MODERATE)`
        let title = self.title.strip_prefix(&record.id).unwrap_or(&self.title);
        record.summary = one_line(title.trim_start_matches(':').trim());
        self.fixes.sort_unstable();
        self.fixes.dedup();
        record.fixes = self.fixes;
        record.affected = highest(self.affected);
        Ok(record)
    }
}

/// The same is said for each processor, and sometimes of several rebuilds. A definition is true if any of its tests is, so
/// the highest fix counts; where only the processor differs that is more than is needed, never less.
fn highest(mut rows: Vec<Affected>) -> Vec<Affected> {
    let is_lower = |a: &Affected, b: &Affected| {
        let (a, b) = (
            a.fixed.as_deref().unwrap_or_default(),
            b.fixed.as_deref().unwrap_or_default(),
        );
        Rpm.compare(a, b).is_ok_and(|order| order.is_lt())
    };
    let about = |row: &Affected| (row.ecosystem.clone(), row.package.clone(), row.module.clone());
    rows.sort_by_cached_key(about);
    rows.dedup_by(|next, kept| {
        let is_same = about(next) == about(kept);
        if is_same && is_lower(kept, next) {
            std::mem::swap(next, kept);
        }
        is_same
    });
    rows
}

fn row((name, version): &(String, String), level: &Level) -> Affected {
    let is_modular = level.module.is_some() || is_of_module(version);
    Affected {
        fixed: Some(version.clone()),
        state: FixState::Fixed,
        module: is_modular.then(|| level.module.clone().unwrap_or_default()),
        ..Affected::new(&format!("Oracle Linux:{}", level.release), name)
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<String, String> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().as_ref() == name {
            let value = unescape(&attribute.value).map_err(|error| error.to_string())?;
            return Ok(value.into_owned());
        }
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests;
