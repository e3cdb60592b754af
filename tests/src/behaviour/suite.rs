//! Workload and attack files in, steps out.
//!
//! The form is that of k8sstormcenter's `FunctionalTestSuite` and `AttackSuite`, whose files run unmodified: `redis:` is a
//! command or script sent to the server, `http:` a request to it, `exec:` what `kubectl exec` would run,
//! `successIndicators`, `expectedReply`, `expectedStatus` and `expectedExitCode` what the answer must be,
//! `expectedDetections` what should be noticed. Ours besides: `beside:` (a program of this machine in the container's
//! network, which is how clients reach it), `machine:` (a program of this machine), `repeat`, `operations` (how much work
//! one run of the step is), `settle_ms` (how long what it causes may take), `unseen` (why the kernel has nothing to show
//! for it), and `unjudged` (why what a kernel could show of it is no alert).

mod form;
mod reply;

use std::{fs, path::Path, sync::LazyLock, time::Duration};

use anyhow::{Context as _, bail, ensure};
use plimsoll_policy::DeviationKind;
use plimsoll_rules::RuleSet;

pub use reply::{Answer, Wanted};

use super::Images;

/// One file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its `metadata.name`.
    pub name: String,
    /// Which image it is for: its `target.service`.
    pub service: String,
    /// The name by which its cases reach it.
    pub host: String,
    /// Name of the folder that it lies in: files of one folder are run in one container.
    pub folder: String,
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
    /// What the answer must be.
    pub wanted: Wanted,
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
    /// Its file says itself that nothing is noticed.
    pub expects_nothing: bool,
}

/// What is done, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A command of the redis protocol, with the arguments of `redis-cli`.
    Redis(Vec<String>),
    /// A request, with the arguments of `curl`.
    Http(Vec<String>),
    /// A program inside, started from outside.
    Exec(Vec<String>),
    /// A program of this machine, in the container's network.
    Beside(Vec<String>),
    /// A program of this machine.
    Machine(Vec<String>),
    /// Nothing that can be done here, with the reason.
    Elsewhere(String),
}

/// Reads every YAML file of a folder, in name order. A file of the kind `Images` adds to those that are known.
///
/// # Errors
/// The folder or a file cannot be read, a file is of no kind that is known, or something in it is not of the form.
pub fn load(folder: &Path, images: &mut Images) -> anyhow::Result<Vec<Suite>> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("list {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"));
    files.sort();
    let mut suites = Vec::new();
    for file in files {
        let mut read = || -> anyhow::Result<Option<Suite>> {
            let text = fs::read_to_string(&file)?;
            match form::kind(&text)?.as_deref() {
                Some("Images") => {
                    images.add(Images::parse(&text)?);
                    Ok(None)
                }
                _ => parse(&text).map(Some),
            }
        };
        let suite = read().with_context(|| format!("read {}", file.display()))?;
        let named = fs::canonicalize(folder)?;
        let named = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
        suites.extend(suite.map(|suite| Suite { folder: named, ..suite }));
    }
    for suite in &mut suites {
        suite.service = images.called(&suite.service).with_context(|| {
            format!(
                "{}: target.service: no image is called {}; there are {}, and a file of kind Images beside it can add one",
                suite.name,
                suite.service,
                images.names().join(", ")
            )
        })?;
    }
    Ok(suites)
}

/// One file's text.
fn parse(text: &str) -> anyhow::Result<Suite> {
    match form::kind(text)?.as_deref() {
        Some("FunctionalTestSuite" | "AttackSuite") => {}
        Some(other) => bail!("kind: {other} is none of FunctionalTestSuite, AttackSuite, Images"),
        None => bail!("kind: is not given; it is one of FunctionalTestSuite, AttackSuite, Images"),
    }
    let document: form::Document = serde_saphyr::from_str(text)?;
    let (kind, list, cases, other) = match document.kind.as_str() {
        "AttackSuite" => (Kind::Attacks, "attacks", document.attacks, document.tests),
        _ => (Kind::Benign, "tests", document.tests, document.attacks),
    };
    ensure!(other.is_none(), "{}: its cases stand below {list}", document.kind);
    let cases = cases.with_context(|| format!("{list}: is not given"))?;
    ensure!(!cases.is_empty(), "{list}: holds no case");
    let steps = cases.into_iter().enumerate().map(|(index, case)| {
        let name = case.name.clone();
        step(case, &document.target).with_context(|| format!("{list}[{index}] {name}"))
    });
    let steps: Vec<Step> = steps.collect::<anyhow::Result<_>>()?;
    for (index, step) in steps.iter().enumerate() {
        let is_new = steps[..index].iter().all(|before| before.name != step.name);
        ensure!(is_new, "{list}[{index}]: there is another {}", step.name);
    }
    let service = document.target.service;
    Ok(Suite {
        name: document.metadata.name.unwrap_or_else(|| service.clone()),
        host: service.clone(),
        service,
        folder: String::new(),
        kind,
        steps,
    })
}

