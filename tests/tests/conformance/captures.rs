//! Upstream's captures through our engine: what its regression tests declare of them, and what its present rules say.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use plimsoll_model::{Event, EventKind};
use plimsoll_rules::{Code, Loaded, Observation, Rule, RuleFile, RuleSet};
use plimsoll_runtime::agent::place;
use regex::Regex;
use serde_json::Value;

use super::{Outcome, rule_file};

/// One alert, as upstream's program would print it.
struct Fired {
    rule: String,
    priority: String,
    /// Without the time.
    line: String,
    /// Date and time.
    time: String,
}

/// All events of a capture, as rules see them, and notes about it.
fn events(path: &Path) -> Result<(Vec<Event>, Vec<String>), String> {
    let mut events = Vec::new();
    let recording = plimsoll_scap::open(path).map_err(|error| error.to_string())?;
    let notes = place(&*recording, |event| events.push(event)).map_err(|error| error.to_string())?;
    let notes = notes
        .into_iter()
        .map(|note| format!("{}: {}", note.subject, note.detail));
    Ok((events, notes.collect()))
}

fn observe(event: &Event) -> Observation<'_> {
    Observation {
        event,
        deviations: &[],
        origin: None,
        has_profile: false,
        node: "node",
        host_accounts: None,
    }
}

/// What fires; of several rules of one event the first alone, as upstream does unless told otherwise.
fn fire(rules: &RuleSet, events: &[Event]) -> Vec<Fired> {
    let mut all = Vec::new();
    for event in events {
        let observation = observe(event);
        let mut first: Option<&Rule> = None;
        rules.evaluate(&observation, &mut |rule| {
            first.get_or_insert(rule);
        });
        if let Some(rule) = first {
            let time = jiff::Timestamp::from_nanosecond(i128::from(event.time_ns)).unwrap_or_default();
            all.push(Fired {
                rule: rule.name().to_owned(),
                priority: priority(rule),
                line: format!(
                    "{}: {} {}",
                    time.strftime("%H:%M:%S.%9f"),
                    priority(rule),
                    rule.output(&observation)
                ),
                time: time.strftime("%Y-%m-%dT%H:%M:%S.%9f+0000").to_string(),
            });
        }
    }
    all
}

/// As upstream writes it in lines: `Warning`.
fn priority(rule: &Rule) -> String {
    super::capitalised(&rule.priority().to_string())
}

/// Judges a test that replays a capture of system calls.
pub(super) fn judge(folder: &Path, test: &Value, files: &[RuleFile]) -> Outcome {
    if let Some(why) = not_ours(test) {
        return Outcome::NotJudged(why.to_owned());
    }
    let Some(name) = test["trace_file"].as_str() else {
        return Outcome::NotJudged("replays no capture".to_owned());
    };
    let path = folder.join("regression").join(name);
    if !path.is_file() {
        return Outcome::NotJudged(format!("`{name}` is not among the data"));
    }
    let (events, _) = match events(&path) {
        Ok(read) => read,
        Err(error) => return Outcome::Differs(format!("the capture cannot be read: {error}")),
    };
    let (rules, silent) = match selected(test, files) {
        Ok(selected) => selected,
        Err(error) => return Outcome::Differs(error),
    };
    match compare(folder, test, &fire(&rules, &events)) {
        Ok(0) => Outcome::NotJudged("declares nothing about alerts".to_owned()),
        Ok(_) => Outcome::Holds,
        Err(why) => Outcome::Differs([vec![why], silent].concat().join("; ")),
    }
}

/// What a test asks that is Falco's own.
fn not_ours(test: &Value) -> Option<&'static str> {
    let file = test["conf_file"].as_str().unwrap_or_default();
    let is = |key: &str| test.get(key).is_some();
    Some(if file.contains("drops_") {
        "asks how Falco reports events that it pretends to have lost"
    } else if file.contains("file_output") || file.contains("program_output") || file.contains("grpc") {
        "asks for an output of Falco's own (file, program, gRPC); the lines are those of `stdout_output_strict`"
    } else if file.contains("plugins") {
        "asks for a plugin of Falco's"
    } else if is("json_output") {
        "asks for the form of Falco's JSON lines and its options"
    } else if test["exit_status"].as_i64().is_some_and(|status| status != 0) {
        "asks about the command line"
    } else if is("addl_cmdline_opts") || is("addl_cmdline") {
        "asks about the command line, or for a plugin"
    } else {
        return None;
    })
}

