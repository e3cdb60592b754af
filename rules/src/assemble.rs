//! A catalogue of items in, a compiled rule set out: macros parsed, references checked, rules lowered and indexed.

mod index;
mod references;

use self::{index::index, references::References};
use crate::{
    Rule, RuleFile, RuleSet, Source,
    compile::{Lowered, Lowering, MacroTree, Scope, deprecation},
    diagnostic::{Code, Collector, Finding},
    field::Sources,
    limits::MAX_EXPANDED_BYTES,
    load::{Catalog, ResolvedLists, RuleInfo, condition_with_exceptions},
    output::Template,
    rule::reads,
    syntax::{self, ast::Expr},
    text::Mapped,
};

/// Event types beyond which upstream warns that a condition is too broad.
const MANY_EVENT_TYPES: usize = 100;

/// Compiles everything that `catalog` holds.
pub(crate) fn assemble(files: &[RuleFile], catalog: &Catalog, diagnostics: &mut Collector<'_>) -> RuleSet {
    let lists = match ResolvedLists::new(&catalog.lists) {
        Ok(lists) => lists,
        Err((index, too_long)) => {
            let list = &catalog.lists.as_slice()[index];
            let item = format!("list \"{}\"", list.name);
            diagnostics.error(Finding::new(Code::LoadErrLimit, list.place.clone(), &item, too_long.0));
            return RuleSet::default();
        }
    };
    let trees = macro_trees(catalog, &lists, diagnostics);
    let mut references = References::new(catalog, &trees);
    references.check(diagnostics);
    let parsed = rule_trees(catalog, &lists, &mut references, diagnostics);
    let macros_used = references.used;
    if diagnostics.has_errors() {
        // Lowering relies on references that exist and do not loop.
        warn_unused(catalog, &lists, &macros_used, diagnostics);
        return RuleSet::default();
    }
    let mut lowering = Lowering::new(&catalog.macros, &trees);
    let mut rules = Vec::new();
    let mut lowered = Vec::new();
    for (info, tree, text) in &parsed {
        if diagnostics.is_full() {
            break;
        }
        let compiled = rule(files, catalog, &trees, info, tree, text, &mut lowering, diagnostics);
        if let Some((rule, condition)) = compiled {
            rules.push(rule);
            lowered.push(condition);
        }
    }
    for warning in std::mem::take(&mut lowering.warnings) {
        diagnostics.warn(warning);
    }
    let infos: Vec<&RuleInfo> = parsed.iter().map(|(info, ..)| *info).collect();
    let set = index(rules, &lowered, lowering.graph, &infos, diagnostics);
    warn_unused(catalog, &lists, &macros_used, diagnostics);
    set
}

fn macro_trees(catalog: &Catalog, lists: &ResolvedLists<'_>, diagnostics: &mut Collector<'_>) -> Vec<MacroTree> {
    catalog
        .macros
        .as_slice()
        .iter()
        .map(|info| {
            let item = format!("macro \"{}\"", info.name);
            let (tree, text) = parse(&info.condition, lists, &item, diagnostics);
            MacroTree { tree, text }
        })
        .collect()
}

/// Puts lists into a condition and parses it; what is wrong is reported.
fn parse(
    condition: &Mapped,
    lists: &ResolvedLists<'_>,
    item: &str,
    diagnostics: &mut Collector<'_>,
) -> (Option<Expr>, Mapped) {
    let text = match lists.expand(condition) {
        Ok(text) => text,
        Err(too_long) => {
            let place = condition.place(&(0..condition.text.len()));
            diagnostics.error(Finding::new(Code::LoadErrLimit, place, item, too_long.0));
            return (None, condition.clone());
        }
    };
    match syntax::parse(&text.text) {
        Ok(tree) => (Some(tree), text),
        Err(error) => {
            let place = text.place(&error.span);
            let finding = Finding::new(Code::LoadErrCompileCondition, place, item, error.message);
            diagnostics.error(finding.hint(error.hint));
            (None, text)
        }
    }
}

/// Rules of known sources with their parsed conditions.
type Parsed<'a> = Vec<(&'a RuleInfo, Expr, Mapped)>;

fn rule_trees<'a>(
    catalog: &'a Catalog,
    lists: &ResolvedLists<'_>,
    references: &mut References<'_>,
    diagnostics: &mut Collector<'_>,
) -> Parsed<'a> {
    let mut parsed = Vec::new();
    for info in catalog.rules.as_slice() {
        if Source::named(&info.source).is_none() {
            continue;
        }
        let item = format!("rule \"{}\"", info.name);
        let condition = match condition_with_exceptions(info, &item) {
            Ok(condition) => condition,
            Err(finding) => {
                diagnostics.error(*finding);
                continue;
            }
        };
        let (tree, text) = parse(&condition, lists, &item, diagnostics);
        if let Some(tree) = tree {
            references.of_rule(&tree, &text, &item, diagnostics);
            parsed.push((info, tree, text));
        }
    }
    parsed
}

