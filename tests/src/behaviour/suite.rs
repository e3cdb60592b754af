//! Workload and attack files in, steps out.
//!
//! The form is that of k8sstormcenter's `FunctionalTestSuite` and `AttackSuite`, whose files run unmodified: `redis:` is a
//! command or script sent to the server, `exec:` what `kubectl exec` would run, `successIndicators` or `expectedReply` what
//! the answer must hold, `expectedDetections` what should be noticed. Ours besides: `beside:` (a program of this machine
//! in the container's network, which is how clients reach it), `machine:` (a program of this machine), `repeat`,
//! `operations` (how much work one run of the step is), `settle_ms` (how long what it causes may take), `unseen` (why the
//! kernel has nothing to show for it), and `unjudged` (why what a kernel could show of it is no alert).

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// One file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its `metadata.name`.
    pub name: String,
    /// Which image it is for: its `target.service`.
    pub service: String,
    /// Normal work or attacks.
    pub kind: Kind,
    /// In order.
    pub steps: Vec<Step>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing of it may raise an alert.
    Benign,
    /// Each of its steps should, unless the kernel has nothing to show for it.
    Attacks,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in its file.
    pub name: String,
    /// What is done.
    pub act: Act,
    /// The answer must hold one of these, letter case aside; empty: whatever it says.
    pub replies: Vec<String>,
    /// Rules and deviations that must be among an alert's reasons. Empty: any alert will do.
    pub expects: Vec<String>,
    /// How often it is done in a row.
    pub repeat: u32,
    /// Operations that one run stands for.
    pub operations: u64,
    /// How long its consequences may take to show.
    pub settle: Duration,
    /// Why the kernel has nothing to show for it.
    pub unseen: Option<String>,
    /// Why what a kernel could show of it is no alert.
    pub unjudged: Option<String>,
}

/// What is done, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A command of the redis protocol.
    Redis(Vec<String>),
    /// A program inside, started from outside.
    Exec(Vec<String>),
    /// A program of this machine, in the container's network.
    Beside(Vec<String>),
    /// A program of this machine.
    Machine(Vec<String>),
    /// Nothing that can be done here, with the reason.
    Elsewhere(String),
}

/// Reads every file of a folder that is a suite, in name order; others are left out.
///
/// # Errors
/// The folder or a file cannot be read, or a step is not of the form.
pub fn load(folder: &Path) -> anyhow::Result<Vec<Suite>> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("list {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"));
    files.sort();
    let mut suites = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        suites.extend(parse(&text).with_context(|| format!("read {}", file.display()))?);
    }
    Ok(suites)
}

/// One file's text; `None` when it is no suite.
fn parse(text: &str) -> anyhow::Result<Option<Suite>> {
    let document: Value = serde_saphyr::from_str(text)?;
    let (kind, list) = match document["kind"].as_str() {
        Some("FunctionalTestSuite") => (Kind::Benign, "tests"),
        Some("AttackSuite") => (Kind::Attacks, "attacks"),
        _ => return Ok(None),
    };
    let service = document["target"]["service"].as_str().context("a suite has a target")?;
    let steps = document[list]
        .as_array()
        .with_context(|| format!("a suite has {list}"))?;
    Ok(Some(Suite {
        name: document["metadata"]["name"].as_str().unwrap_or(service).to_owned(),
        service: service.to_owned(),
        kind,
        steps: steps.iter().map(step).collect::<anyhow::Result<_>>()?,
    }))
}

fn step(body: &Value) -> anyhow::Result<Step> {
    let name = body["name"].as_str().context("a step has a name")?;
    read_step(name, body).with_context(|| format!("read step {name}"))
}

