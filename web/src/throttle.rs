//! Slows down whoever guesses passwords: failures per (name, address), per address and per name, each with its own
//! number of free tries and then a wait that doubles.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::limits;

/// Remembered failures.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    records: Mutex<HashMap<Key, Record>>,
}

/// What failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// One person who forgot, or one attacker.
    Pair(String, String),
    /// One attacker with many names.
    Address(String),
    /// Many attackers with one name: it has many free tries, or anybody could lock somebody else out.
    Name(String),
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    failures: u32,
    wait_until_ms: i64,
    last_ms: i64,
}

impl Key {
    fn of(name: &str, address: &str) -> [Self; 3] {
        [
            Self::Pair(name.to_owned(), address.to_owned()),
            Self::Address(address.to_owned()),
            Self::Name(name.to_owned()),
        ]
    }

    fn free_failures(&self) -> u32 {
        match self {
            Self::Pair(..) => limits::FREE_LOGIN_FAILURES,
            Self::Address(_) => 4 * limits::FREE_LOGIN_FAILURES,
            Self::Name(_) => 20 * limits::FREE_LOGIN_FAILURES,
        }
    }
}

impl Throttle {
    /// How long this name from this address has to wait, in milliseconds; `None`: not at all.
    pub(crate) fn wait_ms(&self, name: &str, address: &str, now_ms: i64) -> Option<i64> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        Key::of(name, address)
            .iter()
            .filter_map(|key| records.get(key))
            .map(|record| record.wait_until_ms - now_ms)
            .max()
            .filter(|wait_ms| *wait_ms > 0)
    }

    /// Notes a failure.
    pub(crate) fn fail(&self, name: &str, address: &str, now_ms: i64) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for key in Key::of(name, address) {
            if records.len() >= limits::MAX_LOGIN_RECORDS && !records.contains_key(&key) {
                forget_some(&mut records, now_ms);
            }
            let over = key.free_failures();
            let record = records.entry(key).or_default();
            if now_ms - record.last_ms > 4 * limits::MAX_LOGIN_DELAY_MS {
                record.failures = 0;
            }
            record.failures = record.failures.saturating_add(1);
            record.last_ms = now_ms;
            if record.failures >= over {
                let delay_ms = 1_000_i64.saturating_mul(1 << (record.failures - over).min(20));
                record.wait_until_ms = now_ms + delay_ms.min(limits::MAX_LOGIN_DELAY_MS);
            }
        }
    }

    /// Takes the failure back that was noted before the attempt was known to be right, and lets this person mistype
    /// again. Other failures of the address and the name stay, or an attacker with one good account could go on guessing
    /// others.
    pub(crate) fn succeed(&self, name: &str, address: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for key in Key::of(name, address) {
            if matches!(key, Key::Pair(..)) {
                records.remove(&key);
            } else if let Some(record) = records.get_mut(&key) {
                record.failures = record.failures.saturating_sub(1);
                // Its wait was over, or there had been no attempt.
                record.wait_until_ms = 0;
            }
        }
    }
}

/// Makes room: first what has no wait left, then the older half.
fn forget_some(records: &mut HashMap<Key, Record>, now_ms: i64) {
    records.retain(|_, record| record.wait_until_ms > now_ms);
    if records.len() >= limits::MAX_LOGIN_RECORDS {
        let mut times: Vec<i64> = records.values().map(|record| record.last_ms).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        records.retain(|_, record| record.last_ms > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_pass() {
        let throttle = Throttle::default();
        for _ in 0..limits::FREE_LOGIN_FAILURES {
            assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 0), None);
            throttle.fail("ann", "10.0.0.1", 0);
        }
        assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 0), Some(1_000));
        assert_eq!(
            throttle.wait_ms("ann", "10.0.0.2", 0),
            None,
            "elsewhere she may still log in"
        );
        assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 1_000), None);
        throttle.fail("ann", "10.0.0.1", 1_000);
        assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 1_000), Some(2_000));
        throttle.succeed("ann", "10.0.0.1");
        assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 1_000), None);
    }

    #[test]
    fn success_is_no_failure_and_forgives_nobody_else() {
        let throttle = Throttle::default();
        for _ in 0..100 * limits::FREE_LOGIN_FAILURES {
            throttle.fail("ann", "10.0.0.1", 0);
            throttle.succeed("ann", "10.0.0.1");
        }
        assert_eq!(throttle.wait_ms("ann", "10.0.0.1", 0), None);
        for number in 0..4 * limits::FREE_LOGIN_FAILURES {
            throttle.fail(&format!("guessed-{number}"), "10.0.0.1", 0);
            throttle.fail("mallory", "10.0.0.1", 0);
            throttle.succeed("mallory", "10.0.0.1");
        }
        throttle.fail("one-more", "10.0.0.1", 0);
        assert!(
            throttle.wait_ms("ann", "10.0.0.1", 0).is_some(),
            "a good account does not hide guesses"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..2 * limits::MAX_LOGIN_RECORDS {
            throttle.fail(&format!("name{number}"), "10.0.0.1", 5);
        }
        assert!(throttle.records.lock().unwrap().len() <= limits::MAX_LOGIN_RECORDS);
    }
}
