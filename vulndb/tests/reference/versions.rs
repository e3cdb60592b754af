//! Version order: the reference implementations' own tables, small tables of ours, and the laws of a total order.

use std::cmp::Ordering;

use plimsoll_vulndb::version::{self, npm_range_holds};
use proptest::prelude::*;

use crate::shared;

fn order(sign: &str) -> Ordering {
    match sign {
        "<" => Ordering::Less,
        "=" => Ordering::Equal,
        ">" => Ordering::Greater,
        other => panic!("`{other}` is no order"),
    }
}

/// Rows `a op b` that a scheme disagrees with, also turned round.
fn disagreements<'a>(scheme: &str, rows: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Vec<String> {
    let scheme = version::find(scheme).unwrap();
    let mut wrong = Vec::new();
    for (a, op, b) in rows {
        let expected = order(op);
        for (a, b, expected) in [(a, b, expected), (b, a, expected.reverse())] {
            let found = scheme.compare(a, b);
            if found != Ok(expected) {
                wrong.push(format!("{} {a} {op} {b}: {found:?}", scheme.name()));
            }
        }
    }
    wrong
}

#[test]
fn agrees_with_the_reference_tables() {
    let mut wrong = Vec::new();
    for (file, schemes, least) in [
        ("deb-dpkg-Dpkg_Version.csv", &["dpkg"][..], 42),
        ("rpm-rpmvercmp.csv", &["rpm"], 90),
        ("apk-version.data.csv", &["apk"], 716),
        ("gem-test_gem_version.csv", &["gem"], 21),
        ("maven-ComparableVersionTest.csv", &["maven"], 571),
        ("pep440-packaging-order.csv", &["pep440"], 4185),
        ("semver-node-comparisons.csv", &["semver", "npm", "hex", "go"], 17),
        ("semver-node-equality.csv", &["semver", "npm"], 2),
    ] {
        let Some(text) = shared(file) else { return };
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert!(rows.len() >= least, "{file} has {} rows", rows.len());
        for scheme in schemes {
            wrong.extend(disagreements(scheme, rows.iter().map(|row| (row[0], row[1], row[2]))));
            eprintln!("{scheme}: {} rows of {file}", rows.len());
        }
    }
    assert_eq!(wrong, [""; 0], "{} disagreements", wrong.len());
}

/// Rows of the range table that are not what the reference tests, with the reason.
const MALFORMED_RANGES: &[(&str, &str)] = &[(
    "<\\t2.0.0",
    "an escaped tab of the JavaScript source was not turned into a tab",
)];

#[test]
fn agrees_with_npms_range_table() {
    let Some(text) = shared("npm-range-include-exclude.csv") else {
        return;
    };
    let mut wrong = Vec::new();
    eprintln!("npm ranges: {} rows", text.lines().count() - 1);
    for line in text.lines().skip(1) {
        let (version, rest) = line.split_once(',').unwrap();
        let (range, expected) = rest.rsplit_once(',').unwrap();
        if let Some((row, reason)) = MALFORMED_RANGES.iter().find(|(row, _)| *row == range) {
            eprintln!("malformed row `{row}`: {reason}");
            continue;
        }
        let found = npm_range_holds(version, range);
        if found != Ok(expected == "true") {
            wrong.push(format!("{line}: {found:?}"));
        }
    }
    assert_eq!(wrong, [""; 0], "{} disagreements", wrong.len());
}

