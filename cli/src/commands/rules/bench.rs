//! `plimsoll rules bench`: what a set of rules costs on this machine.

use std::{
    fmt::Write,
    fs,
    time::{Duration, Instant},
};

use plimsoll_model::Event;
use plimsoll_rules::{Observation, RuleFile, RuleSet, mix};

use super::loaded;
use crate::exit::Failure;

/// Rounds of each measurement; the median is shown.
const ROUNDS: usize = 7;

/// Different events of a mix; they are judged over and over.
const EVENTS: usize = 8192;

/// Loads the rules and judges `count` made-up events of each mix, several times, on one core. Times are of the processor, not of
/// the clock: what others do on the machine meanwhile is not ours.
pub(super) fn report(files: &[RuleFile], count: usize) -> Result<String, Failure> {
    let rules = loaded(files)?.rules;
    let load = median(|| {
        std::hint::black_box(RuleSet::load(files).is_ok());
    });
    let enabled = rules.rules().iter().filter(|rule| rule.is_enabled()).count();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{} rules, {enabled} enabled: loaded in {:.1} ms\n{:<12} {:>12} {:>10} {:>12}",
        rules.rules().len(),
        load.as_secs_f64() * 1e3,
        "events",
        "events/s",
        "ns each",
        "rules fired"
    );
    for mix in mix::ALL {
        let events = mix.events(EVENTS);
        let mut fired = 0;
        let time = median(|| fired = judge(&rules, events.iter().cycle().take(count)));
        let each = time.as_secs_f64() / count as f64;
        let _ = writeln!(
            text,
            "{:<12} {:>12.0} {:>10.0} {fired:>12}",
            mix.name,
            1.0 / each,
            each * 1e9
        );
    }
    Ok(text)
}

fn judge<'e>(rules: &RuleSet, events: impl Iterator<Item = &'e Event>) -> usize {
    let mut fired = 0;
    for event in events {
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

fn median(mut body: impl FnMut()) -> Duration {
    let begun = Instant::now();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = processor_time(begun);
            body();
            processor_time(begun).saturating_sub(start)
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

/// Of this thread: first number of the kernel's schedstat, nanoseconds (Documentation/scheduler/sched-stats.rst). A kernel that
/// does not say leaves the clock.
fn processor_time(begun: Instant) -> Duration {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .map_or_else(|| begun.elapsed(), Duration::from_nanos)
}
            host_accounts: None,
