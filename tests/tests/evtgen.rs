//! Declarative suites against the agent with upstream's stable rules: real system calls, on the host and in containers.
//!
//! `EVTGEN_SUITES` names another folder of suite files, `EVTGEN_RULES` the rule files for it, separated by colons,
//! `EVTGEN_FILTER` a part of the names of the cases to run. There is one line for each case and one with the total. With
//! `EVTGEN_PAGE` the section about suites of that page is written, which is that of `docs/falco-compatibility.md`.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use plimsoll_tests::{
    evtgen::{
        judge::{self, Judge},
        stage::Stage,
        suite::{Case, Unread, load},
    },
    machine, page, repository,
};

/// Cases that one agent judges: it takes the ninth alert of one kind for more of the same.
const CASES_PER_AGENT: usize = 6;

/// What is to be run.
struct Work {
    rules: Vec<PathBuf>,
    cases: Vec<Case>,
    unread: Vec<Unread>,
}

fn work() -> Option<Work> {
    let data = repository::root().join("../shared/data/falco");
    let folder = env::var_os("EVTGEN_SUITES").map_or_else(|| data.join("evtgen_suite"), PathBuf::from);
    let rules = match env::var_os("EVTGEN_RULES") {
        Some(list) => env::split_paths(&list).collect(),
        None => ["falco", "falco-incubating", "falco-sandbox"]
            .map(|name| data.join(format!("rules/{name}_rules.yaml")))
            .to_vec(),
    };
    let missing = rules.iter().chain([&folder]).find(|path| !path.exists());
    let reason = machine::why_no_bpf()
        .or_else(|| missing.map(|path| format!("{} is not there", path.display())))
        .or_else(|| (!machine::has("runc")).then(|| "runc is not installed".to_owned()));
    if let Some(reason) = reason {
        machine::say_skipped("suites", &reason);
        return None;
    }
    let filter = env::var("EVTGEN_FILTER").unwrap_or_default();
    let (mut cases, unread) = load(&folder).expect("the folder can be listed");
    cases.retain(|case| case.name.contains(&filter));
    Some(Work { rules, cases, unread })
}

/// What each rule's cases came to: an error says what was wrong.
type Results<'a> = BTreeMap<&'a str, Vec<(&'a Case, Result<(), String>)>>;

#[test]
fn upstreams_suites_fire_upstreams_rules() {
    let Some(Work { rules, cases, unread }) = work() else {
        return;
    };
    let (_, unknown) = judge::rules(&rules, &cases).expect("the rules load");
    let actor = Path::new(env!("CARGO_BIN_EXE_plimsoll-evtgen-actor"));
    let mut results: Results<'_> = BTreeMap::new();
    for batch in cases.chunks(CASES_PER_AGENT) {
        let (rules, _) = judge::rules(&rules, &cases).expect("the rules load");
        let judge = Judge::start(rules).expect("the agent starts");
        for case in batch {
            let result = match unknown.contains(&case.rule) {
                true => Err(format!("no rule file has the rule \"{}\"", case.rule)),
                false => play(&judge, actor, case),
            };
            match &result {
                Ok(()) => println!("ok    {}", case.name),
                Err(why) => println!("FAIL  {}: {why}", case.name),
            }
            results.entry(&case.rule).or_default().push((case, result));
        }
    }
    let passed = results.values().flatten().filter(|(_, result)| result.is_ok()).count();
    for (file, why) in &unread {
        println!("FAIL  {file}: {why}");
    }
    println!("{passed} of {} cases passed{}", cases.len(), unread_words(unread.len()));
    if let Some(path) = env::var_os("EVTGEN_PAGE") {
        page::write_section(Path::new(&path), "suites", &table(&results)).expect("the page can be written");
    }
    assert!(passed == cases.len() && unread.is_empty(), "see the lines above");
}

fn play(judge: &Judge, actor: &Path, case: &Case) -> Result<(), String> {
    // Programs of their own: else the agent takes a case for a repetition of the one before.
    let stage = Stage::new(actor).expect("a folder can be made");
    match stage.run(case) {
        Ok(pid) => judge.verdict(case, pid),
        Err(error) => Err(format!("could not be run: {error:#}")),
    }
}

fn unread_words(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; one file could not be read whole".to_owned(),
        count => format!("; {count} files could not be read whole"),
    }
}

fn table(results: &Results<'_>) -> String {
    let mut page = String::from(
        "## Declarative suites\n\nWritten by `EVTGEN_PAGE=docs/falco-compatibility.md cargo test -p plimsoll-tests --test evtgen` (root, BPF, runc): real\n\
         system calls, upstream's stable rules unmodified; rule, priority and output fields are compared. Suites are those of\n\
         `../shared/data/falco/evtgen_suite`, or of any folder by `EVTGEN_SUITES` (rules: upstream's, or `EVTGEN_RULES`); one line is\n\
         printed for each case, and the total.\n\n| rule | cases | passed | what the others said |\n|---|---|---|---|\n",
    );
    for (rule, cases) in results {
        let mut failures: Vec<&str> = cases
            .iter()
            .filter_map(|(_, result)| result.as_ref().err().map(String::as_str))
            .collect();
        let passed = cases.len() - failures.len();
        failures.sort_unstable();
        failures.dedup();
        let shown = failures
            .iter()
            .take(3)
            .copied()
            .collect::<Vec<_>>()
            .join("; ")
            .replace('|', "\\|");
        let _ = writeln!(page, "| {rule} | {} | {passed} | {shown} |", cases.len());
    }
    page
}