/// The rules, with those left out that the test's command line leaves out (`-D`, `-T`, `-t`): here that is said by a file
/// that comes last. With them, what is said of rules that no sensor of ours can make fire.
fn selected(test: &Value, files: &[RuleFile]) -> Result<(RuleSet, Vec<String>), String> {
    let load = |files: &[RuleFile]| RuleSet::load(files).map_err(|errors| format!("does not load: {}", errors.len()));
    let Loaded {
        rules: loaded,
        diagnostics,
    } = load(files)?;
    let silent = diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.code == Code::LoadNeverFires)
        .map(|diagnostic| {
            format!(
                "{} cannot fire: {}",
                diagnostic.item,
                diagnostic.message.rsplit(": ").next().unwrap_or("")
            )
        })
        .collect();
    let list = |key: &str| super::regression::texts(&test[key]);
    let (names, without, with) = (list("disabled_rules"), list("disable_tags"), list("run_tags"));
    let patterns: Vec<Regex> = names.iter().filter_map(|name| Regex::new(name).ok()).collect();
    let has = |rule: &Rule, tags: &[String]| rule.tags().iter().any(|tag| tags.contains(tag));
    let is_out = |rule: &&Rule| {
        patterns.iter().any(|pattern| pattern.is_match(rule.name()))
            || has(rule, &without)
            || !with.is_empty() && !has(rule, &with)
    };
    let mut text = String::new();
    for rule in loaded.rules().iter().filter(is_out) {
        let name = serde_json::to_string(rule.name()).expect("a text");
        let _ = writeln!(
            text,
            "- rule: {name}\n  enabled: false\n  override:\n    enabled: replace"
        );
    }
    if text.is_empty() {
        return Ok((loaded, silent));
    }
    let last = RuleFile {
        name: "selection.yaml".to_owned(),
        text,
    };
    Ok((load(&[files, &[last]].concat())?.rules, silent))
}

/// How many of the test's declarations hold, or the first that does not.
fn compare(folder: &Path, test: &Value, fired: &[Fired]) -> Result<usize, String> {
    let mut held = 0;
    if let Some(wanted) = test["detect"].as_bool() {
        if wanted == fired.is_empty() {
            return Err(format!("expects detection {wanted}; {} fired", fired.len()));
        }
        held += 1;
    }
    for level in super::regression::texts(&test["detect_level"]) {
        let is_there = fired
            .iter()
            .any(|alert| alert.priority.to_uppercase().starts_with(&level));
        if test["detect"].as_bool() == Some(true) && !is_there {
            return Err(format!("expects an alert of level {level}"));
        }
        held += 1;
    }
    for wanted in test["detect_counts"].as_array().into_iter().flatten() {
        for (rule, count) in wanted.as_object().into_iter().flatten() {
            let found = fired.iter().filter(|alert| alert.rule == *rule).count();
            let count = count.as_u64().unwrap_or_default();
            if found as u64 != count {
                return Err(format!(
                    "expects \"{rule}\" {count} times, fires {found} times{}",
                    twice(found, count)
                ));
            }
            held += 1;
        }
    }
    let lines = |is_dated: bool| -> Vec<String> {
        let line = |alert: &Fired| match is_dated {
            true => format!("{}{}", alert.time, &alert.line[alert.line.find(": ").unwrap_or(0)..]),
            false => alert.line.clone(),
        };
        fired.iter().map(line).collect()
    };
    let lines = lines(test["time_iso_8601"].as_bool() == Some(true)).join("\n");
    for pattern in super::regression::texts(&test["stdout_contains"]) {
        let pattern = Regex::new(&pattern).map_err(|error| format!("`stdout_contains`: {error}"))?;
        if !pattern.is_match(&lines) {
            return Err(format!(
                "expects `{pattern}` in its output; here: {}",
                lines.lines().next().unwrap_or("nothing")
            ));
        }
        held += 1;
    }
    for wanted in test["output_strictly_contains"].as_array().into_iter().flatten() {
        let Some(name) = wanted["stdout"].as_str() else {
            continue;
        };
        let expected = fs::read_to_string(folder.join("regression").join(name)).map_err(|error| error.to_string())?;
        let (all, there) = (
            expected.lines().count(),
            expected.lines().filter(|line| lines.contains(*line)).count(),
        );
        if all != there {
            return Err(format!(
                "expects {all} lines, prints {there} of them{}",
                twice(there, all as u64)
            ));
        }
        held += 1;
    }
    Ok(held)
}

