//! One comparison, compiled: what it reads and what it asks of it.

use super::{
    constant::{self, Uncompiled, check_operator},
    event_types::{self, EventTypeCheck},
    single::{Order, Single},
    term::Term,
};
use crate::{
    field::{Context, FieldRef, FieldType, Getter, KindSet, Shape, Sources, Value},
    syntax::ast::{Modifier, Operand, Operator, Right},
};

/// A compiled comparison.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "checks live in one table: a box would cost each evaluation a jump"
)]
pub(crate) enum Check {
    /// `evt.type`, decided per kind of event.
    EventType(EventTypeCheck),
    /// Anything else.
    Value { left: Term, test: Test },
}

/// What is asked of the values of a term.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "checks live in one table: a box would cost each evaluation a jump"
)]
pub(crate) enum Test {
    Exists,
    /// One test; for lists, of all values (`in`) or of any (`intersects`).
    One {
        single: Single,
        quantifier: Quantifier,
    },
    /// Several tests of one value.
    Several(Modifier, Vec<Single>),
    /// Another term.
    Term {
        operator: Operator,
        right: Term,
    },
}

/// How many values must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Any,
    /// All, and there is at least one.
    All,
}

impl Check {
    /// `operand exists`.
    pub(crate) fn exists(operand: &Operand, sources: Sources) -> Result<Self, Uncompiled> {
        Ok(Self::Value {
            left: Term::new(operand, sources)?,
            test: Test::Exists,
        })
    }

    /// `left operator right`.
    pub(crate) fn compare(
        left: &Operand,
        operator: Operator,
        modifier: Option<Modifier>,
        right: &Right,
        sources: Sources,
    ) -> Result<Self, Uncompiled> {
        let term = Term::new(left, sources)?;
        let is_event_type = term
            .as_field()
            .is_some_and(|reference| matches!(reference.field.name, "evt.type" | "syscall.type"));
        if is_event_type && let Some(check) = event_types::compile(operator, modifier, right)? {
            return Ok(Self::EventType(check));
        }
        let (kind, shape) = term.kind();
        let shape = match &term {
            // With an argument there is one value at most, and it is compared as any other.
            Term::Field(reference) if reference.argument.text.is_some() && shape == Shape::Any => Shape::One,
            _ => shape,
        };
        check_operator(operator, kind, shape == Shape::List, &left.span)?;
        let test = match (modifier, right) {
            (_, Right::Operand(operand)) => with_term(&term, operator, operand, sources)?,
            (None, Right::Value(constant)) => {
                let single = constant::scalar(operator, kind, constant)?;
                Test::One {
                    single,
                    quantifier: quantifier(shape, operator),
                }
            }
            (None, Right::List(constants)) => Test::One {
                single: constant::list(operator, kind, constants)?,
                quantifier: quantifier(shape, operator),
            },
            (Some(modifier), Right::List(constants)) => several(modifier, operator, kind, constants)?,
            (Some(modifier), Right::Value(constant)) => {
                several(modifier, operator, kind, std::slice::from_ref(constant))?
            }
        };
        Ok(Self::Value { left: term, test })
    }

