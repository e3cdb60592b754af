//! Laws of the process tree.

use plimsoll_model::MAX_ANCESTORS;

use super::*;
use crate::{
    capture::Item,
    scene::{MILLISECOND, REDIS, Scene},
};

fn apply_all(tree: &mut ProcessTree, items: &[Item]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for item in items {
        match item {
            Item::Process(process) => seen.push(tree.adopt(process.clone())),
            Item::Event(event) => seen.extend(tree.apply(event.clone())),
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
        }
    }
    seen
}

#[test]
fn an_exec_keeps_who_asked_and_a_fork_keeps_the_program() {
    let mut scene = Scene::new();
    let first = scene.fork(1);
    scene.exec(first, REDIS, &["redis-server"]);
    let child = scene.fork(first);
    scene.exec(first, "/usr/bin/other", &["other"]);
    scene.write(child, "/data/x");
    let seen = apply_all(&mut ProcessTree::new(0), &scene.items);
    let EventKind::Exec { previous, .. } = &seen[4].event.kind else {
        panic!("the second exec")
    };
    assert_eq!(
        (previous.exe.as_str(), seen[4].event.process.exe.as_str()),
        (REDIS, "/usr/bin/other")
    );
    let write = &seen[5].event;
    assert_eq!(write.process.exe, REDIS);
    assert_eq!(
        write.process.parent.as_ref().unwrap().exe,
        REDIS,
        "the parent as it was at the fork"
    );
    let numbers: Vec<u64> = seen.iter().map(|one| one.event.sequence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "no gaps; what ran before has none");
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut scene = Scene::new();
    let first = scene.fork(1);
    scene.exec(first, REDIS, &["redis-server"]);
    scene.exit(first);
    scene.task(first).start_time_ns += 5 * MILLISECOND;
    scene.write(first, "/x");
    let seen = apply_all(&mut ProcessTree::new(0), &scene.items);
    let last = &seen.last().unwrap().event.process;
    assert_eq!(last.key.pid, first);
    assert_eq!(last.exe, "", "nothing is known of the new one");
}

#[test]
fn changed_credentials_make_a_new_snapshot_and_keep_the_program() {
    let mut scene = Scene::new();
    let first = scene.fork(1);
    scene.exec(first, REDIS, &["redis-server"]);
    scene.task(first).credentials.euid = 999;
    scene.write(first, "/x");
    let seen = apply_all(&mut ProcessTree::new(0), &scene.items);
    let last = &seen.last().unwrap().event.process;
    assert_eq!((last.credentials.euid, last.exe.as_str()), (999, REDIS));
}

#[test]
fn the_dead_are_kept_for_a_while_and_then_forgotten() {
    let mut scene = Scene::new();
    for _ in 0..100 {
        let child = scene.fork(1);
        scene.exit(child);
    }
    let mut tree = ProcessTree::new(0);
    apply_all(&mut tree, &scene.items);
    assert_eq!(tree.len(), 101);
    scene.wait(EXIT_GRACE_NS / MILLISECOND + 1);
    let from = scene.items.len();
    scene.write(1, "/x");
    apply_all(&mut tree, &scene.items[from..]);
    assert_eq!(tree.len(), 1);
}

#[test]
fn a_fork_bomb_is_bounded_and_does_not_push_out_who_made_it() {
    let mut scene = Scene::new();
    let bomber = scene.fork(1);
    scene.exec(bomber, REDIS, &["redis-server"]);
    let mut tree = ProcessTree::new(0);
    apply_all(&mut tree, &scene.items);
    let from = scene.items.len();
    for _ in 0..MAX_PROCESSES {
        scene.fork(bomber);
    }
    scene.write(bomber, "/x");
    let seen = apply_all(&mut tree, &scene.items[from..]);
    assert_eq!(tree.len(), MAX_PROCESSES);
    assert_eq!(tree.untracked(), 2);
    assert_eq!(seen.last().unwrap().event.process.exe, REDIS);
}

#[test]
fn a_chain_of_forks_whose_parents_end_does_not_grow_for_ever() {
    let mut scene = Scene::new();
    let mut current = scene.fork(1);
    for _ in 0..1_000 {
        let next = scene.fork(current);
        scene.exit(current);
        current = next;
    }
    scene.write(current, "/x");
    let seen = apply_all(&mut ProcessTree::new(0), &scene.items);
    let last = Arc::clone(&seen.last().unwrap().event.process);
    drop(seen);
    let length = std::iter::successors(Some(&last), |one| one.parent.as_ref()).count();
    assert!((MAX_ANCESTORS..=2 * MAX_ANCESTORS + 1).contains(&length), "{length}");
}
