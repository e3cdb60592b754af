//! What is known of a word when a script runs: its texts, the files it stands for, or nothing.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::limits::{MAX_ALTERNATIVES, MAX_TEXT_BYTES};

/// The value of a word or variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    /// One of these texts; never empty.
    Texts(Vec<String>),
    /// Paths of the files that match when the script runs: a hook folder.
    Files(Files),
    /// Only the running script knows.
    Unknown,
}

/// Files that a script finds when it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Files {
    /// Absolute; may end in `/**`.
    pub(crate) pattern: String,
    /// How their names end, as far as a `case` told; may be empty.
    pub(crate) suffix: String,
}

impl Files {
    /// For people: `/docker-entrypoint.d/**.sh`.
    pub(crate) fn text(&self) -> String {
        match self.suffix.as_str() {
            "" => self.pattern.clone(),
            suffix => format!("{} ending in {suffix}", self.pattern),
        }
    }
}

impl Value {
    /// All files that match a pattern.
    pub(crate) fn files(pattern: String) -> Self {
        Self::Files(Files {
            pattern,
            suffix: String::new(),
        })
    }

    /// The text, when there is exactly one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Texts(texts) if texts.len() == 1 => Some(&texts[0]),
            _ => None,
        }
    }

    /// All texts that it may be; none for files and unknown values.
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::Texts(texts) => texts,
            _ => &[],
        }
    }

    /// This value followed by another one.
    pub(crate) fn then(self, next: Self) -> Self {
        let longest = |value: &Self| value.texts().iter().map(String::len).max().unwrap_or(0);
        if longest(&self) + longest(&next) > MAX_TEXT_BYTES {
            return Self::Unknown;
        }
        match (self, next) {
            (Self::Texts(first), Self::Texts(second)) if first.len() * second.len() <= MAX_ALTERNATIVES => Self::Texts(
                first
                    .iter()
                    .flat_map(|start| second.iter().map(move |end| format!("{start}{end}")))
                    .collect(),
            ),
            _ => Self::Unknown,
        }
    }

    /// This value or another one.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Texts(mut texts), Self::Texts(more)) => {
                for text in more {
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
                match texts.len() <= MAX_ALTERNATIVES {
                    true => Self::Texts(texts),
                    false => Self::Unknown,
                }
            }
            (Self::Files(files), _) | (_, Self::Files(files)) => Self::Files(files),
            _ => Self::Unknown,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Texts(vec![text.to_owned()])
    }
}

/// The same in every run. Two different calls with one hash would leave one of them unfollowed.
pub(super) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
