//! The object itself judged by the policy's `admission` rules: what it would be, less what it already is.

use plimsoll_model::VerdictReason;
use plimsoll_rules::{AdmissionObservation, AdmittedImage};
use serde_json::Value;

use super::{
    Admission,
    message::{self, Judged},
    review::Request,
    verdicts::{CurrentWaivers, day_of},
    workload::{Images, images_of, pod_of},
};

impl Admission {
    /// Reasons of the policy's rules about the object. On an update, a rule that was true of the object before says
    /// nothing: what runs stays changeable, as for images.
    pub(super) fn judge_object(
        &self,
        request: &Request,
        judged: &[Judged],
        waivers: &CurrentWaivers,
        now_ms: i64,
    ) -> Vec<VerdictReason> {
        if !self.policy.judges_objects() {
            return Vec::new();
        }
        let reasons = |raw: &Value, object: &Value| {
            let used = match images_of(request, object) {
                Images::Some(used) => used,
                Images::NotAWorkload | Images::Unreadable(_) => Vec::new(),
            };
            let images: Vec<AdmittedImage<'_>> = used
                .iter()
                .map(|used| AdmittedImage {
                    reference: &used.image,
                    decision: judged.iter().find_map(|one| one.decision_about(&used.image)),
                })
                .collect();
            let observation = AdmissionObservation {
                request: raw,
                pod: pod_of(request, object),
                images: &images,
            };
            let name = message::object(request);
            self.policy
                .judge_object(&observation, &name, waivers.all(), day_of(now_ms))
        };
        let mut found = reasons(&request.raw, request.object());
        if request.operation == "UPDATE" && !found.is_empty() {
            let mut before = request.raw.clone();
            before["object"] = request.old_object().clone();
            let known = reasons(&before, request.old_object());
            found.retain(|reason| known.iter().all(|known| known.rule != reason.rule));
        }
        found
    }
}
