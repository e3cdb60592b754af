//! The walls between crates, as tables: `cargo tree` and the source files in, violations out.
//! `docs/architecture.md` gives the reason for each wall; this file holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use plimsoll_tests::repository::{self, CRATES, Source};

/// Which of our crates a crate may name in its dependencies. `tests` may use all.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("rules", &["model"]),
    ("policy", &["model", "rules"]),
    ("vulndb", &["model"]),
    ("scanner", &["model", "rules", "policy", "vulndb"]),
    ("runtime", &["model", "rules", "policy"]),
    ("scap", &["model", "runtime"]),
    ("web", &["model", "rules", "policy", "vulndb", "scanner"]),
    (
        "cli",
        &[
            "model", "rules", "policy", "vulndb", "scanner", "runtime", "scap", "web",
        ],
    ),
];

/// What a crate must not reach, directly or through others.
const MUST_NOT_REACH: [(&str, &[&str]); 9] = [
    (
        "model",
        &["tokio", "rayon", "rusqlite", "aya", "axum", "reqwest", "tar"],
    ),
    (
        "rules",
        &["tokio", "rayon", "rusqlite", "aya", "axum", "reqwest", "tar"],
    ),
    (
        "policy",
        &["tokio", "rayon", "rusqlite", "aya", "axum", "reqwest", "tar"],
    ),
    ("vulndb", &["axum", "aya"]),
    ("scanner", &["aya", "axum", "plimsoll-runtime", "plimsoll-web"]),
    (
        "runtime",
        &[
            "plimsoll-scanner",
            "plimsoll-vulndb",
            "plimsoll-web",
            "plimsoll-scap",
            "tar",
            "flate2",
            "axum",
        ],
    ),
    (
        "scap",
        &["plimsoll-scanner", "plimsoll-vulndb", "plimsoll-web", "tar", "axum"],
    ),
    ("web", &["aya", "plimsoll-runtime", "plimsoll-scap"]),
    ("cli", BANNED),
];

/// Not in any build: one TLS stack (rustls with aws-lc-rs), no RSA in Rust (timing side channel, RUSTSEC-2023-0071).
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring", "rsa"];

/// Words that a crate's code must not contain, tests apart: what it is asked to leave to its callers.
const MUST_NOT_SAY: [(&str, &[&str]); 3] = [
    (
        "model",
        &[
            "std::fs",
            "std::net::Tcp",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "Timestamp::now",
        ],
    ),
    (
        "policy",
        &[
            "std::fs",
            "std::net::Tcp",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "Timestamp::now",
        ],
    ),
    (
        "rules",
        &[
            "std::net::Tcp",
            "std::process",
            "std::thread",
            "thread::spawn",
            "Instant::now",
            "SystemTime::now",
        ],
    ),
];

/// Where asynchronous code may be: the network edge.
const ASYNC_FOLDERS: [&str; 8] = [
    "scanner/src/registry",
    "scanner/src/source",
    "vulndb/src/fetch.rs",
    "vulndb/src/update.rs",
    "web/src",
    "runtime/src/inventory",
    "runtime/src/output",
    "cli/src",
];

/// Where kernel bytes become types, and nowhere else.
const UNSAFE_FOLDERS: [&str; 5] = [
    "runtime/src/wire",
    "runtime/src/read",
    "runtime/src/load",
    // Makes the system calls of suites by number.
    "tests/src/bin/plimsoll-evtgen-actor.rs",
    // An allocator that counts, in tests alone.
    "rules/tests/counting",
];

/// Names that say nothing about what is in the file.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];

/// Longest file. Aim at half of it.
const MAX_LINES: usize = 500;

/// Normal and build dependencies by package name; dev-dependencies are tests' own business.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// `cargo tree` and not `cargo metadata`: the latter lists what a feature might bring (`ring` behind rustls' weak
/// features) although no build of ours compiles it.
fn dependency_graph() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--edges=normal,build"])
        .args(["--prefix=depth", "--format= {p}"])
        .current_dir(repository::root())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut graph = Graph::new();
    let mut above: Vec<String> = Vec::new();
    for line in String::from_utf8(output.stdout)
        .expect("cargo prints UTF-8")
        .lines()
        .filter(|line| !line.is_empty())
    {
        let mut words = line.split_whitespace();
        let depth = words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a line begins with its depth");
        let name = words.next().expect("a name follows the depth").to_owned();
        above.truncate(depth);
        if let Some(user) = above.last() {
            graph.entry(user.clone()).or_default().insert(name.clone());
        }
        graph.entry(name.clone()).or_default();
        above.push(name);
    }
    graph
}

fn package(folder: &str) -> String {
    format!("plimsoll-{folder}")
}

/// Uses of our own crates that the first table does not allow.
fn forbidden_uses(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, allowed) in MAY_USE {
        for used in graph.get(&package(folder)).into_iter().flatten() {
            if let Some(used) = used.strip_prefix("plimsoll-").filter(|used| !allowed.contains(used)) {
                found.push(format!("{folder} uses {used}"));
            }
        }
    }
    found
}

