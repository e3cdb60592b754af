//! Exceptions of rules: checked, merged, and turned into the condition that they stand for.

use super::{
    catalog::invalid,
    item::{Entry, ExceptionInfo, RuleInfo},
};
use crate::{
    diagnostic::Finding,
    field::{self, Sources},
    syntax::{
        self,
        ast::{Expr, ExprKind, Modifier, Operand, OperandKind, Operator},
    },
    text::Mapped,
};

type Checked = Result<(), Box<Finding>>;

/// Checks fields and operators of a new exception and fills in the operators that are not said. `sources` is `None`
/// for rules of an unknown source, whose fields cannot be checked.
pub(crate) fn validate(exception: &mut ExceptionInfo, sources: Option<Sources>, item: &str, noun: &str) -> Checked {
    let item = &name_in(item, exception);
    let place = exception.place.clone();
    match &exception.fields {
        None => {
            let message = format!("Rule exception {noun} have fields property with a list of fields");
            return Err(invalid(&place, item, message));
        }
        Some(Entry::List { entries: fields, .. }) => {
            let fields = fields.clone();
            let comparisons = match exception.comparisons.take() {
                None => fields
                    .iter()
                    .map(|field| Entry::Text {
                        text: "=".to_owned(),
                        place: field.place().clone(),
                    })
                    .collect(),
                Some(Entry::List { entries, .. }) => entries,
                Some(Entry::Text { .. }) => Vec::new(),
            };
            if comparisons.len() != fields.len() {
                let message = "Fields and comps lists must have equal length";
                return Err(invalid(&place, item, message));
            }
            let comparisons = comparisons
                .into_iter()
                .map(|entry| supported_comparison(entry, item))
                .collect::<Result<_, _>>()?;
            for entry in &fields {
                supported_field(entry, sources, item)?;
            }
            exception.comparisons = Some(Entry::List {
                entries: comparisons,
                place,
            });
        }
        Some(field @ Entry::Text { .. }) => {
            let comparison = match exception.comparisons.take() {
                None => Entry::Text {
                    text: "in".to_owned(),
                    place: place.clone(),
                },
                Some(Entry::List { .. }) => {
                    return Err(invalid(&place, item, "Fields and comps must both be strings"));
                }
                Some(entry) => trimmed(entry),
            };
            if !is_list_comparison(text_of(&comparison)) {
                let message = "When fields is a single value, comps must be one of (in, pmatch, intersects) or a \
                               modifier operator (e.g. startswith oneof)";
                return Err(invalid(comparison.place(), item, message));
            }
            supported_field(field, sources, item)?;
            exception.comparisons = Some(comparison);
        }
    }
    Ok(())
}

/// Adds values to an exception of the same name, or the exception itself when it is new.
pub(crate) fn append(
    existing: &mut Vec<ExceptionInfo>,
    mut added: ExceptionInfo,
    sources: Option<Sources>,
    item: &str,
) -> Checked {
    let within = name_in(item, &added);
    let Some(previous) = existing.iter_mut().find(|exception| exception.name == added.name) else {
        if added.fields.is_some() && added.values.is_empty() {
            let message = "Rule exception must have values property with a list of values";
            return Err(invalid(&added.place, &within, message));
        }
        validate(&mut added, sources, item, "must")?;
        existing.push(added);
        return Ok(());
    };
    if let Some(fields) = &added.fields {
        let message = "Can not append exception fields to existing exception, only values";
        return Err(invalid(fields.place(), &within, message));
    }
    if let Some(comparisons) = &added.comparisons {
        let message = "Can not append exception comps to existing exception, only values";
        return Err(invalid(comparisons.place(), &within, message));
    }
    previous.values.extend(added.values);
    Ok(())
}

/// What messages about an exception call it.
pub(crate) fn name_in(item: &str, exception: &ExceptionInfo) -> String {
    format!("{item}, exception \"{}\"", exception.name)
}

fn text_of(entry: &Entry) -> &str {
    match entry {
        Entry::Text { text, .. } => text,
        Entry::List { .. } => "",
    }
}

fn trimmed(entry: Entry) -> Entry {
    match entry {
        Entry::Text { text, place } => Entry::Text {
            text: text.trim().to_owned(),
            place,
        },
        list @ Entry::List { .. } => list,
    }
}

fn supported_comparison(entry: Entry, item: &str) -> Result<Entry, Box<Finding>> {
    let entry = trimmed(entry);
    let text = text_of(&entry);
    let is_plain = text == "exists"
        || text == "=="
        || Operator::WITH_MODIFIER
            .into_iter()
            .chain(Operator::ON_LISTS)
            .chain(Operator::ON_NUMBERS)
            .any(|operator| operator.as_str() == text);
    if is_plain || is_modified(text) {
        return Ok(entry);
    }
    let message = format!("'{text}' is not a supported comparison operator");
    Err(invalid(entry.place(), item, message))
}

/// `startswith oneof` and the like.
fn is_modified(text: &str) -> bool {
    let Some((operator, modifier)) = text.split_once(' ') else {
        return false;
    };
    let is_operator = operator == "=="
        || Operator::WITH_MODIFIER
            .into_iter()
            .any(|known| known.as_str() == operator);
    is_operator && Modifier::ALL.into_iter().any(|known| known.as_str() == modifier)
}

