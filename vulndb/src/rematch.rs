//! Two lists of matches of one Sbom in, what is new, changed and gone between them out.

use std::collections::BTreeMap;

use plimsoll_model::Match;

/// What a new database says otherwise than the one before, of the same Sbom.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// Not known before, in the order of the new matches: worst first.
    pub new: Vec<Match>,
    /// Known before, but now with another severity, fix, state, score or exploitation: before and after.
    pub changed: Vec<(Match, Match)>,
    /// Known before and not any more, in the order of the old matches.
    pub gone: Vec<Match>,
}

impl Change {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }
}

/// Compares the matches of one Sbom by two databases. A vulnerability that only got another main id (an advisory that
/// was given a CVE) is the same one: it is recognised by all of its ids. A change of prose or of evidence alone is none.
pub fn rematch(old: &[Match], new: &[Match]) -> Change {
    let mut by_name: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    for (index, one) in old.iter().enumerate() {
        for name in names(one) {
            by_name.entry((one.package, name)).or_insert(index);
        }
    }
    let mut is_kept = vec![false; old.len()];
    let mut change = Change::default();
    for one in new {
        // The main id first: two old entries may have become one.
        let before = names(one).find_map(|name| by_name.get(&(one.package, name)));
        let Some(&before) = before else {
            change.new.push(one.clone());
            continue;
        };
        is_kept[before] = true;
        for name in names(one) {
            if let Some(&same) = by_name.get(&(one.package, name)) {
                is_kept[same] = true;
            }
        }
        if !says_the_same(&old[before], one) {
            change.changed.push((old[before].clone(), one.clone()));
        }
    }
    let gone = old.iter().zip(is_kept).filter(|(_, is_kept)| !is_kept);
    change.gone.extend(gone.map(|(one, _)| one.clone()));
    change
}

fn names(one: &Match) -> impl Iterator<Item = &str> {
    std::iter::once(&one.vulnerability.id)
        .chain(&one.vulnerability.aliases)
        .map(String::as_str)
}

/// EPSS moves a little every day; only a step over one of these is worth telling.
const EPSS_STEPS: [f32; 3] = [0.01, 0.1, 0.5];

fn says_the_same(a: &Match, b: &Match) -> bool {
    let step = |one: &Match| {
        let epss = one.vulnerability.epss.unwrap_or(0.0);
        EPSS_STEPS.iter().filter(|step| epss >= **step).count()
    };
    let facts = |one: &Match| {
        (
            one.vulnerability.id.clone(),
            one.vulnerability.severity,
            one.vulnerability.known_exploited,
            one.vulnerability.cvss_score.map(f32::to_bits),
            one.fix_state,
            one.fixed_version.clone(),
        )
    };
    facts(a) == facts(b) && step(a) == step(b)
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{FixState, MatchEvidence, Severity, Vulnerability};

    use super::*;

    fn one(package: u32, id: &str, aliases: &[&str], fixed: Option<&str>) -> Match {
        Match {
            package,
            vulnerability: Vulnerability {
                id: id.to_owned(),
                aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
                severity: Severity::Medium,
                cvss_score: None,
                known_exploited: false,
                epss: None,
                summary: String::new(),
            },
            fix_state: fixed.map_or(FixState::Affected, |_| FixState::Fixed),
            fixed_version: fixed.map(str::to_owned),
            evidence: MatchEvidence {
                advisory: id.to_owned(),
                source: "debian".to_owned(),
                ecosystem: "Debian:12".to_owned(),
                compared_name: "a".to_owned(),
                compared_version: "1".to_owned(),
                range: "any version".to_owned(),
            },
            reach: None,
        }
    }

    fn ids(matches: &[Match]) -> Vec<(u32, &str)> {
        matches
            .iter()
            .map(|one| (one.package, one.vulnerability.id.as_str()))
            .collect()
    }

    #[test]
    fn new_changed_and_gone_are_told_apart() {
        let old = [
            one(0, "CVE-2024-0001", &[], None),
            one(0, "CVE-2024-0002", &[], None),
            one(1, "CVE-2024-0002", &[], None),
        ];
        let new = [
            one(0, "CVE-2024-0003", &[], None),
            one(0, "CVE-2024-0001", &[], Some("2")),
            one(1, "CVE-2024-0002", &[], None),
        ];
        let change = rematch(&old, &new);
        assert_eq!(ids(&change.new), [(0, "CVE-2024-0003")]);
        assert_eq!(ids(&change.gone), [(0, "CVE-2024-0002")]);
        assert_eq!(change.changed, [(old[0].clone(), new[1].clone())]);
        assert!(rematch(&old, &old).is_empty());
        assert_eq!(rematch(&[], &new).new.len(), 3);
        assert_eq!(rematch(&old, &[]).gone.len(), 3);
    }

    #[test]
    fn a_vulnerability_that_was_given_a_cve_is_not_new() {
        let old = [
            one(0, "GHSA-aaaa-bbbb-cccc", &[], None),
            one(0, "PYSEC-2024-1", &[], None),
        ];
        let new = [one(0, "CVE-2024-0001", &["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"], None)];
        let change = rematch(&old, &new);
        assert_eq!((change.new.len(), change.gone.len()), (0, 0));
        assert_eq!(change.changed, [(old[0].clone(), new[0].clone())]);
    }

    #[test]
    fn exploitation_counts_and_small_moves_of_epss_do_not() {
        let before = one(0, "CVE-2024-0001", &[], None);
        let with = |known_exploited, epss| {
            let mut after = before.clone();
            after.vulnerability.known_exploited = known_exploited;
            after.vulnerability.epss = epss;
            after.vulnerability.summary = "other words".to_owned();
            after
        };
        for (after, is_changed) in [
            (with(true, None), true),
            (with(false, Some(0.004)), false),
            (with(false, Some(0.2)), true),
        ] {
            let change = rematch(std::slice::from_ref(&before), std::slice::from_ref(&after));
            assert_eq!(change.changed.len(), usize::from(is_changed), "{after:?}");
            assert!(change.new.is_empty() && change.gone.is_empty());
        }
    }
}
