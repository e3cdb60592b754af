//! How far upstream's own rule files, loader tests and captures hold here: checked, and written to
//! `docs/falco-compatibility.md`.
//!
//! Skipped, loudly, where upstream's data is not there. `PLIMSOLL_BLESS=1` writes the page anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "conformance/captures.rs"]
mod captures;
#[path = "conformance/regression.rs"]
mod regression;
#[path = "conformance/snippets.rs"]
mod snippets;
#[path = "conformance/upstream.rs"]
mod upstream;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use plimsoll_rules::{Diagnostic, RuleFile};
use plimsoll_tests::{page, repository};

/// The folder of upstream's data beside the repository; `None`, with a word about it, where it is not.
fn data() -> Option<PathBuf> {
    let folder = repository::root().join("../shared/data/falco");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: {} is not there, so nothing was compared with upstream",
        folder.display()
    );
    None
}

fn rule_file(folder: &Path, name: &str) -> RuleFile {
    let path = folder.join(name);
    RuleFile {
        name: name.to_owned(),
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}

fn shown(files: &[RuleFile], diagnostics: &[Diagnostic]) -> String {
    let render = |diagnostic: &Diagnostic| {
        let source = files.iter().find(|file| file.name == diagnostic.file);
        diagnostic.render(source.map(|file| file.text.as_str()), false)
    };
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n\n")
}

/// What became of one upstream test.
enum Outcome {
    Holds,
    /// Judged, and different on purpose or by a gap.
    Differs(String),
    /// Asks for something that is no part of the rule language.
    NotJudged(String),
}

/// Name and outcome of the tests of one suite.
type Results = Vec<(String, Outcome)>;

fn count(results: &Results, wanted: fn(&Outcome) -> bool) -> usize {
    results.iter().filter(|(_, outcome)| wanted(outcome)).count()
}

fn section(page: &mut String, results: &Results) {
    for (title, wanted) in [
        (
            "Different",
            (|outcome| matches!(outcome, Outcome::Differs(_))) as fn(&Outcome) -> bool,
        ),
        ("Not judged", |outcome| matches!(outcome, Outcome::NotJudged(_))),
    ] {
        let listed: Vec<_> = results.iter().filter(|(_, outcome)| wanted(outcome)).collect();
        if listed.is_empty() {
            continue;
        }
        let _ = writeln!(page, "\n{title}:\n\n| test | why |\n|---|---|");
        for (name, outcome) in listed {
            if let Outcome::Differs(why) | Outcome::NotJudged(why) = outcome {
                let _ = writeln!(page, "| `{name}` | {} |", why.replace('|', "\\|").replace('\n', " "));
            }
        }
    }
}

fn row(page: &mut String, what: &str, results: &Results) {
    let holds = count(results, |outcome| matches!(outcome, Outcome::Holds));
    let differs = count(results, |outcome| matches!(outcome, Outcome::Differs(_)));
    let not_judged = count(results, |outcome| matches!(outcome, Outcome::NotJudged(_)));
    let _ = writeln!(
        page,
        "| {what} | {} | {holds} | {differs} | {not_judged} |",
        results.len()
    );
}

#[test]
fn the_compatibility_page_says_what_holds() {
    let Some(folder) = data() else { return };
    let snippets = snippets::run(&folder);
    let regression = regression::run(&folder);
    let upstream = upstream::run(&folder);
    let mut text = String::from(
        "Written by `PLIMSOLL_BLESS=1 cargo test -p plimsoll-tests --test conformance` from upstream's own files. The test fails when\n\
         this page and what the code does part ways. Upstream is falcosecurity/falco 13074749, falcosecurity/rules c72713ee and\n\
         falcosecurity/plugins 0b3cbd8d; engine version 0.63.0.\n\n\
         | suite | tests | hold | differ | not judged |\n|---|---|---|---|---|\n",
    );
    row(&mut text, "loader unit tests", &snippets);
    for (name, results) in &regression.suites {
        row(&mut text, name, results);
    }
    text.push_str(&upstream);
    text.push_str(&captures::page(&folder, &regression.by_capture));
    text.push_str("\n## Loader unit tests\n");
    section(&mut text, &snippets);
    for (name, results) in &regression.suites {
        let _ = write!(text, "\n## {}\n", capitalised(name));
        section(&mut text, results);
    }
    text.push_str(DIFFERENCES);
    let path = repository::root().join("docs/falco-compatibility.md");
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        page::write_section(&path, SECTION, &text).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page::section(&committed, SECTION) == Some(&text),
        "docs/falco-compatibility.md does not say what the code does; run with PLIMSOLL_BLESS=1 and read the difference"
    );
}

/// Of the page.
const SECTION: &str = "conformance";

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// What no test of upstream shows.
const DIFFERENCES: &str = "
## Known differences

- An event is what was done, not by which system call: an opened file answers to `evt.type` `open`, `openat` and `openat2`
  alike, a started program to `execve` and `execveat`. `evt.type != open` is false for it.
- Lists within lists are put in to any depth; upstream stops after two.
- Texts can be looked for in lists (`ka.req.role.rules.resources contains pods/exec`): any item will do. Upstream's present
  version refuses that, older ones did not.
- The Kubernetes audit tests were written for older rule files: four rule names are read as those that came of them, and
  lists to which they append by an old name are read by the new one (`k8s_audit_privileged_images` and the like), or
  defined empty for the older rule file that some of them use.
- Names of lists are not replaced within quotes.
- Constants with `=` in exceptions are quoted, so that they load; upstream refuses them.
- Regular expressions are Rust's: the same syntax as RE2's but for a few rare classes; they match the whole text, as upstream.
- An event is told when it is done, with what it came to; upstream's captures also hold that it was asked for, and a rule
  without `evt.dir` fires for both: `detect_counts` of tests over such captures are twice what is counted here.
- Reads, writes, polls, closes and the like are no events here: a rule over `fd.name` alone fires for what opens and changes a
  file, upstream's for every use of its descriptor.
- All rules that an event makes true fire; upstream stops at the first unless `rule_matching` is `all`. The tests above are
  compared with the first.
- `fd.num` is negative for an open that failed, else one large number: sensors do not record descriptors.
- `user.name` and `group.name` are known for id 0 only.
- All errors of all files are reported, not the first alone.
";
