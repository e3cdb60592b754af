//! Which drafts are news.

use plimsoll_rules::Priority;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn draft(title: &str, object: &str, priority: Priority, time_ns: u64) -> Draft {
    Draft {
        alert: Alert {
            schema: String::new(),
            id: format!("{title} {object} {time_ns}"),
            time_ns,
            priority: priority.as_str().to_owned(),
            rule: title.to_owned(),
            summary: String::new(),
            reasons: Vec::new(),
            node: String::new(),
            container_id: Some("c".to_owned()),
            container_name: None,
            runtime: None,
            image: None,
            pod: None,
            phase: None,
            process: None,
            ancestry: Vec::new(),
            observed: object.to_owned(),
            expected: Vec::new(),
            executable: None,
            techniques: Vec::new(),
            lost_events: 0,
            allow: None,
            follow_ups: Vec::new(),
            count: 1,
        },
        priority,
        key: CauseKey {
            container: Some("c".to_owned()),
            title: title.to_owned(),
            subject: "s".to_owned(),
            object: object.to_owned(),
        },
        is_tree: true,
        written: None,
        run: Vec::new(),
    }
}

/// Titles of new alerts.
fn news(told: &[Told]) -> Vec<&str> {
    told.iter()
        .filter_map(|one| match one {
            Told::New(alert) => Some(alert.rule.as_str()),
            Told::Changed(_) => None,
        })
        .collect()
}

#[test]
fn a_consequence_is_news_only_when_it_is_more_urgent() {
    for (priority, expected) in [
        (Priority::Notice, vec!["session"]),
        (Priority::Warning, vec!["session"]),
        (Priority::Error, vec!["session", "next"]),
    ] {
        let (mut causes, mut told) = (Causes::default(), Vec::new());
        let number = causes.raise(draft("session", "sh", Priority::Warning, SECOND), None, &mut told);
        causes.raise(draft("next", "x", priority, 2 * SECOND), Some(number), &mut told);
        assert_eq!(news(&told), expected, "{priority}");
    }
}

#[test]
fn the_same_act_is_counted_until_the_alert_was_quiet_for_long() {
    let (mut causes, mut told) = (Causes::default(), Vec::new());
    let mut now_ns = SECOND;
    for step in [0, SECOND, ALERT_QUIET_NS - 1, ALERT_QUIET_NS] {
        now_ns += step;
        causes.raise(draft("a", "x", Priority::Error, now_ns), None, &mut told);
    }
    assert_eq!(news(&told), ["a", "a"]);
    causes.finish(&mut told);
    let last = told.iter().rev().find_map(|one| match one {
        Told::Changed(alert) => Some(alert.count),
        Told::New(_) => None,
    });
    assert_eq!(last, Some(3));
}

#[test]
fn a_standing_wrong_is_told_again_after_an_hour() {
    let (mut causes, mut told) = (Causes::default(), Vec::new());
    let mut now_ns = 0;
    while now_ns <= ALERT_OPEN_NS {
        causes.raise(draft("a", "x", Priority::Error, now_ns), None, &mut told);
        now_ns += ALERT_QUIET_NS / 2;
    }
    assert_eq!(news(&told), ["a", "a"]);
}

#[test]
fn a_write_waits_for_its_run_and_no_longer() {
    let write = |at| Draft {
        written: Some("/tmp/x".to_owned()),
        ..draft("write", "/tmp", Priority::Warning, at)
    };
    let run = |at| Draft {
        run: vec!["/tmp/x".to_owned()],
        ..draft("run", "/tmp/x", Priority::Critical, at)
    };
    for (gap_ns, expected) in [(WRITE_HOLD_NS, vec!["run"]), (WRITE_HOLD_NS + 1, vec!["write", "run"])] {
        let (mut causes, mut told) = (Causes::default(), Vec::new());
        causes.raise(write(SECOND), None, &mut told);
        assert_eq!(news(&told), Vec::<&str>::new());
        causes.raise(run(SECOND + gap_ns), None, &mut told);
        assert_eq!(news(&told), expected, "{gap_ns}");
    }
    let (mut causes, mut told) = (Causes::default(), Vec::new());
    causes.raise(write(SECOND), None, &mut told);
    causes.advance(SECOND + WRITE_HOLD_NS, &mut told);
    assert_eq!(told, []);
    causes.advance(SECOND + WRITE_HOLD_NS + 1, &mut told);
    assert_eq!(news(&told), ["write"]);
}

#[test]
fn a_change_is_told_once_it_has_settled() {
    let (mut causes, mut told) = (Causes::default(), Vec::new());
    causes.raise(draft("a", "x", Priority::Error, SECOND), None, &mut told);
    causes.advance(2 * SECOND, &mut told);
    causes.raise(draft("a", "x", Priority::Error, 2 * SECOND), None, &mut told);
    told.clear();
    causes.advance(2 * SECOND + UPDATE_AFTER_NS - 1, &mut told);
    assert_eq!(told, []);
    causes.advance(2 * SECOND + UPDATE_AFTER_NS, &mut told);
    causes.advance(2 * SECOND + 2 * UPDATE_AFTER_NS, &mut told);
    assert_eq!((news(&told).len(), told.len()), (0, 1));
}

#[test]
fn open_alerts_and_follow_ups_are_bounded() {
    let (mut causes, mut told) = (Causes::default(), Vec::new());
    for number in 0..u64::try_from(MAX_OPEN_ALERTS).unwrap() + 10 {
        let mut one = draft("a", &number.to_string(), Priority::Error, SECOND + number);
        one.key.container = Some(number.to_string());
        causes.raise(one, None, &mut told);
    }
    assert_eq!(causes.open.len(), MAX_OPEN_ALERTS);
    let number = causes.raise(draft("b", "x", Priority::Error, 2 * SECOND), None, &mut told);
    for _ in 0..1_000 {
        causes.raise(draft("c", "x", Priority::Error, 2 * SECOND), Some(number), &mut told);
    }
    let alert = &causes.open[&number].alert;
    assert_eq!((alert.follow_ups.len(), alert.count), (MAX_FOLLOW_UPS, 1_001));
}
