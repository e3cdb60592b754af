//! A match or a package in, how near it is to being used out.

use plimsoll_model::{Match, Reach, ScanReport};
use plimsoll_policy::{IdleThresholds, hours, reach, time_words};

use super::Block;

/// As the report says, else as far as the profile tells.
pub(super) fn lines(block: &mut Block, one: &Match, report: &ScanReport) {
    let told = one.reach.as_deref().cloned();
    let Some(reach) = told.or_else(|| of_package(one.package, report)) else {
        return;
    };
    let rung = match reach.is_idle {
        true => format!("{}, not in use", reach.rung),
        false => reach.rung.to_string(),
    };
    block.line("ladder", &format!("{rung}: {}", reach.because));
    if let Some(used) = &reach.used {
        let text = format!(
            "executed {} times, loaded {} times; first {}, after {:.1} hours of containers, last {}",
            used.executed,
            used.loaded,
            time_words(used.first_ns),
            hours(used.after_seconds),
            time_words(used.last_ns)
        );
        block.line("in use", &text);
    }
}

/// How near a package is to being used: as the report says of one of its matches, else as far as the profile tells.
pub(super) fn of_package(index: u32, report: &ScanReport) -> Option<Reach> {
    let matches = report.matches.iter().flatten();
    let told = matches
        .filter(|one| one.package == index)
        .find_map(|one| one.reach.as_deref());
    if let Some(told) = told {
        return Some(told.clone());
    }
    let mut all = reach(report, None, IdleThresholds::DEFAULT);
    let index = usize::try_from(index).ok().filter(|index| *index < all.len())?;
    Some(all.swap_remove(index))
}
