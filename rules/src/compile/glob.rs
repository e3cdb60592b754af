//! Shell patterns as fnmatch(3) without flags reads them: `*` and `?` cross slashes.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
    ignores_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Literal(char),
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Every text is a pattern: a bracket that does not close is itself.
    pub(crate) fn new(pattern: &str, ignores_case: bool) -> Self {
        let characters: Vec<char> = pattern.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&character) = characters.get(at) {
            at += 1;
            let part = match character {
                '*' => {
                    if parts.last() == Some(&Part::Any) {
                        continue;
                    }
                    Part::Any
                }
                '?' => Part::One,
                '\\' => match characters.get(at) {
                    Some(&escaped) => {
                        at += 1;
                        Part::Literal(fold(escaped, ignores_case))
                    }
                    None => Part::Literal('\\'),
                },
                '[' => match class(&characters, at, ignores_case) {
                    Some((part, end)) => {
                        at = end;
                        part
                    }
                    None => Part::Literal('['),
                },
                other => Part::Literal(fold(other, ignores_case)),
            };
            parts.push(part);
        }
        Self { parts, ignores_case }
    }

    /// The last component that every path that matches has, whatever stands for its wildcards: what lies between two
    /// slashes, or behind the last, without wildcards.
    pub(crate) fn whole_component(&self) -> Option<String> {
        if self.ignores_case {
            return None;
        }
        let components = self.parts.split(|part| *part == Part::Literal('/')).skip(1);
        let texts = components.filter_map(|component| {
            let literal = |part: &Part| match part {
                Part::Literal(character) => Some(*character),
                _ => None,
            };
            component.iter().map(literal).collect::<Option<String>>()
        });
        texts.filter(|text| !text.is_empty()).last()
    }

    /// Whether the whole text matches. On a mismatch it goes back to the last `*` only, so the cost is bounded by the
    /// product of the lengths.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut part = 0;
        let mut rest = text.chars();
        let mut star: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let step = match (self.parts.get(part), rest.next()) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    star = Some((part, before.clone()));
                    rest = before;
                    part += 1;
                    continue;
                }
                (Some(wanted), Some(character)) => wanted.accepts(fold(character, self.ignores_case)),
                (None, Some(_)) => false,
                (Some(_), None) => return false,
            };
            if step {
                part += 1;
                continue;
            }
            let Some((star_part, mut from)) = star.take() else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            rest = from.clone();
            part = star_part + 1;
            star = Some((star_part, from));
        }
    }
}

impl Part {
    fn accepts(&self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Literal(literal) => *literal == character,
            Self::Class { is_negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *is_negated
            }
        }
    }
}

fn fold(character: char, ignores_case: bool) -> char {
    if ignores_case {
        character.to_ascii_lowercase()
    } else {
        character
    }
}

/// The class behind an opening bracket, and where it ends.
fn class(characters: &[char], start: usize, ignores_case: bool) -> Option<(Part, usize)> {
    let mut at = start;
    let is_negated = matches!(characters.get(at), Some('!' | '^'));
    at += usize::from(is_negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let &low = characters.get(at)?;
        if low == ']' && at > first {
            return Some((Part::Class { is_negated, ranges }, at + 1));
        }
        let is_range = characters.get(at + 1) == Some(&'-') && characters.get(at + 2).is_some_and(|high| *high != ']');
        let high = if is_range { characters[at + 2] } else { low };
        ranges.push((fold(low, ignores_case), fold(high, ignores_case)));
        at += if is_range { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_the_shell_does() {
        for (pattern, text, expected) in [
            ("*/.ssh/*", "/root/.ssh/id", true),
            ("*/.ssh/*", "/root/ssh/id", false),
            ("/proc/*", "/proc", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("a[b", "a[b", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxxcx", false),
            ("", "", true),
            ("**", "", true),
            ("ä?", "äö", true),
        ] {
            assert_eq!(Glob::new(pattern, false).matches(text), expected, "{pattern} on {text}");
        }
        assert!(Glob::new("HTTP_*", true).matches("http_proxy"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = Glob::new(&"*a".repeat(50), false);
        assert!(!pattern.matches(&"a".repeat(49)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(5000))));
    }
}
