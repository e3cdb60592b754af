//! Comparisons of `evt.type`, decided when rules are loaded: which events they let pass.

use super::{
    constant::{self, Uncompiled, check_operator},
    single::Single,
};
use crate::{
    diagnostic::nearest,
    field::{EVENT_NAMES, FieldType, KindSet, is_event_name},
    syntax::ast::{Constant, Modifier, Operator, Right},
};

/// A set of names that `evt.type` can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeSet([u64; 8]);

impl TypeSet {
    pub(crate) const NONE: Self = Self([0; 8]);
    pub(crate) const ALL: Self = Self([u64::MAX; 8]);

    fn add(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] & other.0[index]))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] | other.0[index]))
    }

    pub(crate) fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// How many names of upstream's table are in the set.
    pub(crate) fn len(self) -> usize {
        (0..EVENT_NAMES.len())
            .filter(|index| self.0[index / 64] & (1 << (index % 64)) != 0)
            .count()
    }

    /// The names in the set.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        EVENT_NAMES
            .iter()
            .enumerate()
            .filter(move |(index, _)| self.0[index / 64] & (1 << (index % 64)) != 0)
            .map(|(_, name)| *name)
    }
}

/// What a comparison of `evt.type` lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventTypeCheck {
    /// Kinds of our events.
    pub(crate) kinds: KindSet,
    /// Names of upstream's table.
    pub(crate) names: TypeSet,
}

/// Decides a comparison of `evt.type` with constants.
pub(crate) fn compile(
    operator: Operator,
    modifier: Option<Modifier>,
    right: &Right,
) -> Result<Option<EventTypeCheck>, Uncompiled> {
    let constants = match right {
        Right::Value(constant) => std::slice::from_ref(constant),
        Right::List(constants) => constants.as_slice(),
        Right::Operand(_) => return Ok(None),
    };
    let span = constants.first().map_or(0..0, |constant| constant.span.clone());
    check_operator(operator, FieldType::Text, false, &span)?;
    let is_name = matches!(
        operator,
        Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects
    );
    if is_name && let Some(unknown) = constants.iter().find(|constant| !is_event_name(&constant.text)) {
        return Err(unknown_type(unknown));
    }
    // `!=` is decided as the opposite of `=`: an event that answers to several names is none of the others.
    let (operator, is_negated) = match operator {
        Operator::NotEqual => (Operator::Equal, true),
        other => (other, false),
    };
    let tests = match (modifier, right) {
        (None, Right::List(_)) => vec![constant::list(operator, FieldType::Text, constants)?],
        _ => constants
            .iter()
            .map(|constant| constant::scalar(operator, FieldType::Text, constant))
            .collect::<Result<Vec<Single>, _>>()?,
    };
    let passes = |name: &&str| {
        let value = crate::field::Value::Text(name);
        let count = tests.iter().filter(|test| test.holds(&value) != is_negated).count();
        match modifier {
            Some(Modifier::OneOf) => count == 1,
            Some(Modifier::AllOf) => count == tests.len() && count > 0,
            _ => count > 0,
        }
    };
    let mut names = TypeSet::NONE;
    for (index, name) in EVENT_NAMES.iter().enumerate() {
        if passes(name) {
            names.add(index);
        }
    }
    let kinds = KindSet::EACH.into_iter().fold(KindSet::NONE, |kinds, kind| {
        let mut types = kind.event_types().iter();
        let is_in = if is_negated {
            types.all(passes)
        } else {
            types.any(passes)
        };
        if is_in { kinds.with(kind) } else { kinds }
    });
    Ok(Some(EventTypeCheck { kinds, names }))
}

fn unknown_type(constant: &Constant) -> Uncompiled {
    let hint = nearest(&constant.text, EVENT_NAMES.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
    Uncompiled {
        is_unknown_name: true,
        ..Uncompiled::new(&constant.span, format!("unknown event type {}", constant.text)).hint(hint)
    }
}
