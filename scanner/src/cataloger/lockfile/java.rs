//! Gradle's lock files and Maven's `pom.xml` in, packages out as `group:artifact`. Of a `pom.xml`, only versions count that are
//! written there: all others depend on files that are elsewhere.

use quick_xml::{Reader, events::Event};

use super::Locked;

/// `group:artifact:version=configuration,…`
#[expect(clippy::unnecessary_wraps, reason = "all formats have one signature")]
pub(super) fn gradle(text: &str) -> Result<Vec<Locked>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| {
            let (coordinates, _) = line.split_once('=')?;
            let mut parts = coordinates.split(':');
            let (group, artifact, version) = (parts.next()?, parts.next()?, parts.next()?);
            Some((format!("{group}:{artifact}"), version.to_owned()))
        })
        .collect())
}

/// Elements of a `pom.xml` do not nest deeper.
const MAX_DEPTH: usize = 64;
const DEPENDENCY: &[&str] = &["project", "dependencies", "dependency"];

pub(super) fn pom(text: &str) -> Result<Vec<Locked>, String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut found = Vec::new();
    // Group, artifact and version of the dependency that is being read.
    let mut parts: [String; 3] = Default::default();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                if path.len() >= MAX_DEPTH {
                    return Err(format!("nests elements deeper than {MAX_DEPTH}"));
                }
                path.push(element.local_name().as_ref().to_owned());
            }
            Event::Text(content) => {
                let part = match path.split_last() {
                    Some((name, outer)) if outer == DEPENDENCY => part_of(name),
                    _ => None,
                };
                if let Some(part) = part {
                    parts[part].push_str(content.trim());
                }
            }
            Event::End(_) => {
                if path == DEPENDENCY {
                    let [group, artifact, version] = std::mem::take(&mut parts);
                    let is_literal = |text: &str| !text.is_empty() && !text.contains(['$', '[', '(', ',']);
                    if [&group, &artifact, &version].into_iter().all(|text| is_literal(text)) {
                        found.push((format!("{group}:{artifact}"), version));
                    }
                }
                path.pop();
            }
            Event::Eof if path.is_empty() => return Ok(found),
            Event::Eof => return Err("ends within an element".to_owned()),
            _ => {}
        }
    }
}

fn part_of(name: &str) -> Option<usize> {
    ["groupId", "artifactId", "version"]
        .iter()
        .position(|part| *part == name)
}
