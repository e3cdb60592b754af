//! Files mapped as code: is the library the image's?
//!
//! Which of an image's own libraries a program loads is not judged: the C library itself loads name services and character
//! sets that no symbol tells of. What is judged is where the file comes from.

use plimsoll_model::{Action, Confidence, Evidence, EvidenceSource, ExeFile, Fact, PathPattern, Verb};

use crate::{
    DeviationKind, Judgement,
    judge::{Against, Case, is_of_a_device},
    text::escape,
};

/// Memory that runtimes map twice, once to write code and once to run it: .NET's and libffi's.
const CODE_WITHOUT_FILE: &[&str] = &["memfd:doublemapper", "memfd:libffi"];

pub(crate) fn judge(case: &Case<'_>, path: &str, file: ExeFile) -> Judgement {
    let bare = path.strip_prefix('/').unwrap_or(path);
    let is_nameless = bare == path && !file.is_memfd;
    if is_nameless || is_of_a_device(path) || CODE_WITHOUT_FILE.iter().any(|name| bare.starts_with(name)) {
        return Judgement::NotJudged;
    }
    let is_expected = |fact: &Fact| match &fact.action {
        Action::Load(pattern) => pattern.matches(path),
        _ => false,
    };
    let fact = case
        .profile
        .find_fact(Verb::Load, case.subject, case.phase, is_expected);
    // What the image says of a path is not about a file that took its place; what people and packs say of it is.
    let is_by_hand = fact.is_some_and(|fact| {
        fact.evidence
            .iter()
            .any(|evidence| evidence.source != EvidenceSource::Image)
    });
    match (stranger(case, path, file), fact) {
        (Some(stranger), _) if !is_by_hand => deviates(case, path, &stranger),
        (_, Some(_)) => Judgement::Expected,
        (_, None) => Judgement::NotJudged,
    }
}

/// A file that is not the image's.
struct Stranger {
    kind: DeviationKind,
    confidence: Confidence,
    because: String,
    /// A person may know why it is there.
    can_be_allowed: bool,
}

fn stranger(case: &Case<'_>, path: &str, file: ExeFile) -> Option<Stranger> {
    let name = escape(path);
    let is_in_image = case.files.find(path).is_some();
    let (kind, confidence, because) = if file.is_memfd {
        (
            DeviationKind::LibraryNotInImage,
            Confidence::B,
            format!("{name} lies in memory only"),
        )
    } else if file.is_deleted {
        (
            DeviationKind::LibraryNotInImage,
            Confidence::B,
            format!("{name} had been deleted before it was loaded"),
        )
    } else if file.is_upper_layer && is_in_image {
        (
            DeviationKind::LibraryModified,
            Confidence::A,
            format!("{name} was changed after the container started: it lies in the writable layer"),
        )
    } else if file.is_upper_layer {
        (
            DeviationKind::LibraryNotInImage,
            Confidence::A,
            format!("{name} was written after the container started: it lies in the writable layer"),
        )
    } else {
        // A scan lists files that can run, and not all that can be mapped: where the file system is that of the image's own
        // program, the file is the image's too.
        let program = &case.subject.exe_file;
        let is_elsewhere = program.device != 0 && file.device != 0 && program.device != file.device;
        if case.files.is_empty() || is_in_image || !is_elsewhere || case.files.find(&case.subject.exe).is_none() {
            return None;
        }
        return Some(Stranger {
            kind: DeviationKind::LibraryNotInImage,
            confidence: Confidence::B,
            because: format!("{name} lies on another file system than the image: it was mounted or put there"),
            can_be_allowed: true,
        });
    };
    Some(Stranger {
        kind,
        confidence,
        because,
        can_be_allowed: false,
    })
}