/// The usual reason.
fn twice(found: usize, wanted: u64) -> &'static str {
    match found as u64 * 2 == wanted {
        true => ": upstream tells an open when it is asked for and when it is done, here it is told when it is done",
        false => "",
    }
}

/// What is in each capture, what upstream's tests declare of it, and which of its present rules fire.
pub(super) fn page(folder: &Path, results: &BTreeMap<String, Vec<(String, &'static str)>>) -> String {
    let rules = [
        "falco_rules.yaml",
        "falco-incubating_rules.yaml",
        "falco-sandbox_rules.yaml",
    ];
    let files: Vec<RuleFile> = rules
        .iter()
        .map(|name| rule_file(folder, &format!("rules/{name}")))
        .collect();
    let rules = RuleSet::load(&files).expect("upstream's rules load").rules;
    let mut page = String::from(
        "\n## Captures\n\nFalco's captures (`.scap`), read by `scap/` and replayed with upstream's rule files above, all of them enabled as\n\
         upstream ships them; `plimsoll agent --replay FILE.scap --no-shipped-rules --rules FILE` does the same. Told are the events\n\
         that a sensor of ours would have told.\n\n\
         | capture | events told | passed over | tests of it | hold | differ | upstream's rules fire |\n|---|---|---|---|---|---|---|\n",
    );
    for (part, extension) in [("regression/trace_files", "scap"), ("scap", "scap")] {
        let mut paths: Vec<_> = fs::read_dir(folder.join(part))
            .expect("the data is there")
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == extension))
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let (events, notes) = events(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for alert in fire(&rules, &events) {
                *counts.entry(alert.rule).or_default() += 1;
            }
            let fired: Vec<String> = counts.iter().map(|(rule, count)| format!("{rule}: {count}")).collect();
            let tests = results.get(&name).map_or(&[][..], Vec::as_slice);
            let count = |wanted: &str| tests.iter().filter(|(_, outcome)| *outcome == wanted).count();
            let passed = notes
                .iter()
                .find_map(|note| note.strip_prefix("events: ")?.split(' ').next())
                .unwrap_or("0");
            let _ = writeln!(
                page,
                "| {name} | {} ({}) | {passed} | {} | {} | {} | {} |",
                events.len(),
                kinds(&events),
                tests.len(),
                count("holds"),
                count("differs"),
                match fired.is_empty() {
                    true => "none".to_owned(),
                    false => fired.join(", "),
                }
            );
        }
    }
    page
}

fn kinds(events: &[Event]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        let kind = match &event.kind {
            EventKind::Exec { .. } => "exec",
            EventKind::Fork { .. } => "fork",
            EventKind::Exit { .. } => "exit",
            EventKind::Open { .. } => "open",
            EventKind::Connect { .. } => "connect",
            EventKind::Bind { .. } => "bind",
            EventKind::Listen { .. } => "listen",
            EventKind::Load { .. } => "load",
            EventKind::Call(call) => call.call.as_str(),
            _ => "other",
        };
        *counts.entry(kind).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    parts.join(", ")
}