#[test]
fn agrees_with_apks_table_of_constraints_and_validity() {
    let Some(text) = shared("apk-version-other.csv") else {
        return;
    };
    let apk = version::find("apk").unwrap();
    let mut wrong = Vec::new();
    for line in text.lines().skip(1) {
        let row: Vec<&str> = line.split(',').collect();
        let [kind, a, b] = row.as_slice() else { panic!("{line}") };
        // `~` asks whether the first begins as the second does; with `<` or `>`, also whether it is less or greater.
        let fuzzy = || apk.compare(a, &format!("~{b}"));
        let agrees = match *kind {
            "op:~" => fuzzy() == Ok(Ordering::Equal),
            "op:<~" => fuzzy().is_ok_and(|order| order.is_le()),
            "op:>~" => fuzzy().is_ok_and(|order| order.is_ge()),
            "op:!~" => fuzzy().is_ok_and(|order| order.is_ne()),
            "valid" => apk.compare_by_tool(a, a).is_ok(),
            "invalid" => apk.compare_by_tool(a, a).is_err(),
            other => panic!("`{other}` is no kind of row"),
        };
        if !agrees {
            wrong.push(format!("{line}: {:?}", fuzzy()));
        }
    }
    eprintln!("apk: {} rows of constraints and validity", text.lines().count() - 1);
    assert_eq!(wrong, [""; 0], "{} disagreements", wrong.len());
}

/// What each scheme must know, written down from its specification, the least first.
const OURS: &[(&str, &str)] = &[
    (
        "dpkg",
        "1.0~~ 1.0~rc1 1.0 1.0-1 1.0-1+b1 1.0-1+deb12u1 1.0+dfsg-1 1.0.1 1.10 1:0.1",
    ),
    ("rpm", "1.0~rc1-1 1.0-1.el8 1.0-1.el9 1.0^git1-1 1.0.1-1 1:0.1-1"),
    ("apk", "1.0_alpha 1.0_rc1 1.0 1.0-r1 1.0-r10 1.0_p1 1.0a 1.0.1 1.2 1.10"),
    (
        "semver",
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 v2.0.0",
    ),
    ("npm", "1.0.0-0 1.0.0-a 1.0.0 1.0.1-beta 1.0.1"),
    (
        "pep440",
        "1.0.dev1 1.0a1 1.0b1 1.0rc1 1.0 1.0+local 1.0.post1 1.1 1!0.1",
    ),
    (
        "maven",
        "1-alpha-1 1-beta 1-m3 1-rc1 1-SNAPSHOT 1 1-sp 1-foo 1-1 1.0.1 1.10",
    ),
    ("gem", "1.0.a 1.0.b1 1.0.pre 1.0 1.0.1.rc1 1.0.1 1.10"),
    (
        "nuget",
        "1.0.0-alpha 1.0.0-Beta.2 1.0.0-beta.11 1.0 1.0.0.1 1.0.1 1.10.0",
    ),
    (
        "composer",
        "1.0.0-dev 1.0.0-alpha1 1.0.0-beta 1.0.0-RC1 1.0.0-RC2 v1.0 1.0.0-p1 1.0.1 1.10 1.10.x-dev",
    ),
    (
        "go",
        "v0.0.0-20190101000000-abcdefabcdef v0.1.0 v1.2.3-0.20200101000000-abcdefabcdef v1.2.3 go1.20.4 go1.21rc2 go1.21.0 v2.0.0+incompatible",
    ),
    (
        "pacman",
        "1.0alpha-1 1.0beta-1 1.0rc-1 1.0-1 1.0-2 1.0.1-1 1.1-1 1:0.1-1",
    ),
    (
        "portage",
        "1.0_alpha 1.0_beta2 1.0_rc1 1.0 1.0-r1 1.0_p1 1.0a 1.01 1.1 1.10",
    ),
    ("hex", "1.0.0-dev 1.0.0-rc.1 1.0.0 1.0.1"),
    ("cpe", "1.0.2 1.0.2a 1.0.2z 1.0.2zg 1.1.0 1.1.1b 3.0.0-alpha1 3.0.0"),
    ("generic", "1.0-dev 1.0alpha 1.0-rc2 1.0 1.0-p1 1.0.1 1.10 2024a"),
];

#[test]
fn every_scheme_sorts_its_own_list() {
    let names: Vec<&str> = version::ALL.iter().map(|scheme| scheme.name()).collect();
    let tested: Vec<&str> = OURS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, tested, "each scheme has a list");
    let mut wrong = Vec::new();
    for (scheme, sorted) in OURS {
        let sorted: Vec<&str> = sorted.split(' ').collect();
        for (index, a) in sorted.iter().enumerate() {
            let rest = sorted[index + 1..].iter().map(|b| (*a, "<", *b));
            wrong.extend(disagreements(scheme, rest.chain([(*a, "=", *a)])));
        }
    }
    assert_eq!(wrong, [""; 0], "{} disagreements", wrong.len());
}

