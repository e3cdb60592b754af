//! Suite files in, concrete cases out: templates filled in, cases for other architectures left out.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

/// One concrete test.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique name; generated ones end in `_testCase#N`.
    pub name: String,
    /// The rule that must fire.
    pub rule: String,
    /// The whole description, placeholders replaced.
    pub body: Value,
}

/// A file that could not be read whole, and why.
pub type Unread = (String, String);

/// Most combinations of one template.
const MAX_CASES: usize = 10_000;

/// Reads every suite file of a folder, sorted by name. What of them cannot be read comes back as the file and why.
///
/// # Errors
/// The folder cannot be listed.
pub fn load(folder: &Path) -> anyhow::Result<(Vec<Case>, Vec<Unread>)> {
    let mut files: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"));
    files.sort();
    let (mut cases, mut unread) = (Vec::new(), Vec::new());
    for file in files {
        if let Err(error) = read(&file, &mut cases) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            unread.push((name, format!("{error:#}")));
        }
    }
    Ok((cases, unread))
}

/// The cases of one file, up to the first test that lacks what a test must have.
fn read(file: &Path, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let document: Value = serde_saphyr::from_str(&quote_placeholders(&text))?;
    for test in document["tests"].as_array().context("a suite has `tests`")? {
        let name = test["name"].as_str().unwrap_or("without a name");
        expand(test, cases).with_context(|| format!("test {name}"))?;
    }
    Ok(())
}

/// A placeholder alone is no YAML: `%` begins a directive.
fn quote_placeholders(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(": %{") {
            Some((key, rest)) if rest.trim_end().ends_with('}') => {
                out.push_str(&format!("{key}: \"%{{{}\"\n", rest.trim_end()));
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn expand(test: &Value, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let Some(specifications) = test.get("cases").and_then(Value::as_array) else {
        return add(test.clone(), None, cases);
    };
    let mut index = 0;
    for specification in specifications {
        let values = specification["values"].as_object().context("a case has `values`")?;
        let combinations = match specification["strategy"].as_str() {
            Some("vector") => vec![values.clone()],
            Some("matrix") => combine(values)?,
            other => bail!("unknown strategy {other:?}"),
        };
        for item in combinations {
            add(fill(test, &item), Some(index), cases)?;
            index += 1;
        }
    }
    Ok(())
}

fn add(body: Value, index: Option<usize>, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let architecture = &body["runIf"]["arch"];
    let is_named = architecture["val"].as_str() == Some(if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" });
    if !architecture.is_null() && is_named == (architecture["op"] == "ne") {
        return Ok(());
    }
    let name = body["name"].as_str().context("a test has a `name`")?;
    cases.push(Case {
        name: index.map_or_else(|| name.to_owned(), |index| format!("{name}_testCase#{index}")),
        rule: body["rule"].as_str().context("a test has a `rule`")?.to_owned(),
        body,
    });
    Ok(())
}

fn combine(values: &Map<String, Value>) -> anyhow::Result<Vec<Map<String, Value>>> {
    let mut combinations = vec![Map::new()];
    for (key, choices) in values {
        let choices = choices.as_array().context("a matrix has lists")?;
        anyhow::ensure!(combinations.len() * choices.len() <= MAX_CASES, "too many combinations");
        combinations = combinations
            .iter()
            .flat_map(|known| {
                choices.iter().map(move |choice| {
                    let mut next = known.clone();
                    next.insert(key.clone(), choice.clone());
                    next
                })
            })
            .collect();
    }
    Ok(combinations)
}

/// Replaces `%{ item.key }`: a text that is nothing else takes the value's own type.
fn fill(value: &Value, item: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => fill_text(text, item),
        Value::Array(items) => items.iter().map(|value| fill(value, item)).collect(),
        Value::Object(fields) => {
            let filled = fields.iter().filter(|(key, _)| *key != "cases");
            Value::Object(filled.map(|(key, value)| (key.clone(), fill(value, item))).collect())
        }
        other => other.clone(),
    }
}

fn fill_text(text: &str, item: &Map<String, Value>) -> Value {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("%{") {
        let Some((name, after)) = behind.split_once('}') else {
            break;
        };
        let value = name.trim().strip_prefix("item.").and_then(|key| item.get(key));
        let value = value.cloned().unwrap_or(Value::Null);
        if before.is_empty() && after.is_empty() && out.is_empty() {
            return value;
        }
        out.push_str(before);
        match value {
            Value::String(text) => out.push_str(&text),
            other => out.push_str(&other.to_string()),
        }
        rest = after;
    }
    out.push_str(rest);
    Value::String(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_multiplied_and_keep_types() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = "tests:\n  - name: t\n    rule: R\n    runIf: %{ item.when }\n    a: \"%{ item.x }\"\n    b: \"<%{item.y}>\"\n    cases:\n      - strategy: vector\n        values: {when: null, x: 1, y: z}\n      - strategy: matrix\n        values: {when: [null], x: [1, {}], y: [p, q]}\n";
        fs::write(folder.path().join("s.yaml"), text).expect("the folder is ours");
        fs::write(folder.path().join("broken.yaml"), "tests: [{name: only}]").expect("the folder is ours");
        let (cases, unread) = load(folder.path()).expect("the folder is there");
        assert_eq!(
            unread,
            [("broken.yaml".to_owned(), "test only: a test has a `rule`".to_owned())]
        );
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "t_testCase#0",
                "t_testCase#1",
                "t_testCase#2",
                "t_testCase#3",
                "t_testCase#4"
            ]
        );
        assert_eq!((&cases[0].body["a"], &cases[0].body["b"]), (&1.into(), &"<z>".into()));
        assert!(
            cases
                .iter()
                .any(|case| case.body["a"].is_object() && case.body["b"] == "<q>")
        );
    }
}
