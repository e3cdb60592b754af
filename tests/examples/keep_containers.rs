//! A capture and container ids in, a capture of these containers alone out: of the machine around them only their
//! ancestors stay, without their arguments and folders. A recording that is given away should say nothing else.
//!
//! `cargo run -p plimsoll-tests --example keep_containers -- CAPTURE OUT CONTAINER-ID…`

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{BufReader, BufWriter, Write as _},
};

use anyhow::{Context as _, ensure};
use plimsoll_runtime::{
    capture::{Item, Reader, Writer},
    raw::{RawKind, RawTask},
};

/// A process, also when its pid is used again.
type Key = (i32, u64);

fn key(task: &RawTask) -> Key {
    (task.pid, task.start_time_ns)
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    ensure!(arguments.len() > 2, "usage: keep_containers CAPTURE OUT CONTAINER-ID…");
    let items = read(&arguments[0])?;
    let ids = &arguments[2..];
    let cgroups: BTreeSet<u64> = items
        .iter()
        .filter_map(|item| match item {
            Item::Container(container) if ids.contains(&container.id) => Some(container.cgroup_id),
            _ => None,
        })
        .collect();
    ensure!(
        cgroups.len() == ids.len(),
        "{} of {} containers are in the capture",
        cgroups.len(),
        ids.len()
    );
    let kept = processes_to_keep(&items, &cgroups);
    let mut writer = Writer::new(BufWriter::new(File::create(&arguments[1])?))?;
    for item in items {
        if let Some(item) = reduce(item, ids, &cgroups, &kept) {
            writer.write(&item)?;
        }
    }
    writer.finish()?.flush()?;
    Ok(())
}

fn read(path: &str) -> anyhow::Result<Vec<Item>> {
    let file = File::open(path).with_context(|| format!("open {path}"))?;
    let mut reader = Reader::new(BufReader::new(file))?;
    let mut items = Vec::new();
    while let Some(item) = reader.next_item()? {
        items.push(item);
    }
    ensure!(
        reader.notes().is_empty(),
        "the capture is not whole: {:?}",
        reader.notes()
    );
    Ok(items)
}

/// Every process that was in one of the cgroups, with its ancestors up to podman: who called that is nobody's business.
fn processes_to_keep(items: &[Item], cgroups: &BTreeSet<u64>) -> BTreeSet<Key> {
    let mut parents: HashMap<Key, BTreeSet<Key>> = HashMap::new();
    let mut todo: Vec<Key> = Vec::new();
    let mut engines = BTreeSet::new();
    let tasks = items.iter().flat_map(|item| match item {
        Item::Process(process) => vec![&process.task],
        Item::Event(event) => match &event.kind {
            RawKind::Fork { child } => vec![&event.task, &**child],
            _ => vec![&event.task],
        },
        Item::Start { .. } | Item::Container(_) => Vec::new(),
    });
    for task in tasks {
        let parent = (task.parent_pid, task.parent_start_time_ns);
        parents.entry(key(task)).or_default().insert(parent);
        if task.comm == "podman" {
            engines.insert(key(task));
        }
        if cgroups.contains(&task.cgroup_id) {
            todo.push(key(task));
        }
    }
    let mut kept = BTreeSet::new();
    while let Some(process) = todo.pop() {
        if kept.insert(process) && !engines.contains(&process) {
            todo.extend(parents.get(&process).into_iter().flatten());
        }
    }
    kept
}

/// `None` for what is about others; what is outside of the containers loses its arguments and folder.
fn reduce(item: Item, ids: &[String], cgroups: &BTreeSet<u64>, kept: &BTreeSet<Key>) -> Option<Item> {
    match item {
        Item::Start { .. } => Some(item),
        Item::Container(container) => ids.contains(&container.id).then_some(Item::Container(container)),
        Item::Process(mut process) => {
            if !cgroups.contains(&process.task.cgroup_id) {
                process.args.truncate(1);
                process.cwd = "/".to_owned();
            }
            kept.contains(&key(&process.task)).then_some(Item::Process(process))
        }
        Item::Event(mut event) => {
            let is_inside = cgroups.contains(&event.task.cgroup_id);
            match &mut event.kind {
                RawKind::Fork { child } if !kept.contains(&key(child)) => return None,
                RawKind::Exec { args, cwd, .. } if !is_inside => {
                    args.truncate(1);
                    *cwd = "/".to_owned();
                }
                RawKind::CgroupMade { cgroup_id, .. } if !cgroups.contains(cgroup_id) => return None,
                RawKind::Fork { .. }
                | RawKind::Exec { .. }
                | RawKind::Exit { .. }
                | RawKind::CgroupMade { .. }
                | RawKind::Lost { .. } => {}
                _ if !is_inside => return None,
                _ => {}
            }
            (kept.contains(&key(&event.task)) || matches!(event.kind, RawKind::Lost { .. }))
                .then_some(Item::Event(event))
        }
    }
}
