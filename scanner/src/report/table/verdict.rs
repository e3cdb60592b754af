//! A verdict in, its part of the table out: the decision, its reasons with their subjects, waived ones, unused waivers.

use std::io::{self, Write};

use plimsoll_model::{Decision, Verdict, VerdictReason};

use super::{Paint, WIDTH, cut};
use crate::report::shown;

/// Reasons of one decision that are listed; the rest is counted.
const MAX_SHOWN_REASONS: usize = 25;
/// Widest column of rules.
const MAX_RULE_WIDTH: usize = 44;

/// The last thing that a person reads.
pub(super) fn write(verdict: &Verdict, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let is_waived = |reason: &&VerdictReason| reason.waived_by.is_some();
    let rules = verdict.reasons.iter().map(|reason| reason.rule.chars().count());
    let width = rules.max().unwrap_or(0).min(MAX_RULE_WIDTH);
    let decision = paint.decision(verdict.decision, &word(verdict.decision).to_uppercase());
    writeln!(out, "\nVerdict  {decision}  by policy {}", shown(&verdict.policy))?;
    for decision in [Decision::Stop, Decision::Warn, Decision::Go] {
        let reasons = verdict.reasons.iter().filter(|reason| reason.decision == decision);
        let reasons: Vec<&VerdictReason> = reasons.filter(|reason| !is_waived(reason)).collect();
        let label = paint.decision(decision, &format!("{:<6}", word(decision)));
        list(&label, &reasons, width, out)?;
    }
    let waived: Vec<&VerdictReason> = verdict.reasons.iter().filter(is_waived).collect();
    list(&paint.with("2", "waived"), &waived, width, out)?;
    for id in &verdict.unused_waivers {
        let line = format!("  unused waiver {}: expired, or nothing needs it any more", shown(id));
        writeln!(out, "{}", cut(&line, WIDTH))?;
    }
    Ok(())
}

fn list(label: &str, reasons: &[&VerdictReason], width: usize, out: &mut dyn Write) -> io::Result<()> {
    for reason in reasons.iter().take(MAX_SHOWN_REASONS) {
        let rule = cut(&shown(&reason.rule), width);
        let subject = match &reason.waived_by {
            Some(waiver) => format!("{} (waiver {})", shown(&reason.subject), shown(waiver)),
            None => shown(&reason.subject),
        };
        let room = WIDTH.saturating_sub(2 + 6 + 1 + width + 2);
        writeln!(out, "  {label} {rule:<width$}  {}", cut(&subject, room))?;
    }
    match reasons.len().checked_sub(MAX_SHOWN_REASONS) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  {label} and {more} more (-o json has all)"),
    }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Stop => "stop",
        Decision::Warn => "warn",
        Decision::Go => "go",
    }
}

impl Paint {
    fn decision(&self, decision: Decision, text: &str) -> String {
        match decision {
            Decision::Stop => self.with("1;31", text),
            Decision::Warn => self.with("33", text),
            Decision::Go => self.with("32", text),
        }
    }
}