fn deviates(case: &Case<'_>, path: &str, stranger: &Stranger) -> Judgement {
    let against = Against {
        confidence: stranger.confidence,
        evidence: vec![Evidence {
            source: EvidenceSource::Image,
            detail: stranger.because.clone(),
        }],
        because: format!("A container runs its image's code only, and {}.", stranger.because),
    };
    let act = format!("loaded {}", escape(path));
    let mut deviation = case.deviation(stranger.kind, Verb::Load, &act, against);
    if stranger.can_be_allowed {
        deviation.allow = Some(case.allow(Action::Load(PathPattern(path.to_owned()))));
    }
    Judgement::Deviates(vec![deviation])
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Phase, Profile, Subject};
    use plimsoll_rules::Priority;

    use super::*;
    use crate::{
        CompiledProfile,
        judge::tests::{evidence, files, profile},
        program::tests::process,
    };

    const SERVER: &str = "/usr/sbin/mariadbd";
    const IMAGE: u64 = 40;
    const VOLUME: u64 = 41;

    fn on(device: u64) -> ExeFile {
        ExeFile {
            device,
            ..ExeFile::default()
        }
    }

    fn judged(profile: &CompiledProfile, path: &str, file: ExeFile) -> Judgement {
        let mut subject = process(SERVER, &[SERVER]);
        subject.exe_file = on(IMAGE);
        let case = Case {
            profile,
            files: &files(&[SERVER, "/usr/lib/libz.so.1"]),
            phase: Phase::Serving,
            subject: &subject,
        };
        judge(&case, path, file)
    }

    #[test]
    fn only_the_images_files_are_loaded() {
        let profile = CompiledProfile::new(profile());
        let upper = ExeFile {
            is_upper_layer: true,
            ..on(IMAGE)
        };
        let memory = ExeFile {
            is_memfd: true,
            ..on(1)
        };
        let deleted = ExeFile {
            is_deleted: true,
            ..on(IMAGE)
        };
        for (path, file, expected) in [
            ("/usr/lib/libz.so.1", on(IMAGE), None),
            // A shared archive of Java classes: nothing that a scan lists, but the image's.
            ("/usr/lib/jvm/lib/server/classes.jsa", on(IMAGE), None),
            (
                "/usr/lib/libz.so.1",
                upper,
                Some(("library-modified", Priority::Critical)),
            ),
            (
                "/var/lib/mysql/udf.so",
                upper,
                Some(("library-not-in-image", Priority::Critical)),
            ),
            (
                "/dev/shm/udf.so",
                on(VOLUME),
                Some(("library-not-in-image", Priority::Error)),
            ),
            ("/tmp/x", deleted, Some(("library-not-in-image", Priority::Error))),
            ("memfd:x", memory, Some(("library-not-in-image", Priority::Error))),
            ("memfd:doublemapper", memory, None),
            ("[vdso]", on(1), None),
            ("/dev/zero", on(5), None),
            ("/SYSV00000000", on(1), None),
            ("/plugins/x.so", on(0), None),
            ("", on(VOLUME), None),
        ] {
            let found = match judged(&profile, path, file) {
                Judgement::Deviates(all) => Some((all[0].kind.as_str(), all[0].priority)),
                _ => None,
            };
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_person_can_allow_a_library_and_an_image_cannot_speak_for_its_successor() {
        let fact = |source| Fact {
            subject: Subject::Any,
            action: Action::Load("/plugins/**".into()),
            phases: vec![Phase::Serving],
            parent: None,
            evidence: vec![Evidence {
                source,
                ..evidence("said").remove(0)
            }],
            confidence: Confidence::A,
        };
        for (source, is_expected) in [
            (EvidenceSource::User, true),
            (EvidenceSource::Pack, true),
            (EvidenceSource::Image, false),
        ] {
            let profile = CompiledProfile::new(Profile {
                facts: vec![fact(source)],
                ..profile()
            });
            let judgement = judged(&profile, "/plugins/x.so", on(VOLUME));
            assert_eq!(judgement == Judgement::Expected, is_expected, "{source:?}");
        }
        let Judgement::Deviates(all) = judged(&CompiledProfile::new(profile()), "/plugins/x.so", on(VOLUME)) else {
            panic!("a library of a volume is nobody's");
        };
        let allow = all[0].allow.clone().unwrap();
        let profile = CompiledProfile::new(Profile {
            facts: vec![allow],
            ..profile()
        });
        assert_eq!(judged(&profile, "/plugins/x.so", on(VOLUME)), Judgement::Expected);
    }
}