#[test]
fn equal_spellings_are_equal() {
    for (scheme, a, b) in [
        ("dpkg", "0:1.0-0", "1.0"),
        ("dpkg", "1.", "1.0"),
        ("rpm", "0:1.0-1", "1.0-1"),
        ("semver", "1.0.0+a", "1.0.0+b"),
        ("semver", "1", "1.0.0"),
        ("pep440", "1.0.0", "v1"),
        ("maven", "1.0.0-ga", "1"),
        ("maven", "1-CR1", "1-rc-1"),
        ("gem", "1.0.0", "1"),
        ("nuget", "1.0.0-RC1", "1.0.0.0-rc1"),
        ("composer", "v1.0.0-rc.1", "1.0RC1"),
        ("go", "go1.21rc2", "v1.21.0-rc.2"),
        ("pacman", "1.0-2", "1.0"),
        ("portage", "1.0-r0", "1.0"),
        ("generic", "v1.0.0", "1"),
    ] {
        assert_eq!(
            version::find(scheme).unwrap().compare(a, b),
            Ok(Ordering::Equal),
            "{scheme} {a} {b}"
        );
    }
}

#[test]
fn what_is_no_version_is_an_error() {
    for (scheme, text) in [
        ("dpkg", ""),
        ("dpkg", "a:1"),
        ("dpkg", "99999999999:1"),
        ("dpkg", "1 2"),
        ("dpkg", "1-"),
        ("dpkg", "1:-1"),
        ("rpm", ""),
        ("apk", "latest"),
        ("semver", "latest"),
        ("npm", "1.x"),
        ("pep440", "not a version"),
        ("maven", " "),
        ("gem", "a.b"),
        ("nuget", "1.2.3.4.5"),
        ("composer", "dev-master"),
        ("go", "(devel)"),
        ("pacman", ""),
        ("portage", "9999.x"),
        ("hex", "1..2"),
        ("cpe", "???"),
        ("generic", "???"),
    ] {
        assert!(
            version::find(scheme).unwrap().compare(text, "1").is_err(),
            "{scheme} `{text}`"
        );
    }
    let long = "1.".repeat(10_000) + "1";
    for scheme in version::ALL {
        let error = scheme.compare("1", &long).unwrap_err();
        assert_eq!(error.reason, "it is too long");
        assert!(error.to_string().len() < 200);
    }
}

/// What tools tell that matching must not judge by, or that they refuse; `?` is no order at all.
#[test]
fn tools_tell_more_and_less_than_matching() {
    for (scheme, a, sign, b, source) in [
        (
            "dpkg",
            "6.0-4.el6.x86_64",
            "<",
            "6.0-5.el6.x86_64",
            "go-deb-version; dpkg only warns of `_`",
        ),
        ("dpkg", "", "<", "a", "go-deb-version"),
        ("dpkg", "~", "<", "", "go-deb-version"),
        ("dpkg", "", "=", "", "t-version.c: two blank versions"),
        ("apk", "23_foo", ">", "4_beta", "version.data"),
        ("apk", "1.0", "<", "1.0bc", "version.data"),
        ("apk", "1.8.1-r1", "<", "1.8.1p1-r1", "apk_version_compare()"),
        ("apk", "0.1bc", "?", "0.1bc", "version.data: invalid"),
        ("apk", ".1", "?", "1", "version.data: invalid"),
        ("composer", "dev-foo", "<", "1.26.0", "ComparatorTest.php"),
        ("composer", "1.26.0", ">", "dev-foo", "ComparatorTest.php"),
        ("composer", "dev-foo", "=", "dev-foo", "ComparatorTest.php"),
        (
            "composer",
            "dev-load@dev as ^2.0@dev",
            "=",
            "dev-load",
            "VersionParserTest.php",
        ),
        ("composer", "master", "=", "dev-master", "VersionParserTest.php"),
        (
            "composer",
            "1.x-dev",
            "=",
            "1.9999999.9999999.9999999-dev",
            "VersionParserTest.php",
        ),
        (
            "composer",
            "2010-01-02-10-20-30.5",
            "=",
            "2010.01.02.10.20.30.5",
            "VersionParserTest.php",
        ),
        (
            "composer",
            "dev-foo",
            "?",
            "dev-bar",
            "ComparatorTest.php: none of <, = and > holds",
        ),
        ("composer", "dev-foo", "?", "banana", "no version"),
    ] {
        let scheme = version::find(scheme).unwrap();
        let expected = (sign != "?").then(|| order(sign));
        for (a, b, expected) in [(a, b, expected), (b, a, expected.map(Ordering::reverse))] {
            let found = scheme.compare_by_tool(a, b).ok();
            assert_eq!(found, expected, "{} `{a}` `{b}` ({source})", scheme.name());
        }
    }
    for branch in ["dev-main", "1.x-dev-main"] {
        assert!(
            version::find("composer").unwrap().compare(branch, "1").is_err(),
            "{branch}"
        );
    }
}

