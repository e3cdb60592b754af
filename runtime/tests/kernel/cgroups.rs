//! Cgroups: made before anybody is in them, entered before anybody acts in them.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::{Watch, run};

/// A process enters a new cgroup of this name and executes a program there: the cgroup's id, and what was told of it.
fn enter_new(name: &str) -> Option<(u64, Vec<RawEvent>)> {
    let mut watch = Watch::everything()?;
    let folder = watch.cgroup_root()?.join(name);
    fs::create_dir(&folder).unwrap();
    let id = fs::metadata(&folder).unwrap().ino();
    let script = r#"echo $$ > "$1/cgroup.procs"; exec /bin/true"#;
    run(Command::new("/bin/sh").args(["-c", script, "sh"]).arg(&folder));
    fs::remove_dir(&folder).unwrap();
    let events = watch.collect_until(
        "an exec in the cgroup",
        |event| event.task.cgroup_id == id || matches!(event.kind, RawKind::CgroupMade { .. }),
        |event| event.task.cgroup_id == id && matches!(event.kind, RawKind::Exec { .. }),
    );
    Some((id, events))
}

#[test]
fn a_cgroup_is_announced_before_anybody_is_in_it() {
    let name = format!("plimsoll-test-{}", std::process::id());
    let Some((id, events)) = enter_new(&name) else { return };
    let made = RawKind::CgroupMade {
        cgroup_id: id,
        path: format!("/{name}"),
    };
    let first = events
        .iter()
        .find(|event| event.task.cgroup_id == id || event.kind == made);
    assert_eq!(first.map(|event| &event.kind), Some(&made), "{events:?}");
}

#[test]
fn a_process_that_is_put_into_a_cgroup_says_so_before_it_acts() {
    let name = format!("plimsoll-enter-{}", std::process::id());
    let Some((id, events)) = enter_new(&name) else { return };
    let entered = RawKind::CgroupEntered {
        cgroup_id: id,
        path: format!("/{name}"),
    };
    let first = events.iter().find(|event| event.task.cgroup_id == id);
    assert_eq!(first.map(|event| &event.kind), Some(&entered), "{events:?}");
}
