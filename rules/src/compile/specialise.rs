//! Conditions for one kind of event at one place, all that is known beforehand decided. What is left as `false` needs
//! no event of that kind: this is the index by event type, and what sensors are asked for.

use std::collections::HashMap;

use super::{
    check::{Check, Test},
    graph::{Graph, Node, NodeId, TooDeep},
    single::Single,
};
use crate::field::{KindSet, Value};

/// Where an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Container,
    Host,
}

/// Number of combinations of kind and place.
pub(crate) const VARIANTS: usize = KindSet::EACH.len() * 2;

/// Index of a combination, by the kind's position in [`KindSet::EACH`].
pub(crate) fn variant(kind: usize, place: Place) -> usize {
    kind * 2 + usize::from(place == Place::Host)
}

/// The condition as it is for events of one kind at one place.
pub(crate) fn specialise(
    graph: &mut Graph,
    id: NodeId,
    kind: KindSet,
    place: Place,
    done: &mut HashMap<NodeId, NodeId>,
) -> Result<NodeId, TooDeep> {
    if let Some(value) = graph.decided_by(id, kind) {
        return Ok(graph.constant(value));
    }
    if let Some(&known) = done.get(&id) {
        return Ok(known);
    }
    let result = match graph.node(id).clone() {
        Node::Const(_) => id,
        Node::Check(index) => match decided(graph.check(index), kind, place) {
            Some(value) => graph.constant(value),
            None => id,
        },
        Node::Not(inner) => {
            let inner = specialise(graph, inner, kind, place, done)?;
            graph.not(inner)?
        }
        Node::And(parts) => {
            let parts = each(graph, &parts, kind, place, done)?;
            graph.and(parts)?
        }
        Node::Or(parts) => {
            let parts = each(graph, &parts, kind, place, done)?;
            graph.or(parts)?
        }
    };
    done.insert(id, result);
    Ok(result)
}

fn each(
    graph: &mut Graph,
    parts: &[NodeId],
    kind: KindSet,
    place: Place,
    done: &mut HashMap<NodeId, NodeId>,
) -> Result<Vec<NodeId>, TooDeep> {
    parts
        .iter()
        .map(|part| specialise(graph, *part, kind, place, done))
        .collect()
}

/// What a check says of all events of one kind at one place, where that is known.
fn decided(check: &Check, kind: KindSet, place: Place) -> Option<bool> {
    let (left, test) = match check {
        Check::EventType(types) => return Some(types.kinds.contains(kind)),
        Check::Value { left, test } => (left, test),
    };
    if !left.kinds().contains(kind) || (place == Place::Host && left.is_container_only()) {
        return Some(false);
    }
    if let Test::Term { right, .. } = test
        && !right.kinds().contains(kind)
    {
        return Some(false);
    }
    let field = check.field()?;
    if let Some(value) = known_value(field.field.name, kind, place) {
        return check.with_value(&value);
    }
    // `container.id` inside a container is anything but `host`.
    if field.field.name == "container.id" && place == Place::Container {
        return is_compared_with_host(test);
    }
    None
}

/// Values that all events of one kind at one place have.
fn known_value(field: &str, kind: KindSet, place: Place) -> Option<Value<'static>> {
    let is_open = KindSet::OPEN.contains(kind);
    match field {
        "evt.dir" => Some(Value::Text("<")),
        "evt.source" => Some(Value::Text("syscall")),
        "evt.is_open_read" | "evt.is_open_write" | "evt.is_open_create" if !is_open => Some(Value::Bool(false)),
        "evt.is_open_read" if kind == KindSet::OPEN_READ => Some(Value::Bool(true)),
        "evt.is_open_write" | "evt.is_open_create" if kind == KindSet::OPEN_READ => Some(Value::Bool(false)),
        "evt.is_open_write" if kind == KindSet::OPEN_CREAT => Some(Value::Bool(true)),
        "evt.is_open_read" if kind == KindSet::OPEN_CREAT => Some(Value::Bool(false)),
        "container.id" | "container.full_id" | "container.name" | "container.type" if place == Place::Host => {
            Some(Value::Text("host"))
        }
        "profile.known" if place == Place::Host => Some(Value::Bool(false)),
        _ => None,
    }
}

/// A test that tells the host from containers and nothing more, decided for containers.
fn is_compared_with_host(test: &Test) -> Option<bool> {
    let Test::One { single, .. } = test else { return None };
    let is_host = |single: &Single| matches!(single, Single::TextEqual(text) if &**text == "host");
    match single {
        Single::Not(inner) if is_host(inner) => Some(true),
        single if is_host(single) => Some(false),
        _ => None,
    }
}