#[test]
fn agrees_with_the_dpkg_of_this_machine() {
    let run = |a: &str, b: &str| {
        std::process::Command::new("dpkg")
            .args(["--compare-versions", a, "lt", b])
            .output()
    };
    if run("1", "2").is_err() {
        eprintln!("SKIPPED: there is no dpkg here");
        return;
    }
    let scheme = version::find("dpkg").unwrap();
    let texts = [
        "1", "1.", "1.0", "1~", "1.0-1", "1.0-1~", "1.0+a", "1.0a", "1.0~a", "0:1.0-0", "1:0", "1.0.", "1.00-01",
        "1-a", "1+", "1.a", "1.-0", "1_a", "1-1_b", "a", "~",
    ];
    for a in texts {
        for b in texts {
            let expected = run(a, b).unwrap().status.success();
            assert_eq!(scheme.compare(a, b).unwrap() == Ordering::Less, expected, "{a} < {b}");
        }
    }
}

const VERSION: &str = "[0-9]{1,2}(\\.[0-9]{1,3}){0,3}([-_+~.^]{0,2}(a|alpha|b|beta|rc|pre|p|r|dev|x|git|final|ga|sp|snapshot)[0-9]{0,2}){0,2}([-.][0-9]{1,2}){0,2}";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn orders_are_total(a in VERSION, b in VERSION, c in VERSION) {
        for scheme in version::ALL {
            // A release-less version of Arch is equal to all of its releases, so it cannot be sorted among them.
            if scheme.name() == "pacman" && [&a, &b, &c].into_iter().any(|text| !text.contains('-')) {
                continue;
            }
            let (Ok(ab), Ok(ba), Ok(bc), Ok(ac)) =
                (scheme.compare(&a, &b), scheme.compare(&b, &a), scheme.compare(&b, &c), scheme.compare(&a, &c)) else { continue };
            prop_assert_eq!(scheme.compare(&a, &a), Ok(Ordering::Equal), "{}: {} is itself", scheme.name(), a);
            prop_assert_eq!(ab, ba.reverse(), "{}: {} {}", scheme.name(), a, b);
            if ab == bc || ab == Ordering::Equal || bc == Ordering::Equal {
                let expected = if ab == Ordering::Equal { bc } else { ab };
                prop_assert_eq!(ac, expected, "{}: {} {} {}", scheme.name(), a, b, c);
            }
        }
    }

    #[test]
    fn no_text_panics(a in "\\PC{0,60}", b in "[0-9a-z.:~^+_é-]{0,60}") {
        for scheme in version::ALL {
            for (a, b) in [(&a, &b), (&b, &a), (&a, &a), (&b, &b)] {
                if let (Ok(x), Ok(y)) = (scheme.compare(a, b), scheme.compare(b, a)) {
                    prop_assert_eq!(x, y.reverse(), "{}: `{}` `{}`", scheme.name(), a, b);
                }
            }
        }
        let _ = npm_range_holds(&a, &b);
        let _ = npm_range_holds(&b, &a);
    }
}
