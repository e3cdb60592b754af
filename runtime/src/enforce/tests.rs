//! Which writes are kept back, and what is refused, from profiles and rules.

use plimsoll_model::PortSpec;

use super::*;

fn patterns(texts: &[&str]) -> Vec<PathPattern> {
    texts.iter().map(|text| PathPattern::from(*text)).collect()
}

fn texts(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn what_a_rule_may_ask_for_is_told() {
    let asked = WritePaths {
        files: texts(&["/data/secret", "/run/x.pid"]),
        prefixes: texts(&["/etc/", "/var/lib/my"]),
        ..WritePaths::default()
    };
    for (pattern, is_untold) in [
        ("/data/**", false),
        ("/data/other/**", true),
        ("/data/secret", false),
        ("/data/secret/**", false),
        ("/etc/nginx/**", false),
        ("/etc/**", false),
        ("/etcetera/**", true),
        ("/var/lib/mysql/**", false),
        ("/var/lib/**", false),
        ("/var/lib/pg/**", true),
        ("/run/*", false),
        ("/tmp/**", true),
        ("/*/x", false),
    ] {
        let untold = untold(&patterns(&[pattern]), &asked);
        assert_eq!(!untold.is_empty(), is_untold, "{pattern}");
    }
}

#[test]
fn only_what_is_sure_enough_is_refused() {
    let against = |object: Option<&str>, confidence| Against {
        object: object.map(PathPattern::from),
        confidence,
    };
    let envelope = Envelope {
        writes: patterns(&["/data/**"]),
        execs: patterns(&["/usr/bin/id"]),
        against_writes: vec![against(Some("/usr/**"), Confidence::A), against(None, Confidence::B)],
        against_execs: vec![against(None, Confidence::A)],
        against_connects: vec![against(None, Confidence::B)],
        ..Envelope::default()
    };
    let sure = refuse(&envelope, Confidence::A, Mode::Enforce);
    assert_eq!(sure.refused_writes, Paths::These(patterns(&["/usr/**"])));
    assert_eq!(sure.refused_execs, Paths::Everything);
    assert_eq!(sure.allowed_execs, Paths::These(patterns(&["/usr/bin/id"])));
    assert_eq!((sure.drift, sure.peers), (Some(Paths::Nothing), None));
    let likely = refuse(&envelope, Confidence::B, Mode::Enforce);
    assert_eq!(
        (likely.refused_writes, likely.peers),
        (Paths::Everything, Some(Vec::new()))
    );
    assert!(matches!(&likely.allowed_writes, Paths::These(paths) if paths.contains(&"/dev/null".into())));
}

#[test]
fn more_peers_than_the_kernel_side_takes_refuse_nobody() {
    let peer = |port| Peer {
        scope: PeerScope::Any,
        port: Some(PortSpec {
            transport: Transport::Tcp,
            first: port,
            last: port,
        }),
    };
    let some: Vec<Peer> = (1..=8).map(peer).collect();
    let many: Vec<Peer> = (1..=9).map(peer).collect();
    assert_eq!(peers(&some).map(|rules| rules.len()), Some(8));
    assert_eq!(peers(&many), None);
}

#[test]
fn an_image_has_the_mode_of_the_last_name_that_fits() {
    let enforcement = Enforcement {
        mode: Some(Mode::Observe),
        images: vec![
            ("*redis*".to_owned(), Some(Mode::Enforce)),
            ("*/redis:test".to_owned(), None),
        ],
        confidence: Confidence::A,
        instead: Instead::Kill,
        outlives_agent: false,
    };
    for (image, expected) in [
        ("docker.io/library/nginx:1", Some(Mode::Observe)),
        ("docker.io/library/redis:7", Some(Mode::Enforce)),
        ("localhost/redis:test", None),
    ] {
        assert_eq!(enforcement.mode_of(image), expected, "{image}");
    }
    assert!(enforcement.may_refuse());
}
