//! Condition trees with macros in, nodes of the graph out; and what the tree says of event types and fields on the way.

use std::{collections::HashMap, ops::Range};

use super::{
    check::Check,
    constant::Uncompiled,
    event_types::TypeSet,
    graph::{Graph, NodeId, TooDeep},
    warnings,
};
use crate::{
    diagnostic::{Code, Finding},
    field::{FieldRef, Sources},
    limits::{MAX_NODE_DEPTH, MAX_VALUES},
    load::{MacroInfo, Named},
    syntax::ast::{Expr, ExprKind},
    text::Mapped,
};

/// A macro, parsed. Its references were checked before it is lowered: they exist and do not loop.
#[derive(Debug)]
pub(crate) struct MacroTree {
    /// `None`: it could not be parsed, which was reported.
    pub(crate) tree: Option<Expr>,
    /// The text that the tree's places refer to.
    pub(crate) text: Mapped,
}

/// What lowering a tree gives.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) node: NodeId,
    /// Event types for which it can be true.
    pub(crate) passes: TypeSet,
    /// Event types for which it can be false.
    fails: TypeSet,
    /// Fields that it reads, in the order of their first use, at most [`MAX_VALUES`].
    pub(crate) fields: Vec<FieldRef>,
    /// Fields that upstream gave up, with what it says of them.
    pub(crate) deprecated: Vec<&'static str>,
}

/// Lowers trees of one load.
pub(crate) struct Lowering<'a> {
    pub(crate) graph: Graph,
    pub(crate) macros: &'a Named<MacroInfo>,
    pub(crate) trees: &'a [MacroTree],
    pub(crate) warnings: Vec<Finding>,
    done: HashMap<(usize, u16), Result<Lowered, Failed>>,
}

/// Why a tree cannot be lowered.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) finding: Box<FindingCopy>,
    /// It names a field or event type that is not known.
    pub(crate) is_unknown_name: bool,
}

