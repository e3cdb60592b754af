//! `plimsoll rules bench`: what a set of rules costs on this machine.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use plimsoll_model::Event;
use plimsoll_rules::{Observation, RuleFile, RuleSet, mix};
use plimsoll_runtime::agent::place;

use super::loaded;
use crate::{
    commands::agent,
    exit::{Exit, Failure},
};

/// Rounds of each measurement; the median is shown.
const ROUNDS: usize = 7;

/// Different events of a mix; they are judged over and over.
const EVENTS: usize = 8192;

/// Events of a capture that are kept in memory to be judged over and over.
const MAX_KEPT: usize = 1_000_000;

/// Replays of a short capture in one round.
const MAX_REPLAYS: usize = 200;

/// Loads the rules and judges `count` events, several times, on one core: made-up ones of each mix, or those of captures.
/// Times are of the processor, not of the clock: what others do on the machine meanwhile is not ours.
pub(super) fn report(files: &[RuleFile], count: usize, captures: &[PathBuf]) -> Result<String, Failure> {
    let rules = loaded(files)?.rules;
    let load = median(|| {
        std::hint::black_box(RuleSet::load(files).is_ok());
    });
    let enabled = rules.rules().iter().filter(|rule| rule.is_enabled()).count();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{} rules, {enabled} enabled: loaded in {:.1} ms\n{:<28} {:>12} {:>10} {:>12}",
        rules.rules().len(),
        load.as_secs_f64() * 1e3,
        "events",
        "events/s",
        "ns each",
        "rules fired"
    );
    let mut row = |name: &str, count: usize, body: &mut dyn FnMut() -> usize| {
        let mut fired = 0;
        let time = median(|| fired = body());
        let each = time.as_secs_f64() / count as f64;
        let _ = writeln!(text, "{name:<28} {:>12.0} {:>10.0} {fired:>12}", 1.0 / each, each * 1e9);
    };
    for mix in mix::ALL.iter().filter(|_| captures.is_empty()) {
        let events = mix.events(EVENTS);
        row(mix.name, count, &mut || {
            judge(&rules, events.iter().cycle().take(count))
        });
    }
    for path in captures {
        let (events, all) = kept(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        row(&format!("{name}, judged"), count, &mut || {
            judge(&rules, events.iter().cycle().take(count))
        });
        let recording = agent::recording(path)?;
        let times = (count / all).clamp(1, MAX_REPLAYS);
        row(&format!("{name}, replayed"), all * times, &mut || {
            let mut fired = 0;
            for _ in 0..times {
                // It was read a moment ago.
                let _ = place(&*recording, |event| fired += judge(&rules, std::iter::once(&event)));
            }
            fired
        });
    }
    Ok(text)
}

/// The events of a capture with their processes and containers, and how many there are in all.
fn kept(path: &Path) -> Result<(Vec<Event>, usize), Failure> {
    let recording = agent::recording(path)?;
    let (mut events, mut all) = (Vec::new(), 0);
    let notes = place(&*recording, |event| {
        all += 1;
        if events.len() < MAX_KEPT {
            events.push(event);
        }
    });
    let hint = "name a file that `plimsoll agent --record` wrote, or a capture of Falco's";
    let notes = notes.map_err(|error| Failure::new(Exit::Target, error, hint))?;
    for note in notes {
        eprintln!(
            "note: {}: {}",
            plimsoll_policy::escape(&note.subject),
            plimsoll_policy::escape(&note.detail)
        );
    }
    if events.is_empty() {
        let error = anyhow::anyhow!("measure {}: it holds no event", path.display());
        return Err(Failure::new(Exit::Incomplete, error, hint));
    }
    Ok((events, all))
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
            host_accounts: None,
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
