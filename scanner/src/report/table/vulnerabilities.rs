//! Matches in, rows of the table out: one for each vulnerability of one source package, with all binaries it is in.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use plimsoll_model::{FixState, Match, ScanReport, Severity};

use super::{Paint, WIDTH, cut};
use crate::report::{
    group::{Group, group},
    shown,
    words::{self, count},
};

/// Lines that the names of one row's packages may take.
const MAX_NAME_LINES: usize = 4;
/// Severities from worst to mildest.
const SEVERITIES: [Severity; 6] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Negligible,
    Severity::Unknown,
];

/// The line of counts, then the rows.
pub(super) fn write(report: &ScanReport, matches: &[Match], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let groups = group(report, matches);
    counts(report, &groups, matches, paint, out)?;
    if groups.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = groups.iter().map(Row::new).collect();
    let width = |cell: fn(&Row) -> usize, name: &str, most: usize| {
        let widest = rows.iter().map(cell).max().unwrap_or(0);
        widest.max(name.len()).min(most)
    };
    let id = width(|row| row.id.chars().count(), "ID", 20);
    let installed = width(|row| row.installed.chars().count(), "INSTALLED", 24);
    let fix = width(|row| row.fix.chars().count(), "FIX", 24);
    let has_use = report.usage.is_some();
    let used = if has_use {
        width(|row| row.used.len(), "USE", 10) + 1
    } else {
        0
    };
    let room = WIDTH - (5 + 10 + 1 + used + id + 1 + 1 + installed + 1 + fix);
    let names = |row: &Row| row.packages.iter().map(|name| name.chars().count() + 2).sum::<usize>();
    let package = width(names, "PACKAGE", room);
    let title = format!(
        "{:<5}{:<10} {:<used$}{:<id$} {:<package$} {:<installed$} FIX",
        "",
        "SEVERITY",
        if has_use { "USE" } else { "" },
        "ID",
        "PACKAGE",
        "INSTALLED"
    );
    writeln!(out, "\n{}", paint.with("2", &title))?;
    for row in &rows {
        let kev = if row.known_exploited {
            paint.with("1;31", "KEV  ")
        } else {
            "     ".to_owned()
        };
        let severity = paint.severity(row.severity, &format!("{:<10}", words::severity(row.severity)));
        let mut lines = wrap(&row.packages, package).into_iter();
        writeln!(
            out,
            "{kev}{severity} {:<used$}{:<id$} {:<package$} {:<installed$} {}",
            if has_use { row.used } else { "" },
            cut(&row.id, id),
            lines.next().unwrap_or_default(),
            cut(&row.installed, installed),
            cut(&row.fix, fix),
        )?;
        for line in lines {
            writeln!(out, "{:<width$}{line}", "", width = 5 + 10 + 1 + used + id + 1)?;
        }
    }
    Ok(())
}

fn counts(
    report: &ScanReport,
    groups: &[Group<'_>],
    matches: &[Match],
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    // One id may be in several source packages; it is one vulnerability.
    let distinct = |wanted: &dyn Fn(&Match) -> bool| {
        let firsts = groups.iter().map(|group| group.first).filter(|first| wanted(first));
        firsts
            .map(|found| found.vulnerability.id.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    };
    let mut parts: Vec<String> = SEVERITIES
        .iter()
        .filter_map(|severity| {
            let number = distinct(&|found| found.vulnerability.severity == *severity);
            let text = format!("{number} {}", words::severity(*severity));
            (number > 0).then(|| paint.severity(*severity, &text))
        })
        .collect();
    if parts.is_empty() {
        parts.push("none known".to_owned());
    }
    write!(out, "\nVulnerabilities  {}", parts.join(" · "))?;
    if !matches.is_empty() {
        let fixable = distinct(&|found| found.fix_state == FixState::Fixed);
        let packages: BTreeSet<u32> = matches.iter().map(|found| found.package).collect();
        write!(out, "   (in {}, {fixable} with a fix", count(packages.len(), "package"))?;
        let known = distinct(&|found| found.vulnerability.known_exploited);
        if known > 0 {
            let text = format!("{known} known to be exploited");
            write!(out, ", {}", paint.with("1;31", &text))?;
        }
        if report.usage.is_some() {
            let used = distinct(&|found| found.reach.as_ref().is_some_and(|reach| reach.rung.is_in_use()));
            let idle = distinct(&|found| found.reach.as_ref().is_some_and(|reach| reach.is_idle));
            write!(out, ", {used} in use, {idle} not in use")?;
        }
        write!(out, ")")?;
    }
    writeln!(out)
}

struct Row {
    known_exploited: bool,
    /// How near to being used, of the binary that ranks highest.
    used: &'static str,
    severity: Severity,
    id: String,
    packages: Vec<String>,
    installed: String,
    fix: String,
}

impl Row {
    fn new(group: &Group<'_>) -> Self {
        let details = &group.first.vulnerability;
        let first = group.packages.first();
        Self {
            known_exploited: details.known_exploited,
            used: words::reach(group.first),
            severity: details.severity,
            id: shown(&details.id),
            packages: group.packages.iter().map(|package| shown(&package.name)).collect(),
            installed: first.map(|package| shown(&package.version)).unwrap_or_default(),
            fix: words::fix(group.first),
        }
    }
}

/// Names with commas between them, in lines of at most `width` characters.
fn wrap(names: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { "," } else { "" };
        let word = format!("{}{comma}", cut(name, width.saturating_sub(1)));
        let is_full = lines.len() == MAX_NAME_LINES;
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ if is_full => {
                lines.push(format!("and {} more", names.len() - index));
                break;
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_wrap_between_words_and_do_not_go_on_for_ever() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let perl = names(&["libperl5.36", "perl", "perl-base", "perl-modules-5.36"]);
        assert_eq!(wrap(&perl, 80), ["libperl5.36, perl, perl-base, perl-modules-5.36"]);
        assert_eq!(
            wrap(&perl, 20),
            ["libperl5.36, perl,", "perl-base,", "perl-modules-5.36"]
        );
        let many = names(&["aaaa"; 9]);
        assert_eq!(wrap(&many, 6), ["aaaa,", "aaaa,", "aaaa,", "aaaa,", "and 5 more"]);
        assert!(wrap(&[], 6).is_empty());
    }
}
