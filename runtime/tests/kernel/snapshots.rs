//! What was there before the sensors: processes of a snapshot, and cgroups before anybody is in them.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use plimsoll_runtime::raw::RawKind;

use crate::{
    sensors::is_exec_of,
    watch::{Watch, run},
};

#[test]
fn a_snapshot_names_processes_as_events_do() {
    let Some(mut watch) = Watch::everything() else { return };
    let mut child = Command::new("/bin/sleep")
        .args(["60"])
        .current_dir("/usr")
        .spawn()
        .unwrap();
    let event = watch.wait_for("the exec", is_exec_of(child.id()));
    let processes = watch.snapshot();
    child.kill().unwrap();
    child.wait().unwrap();
    let found = processes
        .iter()
        .find(|process| process.task.pid.cast_unsigned() == child.id())
        .unwrap();
    let RawKind::Exec {
        exe,
        args,
        cwd,
        exe_file,
        ..
    } = event.kind
    else {
        unreachable!()
    };
    assert_eq!(
        (&found.exe, &found.args, &found.cwd, found.exe_file),
        (&exe, &args, &cwd, exe_file)
    );
    assert_eq!(found.task, event.task);
    assert!(processes.is_sorted_by_key(|process| process.task.start_time_ns));
    assert!(
        processes
            .iter()
            .any(|process| process.task.pid.cast_unsigned() == std::process::id())
    );
}

#[test]
fn a_cgroup_is_announced_before_anybody_is_in_it() {
    let Some(mut watch) = Watch::everything() else { return };
    let Some(root) = watch.cgroup_root() else { return };
    let name = format!("plimsoll-test-{}", std::process::id());
    let folder = root.join(&name);
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
    let made = RawKind::CgroupMade {
        cgroup_id: id,
        path: format!("/{name}"),
    };
    assert!(
        events.iter().any(|event| event.kind == made),
        "{made:?} is not in {events:?}"
    );
}
