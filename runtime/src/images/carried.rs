//! An image that runs, in; whether a profile of another build of it has learned what this one's has not, out. Nothing is
//! carried over unasked: whoever runs the agent is told by which command to look at it.

use std::path::Path;

use plimsoll_model::{ImageRef, Note, NoteKind, ScanReport};
use plimsoll_policy::is_learned;

use super::{Images, KnownImage};

impl Images {
    /// Says so, where another build of the image (the same repository, another digest) has learned facts and this one has
    /// none.
    pub(crate) fn learned_elsewhere(&self, image: &KnownImage) -> Option<Note> {
        let ours = &image.report;
        let name = repository(ours).filter(|_| learned(ours) == 0)?;
        let others = self.images.iter().rev().filter(|held| {
            let theirs = &held.image.report;
            theirs.image.config_digest != ours.image.config_digest && repository(theirs).as_ref() == Some(&name)
        });
        let (other, count) = others
            .map(|held| (held, learned(&held.image.report)))
            .find(|(_, count)| *count > 0)?;
        let path = |held: Option<&Path>, else_: &str| held.map_or(else_.to_owned(), |path| path.display().to_string());
        let old = path(other.path.as_deref(), "OLD.json");
        let held = self
            .images
            .iter()
            .find(|held| held.image.report.image.config_digest == ours.image.config_digest);
        let new = path(held.and_then(|held| held.path.as_deref()), "NEW.json");
        let detail = format!(
            "{count} facts were learned on another build ({}), and none of them counts here; to see which are about files \
             that did not change: plimsoll profile learn report:{new} OBSERVED.json --learned-on {old} --review",
            other.image.report.image.config_digest
        );
        Some(Note::new(NoteKind::Hint, ours.image.reference.clone(), detail))
    }
}

/// Registry and repository: what the builds of one image share. `None` for what is no reference (an archive, a folder).
fn repository(report: &ScanReport) -> Option<(String, String)> {
    let reference: ImageRef = report.image.reference.parse().ok()?;
    Some((reference.registry, reference.repository))
}

fn learned(report: &ScanReport) -> usize {
    report.profile.facts.iter().filter(|fact| is_learned(fact)).count()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use plimsoll_model::{Action, Evidence, EvidenceSource, Phase};

    use super::*;
    use crate::scene::{REDIS, digest, fact, redis_report};

    /// A build of an image, whose profile has learned something or not.
    fn build(reference: &str, number: u8, has_learned: bool) -> ScanReport {
        let mut report = redis_report();
        report.image.reference = reference.to_owned();
        report.image.config_digest = digest(number);
        report.image.diff_ids = vec![digest(number)];
        if has_learned {
            let mut seen = fact(REDIS, Action::Write("/srv/cache/**".into()), &[Phase::Serving]);
            seen.evidence = vec![Evidence {
                source: EvidenceSource::Observed,
                detail: "seen 40 times in 3 containers".to_owned(),
            }];
            report.profile.facts.push(seen);
        }
        report
    }

    #[test]
    fn the_next_build_of_an_image_is_told_by_which_command_facts_are_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        for (file, reference, number, has_learned) in [
            ("old.json", "registry.example/team/redis:1", 1, true),
            ("new.json", "registry.example/team/redis:2", 2, false),
            ("own.json", "registry.example/team/redis:3", 3, true),
            ("other.json", "registry.example/team/valkey:1", 4, false),
        ] {
            let report = build(reference, number, has_learned);
            fs::write(folder.path().join(file), serde_json::to_vec(&report).unwrap()).unwrap();
        }
        let (images, notes) = Images::open(folder.path()).unwrap();
        assert_eq!(notes, []);
        let told = |number| {
            let held = images.images.iter().map(|held| &held.image);
            let mut found = held.filter(|image| image.report.image.config_digest == digest(number));
            images.learned_elsewhere(found.next().unwrap())
        };
        let note = told(2).unwrap();
        assert!(
            !note.makes_incomplete() && note.subject.ends_with("redis:2"),
            "{note:?}"
        );
        let command = format!(
            "report:{} OBSERVED.json --learned-on {}",
            folder.path().join("new.json").display(),
            folder.path().join("own.json").display()
        );
        assert!(note.detail.contains(&command), "the newest that has learned: {note:?}");
        assert_eq!(told(3), None, "it has learned itself");
        assert_eq!(told(4), None, "nobody else builds it");
    }
}
