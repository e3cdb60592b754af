//! One image with a server, a helper, an unused program, a script language and a library; what is said of each package.

use std::sync::Arc;

use plimsoll_model::{
    Confidence, Container, ContainerRuntime, Digest, ElfFacts, Event, EventKind, ExeFile, Fact, FileKind, FixState,
    ImageConfig, ImageIdentity, Match, MatchEvidence, Package, Phase, Platform, Sbom, SocketAddress, Transport,
    Vulnerability, schema,
};

use super::*;
use crate::{
    judge::tests::{evidence, profile},
    program::tests::process,
    usage::{FirstUse, UsageLedger, merge_usage},
};

const NAMES: [&str; 7] = [
    "server",
    "libtls",
    "helper",
    "libhelp",
    "unused",
    "perl-things",
    "texts",
];
const HOUR_NS: u64 = 3_600_000_000_000;

fn file(path: &str, package: u32, needed: &[&str]) -> FileEntry {
    FileEntry {
        package: Some(package),
        elf: Some(Box::new(ElfFacts {
            needed: needed.iter().map(|name| (*name).to_owned()).collect(),
            ..ElfFacts::default()
        })),
        ..FileEntry::new(path, FileKind::Regular, 0o755)
    }
}

fn program(path: &str) -> Program {
    Program {
        path: path.into(),
        applet: None,
    }
}

fn fact(action: Action) -> Fact {
    Fact {
        subject: Subject::Program(program("/usr/bin/server")),
        action,
        phases: vec![Phase::Serving],
        parent: None,
        evidence: evidence("line 1"),
        confidence: Confidence::A,
    }
}

fn matched(package: u32, severity: Severity, known_exploited: bool) -> Match {
    Match {
        package,
        vulnerability: Vulnerability {
            id: format!("CVE-{package}"),
            aliases: Vec::new(),
            severity,
            cvss_score: None,
            known_exploited,
            epss: None,
            summary: String::new(),
        },
        fix_state: FixState::Affected,
        fixed_version: None,
        evidence: MatchEvidence {
            advisory: String::new(),
            source: String::new(),
            ecosystem: String::new(),
            compared_name: String::new(),
            compared_version: String::new(),
            range: String::new(),
        },
        reach: None,
    }
}

pub(crate) fn report() -> ScanReport {
    let mut profile = profile();
    profile.main = Some(program("/usr/bin/server"));
    profile.facts = vec![
        fact(Action::Load("/usr/lib/libtls.so.3".into())),
        fact(Action::Exec(program("/usr/bin/helper"))),
    ];
    let mut packages: Vec<Package> = NAMES
        .iter()
        .map(|name| Package {
            purl: format!("pkg:deb/debian/{name}@1"),
            ..Package::new(PackageKind::Dpkg, *name, "1")
        })
        .collect();
    packages[5].files = vec!["/usr/share/perl5/Things.pm"].into();
    ScanReport {
        schema: schema::SCAN_REPORT.to_owned(),
        image: ImageIdentity {
            reference: "server:1".to_owned(),
            manifest_digest: None,
            config_digest: Digest::from_bytes([1; 32]),
            diff_ids: Vec::new(),
            platform: Platform {
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                variant: None,
            },
        },
        config: ImageConfig::default(),
        layers: Vec::new(),
        base: None,
        sbom: Sbom { os: None, packages },
        files: vec![
            file("/usr/bin/helper", 2, &["libhelp.so.1"]),
            file("/usr/bin/perl-tool", 5, &[]),
            file("/usr/bin/server", 0, &["libtls.so.3"]),
            file("/usr/bin/unused", 4, &[]),
            file("/usr/lib/libhelp.so.1", 3, &[]),
            file("/usr/lib/libperl.so.5", 6, &[]),
            file("/usr/lib/libtls.so.3", 1, &[]),
        ],
        file_count: 7,
        matches: None,
        findings: Vec::new(),
        profile,
        notes: Vec::new(),
        verdict: None,
        usage: None,
    }
}

