//! Files mapped to be executed: whose, how often, and how they are told from the image's.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::{Watch, run, spawn};

/// A library that any program can load.
fn some_library() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    paths.find(|path| path.contains("/libgcc_s.so")).unwrap().to_owned()
}

/// In a mount namespace of its own: a library of the image, one that was written, and one in memory, each more than once.
const SCRIPT: &str = r#"
    set -e; mount -t tmpfs none "$1"; cd "$1"; mkdir lower upper work merged; cp "$2" lower/image.so
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; cd merged
    LD_PRELOAD=./image.so /bin/true; LD_PRELOAD=./image.so /bin/true
    cp image.so dropped.so
    LD_PRELOAD=./dropped.so /bin/true; LD_PRELOAD=./dropped.so /bin/true
    exec perl -MDynaLoader -e '
        for (1, 2) { DynaLoader::dl_load_file("./dropped.so", 0) or die DynaLoader::dl_error() }
        my $name = "hidden"; my $fd = syscall($ARGV[0], $name, 0); open(my $to, ">&=", $fd) or die;
        open(my $from, "<:raw", "image.so"); local $/; binmode $to; syswrite($to, <$from>);
        DynaLoader::dl_load_file("/proc/self/fd/$fd", 0) or die DynaLoader::dl_error()' "$3"
"#;

#[test]
fn libraries_are_told_once_and_those_that_were_written_for_each_process() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let below = fs::canonicalize(&folder).unwrap();
    let memfd_create = if cfg!(target_arch = "x86_64") { "319" } else { "279" };
    let library = some_library();
    run(Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", SCRIPT, "sh"])
        .arg(folder.path())
        .args([library.as_str(), memfd_create]));
    let is_load = |event: &RawEvent| matches!(event.kind, RawKind::Load { .. });
    let loads = watch.collect_until(
        "the library in memory",
        is_load,
        |event| matches!(&event.kind, RawKind::Load { file, .. } if file.is_memfd),
    );
    let mut found: BTreeMap<String, Vec<(String, bool, bool)>> = BTreeMap::new();
    for event in &loads {
        let RawKind::Load { path, file } = &event.kind else {
            unreachable!()
        };
        let short = Path::new(path)
            .strip_prefix(below.join("merged"))
            .map_or(path.clone(), |rest| rest.display().to_string());
        if short != *path || file.is_memfd {
            let told = (event.task.comm.clone(), file.is_upper_layer, file.is_deleted);
            found.entry(short).or_default().push(told);
        }
    }
    let told = |comm: &str, is_upper| (comm.to_owned(), is_upper, false);
    let expected = [
        ("image.so", vec![told("true", false)]),
        (
            "dropped.so",
            vec![told("true", true), told("true", true), told("perl", true)],
        ),
        ("memfd:hidden", vec![told("perl", false)]),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(path, told)| (path.to_owned(), told))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(watch.lost(), 0);
}

#[test]
fn what_the_host_loads_is_nobodys_business() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("ours.so");
    fs::copy(some_library(), &library).unwrap();
    let pid = spawn(Command::new("/bin/true").env("LD_PRELOAD", &library));
    let events = watch.life_of(pid);
    assert!(!events.iter().any(|event| matches!(event.kind, RawKind::Load { .. })));
}
