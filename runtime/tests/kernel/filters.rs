//! What leaves the kernel and what does not: reads as rules ask for them, writes that a profile expects.

use std::process::Command;

use plimsoll_model::FileAccess;
use plimsoll_runtime::{
    raw::RawKind,
    sensor::{Kernel, Mechanism, Need, Needs, plan},
};

use crate::watch::{Watch, rules, spawn};

/// Paths that a process opened, in order, with those as it wrote them.
fn opens(watch: &mut Watch, pid: u32) -> Vec<(String, Option<String>, FileAccess)> {
    let events = watch.life_of(pid);
    events
        .into_iter()
        .filter_map(|event| match event.kind {
            RawKind::Open {
                path, asked, access, ..
            } => Some((path, asked, access)),
            _ => None,
        })
        .collect()
}

#[test]
fn only_reads_that_rules_ask_for_leave_the_kernel() {
    let conditions = [
        "evt.type = openat and evt.is_open_read = true and fd.name in (/etc/hosts, /etc/passwd)",
        "evt.type = openat and evt.is_open_read = true and fd.directory = /etc/security",
    ];
    let Some(mut watch) = Watch::for_rules(&conditions) else {
        return;
    };
    let script = "for (@ARGV) { open(F, '<', $_) }";
    let files = [
        "/etc/passwd",
        "/etc/group",
        "/usr/bin/perl",
        "/etc/../etc/hosts",
        "/dev/null",
        "/nowhere",
    ];
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", script]).args(files));
    let reads: Vec<_> = opens(&mut watch, pid)
        .into_iter()
        .map(|(path, asked, access)| {
            assert_eq!((asked, access), (None, FileAccess::Read), "{path}");
            path
        })
        .collect();
    // /etc/passwd and /etc/hosts are places of their own.
    assert_eq!(reads, ["/etc/passwd", "/etc/hosts"]);
    assert_eq!(watch.lost(), 0);
}

#[test]
fn names_that_rules_ask_for_are_told_wherever_they_are() {
    let conditions = [
        "evt.type = openat and evt.is_open_read = true and fd.name glob */.secret/id_*",
        "evt.type = openat and evt.is_open_read = true and fd.name endswith /.cloud/credentials",
    ];
    let Some(mut watch) = Watch::for_rules(&conditions) else {
        return;
    };
    let folder = format!("/tmp/plimsoll-names-{}", std::process::id());
    let deep = format!("{folder}{}", "/d".repeat(40));
    let folders = [
        format!("{folder}/.secret/below"),
        format!("{folder}/.secreT"),
        deep.clone(),
    ];
    folders
        .iter()
        .for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let files = [
        format!("{folder}/.secret/id_rsa"),
        format!("{folder}/.secret/below/x"),
        format!("{folder}/.secreT/id_rsa"),
        format!("{folder}/credentials"),
        format!("{folder}/credentialS"),
        format!("{deep}/x"),
        "/etc/passwd".to_owned(),
    ];
    files
        .iter()
        .for_each(|file| drop(std::fs::File::options().create(true).append(true).open(file).unwrap()));
    let pid = spawn(
        Command::new("/usr/bin/perl")
            .args(["-e", "for (@ARGV) { open(F, '<', $_) }"])
            .args(&files),
    );
    let reads: Vec<String> = opens(&mut watch, pid).into_iter().map(|(path, ..)| path).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(reads.len(), 4, "{reads:?}");
    assert_eq!(reads[..2], files[..2]);
    assert_eq!(reads[2], files[3]);
    // Deeper than the kernel side climbs: user space decides.
    assert!(reads[3].ends_with("/d/d/x"), "{reads:?}");
    assert_eq!(watch.lost(), 0);
}

