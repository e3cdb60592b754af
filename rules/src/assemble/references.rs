//! Which macros refer to which: undefined names, names that are not visible yet, and loops are found before anything is
//! compiled.

use crate::{
    compile::MacroTree,
    diagnostic::{Code, Collector, Finding},
    limits::MAX_REFERENCE_DEPTH,
    load::Catalog,
    syntax::ast::{Expr, ExprKind},
    text::{Mapped, Place},
};

/// Which macros refer to which.
pub(super) struct References<'a> {
    catalog: &'a Catalog,
    trees: &'a [MacroTree],
    /// Macros that something refers to.
    pub(super) used: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

impl<'a> References<'a> {
    pub(super) fn new(catalog: &'a Catalog, trees: &'a [MacroTree]) -> Self {
        Self {
            catalog,
            trees,
            used: vec![false; trees.len()],
        }
    }

    /// Reports references to macros that are not defined, not visible, or lead back.
    pub(super) fn check(&mut self, diagnostics: &mut Collector<'_>) {
        let mut visits = vec![Visit::New; self.trees.len()];
        for index in 0..self.trees.len() {
            self.visit(index, 0, &mut visits, diagnostics);
        }
    }

    fn visit(&mut self, index: usize, depth: usize, visits: &mut [Visit], diagnostics: &mut Collector<'_>) {
        if visits[index] != Visit::New {
            return;
        }
        let info = &self.catalog.macros.as_slice()[index];
        let item = format!("macro \"{}\"", info.name);
        if depth > MAX_REFERENCE_DEPTH {
            let message = format!("macros refer to macros more than {MAX_REFERENCE_DEPTH} times");
            diagnostics.error(Finding::new(Code::LoadErrLimit, info.place.clone(), &item, message));
            return;
        }
        visits[index] = Visit::Open;
        let trees = self.trees;
        let mut names = Vec::new();
        if let Some(tree) = &trees[index].tree {
            macro_names(tree, &mut names);
        }
        for (name, span) in names {
            let place = trees[index].text.place(&span);
            let target = self
                .catalog
                .macros
                .position(name)
                .filter(|&target| self.catalog.macros.as_slice()[target].order.index < info.order.visibility);
            match target {
                None => self.undefined(name, place, &item, diagnostics),
                Some(target) if visits[target] == Visit::Open => {
                    let item = format!("macro \"{name}\"");
                    let message = format!("reference loop in macro '{name}'");
                    diagnostics.error(Finding::new(Code::LoadErrValidate, place, &item, message));
                }
                Some(target) => {
                    self.used[target] = true;
                    self.visit(target, depth + 1, visits, diagnostics);
                }
            }
        }
        visits[index] = Visit::Done;
    }

    /// As [`References::check`], for a rule, which sees all macros.
    pub(super) fn of_rule(&mut self, tree: &Expr, text: &Mapped, item: &str, diagnostics: &mut Collector<'_>) {
        let mut names = Vec::new();
        macro_names(tree, &mut names);
        for (name, span) in names {
            match self.catalog.macros.position(name) {
                Some(index) => self.used[index] = true,
                None => self.undefined(name, text.place(&span), item, diagnostics),
            }
        }
    }

    fn undefined(&self, name: &str, place: Place, item: &str, diagnostics: &mut Collector<'_>) {
        let known = self.catalog.macros.as_slice().iter().map(|info| info.name.as_str());
        // Each hint looks at every macro: where there are very many, nobody reads a hint for each.
        let count = if diagnostics.has_room_for_hints() {
            usize::MAX
        } else {
            0
        };
        let known = known.take(count);
        let hint = crate::diagnostic::nearest(name, known.filter(|known| *known != name))
            .map(|meant| format!("did you mean `{meant}`?"));
        let message = format!("Undefined macro '{name}' used in filter.");
        diagnostics.error(Finding::new(Code::LoadErrValidate, place, item, message).hint(hint));
    }
}

fn macro_names<'t>(tree: &'t Expr, found: &mut Vec<(&'t str, std::ops::Range<usize>)>) {
    match &tree.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| macro_names(part, found)),
        ExprKind::Not(inner) => macro_names(inner, found),
        ExprKind::Macro(name) => found.push((name, tree.span.clone())),
        ExprKind::Exists(_) | ExprKind::Compare { .. } => {}
    }
}
