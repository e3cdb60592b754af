//! What loads and is suspicious all the same.

use std::borrow::Cow;

use super::lower::Scope;
use crate::{
    diagnostic::{Code, Finding},
    field,
    syntax::ast::{Constant, Expr, ExprKind, Operand, OperandKind, Operator, Right, Transformer},
};

/// Fields that upstream gave up.
const DEPRECATED: [&str; 6] = [
    "evt.dir",
    "evt.latency",
    "evt.latency.s",
    "evt.latency.ns",
    "evt.latency.human",
    "evt.wait_latency",
];

/// The field's name when upstream gave it up.
pub(crate) fn deprecated_field(name: &str) -> Option<&'static str> {
    DEPRECATED.into_iter().find(|deprecated| *deprecated == name)
}

/// What upstream says of a field that it gave up.
pub(crate) fn deprecation(name: &str) -> &'static str {
    if name == "evt.dir" {
        "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' always evaluates to \
         false. The rule expression can be simplified by removing the condition on 'evt.dir'"
    } else {
        "field is not available due to the drop of enter events."
    }
}

/// Conditions that never depend on the event: `evt.num` counts from 1.
pub(super) fn invariant(tree: &Expr) -> Option<bool> {
    let ExprKind::Compare {
        left: Operand {
            kind: OperandKind::Field { name, argument: None },
            ..
        },
        operator,
        modifier: None,
        right,
    } = &tree.kind
    else {
        return None;
    };
    if name != "evt.num" {
        return None;
    }
    let number = |constant: &Constant| constant.text.parse::<u64>().ok();
    match (operator, right) {
        (Operator::In, Right::List(items)) => items.iter().all(|item| number(item) == Some(0)).then_some(false),
        (operator, Right::Value(constant)) => match (operator, number(constant)?) {
            (Operator::Equal | Operator::LessOrEqual, 0) | (Operator::Less, 0 | 1) => Some(false),
            (Operator::NotEqual | Operator::Greater, 0) | (Operator::GreaterOrEqual, 0 | 1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// Warns about constants that look as if something else was meant.
pub(super) fn about_check(tree: &Expr, scope: Scope<'_>, found: &mut Vec<Finding>) {
    let ExprKind::Compare {
        left, operator, right, ..
    } = &tree.kind
    else {
        return;
    };
    let constants = match right {
        Right::Value(constant) => std::slice::from_ref(constant),
        Right::List(constants) => constants.as_slice(),
        Right::Operand(_) => return,
    };
    let mut warn = |code, constant: &Constant, message: String| {
        found.push(Finding::new(
            code,
            scope.text.place(&constant.span),
            scope.item,
            message,
        ));
    };
    for constant in constants {
        let text = &constant.text;
        let bare: Cow<'_, str> = if text.contains(char::is_whitespace) {
            text.split_whitespace().collect::<String>().into()
        } else {
            text.into()
        };
        if *operator == Operator::Regex && is_plain_regex(text) {
            let message = format!(
                "regex check with '{text}' may be optimized with simpler operators such as '=', 'contains', \
                 'startswith', 'endswith'"
            );
            warn(Code::LoadCompileCondition, constant, message);
        }
        if bare.contains('.') && field::is_field(&bare, scope.sources) {
            let message = format!("'{text}' may be a valid field misused as a const string value");
            warn(Code::LoadCompileCondition, constant, message);
        }
        let is_transformer = bare.ends_with(')')
            && Transformer::ALL.into_iter().any(|known| {
                bare.strip_prefix(known.as_str())
                    .is_some_and(|rest| rest.starts_with('('))
            });
        if is_transformer {
            let message = format!("'{text}' may be a valid field transformer misused as a const string value");
            warn(Code::LoadCompileCondition, constant, message);
        }
        if text == "<NA>" && is_audit_field(left) {
            let message = "comparing with <NA> is unsafe: it is a text as any other".to_owned();
            warn(Code::LoadUnsafeNaCheck, constant, message);
        }
    }
}

fn is_audit_field(operand: &Operand) -> bool {
    matches!(&operand.kind, OperandKind::Field { name, .. } if name.starts_with("ka.") || name.starts_with("jevt."))
}

/// A regular expression that a simpler operator could do: no special character but `.*` at its ends.
fn is_plain_regex(text: &str) -> bool {
    let text = text.strip_prefix('^').unwrap_or(text);
    let text = text.strip_suffix('$').unwrap_or(text);
    let text = [".*", ".+", ".?"]
        .into_iter()
        .find_map(|any| text.strip_prefix(any))
        .unwrap_or(text);
    let text = [".*", ".+", ".?"]
        .into_iter()
        .find_map(|any| text.strip_suffix(any))
        .unwrap_or(text);
    !text.contains(['.', '+', '*', '?', '^', '$', '(', ')', '[', ']', '{', '}', '|', '\\'])
}
