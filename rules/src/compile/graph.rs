//! The graph of all conditions: equal parts are one node, so a part that many rules share is evaluated once per event.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::check::{Check, Memo};
use crate::{
    field::{Context, KindSet},
    limits::MAX_NODE_DEPTH,
};

/// A node, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// One part of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Const(bool),
    /// Index of a check.
    Check(u32),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

/// All nodes and checks of a rule set.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    depths: Vec<u16>,
    costs: Vec<u32>,
    /// Kinds of events for which a node can be true, and for which it can be false.
    possible: Vec<(KindSet, KindSet)>,
    checks: Vec<Check>,
    interned: HashMap<Node, NodeId, RandomState>,
    check_ids: HashMap<String, u32, RandomState>,
}

/// A condition is nested too deep to be evaluated safely.
#[derive(Debug)]
pub(crate) struct TooDeep;

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn check(&self, index: u32) -> &Check {
        &self.checks[index as usize]
    }

    /// Forgets what is only needed to add nodes.
    pub(crate) fn seal(&mut self) {
        self.interned = HashMap::default();
        self.check_ids = HashMap::default();
        self.possible = Vec::new();
        self.nodes.shrink_to_fit();
    }

    /// The node of a check, made by `compile` when none has that key yet.
    pub(crate) fn add_check<E>(
        &mut self,
        key: String,
        compile: impl FnOnce() -> Result<Check, E>,
    ) -> Result<NodeId, E> {
        let index = match self.check_ids.get(&key) {
            Some(&index) => index,
            None => {
                let index = u32::try_from(self.checks.len()).unwrap_or(u32::MAX);
                self.checks.push(compile()?);
                self.check_ids.insert(key, index);
                index
            }
        };
        Ok(self.intern(Node::Check(index), 0))
    }

    pub(crate) fn constant(&mut self, value: bool) -> NodeId {
        self.intern(Node::Const(value), 0)
    }

    pub(crate) fn not(&mut self, inner: NodeId) -> Result<NodeId, TooDeep> {
        match *self.node(inner) {
            Node::Const(value) => Ok(self.constant(!value)),
            Node::Not(twice) => Ok(twice),
            _ => self.deeper(Node::Not(inner), &[inner]),
        }
    }

    /// All of `parts`.
    pub(crate) fn and(&mut self, parts: Vec<NodeId>) -> Result<NodeId, TooDeep> {
        self.join(parts, true)
    }

    /// Any of `parts`.
    pub(crate) fn or(&mut self, parts: Vec<NodeId>) -> Result<NodeId, TooDeep> {
        self.join(parts, false)
    }

    fn join(&mut self, parts: Vec<NodeId>, is_and: bool) -> Result<NodeId, TooDeep> {
        let mut flat: Vec<NodeId> = Vec::with_capacity(parts.len());
        for part in parts {
            match self.node(part) {
                Node::Const(value) if *value == is_and => {}
                Node::Const(value) => return Ok(self.constant(*value)),
                Node::And(inner) if is_and => flat.extend(inner.iter()),
                Node::Or(inner) if !is_and => flat.extend(inner.iter()),
                _ => flat.push(part),
            }
        }
        // Cheap parts first; the order does not change the result, since a check has no effect but its result.
        flat.sort_by_key(|id| (self.costs[id.0 as usize], *id));
        flat.dedup();
        match flat.as_slice() {
            [] => Ok(self.constant(is_and)),
            [only] => Ok(*only),
            _ => {
                let children = flat.clone().into_boxed_slice();
                let node = if is_and {
                    Node::And(children)
                } else {
                    Node::Or(children)
                };
                self.deeper(node, &flat)
            }
        }
    }

    fn deeper(&mut self, node: Node, children: &[NodeId]) -> Result<NodeId, TooDeep> {
        let below = children.iter().map(|id| self.depths[id.0 as usize]).max().unwrap_or(0);
        let depth = below.saturating_add(1);
        if usize::from(depth) > MAX_NODE_DEPTH {
            return Err(TooDeep);
        }
        Ok(self.intern(node, depth))
    }

    fn intern(&mut self, node: Node, depth: u16) -> NodeId {
        if let Some(&id) = self.interned.get(&node) {
            return id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let cost = match &node {
            Node::Const(_) => 0,
            Node::Check(index) => self.check(*index).cost(),
            Node::Not(inner) => self.costs[inner.0 as usize],
            Node::And(parts) | Node::Or(parts) => parts
                .iter()
                .map(|part| self.costs[part.0 as usize])
                .fold(1, u32::saturating_add),
        };
        self.possible.push(self.possibilities(&node));
        self.interned.insert(node.clone(), id);
        self.nodes.push(node);
        self.depths.push(depth);
        self.costs.push(cost);
        id
    }

    /// What a node is for all events of one kind, where the kind alone decides it.
    pub(crate) fn decided_by(&self, id: NodeId, kind: KindSet) -> Option<bool> {
        let (can_hold, can_fail) = self.possible[id.0 as usize];
        match (can_hold.contains(kind), can_fail.contains(kind)) {
            (false, _) => Some(false),
            (true, false) => Some(true),
            (true, true) => None,
        }
    }

    fn possibilities(&self, node: &Node) -> (KindSet, KindSet) {
        let of = |id: &NodeId| self.possible[id.0 as usize];
        match node {
            Node::Const(true) => (KindSet::ALL, KindSet::NONE),
            Node::Const(false) => (KindSet::NONE, KindSet::ALL),
            Node::Check(index) => self.check(*index).possibilities(),
            Node::Not(inner) => {
                let (can_hold, can_fail) = of(inner);
                (can_fail, can_hold)
            }
            Node::And(parts) => parts.iter().map(of).fold((KindSet::ALL, KindSet::NONE), |all, part| {
                (all.0.and(part.0), all.1.with(part.1))
            }),
            Node::Or(parts) => parts.iter().map(of).fold((KindSet::NONE, KindSet::ALL), |all, part| {
                (all.0.with(part.0), all.1.and(part.1))
            }),
        }
    }

    /// Whether the condition holds. Results are shared through `memo`, which must be fresh for each event.
    pub(crate) fn holds<'c>(&'c self, id: NodeId, context: &'c Context<'c>, memo: &mut Memo) -> bool {
        let index = id.0 as usize;
        if let Some(result) = memo.get(index) {
            return result;
        }
        let result = match &self.nodes[index] {
            Node::Const(value) => *value,
            Node::Check(check) => self.check(*check).holds(context),
            Node::Not(inner) => !self.holds(*inner, context, memo),
            Node::And(parts) => parts.iter().all(|part| self.holds(*part, context, memo)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(*part, context, memo)),
        };
        memo.set(index, result);
        result
    }
}
