//! CVSS vectors (v2, v3.0, v3.1, v4.0) in, base scores and qualitative severities out.

use std::str::FromStr;

use plimsoll_model::Severity;

/// The base score of a vector, 0.0–10.0; `None` when the text is no vector. Version 2 is written without a prefix.
pub(crate) fn score(vector: &str) -> Option<f32> {
    let vector = vector.trim();
    let score = if vector.starts_with("CVSS:4") {
        ::cvss::v4::Vector::from_str(vector).ok()?.score().value()
    } else if vector.starts_with("CVSS:3") {
        ::cvss::v3::Vector::from_str(vector).ok()?.score().value()
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