fn event(exe: &str, kind: EventKind, time_ns: u64) -> Event {
    Event {
        sequence: 1,
        time_ns,
        cpu: 0,
        process: Arc::new(process(exe, &[exe])),
        container: Some(Arc::new(Container {
            id: "c".to_owned(),
            name: "c".to_owned(),
            runtime: ContainerRuntime::Podman,
            image: None,
            cgroup_id: 1,
            cgroup_path: String::new(),
            init_pid: 1,
            privileged: None,
            pod: None,
            details: plimsoll_model::ContainerDetails::default(),
        })),
        phase: Some(Phase::Serving),
        kind,
    }
}

fn exec(path: &str, time_ns: u64) -> Event {
    let previous = Arc::new(process("/usr/bin/sh", &["sh"]));
    event(
        path,
        EventKind::Exec {
            previous,
            filename: path.to_owned(),
        },
        time_ns,
    )
}

fn load(exe: &str, path: &str, file: ExeFile, time_ns: u64) -> Event {
    event(
        exe,
        EventKind::Load {
            path: path.to_owned(),
            file,
        },
        time_ns,
    )
}

fn ledger(report: &ScanReport) -> UsageLedger {
    UsageLedger::new(report, IdleThresholds::DEFAULT)
}

fn rungs(found: &[Reach]) -> Vec<(&'static str, bool)> {
    found.iter().map(|one| (one.rung.name(), one.is_idle)).collect()
}

#[test]
fn without_usage_the_ladder_ends_at_what_the_profile_expects() {
    let report = report();
    let found = reach(&report, None, IdleThresholds::DEFAULT);
    let expected = [
        "linked",
        "linked",
        "reachable",
        "reachable",
        "present",
        "present",
        "present",
    ];
    assert_eq!(rungs(&found), expected.map(|rung| (rung, false)));
    assert!(found[3].because.contains("/usr/bin/helper"), "{}", found[3].because);
}

/// What a server of the image and its helper do when they start.
fn start() -> Vec<Event> {
    let image = ExeFile::default();
    vec![
        exec("/usr/bin/server", HOUR_NS),
        load("/usr/bin/server", "/usr/lib/libtls.so.3", image, HOUR_NS),
        exec("/usr/bin/helper", HOUR_NS),
        load("/usr/bin/helper", "/usr/lib/libhelp.so.1", image, HOUR_NS),
        event(
            "/usr/bin/server",
            EventKind::Listen {
                address: SocketAddress {
                    ip: [0, 0, 0, 0].into(),
                    port: 80,
                },
                transport: Transport::Tcp,
            },
            HOUR_NS,
        ),
        // A file in the place of the image's is not the image's.
        load(
            "/usr/bin/server",
            "/usr/bin/unused",
            ExeFile {
                is_upper_layer: true,
                ..image
            },
            HOUR_NS,
        ),
    ]
}

#[test]
fn use_raises_and_long_watching_without_use_is_said() {
    let report = report();
    let known = KnownFiles::new(&report.files);
    let mut ledger = ledger(&report);
    let image = ExeFile::default();
    for event in start() {
        ledger.note(&event, &report, &known);
    }
    let found = reach(&report, Some(&ledger.usage()), IdleThresholds::DEFAULT);
    let rungs_now = [
        "listening",
        "listening",
        "executed",
        "loaded",
        "present",
        "present",
        "present",
    ];
    assert_eq!(
        rungs(&found),
        rungs_now.map(|rung| (rung, false)),
        "not watched for long"
    );
    assert!(found[4].because.contains("0 of 2 containers"), "{}", found[4].because);

    for _ in 0..2 {
        ledger.welcome(true, HOUR_NS);
        ledger.watched(12 * 3600, 20 * HOUR_NS);
    }
    let found = reach(&report, Some(&ledger.usage()), IdleThresholds::DEFAULT);
    let idle: Vec<&str> = NAMES
        .iter()
        .zip(&found)
        .filter(|(_, one)| one.is_idle)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(
        idle,
        ["unused", "perl-things", "texts"],
        "no perl ran, so none of its files was read"
    );
    assert!(
        found[4]
            .because
            .contains("24.0 hours together between 1970-01-01T01:00:00Z"),
        "{}",
        found[4].because
    );

    ledger.note(
        &load("/usr/bin/server", "/usr/lib/libperl.so.5", image, 21 * HOUR_NS),
        &report,
        &known,
    );
    let found = reach(&report, Some(&ledger.usage()), IdleThresholds::DEFAULT);
    assert!(
        !found[5].is_idle && found[5].because.contains("Things.pm"),
        "{}",
        found[5].because
    );
    assert!(found[4].is_idle);
}