fn step(case: form::Case, target: &form::Target) -> anyhow::Result<Step> {
    let redis_reply = case.redis.as_ref().and_then(|redis| redis.expected_reply.clone());
    let mut wanted = Wanted::new(&case.success_indicators)?;
    wanted.contains.extend(redis_reply);
    wanted.contains.extend(case.expected_reply);
    wanted
        .status
        .extend(case.http.as_ref().and_then(|http| http.expected_status));
    let programs = [&case.exec, &case.beside, &case.machine];
    let code = programs
        .into_iter()
        .flatten()
        .find_map(|program| program.expected_exit_code);
    wanted.exit_code = code;
    let repeats = [
        case.repeat,
        case.redis.as_ref().and_then(|redis| redis.repeat),
        case.http.as_ref().and_then(|http| http.repeat),
    ];
    let repeat = repeats.into_iter().flatten().next().unwrap_or(1);
    ensure!(
        (1..=MAX_REPEAT).contains(&repeat),
        "repeat: is not from 1 to {MAX_REPEAT}"
    );
    let expects_nothing = case.expected_detections.as_ref().is_some_and(Vec::is_empty);
    Ok(Step {
        expects: expects(&case.expected_detections.unwrap_or_default())?,
        act: act(case.redis, case.exec, case.http, case.beside, case.machine, target)?,
        name: case.name,
        wanted,
        repeat,
        operations: case.operations.unwrap_or(1),
        settle: Duration::from_millis(case.settle_ms.unwrap_or(0)),
        unseen: case.unseen,
        unjudged: case.unjudged,
        expects_nothing,
    })
}

/// Most repetitions of a step.
const MAX_REPEAT: u32 = 100_000;

/// What alerts can be named after.
static RULES: LazyLock<RuleSet> = LazyLock::new(RuleSet::shipped);

/// Names of our own rules and deviations. With an id it is another product's rule.
fn expects(detections: &[form::Detection]) -> anyhow::Result<Vec<String>> {
    let own = detections.iter().filter(|detection| detection.rule_id.is_none());
    own.map(|detection| {
        let name = detection.rule_name.clone().context("expectedDetections: one has neither ruleName nor ruleID")?;
        let is_deviation = DeviationKind::ALL.iter().any(|kind| kind.as_str() == name);
        let is_known = is_deviation || RULES.rule(&name).is_some();
        ensure!(
            is_known,
            "expectedDetections: {name} is neither a deviation nor a rule that is shipped; another product's has a ruleID"
        );
        Ok(name)
    })
    .collect()
}

fn act(
    redis: Option<form::Redis>,
    exec: Option<form::Program>,
    http: Option<form::Http>,
    beside: Option<form::Program>,
    machine: Option<form::Program>,
    target: &form::Target,
) -> anyhow::Result<Act> {
    let mut acts = Vec::new();
    if let Some(redis) = redis {
        acts.push(redis_act(redis, target)?);
    }
    if let Some(http) = http {
        acts.push(http_act(&http, target));
    }
    for (program, make) in [
        (exec, Act::Exec as fn(Vec<String>) -> Act),
        (beside, Act::Beside),
        (machine, Act::Machine),
    ] {
        if let Some(program) = program {
            ensure!(!program.command.is_empty(), "command: holds no word");
            acts.push(make(program.command));
        }
    }
    let one = acts
        .pop()
        .context("nothing is done: one of redis, http, exec, beside and machine is")?;
    ensure!(
        acts.is_empty(),
        "one case does one thing of redis, http, exec, beside and machine"
    );
    Ok(one)
}

fn redis_act(redis: form::Redis, target: &form::Target) -> anyhow::Result<Act> {
    let words = match (redis.command, redis.eval, redis.exploit) {
        (Some(words), None, None) if !words.is_empty() => words,
        (None, Some(script), None) => vec!["EVAL".to_owned(), script, "0".to_owned()],
        (None, None, Some(exploit)) => {
            let reason = format!("the exploit {exploit} is code of the suite's own runner");
            return Ok(Act::Elsewhere(reason));
        }
        _ => bail!("redis: has one of command, eval and exploit"),
    };
    let port = target
        .port
        .into_iter()
        .flat_map(|port| ["-p".to_owned(), port.to_string()]);
    Ok(Act::Redis(port.chain(words).collect()))
}

/// Arguments of `curl`, which writes the status as a last line.
fn http_act(http: &form::Http, target: &form::Target) -> Act {
    let is_https = [&target.scheme, &target.protocol]
        .into_iter()
        .flatten()
        .any(|scheme| scheme == "https");
    let (scheme, usual) = if is_https { ("https", 443) } else { ("http", 80) };
    let port = target.port.unwrap_or(usual);
    let mut url = format!("{scheme}://127.0.0.1:{port}{}", http.path);
    for (name, value) in &http.query_params {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{}={}", escape(name), escape(value)));
    }
    let words = [
        "--silent",
        "--show-error",
        "--insecure",
        "--path-as-is",
        "--globoff",
        "--max-time",
        "60",
        "--write-out",
        "\\n%{http_code}",
    ];
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let method = http.method.clone().unwrap_or_else(|| "GET".to_owned());
    match method.as_str() {
        // Without it curl waits for a body that does not come.
        "HEAD" => words.push("--head".to_owned()),
        _ => words.extend(["--request".to_owned(), method]),
    }
    for (name, value) in &http.headers {
        words.extend(["--header".to_owned(), format!("{name}: {value}")]);
    }
    if let Some(body) = &http.body {
        words.extend(["--data-raw".to_owned(), body.clone()]);
    }
    words.push(url);
    Act::Http(words)
}

/// A value of a query.
fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests;
