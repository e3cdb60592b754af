//! What an act answered in, whether it is what its case wants out.

use anyhow::{Context as _, ensure};
use regex::Regex;

use super::form::Indicator;

/// What an act answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What it said on both outputs; of a request, the body.
    pub text: String,
    /// How its program ended; `None`: by a signal.
    pub code: Option<i32>,
    /// The status of a request's answer; `None` where there was none.
    pub status: Option<u16>,
}

/// What the answer must be. Of texts, patterns and statuses one is enough.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// It holds one of these, letter case aside.
    pub contains: Vec<String>,
    /// One of these is found in it.
    pub patterns: Vec<Regex>,
    /// The status is one of these.
    pub status: Vec<u16>,
    /// The program ended so; `None`: with 0 where nothing else is wanted, else however it likes.
    pub exit_code: Option<i32>,
}

impl Wanted {
    /// What indicators ask for.
    ///
    /// # Errors
    /// One asks for nothing, or is no pattern.
    pub(super) fn new(indicators: &[Indicator]) -> anyhow::Result<Self> {
        let mut wanted = Self::default();
        for one in indicators {
            let texts = [&one.response_contains, &one.body_contains];
            let patterns = [&one.response_regex, &one.body_regex];
            let before = wanted.len();
            wanted.contains.extend(texts.into_iter().flatten().cloned());
            for pattern in patterns.into_iter().flatten() {
                let pattern = Regex::new(pattern).context("successIndicators: a pattern cannot be read")?;
                wanted.patterns.push(pattern);
            }
            wanted.status.extend(one.status_code);
            ensure!(wanted.len() > before, "successIndicators: one asks for nothing");
        }
        Ok(wanted)
    }

    /// Whether what is said does not matter.
    pub fn is_anything(&self) -> bool {
        self.len() == 0
    }

    /// Whether an answer is what is wanted.
    pub fn holds(&self, answer: &Answer) -> bool {
        if self.exit_code.is_some_and(|code| answer.code != Some(code)) {
            return false;
        }
        if self.is_anything() {
            return self.exit_code.is_some() || answer.code == Some(0);
        }
        let text = answer.text.to_lowercase();
        self.contains.iter().any(|wanted| text.contains(&wanted.to_lowercase()))
            || self.patterns.iter().any(|pattern| pattern.is_match(&answer.text))
            || answer.status.is_some_and(|status| self.status.contains(&status))
    }

    fn len(&self) -> usize {
        self.contains.len() + self.patterns.len() + self.status.len()
    }
}
