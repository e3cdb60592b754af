//! CVSS vectors (v2, v3.0, v3.1, v4.0) in, base scores and qualitative severities out.

use std::str::FromStr;

use plimsoll_model::Severity;

/// The base score of a vector, 0.0–10.0; `None` when the text is no vector. Version 2 is written without a prefix.
pub(crate) fn score(vector: &str) -> Option<f32> {
    let vector = vector.trim();
    let score = if vector.starts_with("CVSS:4") {
        ::cvss::v4::Vector::from_str(vector).ok()?.score().value()
    } else if vector.starts_with("CVSS:3") {
        ::cvss::v3::Vector::from_str(vector).ok()?.base_score().value()
    } else {
        ::cvss::v2::Vector::from_str(vector).ok()?.score().value()
    };
    // Scores have one decimal, so nothing is lost.
    #[expect(clippy::cast_possible_truncation, reason = "0.0 to 10.0 with one decimal")]
    Some(score as f32)
}

/// The newest of several vectors that can be scored, with its score.
pub(crate) fn newest<'a>(vectors: impl Iterator<Item = &'a str>) -> Option<(f32, String)> {
    vectors
        .filter_map(|vector| Some((generation(vector), score(vector)?, vector)))
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(_, score, vector)| (score, vector.to_owned()))
}

fn generation(vector: &str) -> u8 {
    match vector.strip_prefix("CVSS:").and_then(|rest| rest.chars().next()) {
        Some('4') => 4,
        Some('3') => 3,
        _ => 2,
    }
}

/// The qualitative severity of a score (CVSS v3.1 specification, section 5).
pub(crate) fn severity(score: f32) -> Severity {
    match score {
        score if score >= 9.0 => Severity::Critical,
        score if score >= 7.0 => Severity::High,
        score if score >= 4.0 => Severity::Medium,
        score if score > 0.0 => Severity::Low,
        _ => Severity::Negligible,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn scores_known_vectors() {
        for (vector, expected) in [
            // The examples of FIRST's own documents.
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", Some(7.8)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some(6.1)),
            (
                "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                Some(7.3),
            ),
            ("HIGH", None),
            ("", None),
        ] {
            assert_eq!(score(vector), expected, "{vector}");
        }
    }

    #[test]
    fn the_newest_standard_counts() {
        let vectors = [
            "AV:N/AC:L/Au:N/C:N/I:N/A:C",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "nonsense",
        ];
        assert_eq!(newest(vectors.into_iter()).map(|(score, _)| score), Some(9.8));
        assert_eq!(newest(std::iter::empty()), None);
    }

    #[test]
    fn agrees_with_the_reference_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/versions/cvss-vectors.csv");
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("SKIPPED: {} is absent", path.display());
            return;
        };
        let mut rows = 0;
        for line in text.lines().skip(1) {
            let mut cells = line.splitn(3, ',');
            let (Some(_), Some(vector), Some(scores)) = (cells.next(), cells.next(), cells.next()) else {
                panic!("{line}")
            };
            let base: f32 = scores.trim_matches('"').split(',').next().unwrap().parse().unwrap();
            assert_eq!(score(vector), Some(base), "{line}");
            rows += 1;
        }
        assert!(rows > 3_000, "{rows}");
    }
}