/// The parts of a finding, to be reported for every rule that meets it.
#[derive(Debug, Clone)]
pub(crate) struct FindingCopy {
    pub(crate) code: Code,
    pub(crate) place: crate::text::Place,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl FindingCopy {
    pub(crate) fn finding(&self, item: &str) -> Finding {
        Finding::new(self.code, self.place.clone(), item, self.message.clone()).hint(self.hint.clone())
    }
}

/// The text that a tree belongs to, and the fields that it may use.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) text: &'s Mapped,
    pub(crate) sources: Sources,
    pub(crate) item: &'s str,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(macros: &'a Named<MacroInfo>, trees: &'a [MacroTree]) -> Self {
        Self {
            graph: Graph::default(),
            macros,
            trees,
            warnings: Vec::new(),
            done: HashMap::new(),
        }
    }

    /// Lowers a tree.
    pub(crate) fn lower(&mut self, tree: &Expr, scope: Scope<'_>) -> Result<Lowered, Failed> {
        match &tree.kind {
            ExprKind::And(parts) => self.join(parts, true, tree, scope),
            ExprKind::Or(parts) => self.join(parts, false, tree, scope),
            ExprKind::Not(inner) => {
                let inner = self.lower(inner, scope)?;
                let node = self
                    .graph
                    .not(inner.node)
                    .map_err(|too_deep| deep(&too_deep, tree, scope))?;
                Ok(Lowered {
                    node,
                    passes: inner.fails,
                    fails: inner.passes,
                    ..inner
                })
            }
            ExprKind::Macro(name) => self.lower_macro(name, tree, scope),
            ExprKind::Exists(_) | ExprKind::Compare { .. } => self.lower_check(tree, scope),
        }
    }

    fn join(&mut self, parts: &[Expr], is_and: bool, tree: &Expr, scope: Scope<'_>) -> Result<Lowered, Failed> {
        let mut nodes = Vec::with_capacity(parts.len());
        let (mut passes, mut fails) = if is_and {
            (TypeSet::ALL, TypeSet::NONE)
        } else {
            (TypeSet::NONE, TypeSet::ALL)
        };
        let mut fields = Vec::new();
        let mut deprecated = Vec::new();
        for part in parts {
            let lowered = self.lower(part, scope)?;
            nodes.push(lowered.node);
            if is_and {
                passes = passes.and(lowered.passes);
                fails = fails.or(lowered.fails);
            } else {
                passes = passes.or(lowered.passes);
                fails = fails.and(lowered.fails);
            }
            merge(&mut fields, lowered.fields);
            for name in lowered.deprecated {
                if !deprecated.contains(&name) {
                    deprecated.push(name);
                }
            }
        }
        let joined = if is_and {
            self.graph.and(nodes)
        } else {
            self.graph.or(nodes)
        };
        Ok(Lowered {
            node: joined.map_err(|too_deep| deep(&too_deep, tree, scope))?,
            passes,
            fails,
            fields,
            deprecated,
        })
    }

    fn lower_macro(&mut self, name: &str, tree: &Expr, scope: Scope<'_>) -> Result<Lowered, Failed> {
        let Some(index) = self.macros.position(name) else {
            let message = format!("Undefined macro '{name}' used in filter.");
            return Err(failed(Code::LoadErrValidate, &tree.span, scope, message));
        };
        let key = (index, scope.sources.0);
        if let Some(done) = self.done.get(&key) {
            return done.clone();
        }
        let trees = self.trees;
        let inner = &trees[index];
        let result = match &inner.tree {
            Some(inner_tree) => {
                let inner_scope = Scope {
                    text: &inner.text,
                    ..scope
                };
                self.lower(inner_tree, inner_scope)
            }
            // Reported where the macro is defined; a rule that uses it fails at the same place.
            None => {
                let message = format!("macro '{name}' cannot be used: it has an error");
                Err(failed(Code::LoadErrCompileCondition, &tree.span, scope, message))
            }
        };
        self.done.insert(key, result.clone());
        result
    }

    fn lower_check(&mut self, tree: &Expr, scope: Scope<'_>) -> Result<Lowered, Failed> {
        if let Some(value) = warnings::invariant(tree) {
            let set = |is_all: bool| if is_all { TypeSet::ALL } else { TypeSet::NONE };
            return Ok(Lowered {
                node: self.graph.constant(value),
                passes: set(value),
                fails: set(!value),
                fields: Vec::new(),
                deprecated: Vec::new(),
            });
        }
        let mut key = String::new();
        // Writing into a String cannot fail.
        let _ = tree.write(&|_| None, &mut key);
        key.push('\u{0}');
        key.push_str(&scope.sources.0.to_string());
        let mut is_new = false;
        let added = self.graph.add_check(key, || {
            is_new = true;
            match &tree.kind {
                ExprKind::Exists(operand) => Check::exists(operand, scope.sources),
                ExprKind::Compare {
                    left,
                    operator,
                    modifier,
                    right,
                } => Check::compare(left, *operator, *modifier, right, scope.sources),
                _ => Err(Uncompiled::new(&tree.span, "not a check")),
            }
        });
        let node = added.map_err(|error| Failed {
            is_unknown_name: error.is_unknown_name,
            finding: Box::new(FindingCopy {
                code: Code::LoadErrCompileCondition,
                place: scope.text.place(&error.span),
                message: error.message,
                hint: error.hint,
            }),
        })?;
        if is_new {
            warnings::about_check(tree, scope, &mut self.warnings);
        }
        Ok(self.leaf(node))
    }

    fn leaf(&self, node: NodeId) -> Lowered {
        let mut lowered = Lowered {
            node,
            passes: TypeSet::ALL,
            fails: TypeSet::ALL,
            fields: Vec::new(),
            deprecated: Vec::new(),
        };
        if let super::graph::Node::Check(index) = self.graph.node(node) {
            let check = self.graph.check(*index);
            if let Check::EventType(types) = check {
                lowered.passes = types.names;
                lowered.fails = types.names.not();
            }
            check.fields(&mut lowered.fields);
        }
        for reference in &lowered.fields {
            if let Some(name) = warnings::deprecated_field(reference.field.name) {
                lowered.deprecated.push(name);
            }
        }
        lowered
    }
}

fn merge(fields: &mut Vec<FieldRef>, more: Vec<FieldRef>) {
    for reference in more {
        if fields.len() >= MAX_VALUES {
            return;
        }
        if !fields.contains(&reference) {
            fields.push(reference);
        }
    }
}

fn failed(code: Code, span: &Range<usize>, scope: Scope<'_>, message: String) -> Failed {
    Failed {
        is_unknown_name: false,
        finding: Box::new(FindingCopy {
            code,
            place: scope.text.place(span),
            message,
            hint: None,
        }),
    }
}

fn deep(_: &TooDeep, tree: &Expr, scope: Scope<'_>) -> Failed {
    let message = format!("nested deeper than {MAX_NODE_DEPTH} levels with its macros put in");
    failed(Code::LoadErrLimit, &tree.span, scope, message)
}
