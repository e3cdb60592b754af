//! What an agent did, as the lines that it ends with.

use plimsoll_runtime::{agent::Summary, output::OutputSummary};

/// What it did, on standard error.
pub(super) fn report(summary: &Summary) {
    let counts = &summary.counts;
    eprintln!(
        "done: {} events, {} alerts, {} more events belong to them; {} containers, {} with a scan report",
        counts.events, counts.alerts, counts.followed, counts.containers, counts.known_images
    );
    let losses = [
        (counts.lost_in_ring, "events lost in the kernel's ring buffer"),
        (counts.lost_in_queue, "events lost in the agent's queue"),
        (counts.undecodable, "events not decoded"),
        (counts.untracked_processes, "processes not tracked"),
        (counts.rule_changes, "times other rules were taken over"),
        (counts.refused_rule_changes, "times other rules could not be used"),
        (counts.unknown_containers, "containers not identified in time"),
        (summary.undelivered, "alerts or notices not written"),
        (
            summary.tallies.expected_writes,
            "expected writes not told by the kernel",
        ),
        (summary.tallies.would_refuse, "acts would have been refused"),
        (summary.tallies.refused, "acts refused"),
    ];
    for output in &summary.outputs {
        eprintln!(
            "done: output {}: {} alerts sent{}",
            output.name,
            output.delivered,
            rest(output)
        );
    }
    for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
        eprintln!("done: {count} {what}");
    }
}

fn rest(output: &OutputSummary) -> String {
    let parts = [
        (output.waiting, "wait on disk for the next start"),
        (output.refused, "refused by the other side"),
        (output.lost, "lost"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!(", {count} {what}")).collect()
}
