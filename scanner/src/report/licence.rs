//! Licences as packages state them in, SPDX licence expressions (SPDX 2.3, annex D) out.

use spdx::Expression;

/// Of one stated licence; longer ones are no expressions that people wrote.
const MAX_EXPRESSION_BYTES: usize = 2048;

/// One expression for all that is stated; `None` when nothing is, or when a part of it is no expression.
pub(super) fn expression(stated: &[String]) -> Option<String> {
    match stated {
        [] => None,
        [one] => is_expression(one).then(|| one.clone()),
        more => more
            .iter()
            .map(|one| is_expression(one).then(|| format!("({one})")))
            .collect::<Option<Vec<String>>>()
            .map(|parts| parts.join(" AND ")),
    }
}

/// Whether SPDX's language has it. References to licences outside of SPDX's list mean nothing without their text.
pub(super) fn is_expression(text: &str) -> bool {
    text.len() <= MAX_EXPRESSION_BYTES
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !text.contains("LicenseRef-")
        && !text.contains("AdditionRef-")
        && Expression::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_spdx_knows_is_an_expression() {
        for (stated, expected) in [
            (vec![], None),
            (vec!["MIT"], Some("MIT")),
            (
                vec!["MIT OR Apache-2.0", "Zlib"],
                Some("(MIT OR Apache-2.0) AND (Zlib)"),
            ),
            (vec!["GPLv2+"], None),
            (vec!["MIT", "BSD License"], None),
            (vec!["LicenseRef-mine"], None),
            (vec!["MIT\n"], None),
        ] {
            let stated: Vec<String> = stated.into_iter().map(str::to_owned).collect();
            assert_eq!(expression(&stated).as_deref(), expected, "{stated:?}");
        }
    }
}
