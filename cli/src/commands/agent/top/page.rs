//! Two readings in, a page of text out: rates are what changed between them.

use std::fmt::Write as _;

use plimsoll_policy::escape;
use plimsoll_runtime::meter::{Counted, Reading};

/// Rows of each list.
const ROWS: usize = 8;

/// The whole page.
pub(super) fn write(before: &Reading, now: &Reading) -> String {
    let seconds = now.taken_ns.saturating_sub(before.taken_ns) as f64 / 1e9;
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds.max(0.001);
    let mut page = String::new();
    head(&mut page, before, now, seconds);
    losses(&mut page, now);
    heading(&mut page, "events", "a second", "in all");
    for kind in now.kinds.iter().take(ROWS) {
        let earlier = count_of(&before.kinds, &kind.name);
        row(
            &mut page,
            &kind.name,
            &format!("{:.1}", rate(earlier, kind.count)),
            &kind.count.to_string(),
        );
    }
    heading(&mut page, "programs", "a second", "in all");
    let mut programs: Vec<_> = now
        .programs
        .iter()
        .map(|one| (one, rate(earlier_of(before, one), one.events)))
        .collect();
    programs.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.events.cmp(&a.0.events)));
    for (one, each_second) in programs.into_iter().take(ROWS) {
        let place = one
            .container
            .as_ref()
            .map_or_else(String::new, |container| format!("  in {container}"));
        let name = format!("{}{place}", one.program);
        row(&mut page, &name, &format!("{each_second:.1}"), &one.events.to_string());
    }
    if !now.rules.is_empty() {
        heading(&mut page, "rules that held", "a second", "in all");
        for rule in now.rules.iter().take(ROWS) {
            let earlier = count_of(&before.rules, &rule.name);
            row(
                &mut page,
                &rule.name,
                &format!("{:.1}", rate(earlier, rule.count)),
                &rule.count.to_string(),
            );
        }
    }
    heading(&mut page, "threads", "processor", "seconds");
    for thread in now.threads.iter().take(ROWS) {
        let earlier = before.threads.iter().find(|one| one.name == thread.name);
        let used = thread.cpu_seconds - earlier.map_or(0.0, |one| one.cpu_seconds);
        row(
            &mut page,
            &thread.name,
            &share(used, seconds),
            &format!("{:.2}", thread.cpu_seconds),
        );
    }
    page
}

fn head(page: &mut String, before: &Reading, now: &Reading, seconds: f64) {
    let each_second = now.events.saturating_sub(before.events) as f64 / seconds.max(0.001);
    let _ = writeln!(
        page,
        "agent {}, process {}, up {}\n  processor {}   memory {:.1} MiB, at most {:.1}   events {each_second:.1} a second\n  \
         processes {}   containers {}   alerts {}, and {} events that belong to them",
        escape(&now.version),
        now.pid,
        up(now.up_seconds),
        share(now.cpu_seconds - before.cpu_seconds, seconds),
        mebibytes(now.resident_bytes),
        mebibytes(now.peak_bytes),
        now.processes,
        now.containers,
        now.alerts,
        now.followed,
    );
    let queues: Vec<String> = now
        .queues
        .iter()
        .map(|queue| format!("{} {}/{}", queue.name, queue.depth, queue.limit))
        .collect();
    let _ = writeln!(
        page,
        "  waiting: {}, events without identity {}",
        queues.join(", "),
        now.waiting
    );
    for output in &now.outputs {
        let _ = writeln!(
            page,
            "  output {}: {} sent, {} wait, {} refused, {} lost",
            escape(&output.name),
            output.delivered,
            output.waiting,
            output.refused,
            output.lost
        );
    }
}

fn losses(page: &mut String, now: &Reading) {
    for loss in &now.losses {
        let kind = match loss.kind.as_str() {
            "" => String::new(),
            kind => format!(" ({})", escape(kind)),
        };
        let _ = writeln!(page, "  LOST {} in {}{kind}", loss.count, escape(&loss.place));
    }
    if now.untracked_processes + now.timed_out + now.forgotten > 0 {
        let _ = writeln!(
            page,
            "  limits: {} processes not tracked, {} cgroups not identified in time, {} forgotten",
            now.untracked_processes, now.timed_out, now.forgotten
        );
    }
}

fn heading(page: &mut String, name: &str, middle: &str, last: &str) {
    let _ = writeln!(page, "\n{name:<54} {middle:>10} {last:>12}");
}

fn row(page: &mut String, name: &str, middle: &str, last: &str) {
    let name = escape(name);
    // The end of a path says more than its beginning.
    let cut: String = match name.chars().count() {
        length if length > 52 => format!("…{}", name.chars().skip(length - 51).collect::<String>()),
        _ => name.to_string(),
    };
    let _ = writeln!(page, "  {cut:<52} {middle:>10} {last:>12}");
}

fn count_of(counted: &[Counted], name: &str) -> u64 {
    counted.iter().find(|one| one.name == name).map_or(0, |one| one.count)
}

fn earlier_of(before: &Reading, one: &plimsoll_runtime::meter::HotProgram) -> u64 {
    let is_same =
        |other: &&plimsoll_runtime::meter::HotProgram| other.program == one.program && other.container == one.container;
    // One that is new among the most frequent took another's count over: nothing is known of its rate.
    before
        .programs
        .iter()
        .find(is_same)
        .map_or(one.events, |other| other.events)
}

fn share(used: f64, seconds: f64) -> String {
    format!("{:.1} %", 100.0 * used.max(0.0) / seconds.max(0.001))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn up(seconds: f64) -> String {
    let seconds = std::time::Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_runtime::meter::{HotProgram, Loss};

    use super::*;

    #[test]
    fn rates_are_what_changed_and_loss_is_loud() {
        let program = |events| HotProgram {
            program: "/usr/bin/\u{1b}[31mredis-server".to_owned(),
            container: Some("db".to_owned()),
            pid: 7,
            events,
        };
        let reading = |taken_ns, events| Reading {
            pid: 1,
            version: "0.1.0".to_owned(),
            up_seconds: 3_725.0,
            taken_ns,
            events,
            kinds: vec![Counted {
                name: "exec".to_owned(),
                count: events,
            }],
            programs: vec![program(events)],
            losses: vec![Loss {
                place: "kernel".to_owned(),
                kind: "open".to_owned(),
                count: 3,
            }],
            cpu_seconds: events as f64 / 1_000.0,
            resident_bytes: 20 << 20,
            ..Reading::default()
        };
        let page = write(&reading(0, 100), &reading(2_000_000_000, 300));
        for expected in [
            "up 1 h 2 min",
            "processor 10.0 %",
            "events 100.0 a second",
            "memory 20.0 MiB",
            "LOST 3 in kernel (open)",
            "redis-server  in db",
        ] {
            assert!(page.contains(expected), "{expected} is missing in {page}");
        }
        assert!(!page.contains('\u{1b}'), "{page}");
    }
}
