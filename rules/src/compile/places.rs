//! What a path must be or have for a condition to hold: conditions in, texts with their place in the path out. Those who ask
//! differ in what a place is to them; how `and` and `or` join places is the same.

use std::{collections::HashMap, rc::Rc};

use super::{
    check::{Check, Test},
    graph::{Graph, Node, NodeId},
    single::Single,
};

/// Places that one condition may ask for; with more, nothing is said of it.
const MAX_PLACES: usize = 1_024;

/// One thing that a path can have.
pub(super) trait Place: Clone + Ord {
    /// Without one of these a comparison of this field is false; `None`: it may hold for any path.
    fn of_field(field: &str, single: &Single) -> Option<Vec<Self>>;

    /// Whether it costs more to look for, or tells less, than others: of the parts of an `and`, one without such is taken.
    fn is_dear(&self) -> bool;
}

/// Without one of these a condition is false; `None`: it may hold for any path.
pub(super) type Places<P> = Option<Rc<[P]>>;

/// Answers for the conditions of one graph; parts that they share are looked at once.
pub(super) struct Walk<'graph, P> {
    graph: &'graph Graph,
    done: HashMap<NodeId, Places<P>>,
}

impl<'graph, P: Place> Walk<'graph, P> {
    pub(super) fn new(graph: &'graph Graph) -> Self {
        Self {
            graph,
            done: HashMap::new(),
        }
    }

    pub(super) fn places(&mut self, id: NodeId) -> Places<P> {
        if let Some(known) = self.done.get(&id) {
            return known.clone();
        }
        let graph = self.graph;
        let result = match graph.node(id) {
            Node::Const(false) => Some(Rc::from([])),
            Node::Const(true) | Node::Not(_) => None,
            Node::Check(index) => of_check(graph.check(*index)).map(Rc::from),
            Node::And(parts) => {
                let known = parts.iter().filter_map(|part| self.places(*part));
                // Any of them is enough.
                known.min_by_key(|places| (places.iter().any(Place::is_dear), places.len()))
            }
            Node::Or(parts) => {
                let each: Option<Vec<Rc<[P]>>> = parts.iter().map(|part| self.places(*part)).collect();
                each.and_then(|each| {
                    let mut all: Vec<P> = each.iter().flat_map(|places| places.iter().cloned()).collect();
                    all.sort_unstable();
                    all.dedup();
                    (all.len() <= MAX_PLACES).then(|| Rc::from(all))
                })
            }
        };
        self.done.insert(id, result.clone());
        result
    }
}

fn of_check<P: Place>(check: &Check) -> Option<Vec<P>> {
    let Check::Value {
        test: Test::One { single, .. },
        ..
    } = check
    else {
        return None;
    };
    P::of_field(check.field()?.field.name, single)
}
