//! Rules by the kind of event that can make them true, and what that means for sensors.

use std::collections::HashMap;

use plimsoll_model::SystemCall;

use crate::{
    EventKinds, EventNeeds, Rule, RuleSet, Source,
    compile::{
        Gate, Graph, Location, Lowered, NodeId, TypeSet, VARIANTS, read_paths, specialise, variant, write_paths,
    },
    diagnostic::{Code, Collector, Finding},
    field::{FieldRef, KindSet},
    load::RuleInfo,
};

/// Indexes compiled rules; warns about those that no event can make true.
pub(super) fn index(
    rules: Vec<Rule>,
    lowered: &[Lowered],
    mut graph: Graph,
    infos: &[&RuleInfo],
    diagnostics: &mut Collector<'_>,
) -> RuleSet {
    let mut by_variant: Vec<Vec<(u32, NodeId)>> = vec![Vec::new(); VARIANTS];
    let mut by_source = Vec::new();
    let never = graph.constant(false);
    let mut can_fire = vec![false; rules.len()];
    for (position, kind) in KindSet::EACH.into_iter().enumerate() {
        for place in [Location::Container, Location::Host] {
            let mut done = HashMap::new();
            for (index, rule) in rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.source == Source::Syscall)
            {
                // The whole condition was not too deep, so a part of it is not.
                let Ok(node) = specialise(&mut graph, lowered[index].node, kind, place, &mut done) else {
                    continue;
                };
                if node == never {
                    continue;
                }
                can_fire[index] = true;
                if rule.is_enabled {
                    let entry = (u32::try_from(index).unwrap_or(u32::MAX), node);
                    by_variant[variant(position, place)].push(entry);
                }
            }
        }
    }
    for (index, rule) in rules.iter().enumerate() {
        let node = lowered[index].node;
        if rule.source != Source::Syscall {
            if rule.is_enabled {
                by_source.push((rule.source, u32::try_from(index).unwrap_or(u32::MAX), node));
            }
        } else if !can_fire[index] && node != never {
            warn_never_fires(rule, &lowered[index], infos, diagnostics);
        }
    }
    graph.seal();
    let candidates = [Location::Container, Location::Host]
        .into_iter()
        .flat_map(|place| &by_variant[variant(OPEN_READ, place)])
        .map(|(_, node)| *node);
    let writes = [OPEN_READ + 1, OPEN_READ + 2]
        .into_iter()
        .flat_map(|kind| &by_variant[variant(kind, Location::Container)])
        .map(|(_, node)| *node);
    let gate = |index: usize| {
        let is_open =
            (variant(OPEN_READ, Location::Container)..=variant(OPEN_READ + 2, Location::Host)).contains(&index);
        is_open.then(|| Gate::new(&graph, by_variant[index].iter().map(|(_, node)| *node)))
    };
    RuleSet {
        gates: (0..VARIANTS).map(gate).collect(),
        read_paths: read_paths(&graph, candidates),
        write_paths: write_paths(&graph, writes),
        needs: EventNeeds {
            asked_paths: rules.iter().any(|rule| rule.is_enabled && reads_asked_paths(rule)),
            failed_connects: rules.iter().any(|rule| rule.is_enabled && reads_results(rule)),
            ..needs(&by_variant)
        },
        rules,
        graph,
        by_variant,
        by_source,
    }
}

fn warn_never_fires(rule: &Rule, lowered: &Lowered, infos: &[&RuleInfo], diagnostics: &mut Collector<'_>) {
    let Some(info) = infos.iter().find(|info| info.name == rule.name) else {
        return;
    };
    let delivered = KindSet::EACH
        .into_iter()
        .flat_map(|kind| kind.event_types().iter().copied())
        .collect::<Vec<_>>();
    let types: Vec<&str> = if lowered.passes == TypeSet::ALL {
        Vec::new()
    } else {
        lowered
            .passes
            .names()
            .filter(|name| !delivered.contains(name))
            .take(12)
            .collect()
    };
    let fields: Vec<String> = lowered
        .fields
        .iter()
        .filter(|reference| !reference.field.is_provided())
        .map(FieldRef::name)
        .take(12)
        .collect();
    let mut missing = Vec::new();
    if !types.is_empty() {
        missing.push(format!("events {}", types.join(", ")));
    }
    if !fields.is_empty() {
        missing.push(format!("fields {}", fields.join(", ")));
    }
    let missing = if missing.is_empty() {
        "its parts never hold for the same event".to_owned()
    } else {
        format!("no sensor delivers {} yet", missing.join(" and "))
    };
    let message = format!("this rule can never fire here: {missing}");
    let place = info.condition.place(&(0..info.condition.text.len()));
    let item = format!("rule \"{}\"", rule.name);
    diagnostics.warn(Finding::new(Code::LoadNeverFires, place, &item, message));
}

/// Position of opens for reading in [`KindSet::EACH`]; those for writing and those by `creat` follow.
const OPEN_READ: usize = 3;

fn reads_asked_paths(rule: &Rule) -> bool {
    [&rule.expanded, &rule.condition_text, &rule.output_text]
        .iter()
        .any(|text| text.contains("nameraw"))
}

/// Upstream's `evt.rawres >= 0` is true of connections as they are asked for: it needs no results.
fn reads_results(rule: &Rule) -> bool {
    let speaks_of = |words: &[&str]| words.iter().any(|word| rule.expanded.contains(word));
    speaks_of(&["connect"]) && speaks_of(&["evt.failed", "evt.res", "evt.rawres <", "evt.rawres =", "fd.connected"])
}

fn needs(by_variant: &[Vec<(u32, NodeId)>]) -> EventNeeds {
    let kinds = |place: Location| {
        let wants = |position: usize| !by_variant[variant(position, place)].is_empty();
        EventKinds {
            exec: wants(0),
            fork: wants(1),
            exit: wants(2),
            open_read: wants(OPEN_READ),
            open_write: wants(4) || wants(5),
            connect: wants(6),
            bind: wants(7),
            listen: wants(8),
            calls: SystemCall::ALL
                .iter()
                .copied()
                .filter(|call| wants(KindSet::of_call(*call).0.trailing_zeros() as usize))
                .collect(),
        }
    };
    EventNeeds {
        container: kinds(Location::Container),
        host: kinds(Location::Host),
        asked_paths: false,
        failed_connects: false,
    }
}