fn is_list_comparison(text: &str) -> bool {
    Operator::ON_LISTS.into_iter().any(|operator| operator.as_str() == text) || is_modified(text)
}

fn supported_field(entry: &Entry, sources: Option<Sources>, item: &str) -> Checked {
    let text = text_of(entry);
    let operand = match syntax::parse(&format!("{text} exists")) {
        Ok(Expr {
            kind: ExprKind::Exists(operand),
            ..
        }) => Some(operand),
        _ => None,
    };
    let is_known = match (&operand, sources) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(operand), Some(sources)) => is_known(operand, sources),
    };
    if is_known {
        return Ok(());
    }
    let message = format!("'{text}' is not a supported filter field");
    let mut finding = invalid(entry.place(), item, message);
    finding.hint = sources.and_then(|sources| field::suggestion(text, sources));
    Err(finding)
}

fn is_known(operand: &Operand, sources: Sources) -> bool {
    match &operand.kind {
        OperandKind::Field { name, argument } => field::find(name, argument.as_deref(), sources).is_ok(),
        OperandKind::Transform { arguments, .. } => arguments.iter().all(|inner| is_known(inner, sources)),
        OperandKind::List(items) => items.iter().all(|inner| is_known(inner, sources)),
        OperandKind::Literal(_) => true,
    }
}

/// The rule's condition with ` and not (…)` for each exception that has values.
pub(crate) fn condition_with_exceptions(rule: &RuleInfo, item: &str) -> Result<Mapped, Box<Finding>> {
    if rule.exceptions.is_empty() {
        return Ok(rule.condition.clone());
    }
    let mut out = Mapped::default();
    out.push("(", &rule.place);
    out.push_part(&rule.condition, 0..rule.condition.text.len());
    out.push(")", &rule.place);
    for exception in &rule.exceptions {
        if exception.values.is_empty() {
            continue;
        }
        let item = &name_in(item, exception);
        out.push(" and not ", &exception.place);
        match (&exception.fields, &exception.comparisons) {
            (
                Some(Entry::List { entries: fields, .. }),
                Some(Entry::List {
                    entries: comparisons, ..
                }),
            ) => {
                push_tuples(&mut out, exception, fields, comparisons, item)?;
            }
            (Some(field), Some(comparison)) => push_values(&mut out, exception, field, comparison, item)?,
            _ => {}
        }
    }
    Ok(out)
}

fn push_values(out: &mut Mapped, exception: &ExceptionInfo, field: &Entry, comparison: &Entry, item: &str) -> Checked {
    out.push("(", &exception.place);
    out.push(text_of(field), field.place());
    out.push(" ", field.place());
    out.push(text_of(comparison), comparison.place());
    out.push(" (", comparison.place());
    for (index, value) in exception.values.iter().enumerate() {
        let Entry::Text { text, place } = value else {
            let message = "Expected values array to contain a list of strings";
            return Err(invalid(value.place(), item, message));
        };
        if index > 0 {
            out.push(", ", place);
        }
        out.push(&quoted(text), place);
    }
    out.push("))", &exception.place);
    Ok(())
}

fn push_tuples(
    out: &mut Mapped,
    exception: &ExceptionInfo,
    fields: &[Entry],
    comparisons: &[Entry],
    item: &str,
) -> Checked {
    out.push("(", &exception.place);
    for (index, tuple) in exception.values.iter().enumerate() {
        let values = match tuple {
            Entry::List { entries, .. } => entries.as_slice(),
            Entry::Text { .. } => &[],
        };
        if values.len() != fields.len() {
            let message = "Fields and values lists must have equal length";
            return Err(invalid(tuple.place(), item, message));
        }
        out.push(if index > 0 { " or (" } else { "(" }, tuple.place());
        for (position, value) in values.iter().enumerate() {
            let (field, comparison) = (&fields[position], &comparisons[position]);
            out.push(if position > 0 { " and " } else { "" }, value.place());
            out.push(text_of(field), field.place());
            out.push(" ", field.place());
            out.push(text_of(comparison), comparison.place());
            out.push(" ", value.place());
            push_value(out, value, is_list_comparison(text_of(comparison)));
        }
        out.push(")", tuple.place());
    }
    out.push(")", &exception.place);
    Ok(())
}

fn push_value(out: &mut Mapped, value: &Entry, takes_list: bool) {
    match value {
        Entry::List { entries, place } => {
            out.push("(", place);
            for (index, entry) in entries.iter().enumerate() {
                out.push(if index > 0 { ", " } else { "" }, entry.place());
                out.push(&quoted(text_of(entry)), entry.place());
            }
            out.push(")", place);
        }
        Entry::Text { text, place } if takes_list && text.starts_with('(') => out.push(text, place),
        Entry::Text { text, place } if takes_list => {
            out.push("(", place);
            out.push(&quoted(text), place);
            out.push(")", place);
        }
        Entry::Text { text, place } => out.push(&quoted(text), place),
    }
}

/// A constant that a condition can hold: quoted where a blank, comma or `=` would end it. Upstream does the same for
/// blanks alone; names of lists and transformers must stay as they are.
pub(crate) fn quoted(text: &str) -> String {
    let is_call = text.contains('(');
    let needs_quotes = text.is_empty() || text.contains([' ', '\t', '\n', '=']) || (text.contains(',') && !is_call);
    if !needs_quotes || text.starts_with(['"', '\'']) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
