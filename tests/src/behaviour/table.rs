//! Outcomes in, `docs/behaviour.md` out.

use std::fmt::Write as _;

use super::{
    outcome::{ActOutcome, ImageOutcome, Verdict},
    suite::Kind,
};

/// The text before the tables.
const HEAD: &str = include_str!("../../behaviour/head.md");

/// The whole document. `build`: what was run, and where.
pub fn write(outcomes: &[ImageOutcome], losses: &[String], build: &str) -> String {
    let mut text = HEAD.to_owned();
    summary(&mut text, outcomes);
    let _ = writeln!(text, "\n{build}");
    for line in losses {
        let _ = writeln!(text, "\nThe agent said at its end: `{line}`.");
    }
    profiles(&mut text, outcomes);
    behaviour(&mut text, outcomes);
    agreement(&mut text, outcomes);
    unseen(&mut text, outcomes);
    attacks(&mut text, outcomes);
    text
}

fn summary(text: &mut String, outcomes: &[ImageOutcome]) {
    let sum = |count: &dyn Fn(&ImageOutcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let false_alerts = sum(&|one| one.count(|verdict| *verdict == Verdict::FalseAlert));
    let flagged = sum(&|one| one.count(|verdict| *verdict == Verdict::Flagged));
    let missed = sum(&|one| one.count(|verdict| *verdict == Verdict::Missed));
    let unjudged = sum(&|one| one.count(|verdict| matches!(verdict, Verdict::Unjudged(_))));
    let latencies = latencies(outcomes.iter().flat_map(|one| &one.acts));
    let hours: f64 = outcomes.iter().map(hours).sum();
    let _ = write!(
        text,
        "\n## Result\n\n{} images, {hours:.0} hour-equivalents of normal work: **{false_alerts} false alerts**. \
         {} attacks that the kernel can see: **{flagged} flagged**, {missed} missed, {unjudged} not judged by design; from \
         kernel to the agent's output {} ms in the median, {} ms at most.\n",
        outcomes.iter().filter(|outcome| outcome.is_own()).count(),
        flagged + missed + unjudged,
        number(median(&latencies)),
        number(latencies.last().copied()),
    );
}

fn profiles(text: &mut String, outcomes: &[ImageOutcome]) {
    text.push_str(
        "\n## Profiles\n\n| image | packs | facts | of these A | denials | judged pairs | derived in ms | bytes |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for outcome in outcomes.iter().filter(|outcome| outcome.is_own()) {
        let figures = &outcome.profile;
        let packs: Vec<&str> = figures
            .packs
            .iter()
            .filter_map(|pack| pack.split(" (").next())
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} % | {} | {} | {:.1} | {} |",
            outcome.name,
            if packs.is_empty() {
                "none".to_owned()
            } else {
                packs.join(", ")
            },
            figures.facts,
            percent(figures.sure, figures.facts),
            figures.denials,
            figures.judged,
            figures.build_ms,
            figures.size_bytes,
        );
    }
}

fn behaviour(text: &mut String, outcomes: &[ImageOutcome]) {
    text.push_str(
        "\n## Behaviour\n\n| image | operations | hours | false alerts | attacks run | flagged | missed | not judged | refused by \
         the target | nothing to see | not run | median ms | most ms | new alerts per flagged attack |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for outcome in outcomes {
        let count = |is: fn(&Verdict) -> bool| outcome.count(is);
        let flagged = count(|verdict| *verdict == Verdict::Flagged);
        let not_run = count(|verdict| matches!(verdict, Verdict::NotRun(_)));
        let latencies = latencies(&outcome.acts);
        let new: usize = outcome.of(Kind::Attacks).map(|act| act.new_alerts).sum();
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {} | {} | {flagged} | {} | {} | {} | {} | {not_run} | {} | {} | {:.1} |",
            outcome.name,
            operations(outcome),
            hours(outcome),
            count(|verdict| *verdict == Verdict::FalseAlert),
            outcome.of(Kind::Attacks).count() - not_run,
            count(|verdict| *verdict == Verdict::Missed),
            count(|verdict| matches!(verdict, Verdict::Unjudged(_))),
            count(|verdict| *verdict == Verdict::Refused),
            count(|verdict| matches!(verdict, Verdict::Unseen(_))),
            number(median(&latencies)),
            number(latencies.last().copied()),
            ratio(new, flagged),
        );
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.failure.is_some()) {
        let _ = writeln!(
            text,
            "\n{} ended early: {}",
            outcome.name,
            outcome.failure.as_deref().unwrap_or_default()
        );
    }
}