#[test]
fn paths_with_dots_are_told_as_they_were_written() {
    let condition =
        "evt.type = openat and evt.is_open_read = true and fd.name contains passwd and fd.nameraw contains '../'";
    let Some(mut watch) = Watch::for_rules(&[condition]) else {
        return;
    };
    let script = "for (@ARGV) { open(F, '<', $_) }";
    let long = format!("{}etc/passwd", "/./".repeat(200));
    let files = ["/etc/passwd", "/usr/../etc/passwd", "/etc/./passwd", &long];
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", script]).args(files));
    let reads = opens(&mut watch, pid);
    let passwd = |asked: &str| ("/etc/passwd".to_owned(), Some(asked.to_owned()), FileAccess::Read);
    // Longer paths than are searched leave the kernel in any case.
    assert_eq!(reads, [passwd("/usr/../etc/passwd"), passwd(&long)]);
}

#[test]
fn a_rule_without_a_path_gets_every_read() {
    let Some(mut watch) = Watch::for_rules(&["evt.type = openat and evt.is_open_read = true and proc.name = perl"])
    else {
        return;
    };
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", "open(F, '<', '/etc/group')"]));
    let reads = opens(&mut watch, pid);
    assert!(reads.iter().any(|(path, ..)| path == "/etc/group"), "{reads:?}");
}

/// Calls that a service makes with each request, file or connection: a rule that names one makes all of them dearer.
const FREQUENT: &[Need] = &[
    Need::Unlink,
    Need::MakeFolder,
    Need::ChangeOwner,
    Need::ChangeUser,
    Need::LoadBpf,
    Need::MemoryFile,
    Need::Redirect,
    Need::MakeSocket,
    Need::Accept,
    Need::Receive,
    Need::MakeRing,
];

#[test]
fn the_shipped_rules_ask_for_rare_calls_of_containers_only() {
    let wants = plimsoll_rules::RuleSet::shipped().wants();
    let none = rules(&["evt.type = execve"]).wants();
    assert_eq!(wants.host.calls, none.host.calls, "a call of the host is asked for");
    let needs = Needs::wanted_by(wants);
    for need in FREQUENT {
        assert!(!need.calls().is_empty() && !needs.contains(*need), "{need:?}");
    }
    assert!(needs.contains(Need::Trace), "nobody would see who takes a process over");
    let kernel = Kernel::probe();
    let works = |mechanism| kernel.mechanisms.get(&mechanism).is_some_and(Result::is_ok);
    let is_modern = works(Mechanism::Lsm) || works(Mechanism::Fexit);
    for entry in &plan(&needs, &kernel).entries {
        let is_tracepoint = entry
            .way
            .is_some_and(|way| way.mechanism == Mechanism::SyscallTracepoint);
        // Tracepoints of calls make every call of the machine dearer, once: those of opens are there in any case.
        assert!(!(is_modern && is_tracepoint), "{}", entry.title);
    }
}

#[test]
fn rules_that_name_no_call_attach_none() {
    let Some(watch) = Watch::for_rules(&["evt.type = execve"]) else {
        return;
    };
    for entry in &watch.plan().entries {
        let is_tracepoint = entry
            .way
            .is_some_and(|way| way.mechanism == Mechanism::SyscallTracepoint);
        assert!(
            !is_tracepoint || matches!(entry.need, Need::OpenWrite | Need::LoadLibrary | Need::ConnectLocal),
            "{}",
            entry.title
        );
    }
}

#[test]
fn what_the_doctor_says_of_this_kernel() {
    let kernel = Kernel::probe();
    let plan = plan(&Needs::all(), &kernel);
    println!("{plan}");
    let works = |mechanism| kernel.mechanisms.get(&mechanism).is_some_and(Result::is_ok);
    let is_modern = works(Mechanism::Lsm) || works(Mechanism::Fexit);
    for entry in &plan.entries {
        let is_tracepoint = entry
            .way
            .is_some_and(|way| way.mechanism == Mechanism::SyscallTracepoint);
        assert!(
            !(is_modern && is_tracepoint),
            "{}: no call needs a tracepoint here",
            entry.title
        );
    }
    assert_eq!(plan.can_refuse, works(Mechanism::Lsm));
    assert_eq!(
        plan.is_complete(),
        [Mechanism::BtfTracepoint, Mechanism::CgroupHook].into_iter().all(works)
            && (is_modern && works(Mechanism::Fexit) || works(Mechanism::SyscallTracepoint))
    );
}
