//! Judging an event allocates nothing once the buffers are warm.

mod counting;

use counting::Counting;
use plimsoll_rules::{Observation, RuleSet, mix};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

#[test]
fn the_steady_state_allocates_nothing() {
    let rules = RuleSet::shipped();
    let events: Vec<_> = mix::ALL.into_iter().flat_map(|mix| mix.events(2000)).collect();
    let judge = || {
        let mut fired = 0;
        for event in &events {
            let observation = Observation {
                event,
                deviations: &[],
                origin: None,
                has_profile: true,
                node: "node",
                host_accounts: None,
            };
            rules.evaluate(&observation, &mut |_| fired += 1);
        }
        fired
    };
    let first = judge();
    let before = ALLOCATOR.count();
    assert_eq!(judge(), first);
    assert_eq!(ALLOCATOR.count() - before, 0, "allocations in {} events", events.len());
}