fn agreement(text: &mut String, outcomes: &[ImageOutcome]) {
    text.push_str(
        "\n## Static profile against what was observed\n\n| image | exec: precision | recall | listen: precision | recall | \
         write: precision | recall |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for outcome in outcomes {
        let _ = write!(text, "| {} |", outcome.name);
        for verb in ["exec", "listen", "write"] {
            let count = outcome.agreement.counts.get(verb).copied().unwrap_or_default();
            let _ = write!(
                text,
                " {} ({}/{}) | {} ({}/{}) |",
                share(count.seen_facts, count.facts),
                count.seen_facts,
                count.facts,
                share(count.expected, count.done),
                count.expected,
                count.done,
            );
        }
        text.push('\n');
    }
    text.push_str("\nDone and not foretold (each in a pair that is learned, or it would be a false alert):\n\n");
    for outcome in outcomes
        .iter()
        .filter(|outcome| !outcome.agreement.surprises.is_empty())
    {
        let shown: Vec<&str> = outcome
            .agreement
            .surprises
            .iter()
            .take(12)
            .map(String::as_str)
            .collect();
        let more = outcome.agreement.surprises.len().saturating_sub(shown.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = writeln!(text, "- {}: `{}`{more}", outcome.name, shown.join("`, `"));
    }
}

fn unseen(text: &mut String, outcomes: &[ImageOutcome]) {
    text.push_str("\n## What is not flagged, and why\n\n");
    for outcome in outcomes {
        for act in &outcome.acts {
            let why = match &act.verdict {
                Verdict::Unseen(reason) => format!("nothing for the kernel to see: {reason}"),
                Verdict::Unjudged(reason) => format!("not judged: {reason}"),
                Verdict::NotRun(reason) => format!("not run: {reason}"),
                Verdict::Refused => format!("refused by the target: {}", quote(&act.answer)),
                Verdict::Missed => format!("**missed**; alerts: {}", act.alerts.join("; ")),
                _ => continue,
            };
            let _ = writeln!(text, "- {} {}: {why}", outcome.name, act.name);
        }
    }
}

fn attacks(text: &mut String, outcomes: &[ImageOutcome]) {
    text.push_str("\n## Each flagged attack\n\n| image | attack | flagged as | ms |\n|---|---|---|---:|\n");
    for outcome in outcomes {
        for act in outcome.of(Kind::Attacks).filter(|act| act.verdict == Verdict::Flagged) {
            let told: Vec<&str> = act
                .alerts
                .iter()
                .filter_map(|line| line.split_once("): "))
                .map(|(title, _)| title)
                .collect();
            let told: Vec<String> = told.iter().map(|title| format!("{title})")).collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                outcome.name,
                act.name,
                told.join("; "),
                number(act.latency_ms)
            );
        }
    }
}

fn latencies<'a>(acts: impl IntoIterator<Item = &'a ActOutcome>) -> Vec<f64> {
    let mut all: Vec<f64> = acts
        .into_iter()
        .filter(|act| act.kind == Kind::Attacks)
        .filter_map(|act| act.latency_ms)
        .collect();
    all.sort_by(f64::total_cmp);
    all
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

fn operations(outcome: &ImageOutcome) -> u64 {
    outcome.of(Kind::Benign).map(|act| act.operations).sum()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn hours(outcome: &ImageOutcome) -> f64 {
    operations(outcome) as f64 / outcome.operations_per_hour.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.0}", ratio(part, whole) * 100.0)
}

fn share(part: usize, whole: usize) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{} %", percent(part, whole)),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"))
}

fn quote(answer: &str) -> String {
    let line: String = answer.lines().next().unwrap_or_default().chars().take(80).collect();
    format!("`{}`", line.replace('`', "'"))
}