fn read_step(name: &str, body: &Value) -> anyhow::Result<Step> {
    let indicators = body["successIndicators"].as_array().into_iter().flatten();
    let mut replies: Vec<String> = indicators
        .filter_map(|indicator| Some(indicator["responseContains"].as_str()?.to_owned()))
        .collect();
    replies.extend(reply(&body["redis"]["expectedReply"]));
    replies.extend(reply(&body["expectedReply"]));
    let expects = body["expectedDetections"].as_array().into_iter().flatten();
    Ok(Step {
        name: name.to_owned(),
        act: act(body)?,
        replies,
        // With an id it is another product's rule.
        expects: expects
            .filter(|detection| detection["ruleID"].is_null())
            .filter_map(|detection| Some(detection["ruleName"].as_str()?.to_owned()))
            .collect(),
        repeat: u32::try_from(body["repeat"].as_u64().unwrap_or(1)).context("repeat")?,
        operations: body["operations"].as_u64().unwrap_or(1),
        settle: Duration::from_millis(body["settle_ms"].as_u64().unwrap_or(0)),
        unseen: body["unseen"].as_str().map(str::to_owned),
        unjudged: body["unjudged"].as_str().map(str::to_owned),
    })
}

/// Replies are texts; YAML reads some of them as numbers.
fn reply(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn act(body: &Value) -> anyhow::Result<Act> {
    let redis = &body["redis"];
    if let Some(script) = redis["eval"].as_str() {
        return Ok(Act::Redis(vec!["EVAL".to_owned(), script.to_owned(), "0".to_owned()]));
    }
    if let Some(exploit) = redis["exploit"].as_str() {
        let reason = format!("the exploit {exploit} is code of the suite's own runner");
        return Ok(Act::Elsewhere(reason));
    }
    for (key, make) in [
        ("redis", Act::Redis as fn(Vec<String>) -> Act),
        ("exec", Act::Exec),
        ("beside", Act::Beside),
        ("machine", Act::Machine),
    ] {
        let command = &body[key]["command"];
        if !command.is_null() {
            return Ok(make(words(command)?));
        }
    }
    if let Some(kind) = body["type"].as_str() {
        return Ok(Act::Elsewhere(format!("steps of type {kind} need Kubernetes")));
    }
    bail!("nothing that could be done")
}

fn words(command: &Value) -> anyhow::Result<Vec<String>> {
    let words: Vec<String> = command
        .as_array()
        .context("a command is a list of words")?
        .iter()
        .map(|word| reply(word).context("a word is a text"))
        .collect::<anyhow::Result<_>>()?;
    ensure!(!words.is_empty(), "a command has a first word");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_and_names_what_cannot_be_done_here() {
        let suite = parse(
            "kind: AttackSuite\nmetadata: {name: a}\ntarget: {service: redis, port: 6379}\nattacks:\n\
             - name: one\n  exec: {command: [sh, -c, id]}\n  expectedDetections: [{ruleID: R1, ruleName: theirs}]\n\
             - name: two\n  redis: {eval: return 1}\n  successIndicators: [{responseContains: x}]\n\
             - name: three\n  type: fileless\n  redis: {exploit: cve}\n\
             - name: four\n  beside: {command: [curl, 1]}\n  expectedDetections: [{ruleName: unexpected-exec}]\n",
        )
        .unwrap()
        .unwrap();
        assert_eq!((suite.kind, suite.service.as_str()), (Kind::Attacks, "redis"));
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(suite.steps[0].act, Act::Exec(words(&["sh", "-c", "id"])));
        assert!(suite.steps[0].expects.is_empty());
        assert_eq!(suite.steps[1].act, Act::Redis(words(&["EVAL", "return 1", "0"])));
        assert_eq!(suite.steps[1].replies, ["x"]);
        assert!(matches!(&suite.steps[2].act, Act::Elsewhere(reason) if reason.contains("cve")));
        assert_eq!(suite.steps[3].act, Act::Beside(words(&["curl", "1"])));
        assert_eq!(suite.steps[3].expects, ["unexpected-exec"]);
        assert!(parse("kind: Images\n").unwrap().is_none());
        assert!(parse("kind: AttackSuite\ntarget: {service: x}\nattacks: [{name: y}]\n").is_err());
    }
}
