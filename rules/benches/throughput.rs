//! Events per second of processor time through rules, processor time to load them, allocations per event.
//!
//! `cargo bench -p plimsoll-rules [-- FILE|DIR…]`; without arguments all of upstream's rules, where they are beside the
//! repository, else the shipped ones.

#[path = "../tests/counting/mod.rs"]
mod counting;

use std::{
    fs,
    path::{Path, PathBuf},
};

use counting::Counting;
use plimsoll_model::Event;
use plimsoll_rules::{Observation, RuleFile, RuleSet, mix};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Different events; they are judged over and over, so that what is measured is judging and not reading memory.
const EVENTS: usize = 8192;
const REPEATS: usize = 25;
const ROUNDS: usize = 15;

fn main() {
    let given: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    let upstream = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/falco/rules");
    let folder = if given.is_empty() { vec![upstream] } else { given };
    let mut files: Vec<RuleFile> = folder.iter().flat_map(|path| read(path)).collect();
    if files.is_empty() {
        eprintln!("no rule files given and none of upstream's found: measuring the shipped rules");
        files = RuleSet::shipped_files();
    }
    let mut loads = Vec::new();
    for _ in 0..ROUNDS {
        let start = cpu_seconds();
        let loaded = RuleSet::load(&files);
        loads.push((cpu_seconds() - start) * 1e3);
        assert!(loaded.is_ok(), "the rules do not load");
    }
    let rules = RuleSet::load(&files).expect("they loaded before").rules;
    let enabled = rules.rules().iter().filter(|rule| rule.is_enabled()).count();
    println!(
        "{} rules, {enabled} enabled; load and compile {:.1} ms",
        rules.rules().len(),
        median(loads)
    );
    for mix in mix::ALL {
        measure(&rules, mix);
    }
}

fn read(path: &Path) -> Vec<RuleFile> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect(),
        Err(_) => vec![path.to_owned()],
    };
    // Upstream's order: the stable rules first, since the others use their macros.
    paths.sort_by_key(|path| (!path.ends_with("falco_rules.yaml"), path.clone()));
    paths
        .into_iter()
        .filter_map(|path| {
            Some(RuleFile {
                text: fs::read_to_string(&path).ok()?,
                name: path.display().to_string(),
            })
        })
        .collect()
}

fn measure(rules: &RuleSet, mix: mix::Mix) {
    let events = mix.events(EVENTS);
    let fired = judge(rules, &events);
    let before = ALLOCATOR.count();
    let again = judge(rules, &events);
    let allocations = ALLOCATOR.count() - before;
    assert_eq!(fired, again);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let start = cpu_seconds();
        std::hint::black_box(judge(rules, &events));
        rates.push((EVENTS * REPEATS) as f64 / (cpu_seconds() - start));
    }
    let best = rates.iter().copied().fold(0.0, f64::max);
    println!(
        "{:<11} median {:.2} M events/s, best {:.2}; {fired} rules fired, {allocations} allocations in {} events",
        mix.name,
        median(rates) / 1e6,
        best / 1e6,
        EVENTS * REPEATS,
    );
}

fn judge(rules: &RuleSet, events: &[Event]) -> usize {
    let mut fired = 0;
    for event in events.iter().cycle().take(EVENTS * REPEATS) {
        let observation = Observation {
            event,
            deviations: &[],
            origin: None,
            has_profile: event.container.is_some(),
            node: "node",
        };
        rules.evaluate(&observation, &mut |_| fired += 1);
    }
    fired
}

/// Processor time of this thread: what others do on the machine meanwhile is not ours. First number of the kernel's
/// schedstat, nanoseconds (Documentation/scheduler/sched-stats.rst).
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    let nanoseconds: u64 = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    nanoseconds as f64 / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
