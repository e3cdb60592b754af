//! One review decided: images looked up, verdicts applied, the answer put in words. Blocks on the store.

use plimsoll_model::{Decision, ImageRef, VerdictReason};

use super::{
    Admission,
    message::{self, Judged},
    review::{Request, ReviewAnswer},
    verdicts::CurrentWaivers,
    workload::{ContainerImage, Images, images_of, new_images},
};
use crate::{
    error::Result,
    store::{DecidedImage, ImageSummary, NewAdmissionDecision, Settings, Store, UnknownImage},
};

/// An answer and what to remember of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// For the API server.
    pub(super) answer: ReviewAnswer,
    /// `None` when nothing was judged.
    pub(super) record: Option<NewAdmissionDecision>,
    /// References to be scanned.
    pub(super) queue: Vec<String>,
    /// For the counter: `allowed`, `warned`, `denied`.
    pub(super) word: &'static str,
}

impl Admission {
    /// Decides. Reads the store and writes nothing: what to write is in the outcome, so that a dry run can drop it.
    pub(super) fn decide(&self, store: &dyn Store, request: &Request, now_ms: i64) -> Result<Outcome> {
        if !matches!(request.operation.as_str(), "CREATE" | "UPDATE") {
            return Ok(pass(request, Vec::new()));
        }
        let settings = store.load_settings()?;
        if settings.exempt_namespaces.contains(&request.namespace) {
            return Ok(pass(request, Vec::new()));
        }
        let images = match images_of(request, request.object()) {
            Images::Some(images) => new_images(request, images),
            Images::NotAWorkload if self.policy.judges_objects() => Vec::new(),
            Images::NotAWorkload => return Ok(pass(request, message::not_a_workload(request))),
            Images::Unreadable(problem) => {
                let text = message::unreadable(request, problem);
                return Ok(conclude(request, Vec::new(), Some(text), Vec::new(), Vec::new()));
            }
        };
        let waivers = CurrentWaivers::new(&self.waivers, &store.list_waivers()?);
        let judged = images
            .into_iter()
            .map(|image| self.judge(store, &waivers, image, now_ms))
            .collect::<Result<Vec<_>>>()?;
        let of_object = self.judge_object(request, &judged, &waivers, now_ms);
        if judged.is_empty() && of_object.is_empty() {
            return Ok(pass(request, Vec::new()));
        }
        Ok(self.weigh(request, &settings, &judged, &of_object))
    }

    fn judge(&self, store: &dyn Store, waivers: &CurrentWaivers, used: ContainerImage, now_ms: i64) -> Result<Judged> {
        let Ok(reference) = used.image.parse::<ImageRef>() else {
            return Ok(Judged::Malformed { used });
        };
        let Some(image) = find(store, &reference)? else {
            return Ok(Judged::Unknown {
                used,
                reference: reference.to_string(),
            });
        };
        let tag = reference.digest.is_none().then_some(&reference);
        let verdict = self
            .verdicts
            .verdict(store, &self.policy, &image, tag, waivers, now_ms)?;
        Ok(Judged::Known {
            used,
            is_by_tag: reference.digest.is_none(),
            image: Box::new(image),
            verdict,
        })
    }

    /// The worst image decides; everything that is to be said about all of them is said at once.
    fn weigh(&self, request: &Request, settings: &Settings, judged: &[Judged], of_object: &[VerdictReason]) -> Outcome {
        let by_namespace = settings.unknown_image_by_namespace.get(&request.namespace);
        let unknown = *by_namespace.unwrap_or(&settings.unknown_image);
        let (mut refusals, mut warnings, mut queue) = (Vec::new(), Vec::new(), Vec::new());
        for one in judged {
            match one {
                Judged::Malformed { used } => refusals.push(message::malformed(used)),
                Judged::Unknown { used, reference } => match unknown {
                    UnknownImage::Allow => {}
                    UnknownImage::Warn => warnings.push(message::unknown(used, "is admitted unseen")),
                    UnknownImage::Deny => refusals.push(message::unknown_refused(used, &request.namespace)),
                    UnknownImage::Queue => {
                        queue.push(reference.clone());
                        warnings.push(message::unknown(used, "is admitted while its scan waits"));
                    }
                },
                Judged::Known {
                    used,
                    image,
                    verdict,
                    is_by_tag,
                } => {
                    match verdict.decision {
                        Decision::Stop => refusals.push(message::stopped(used, image, verdict)),
                        Decision::Warn => warnings.push(message::warned(used, verdict)),
                        Decision::Go => {}
                    }
                    if *is_by_tag {
                        warnings.push(message::by_tag(used, image));
                    }
                }
            }
        }
        for reason in of_object.iter().filter(|reason| reason.waived_by.is_none()) {
            match reason.decision {
                Decision::Stop => refusals.push(message::object_stopped(reason)),
                Decision::Warn => warnings.push(message::object_warned(reason)),
                Decision::Go => {}
            }
        }
        let refusal = (!refusals.is_empty()).then(|| message::join(&refusals));
        let images = judged.iter().map(decided).collect();
        conclude(request, images, refusal, warnings, queue)
    }
}

/// By digest when there is one: a tag beside it does not count, as for the kubelet.
fn find(store: &dyn Store, reference: &ImageRef) -> Result<Option<ImageSummary>> {
    match &reference.digest {
        Some(digest) => store.find_image(digest),
        None => store.find_reference(&reference.to_string()),
    }
}

fn decided(judged: &Judged) -> DecidedImage {
    let (used, config_digest, decision, reasons) = match judged {
        Judged::Malformed { used } => (used, None, "stop", vec!["this is no image reference".to_owned()]),
        Judged::Unknown { used, .. } => (used, None, "unknown", Vec::new()),
        Judged::Known {
            used, image, verdict, ..
        } => (
            used,
            Some(image.config_digest.clone()),
            verdict.decision.as_str(),
            message::reasons(verdict),
        ),
    };
    DecidedImage {
        container: message::cut(&used.container),
        image: message::cut(&used.image),
        config_digest,
        decision: decision.to_owned(),
        reasons,
    }
}

fn pass(request: &Request, warnings: Vec<String>) -> Outcome {
    Outcome {
        answer: ReviewAnswer::allow(request.uid.clone(), warnings),
        record: None,
        queue: Vec::new(),
        word: "allowed",
    }
}

fn conclude(
    request: &Request,
    images: Vec<DecidedImage>,
    refusal: Option<String>,
    warnings: Vec<String>,
    queue: Vec<String>,
) -> Outcome {
    let record = NewAdmissionDecision {
        uid: request.uid.clone(),
        kind: message::cut(&request.kind.kind),
        namespace: message::cut(&request.namespace),
        name: message::name_of(request),
        operation: message::cut(&request.operation),
        user: message::cut(&request.user_info.username),
        allowed: refusal.is_none(),
        message: refusal.clone().unwrap_or_default(),
        warnings: warnings.clone(),
        images,
    };
    let word = match (&refusal, warnings.is_empty()) {
        (Some(_), _) => "denied",
        (None, false) => "warned",
        (None, true) => "allowed",
    };
    let answer = match refusal {
        Some(message) => ReviewAnswer::deny(request.uid.clone(), message, warnings),
        None => ReviewAnswer::allow(request.uid.clone(), warnings),
    };
    Outcome {
        answer,
        record: Some(record),
        queue,
        word,
    }
}