/// Compiles one rule. `None`: it is left out, which was reported.
#[allow(clippy::too_many_arguments, reason = "the parts of one load, each used once")]
fn rule(
    files: &[RuleFile],
    catalog: &Catalog,
    trees: &[MacroTree],
    info: &RuleInfo,
    tree: &Expr,
    text: &Mapped,
    lowering: &mut Lowering<'_>,
    diagnostics: &mut Collector<'_>,
) -> Option<(Rule, Lowered)> {
    let item = format!("rule \"{}\"", info.name);
    let source = Source::named(&info.source)?;
    let sources = Sources::of(source);
    // Upstream takes this one out of outputs: what it stood for is always added.
    let output_text = info.output.text.trim().replace("%container.info", "");
    if output_text.len() != info.output.text.trim().len() {
        let place = info.output.place(&(0..info.output.text.len()));
        let message = "%container.info is deprecated and no more useful, and will be dropped";
        diagnostics.warn(Finding::new(Code::LoadDeprecatedItem, place, &item, message));
    }
    let output = template(&output_text, info, sources, &item, diagnostics);
    let scope = Scope {
        text,
        sources,
        item: &item,
    };
    let lowered = match lowering.lower(tree, scope) {
        Ok(lowered) => Some(lowered),
        Err(failed) if failed.is_unknown_name && info.skips_unknown_fields => {
            let mut finding = failed.finding.finding(&item);
            finding.code = Code::LoadUnknownFilter;
            diagnostics.warn(finding);
            None
        }
        Err(failed) => {
            diagnostics.error(failed.finding.finding(&item));
            None
        }
    };
    let (output, lowered) = (output?, lowered?);
    warn_deprecated(info, &lowered, text, &item, diagnostics);
    if source == Source::Syscall && info.warns_about_event_types && lowered.passes.len() > MANY_EVENT_TYPES {
        let message = "Rule matches too many evt.type values. This has a significant performance penalty.";
        let hint = Some("add `evt.type = …` or a macro such as spawned_process".to_owned());
        let place = text.place(&(0..text.text.len()));
        diagnostics.warn(Finding::new(Code::LoadNoEvttype, place, &item, message).hint(hint));
    }
    let (reads, read_names) = reads(&lowered.fields);
    let file = files.get(info.place.file);
    let line = diagnostics.line(&info.place);
    let rule = Rule {
        name: info.name.clone(),
        description: info.description.clone(),
        priority: info.priority,
        tags: info.tags.clone(),
        source,
        condition_text: info.condition.text.trim().to_owned(),
        expanded: expanded(tree, catalog, trees),
        output_text,
        output,
        reads,
        read_names,
        action: info.action,
        file: file.map(|file| file.name.clone()).unwrap_or_default(),
        line,
        is_enabled: info.is_enabled,
        is_capture_wanted: info.capture.is_wanted,
        capture_duration_ms: info.capture.duration_ms,
    };
    Some((rule, lowered))
}

fn template(
    text: &str,
    info: &RuleInfo,
    sources: Sources,
    item: &str,
    diagnostics: &mut Collector<'_>,
) -> Option<Template> {
    let error = match Template::new(text, sources) {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let trimmed = info.output.text.len() - info.output.text.trim_start().len();
    let place = info
        .output
        .place(&(trimmed + error.at..trimmed + error.at + error.length));
    if info.skips_unknown_fields {
        let finding = Finding::new(Code::LoadUnknownFilter, place, item, error.message);
        diagnostics.warn(finding.hint(error.hint));
    } else {
        let finding = Finding::new(Code::LoadErrCompileOutput, place, item, error.message);
        diagnostics.error(finding.hint(error.hint));
    }
    None
}

fn warn_deprecated(info: &RuleInfo, lowered: &Lowered, text: &Mapped, item: &str, diagnostics: &mut Collector<'_>) {
    for name in &lowered.deprecated {
        // In the rule's own words when it says it itself, else the condition as a whole.
        let span = text
            .text
            .find(name)
            .map_or(0..text.text.len(), |at| at..at + name.len());
        let message = format!("usage of deprecated field '{name}': {}", deprecation(name));
        diagnostics.warn(Finding::new(Code::LoadDeprecatedItem, text.place(&span), item, message));
    }
    for token in info.output.text.split('%').skip(1) {
        let name = token
            .split(|character: char| !(character.is_ascii_alphanumeric() || character == '.' || character == '_'))
            .next()
            .unwrap_or("");
        if crate::compile::deprecated_field(name).is_some() {
            let message = format!("usage of deprecated field '{name}' has been detected in the rule output");
            let place = info.output.place(&(0..info.output.text.len()));
            diagnostics.warn(Finding::new(Code::LoadDeprecatedItem, place, item, message));
        }
    }
}

/// A writer that stops when it has enough.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > MAX_EXPANDED_BYTES {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn expanded(tree: &Expr, catalog: &Catalog, trees: &[MacroTree]) -> String {
    let mut out = Bounded(String::new());
    let expand = |name: &str| {
        catalog
            .macros
            .position(name)
            .and_then(|index| trees[index].tree.as_ref())
    };
    if tree.write(&expand, &mut out).is_err() {
        out.0.push('…');
    }
    out.0
}

fn warn_unused(catalog: &Catalog, lists: &ResolvedLists<'_>, used: &[bool], diagnostics: &mut Collector<'_>) {
    for (info, _) in catalog
        .macros
        .as_slice()
        .iter()
        .zip(used)
        .filter(|(_, is_used)| !**is_used)
    {
        let item = format!("macro \"{}\"", info.name);
        let message = "Macro not referred to by any other rule/macro";
        diagnostics.warn(Finding::new(Code::LoadUnusedMacro, info.place.clone(), &item, message));
    }
    for (index, info) in catalog.lists.as_slice().iter().enumerate() {
        if !lists.is_used(index) {
            let item = format!("list \"{}\"", info.name);
            let message = "List not referred to by any other rule/macro";
            diagnostics.warn(Finding::new(Code::LoadUnusedList, info.place.clone(), &item, message));
        }
    }
}