/// Ways from a crate to what it must not reach, each as the chain of names.
fn forbidden_ways(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, refused) in MUST_NOT_REACH {
        let start = package(folder);
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut todo = vec![start.as_str()];
        while let Some(name) = todo.pop() {
            for next in graph.get(name).into_iter().flatten() {
                if next != &start && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, name);
                    todo.push(next);
                }
            }
        }
        for name in refused.iter().chain(BANNED).collect::<BTreeSet<_>>() {
            let mut chain = vec![*name];
            while let Some(before) = chain.last().and_then(|last| came_from.get(last)) {
                chain.push(before);
            }
            if chain.len() > 1 {
                chain.reverse();
                found.push(chain.join(" → "));
            }
        }
    }
    found
}

fn graph(edges: &[(&str, &str)]) -> Graph {
    let mut graph = Graph::new();
    for (from, to) in edges {
        graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
    }
    graph
}

#[test]
fn crates_use_only_what_stands_above_them() {
    assert_eq!(forbidden_uses(&dependency_graph()), Vec::<String>::new());
}

#[test]
fn crates_do_not_reach_what_they_must_not() {
    assert_eq!(forbidden_ways(&dependency_graph()), Vec::<String>::new());
}

#[test]
fn a_runtime_that_uses_the_scanner_is_found() {
    let direct = graph(&[("plimsoll-runtime", "plimsoll-scanner")]);
    assert_eq!(forbidden_uses(&direct), ["runtime uses scanner"]);
    assert_eq!(forbidden_ways(&direct), ["plimsoll-runtime → plimsoll-scanner"]);
    let hidden = graph(&[
        ("plimsoll-runtime", "innocent"),
        ("innocent", "tar"),
        ("tar", "innocent"),
    ]);
    assert_eq!(forbidden_uses(&hidden), Vec::<String>::new());
    assert_eq!(forbidden_ways(&hidden), ["plimsoll-runtime → innocent → tar"]);
}

#[test]
fn the_tables_know_every_crate() {
    let graph = dependency_graph();
    let ours: BTreeSet<&str> = graph.keys().filter_map(|name| name.strip_prefix("plimsoll-")).collect();
    assert_eq!(ours, BTreeSet::from(CRATES));
    let judged: BTreeSet<&str> = MAY_USE.iter().map(|(folder, _)| *folder).chain(["tests"]).collect();
    assert_eq!(judged, ours);
}

#[test]
fn banned_crates_are_in_no_build() {
    let graph = dependency_graph();
    let found: Vec<_> = BANNED.iter().filter(|name| graph.contains_key(**name)).collect();
    assert!(found.is_empty(), "{found:?}; `cargo tree -i NAME` says who brings it");
}

fn all_sources() -> Vec<Source> {
    let mut all = Vec::new();
    for folder in CRATES {
        for part in ["src", "tests", "benches"] {
            all.extend(repository::sources(folder, part).expect("sources can be read"));
        }
    }
    assert!(all.len() > CRATES.len(), "no sources found: {}", all.len());
    all
}

fn lines_that_say(source: &Source, words: &[&str]) -> Vec<String> {
    source
        .code_lines()
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

#[test]
fn pure_crates_leave_io_threads_and_the_clock_to_their_callers() {
    let mut found = Vec::new();
    for (folder, words) in MUST_NOT_SAY {
        for source in repository::sources(folder, "src").unwrap() {
            found.extend(lines_that_say(&source, words));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn asynchronous_code_stays_at_the_network_edge() {
    let mut found = Vec::new();
    for folder in CRATES.into_iter().filter(|folder| *folder != "tests") {
        for source in repository::sources(folder, "src").unwrap() {
            if !ASYNC_FOLDERS.iter().any(|allowed| source.path.starts_with(allowed)) {
                found.extend(lines_that_say(&source, &["tokio::", "async fn", ".await"]));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn unsafe_code_is_only_where_kernel_bytes_become_types() {
    let mut found = Vec::new();
    for source in all_sources() {
        let may = UNSAFE_FOLDERS.iter().any(|allowed| source.path.starts_with(allowed));
        // This file names the words that it looks for.
        if !may && source.path != "tests/tests/architecture.rs" {
            found.extend(lines_that_say(
                &source,
                &["(unsafe_code", "unsafe {", "unsafe fn", "unsafe impl"],
            ));
        }
        if may {
            found.extend(blocks_without_reason(&source));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Unsafe blocks without `// SAFETY:` in the five lines above them.
fn blocks_without_reason(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    (0..lines.len())
        .filter(|&at| lines[at].contains("unsafe {") || lines[at].contains("unsafe impl"))
        .filter(|&at| {
            !lines[at.saturating_sub(5)..=at]
                .iter()
                .any(|line| line.contains("SAFETY:"))
        })
        .map(|at| format!("{}:{}: no SAFETY comment", source.path, at + 1))
        .collect()
}

#[test]
fn every_file_is_short_says_what_it_is_and_has_a_telling_name() {
    let mut found = Vec::new();
    for source in all_sources() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            found.push(format!("{}: {lines} lines, at most {MAX_LINES}", source.path));
        }
        if !source.text.starts_with("//! ") {
            found.push(format!("{}: first line is not `//! …`", source.path));
        }
        let parts = source.path.trim_end_matches(".rs").split('/');
        if let Some(name) = parts.clone().find(|part| EMPTY_NAMES.contains(part)) {
            found.push(format!("{}: `{name}` says nothing", source.path));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_test_is_switched_off_and_nothing_is_left_undone() {
    let mut found = Vec::new();
    for source in all_sources() {
        if source.path != "tests/tests/architecture.rs" {
            found.extend(lines_that_say(&source, &["#[ignore", "todo!(", "unimplemented!("]));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