    /// Whether it holds for what is judged. A missing value makes it false, whatever the operator.
    pub(crate) fn holds<'c>(&'c self, context: &'c Context<'c>) -> bool {
        let (left, test) = match self {
            // Specialised away for kernel events; there are no event types elsewhere.
            Self::EventType(_) => return false,
            Self::Value { left, test } => (left, test),
        };
        // At most one value: all of them and any of them are the same.
        if let Term::Field(reference) = left
            && let Getter::One(get) = reference.field.getter
        {
            return get(context, &reference.argument).is_some_and(|value| test.holds_for(&value, context));
        }
        match test {
            Test::One {
                single,
                quantifier: Quantifier::All,
            } => {
                let (mut seen, mut passed) = (0usize, 0usize);
                left.each(context, &mut |value| {
                    seen += 1;
                    passed += usize::from(single.holds(&value));
                });
                seen > 0 && seen == passed
            }
            _ => {
                let mut result = false;
                left.each(context, &mut |value| result = result || test.holds_for(&value, context));
                result
            }
        }
    }

    /// What the check says of a value that is known when rules are loaded. `None`: that depends on more.
    pub(crate) fn with_value(&self, value: &Value<'_>) -> Option<bool> {
        match self {
            Self::EventType(_) => None,
            Self::Value { test, .. } => match test {
                Test::Exists => Some(true),
                Test::One { single, .. } => Some(single.holds(value)),
                Test::Several(modifier, singles) => Some(holds_several(*modifier, singles, value)),
                Test::Term { .. } => None,
            },
        }
    }

    /// Kinds of kernel events for which it can hold, and for which it can fail.
    pub(crate) fn possibilities(&self) -> (KindSet, KindSet) {
        match self {
            Self::EventType(types) => (types.kinds, types.kinds.not()),
            Self::Value { left, test } => {
                let kinds = match test {
                    Test::Term { right, .. } => left.kinds().and(right.kinds()),
                    _ => left.kinds(),
                };
                (kinds, KindSet::ALL)
            }
        }
    }

    /// The field that is compared, when it is one field and nothing is computed from it.
    pub(crate) fn field(&self) -> Option<&FieldRef> {
        match self {
            Self::EventType(_) => None,
            Self::Value { left, .. } => left.as_field(),
        }
    }

    /// All fields that are read, in order.
    pub(crate) fn fields(&self, found: &mut Vec<FieldRef>) {
        if let Self::Value { left, test } = self {
            left.fields(found);
            if let Test::Term { right, .. } = test {
                right.fields(found);
            }
        }
    }

    /// How dear it is.
    pub(crate) fn cost(&self) -> u32 {
        let Self::Value { left, test } = self else { return 0 };
        let read = match left {
            Term::Field(reference) => match reference.field.name {
                "proc.cmdline" | "proc.pcmdline" | "proc.args" | "evt.args" | "fd.name" => 6,
                "proc.aname" | "proc.aexe" | "proc.aexepath" | "proc.acmdline" => 20,
                _ => 1,
            },
            _ => 40,
        };
        read + match test {
            Test::Exists => 0,
            Test::One { single, .. } => single.cost(),
            Test::Several(_, singles) => singles.iter().map(Single::cost).sum(),
            Test::Term { .. } => 10,
        }
    }
}

fn quantifier(shape: Shape, operator: Operator) -> Quantifier {
    match (shape, operator) {
        (Shape::List, Operator::In) | (Shape::EitherEnd, Operator::NotEqual) => Quantifier::All,
        _ => Quantifier::Any,
    }
}

fn several(
    modifier: Modifier,
    operator: Operator,
    kind: FieldType,
    constants: &[crate::syntax::ast::Constant],
) -> Result<Test, Uncompiled> {
    let singles = constants
        .iter()
        .map(|constant| constant::scalar(operator, kind, constant))
        .collect::<Result<Vec<_>, _>>()?;
    if modifier == Modifier::AnyOf
        && let Some(single) = constant::any_of(operator, kind, constants)
    {
        return Ok(Test::One {
            single,
            quantifier: Quantifier::Any,
        });
    }
    Ok(Test::Several(modifier, singles))
}

