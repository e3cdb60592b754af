//! What went wrong in, how long to wait before the next try out.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Tries after the first one.
const MAX_RETRIES: u32 = 4;
/// Pause before the second try; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Counts tries of one request.
#[derive(Debug)]
pub(super) struct Patience {
    tries: u32,
    /// What may still be spent on pauses that the registry asked for.
    left: Duration,
}

impl Patience {
    pub(super) fn new(max_wait: Duration) -> Self {
        Self {
            tries: 0,
            left: max_wait,
        }
    }

    /// The pause before the next try; `None`: give up. `asked` is what the registry wants, at least.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.tries >= MAX_RETRIES {
            return None;
        }
        let own = FIRST_PAUSE * 2_u32.pow(self.tries);
        self.tries += 1;
        let Some(asked) = asked else {
            return Some(own);
        };
        let pause = asked.max(own);
        self.left = self.left.checked_sub(pause)?;
        Some(pause)
    }

    /// Something arrived: the next trouble is a new one.
    pub(super) fn renew(&mut self) {
        self.tries = 0;
    }
}

/// `Retry-After`: seconds or a date (RFC 9110 section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(then.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_end_and_never_exceed_what_may_be_spent() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let pauses: Vec<_> = std::iter::from_fn(|| patience.pause(None)).collect();
        assert_eq!(
            pauses.iter().map(Duration::as_millis).collect::<Vec<_>>(),
            [200, 400, 800, 1600]
        );
        let mut patience = Patience::new(Duration::from_secs(10));
        assert_eq!(
            patience.pause(Some(Duration::from_secs(6))),
            Some(Duration::from_secs(6))
        );
        assert_eq!(patience.pause(Some(Duration::from_secs(6))), None);
        let mut patience = Patience::new(Duration::from_secs(10));
        assert_eq!(patience.pause(Some(Duration::MAX)), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Sun, 22 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        for nonsense in [
            "",
            "-1",
            "soon",
            "99999999999999999999999",
            "Sun, 22 Nov 2020 10:00:30 GMT",
        ] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }
}