#[test]
fn the_first_use_of_what_counted_as_unused_is_a_revocation() {
    let report = report();
    let known = KnownFiles::new(&report.files);
    let mut ledger = ledger(&report);
    let first = |path: &str, is_revocation| FirstUse {
        package: format!("pkg:deb/debian/{}@1", path.rsplit('/').next().unwrap()),
        path: path.to_owned(),
        is_revocation,
    };
    let server = exec("/usr/bin/server", 1);
    assert_eq!(ledger.note(&server, &report, &known), [first("/usr/bin/server", false)]);
    assert_eq!(ledger.note(&server, &report, &known), []);
    ledger.note(
        &load("/usr/bin/server", "/usr/lib/libtls.so.3", ExeFile::default(), 2),
        &report,
        &known,
    );
    ledger.welcome(true, 1);
    ledger.welcome(true, 1);
    ledger.watched(24 * 3600, HOUR_NS);
    let mut resumed = UsageLedger::resume(ledger.usage(), IdleThresholds::DEFAULT);
    assert_eq!(resumed.note(&server, &report, &known), []);
    let unused = exec("/usr/bin/unused", 3 * HOUR_NS);
    assert_eq!(resumed.note(&unused, &report, &known), [first("/usr/bin/unused", true)]);
    let found = reach(&report, Some(&resumed.usage()), IdleThresholds::DEFAULT);
    assert_eq!(found[4].rung, Rung::Executed);
    assert_eq!(found[4].used.unwrap().after_seconds, 24 * 3600);
}

#[test]
fn what_several_nodes_saw_is_one_usage() {
    let report = report();
    let known = KnownFiles::new(&report.files);
    let (mut one, mut two) = (ledger(&report), ledger(&report));
    one.note(&exec("/usr/bin/server", 50), &report, &known);
    one.watched(10, 60);
    two.note(&exec("/usr/bin/server", 40), &report, &known);
    two.note(&exec("/usr/bin/helper", 90), &report, &known);
    two.lost(3);
    let merged = merge_usage([one.usage(), two.usage()]).unwrap();
    assert_eq!(
        (merged.window.from_ns, merged.window.to_ns, merged.window.lost_events),
        (40, 90, 3)
    );
    let server = merged.files.iter().find(|file| file.path == "/usr/bin/server").unwrap();
    assert_eq!((server.executed, server.first_ns, server.last_ns), (2, 40, 50));
    assert_eq!(merged.packages().len(), 2);
    assert_eq!(merge_usage([]), None);
}

#[test]
fn matches_are_ranked_by_use_after_known_exploitation() {
    let mut report = report();
    let known = KnownFiles::new(&report.files);
    let mut ledger = ledger(&report);
    ledger.note(&exec("/usr/bin/helper", 1), &report, &known);
    ledger.note(
        &load("/usr/bin/helper", "/usr/lib/libhelp.so.1", ExeFile::default(), 2),
        &report,
        &known,
    );
    ledger.welcome(true, 1);
    ledger.welcome(true, 1);
    ledger.watched(25 * 3600, HOUR_NS);
    report.matches = Some(vec![
        matched(4, Severity::Critical, false),
        matched(3, Severity::Negligible, false),
        matched(2, Severity::Low, false),
        matched(1, Severity::Medium, true),
    ]);
    bring_usage(&mut report, Some(&ledger.usage()), IdleThresholds::DEFAULT);
    let order: Vec<(u32, &str, bool)> = report
        .matches
        .iter()
        .flatten()
        .map(|one| {
            let reach = one.reach.as_ref().unwrap();
            (one.package, reach.rung.name(), reach.is_idle)
        })
        .collect();
    assert_eq!(
        order,
        [
            (1, "linked", false),
            (2, "executed", false),
            (4, "present", true),
            (3, "loaded", false)
        ]
    );
    assert_eq!(report.usage.map(|window| window.containers), Some(2));
}