fn with_term(left: &Term, operator: Operator, operand: &Operand, sources: Sources) -> Result<Test, Uncompiled> {
    let right = Term::new(operand, sources)?;
    if matches!(
        operator,
        Operator::PMatch | Operator::Regex | Operator::Glob | Operator::IGlob
    ) {
        let message = format!(
            "operator '{}' doesn't support right-hand side fields",
            operator.as_str()
        );
        return Err(Uncompiled::new(&operand.span, message));
    }
    let ((left_kind, left_shape), (right_kind, right_shape)) = (left.kind(), right.kind());
    if left_kind == FieldType::Net || left_shape == Shape::EitherEnd {
        return Err(Uncompiled::new(
            &operand.span,
            "this field doesn't support right-hand side fields",
        ));
    }
    if right_kind == FieldType::Net || right_shape == Shape::EitherEnd {
        return Err(Uncompiled::new(
            &operand.span,
            "this field can't be used as a right-hand side field",
        ));
    }
    if left_kind != right_kind {
        let message = format!(
            "left side is of type '{}', right side of type '{}'",
            left_kind.as_str(),
            right_kind.as_str()
        );
        return Err(Uncompiled::new(&operand.span, message));
    }
    Ok(Test::Term { operator, right })
}

impl Test {
    fn holds_for<'c>(&'c self, value: &Value<'_>, context: &'c Context<'c>) -> bool {
        match self {
            Self::Exists => true,
            Self::One { single, .. } => single.holds(value),
            Self::Several(modifier, singles) => holds_several(*modifier, singles, value),
            Self::Term { operator, right } => {
                let mut result = false;
                right.each(context, &mut |other| {
                    result = result || compare(*operator, value, &other)
                });
                result
            }
        }
    }
}

fn holds_several(modifier: Modifier, singles: &[Single], value: &Value<'_>) -> bool {
    let mut passing = singles.iter().filter(|single| single.holds(value));
    match modifier {
        Modifier::AnyOf => passing.next().is_some(),
        Modifier::OneOf => passing.next().is_some() && passing.next().is_none(),
        Modifier::AllOf => !singles.is_empty() && singles.iter().all(|single| single.holds(value)),
    }
}

/// Compares two values that are both there.
fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let order = match operator {
        Operator::Equal | Operator::In | Operator::Intersects => Order::Equal,
        Operator::NotEqual => Order::NotEqual,
        Operator::Less => Order::Less,
        Operator::LessOrEqual => Order::LessOrEqual,
        Operator::Greater => Order::Greater,
        Operator::GreaterOrEqual => Order::GreaterOrEqual,
        _ => {
            let (Value::Text(left), Value::Text(right)) = (left, right) else {
                return false;
            };
            return match operator {
                Operator::Contains => left.contains(right),
                Operator::IContains => contains_ignoring_case(left, right),
                Operator::StartsWith => left.starts_with(right),
                Operator::EndsWith => left.ends_with(right),
                _ => false,
            };
        }
    };
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => order.holds(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => order.holds(left.cmp(right)),
        (Value::Decimal(left), Value::Decimal(right)) => {
            left.partial_cmp(right).is_some_and(|ordering| order.holds(ordering))
        }
        (Value::Bool(left), Value::Bool(right)) => order.holds(left.cmp(right)),
        (Value::Ip(left), Value::Ip(right)) => order.holds(left.cmp(right)),
        _ => false,
    }
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    part.is_empty()
        || text
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// Results of nodes for one event: evaluated once, however many rules share them.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    stamps: Vec<u32>,
    epoch: u32,
}

impl Memo {
    pub(crate) const fn new() -> Self {
        Self {
            stamps: Vec::new(),
            epoch: 0,
        }
    }

    /// Forgets all results, for `count` nodes.
    pub(crate) fn start(&mut self, count: usize) {
        if self.stamps.len() < count {
            self.stamps.resize(count, 0);
        }
        self.epoch += 1;
        if self.epoch >= u32::MAX >> 1 {
            self.stamps.fill(0);
            self.epoch = 1;
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<bool> {
        let stamp = *self.stamps.get(index)?;
        (stamp >> 1 == self.epoch).then_some(stamp & 1 == 1)
    }

    pub(crate) fn set(&mut self, index: usize, result: bool) {
        if let Some(stamp) = self.stamps.get_mut(index) {
            *stamp = (self.epoch << 1) | u32::from(result);
        }
    }
}
