//! `admission` rules over one object that somebody asks a cluster to accept in; reasons out.

use jiff::civil::Date;
use plimsoll_model::VerdictReason;
use plimsoll_rules::{AdmissionObservation, Source};

use crate::{
    Policy, Waiver, limits,
    waiver::{Subject, fits},
};

impl Policy {
    /// Whether any rule judges objects: without one, [`Policy::judge_object`] has nothing to say.
    pub fn judges_objects(&self) -> bool {
        self.rules()
            .any(|rule| rule.source() == Source::Admission && rule.action().is_some())
    }

    /// Judges one object, worst reason first. `name` is what reasons call it: `Deployment shop/web`. A waiver that names an
    /// image counts when every image of the object fits it: one waived container says nothing for the one beside it.
    pub fn judge_object(
        &self,
        observation: &AdmissionObservation<'_>,
        name: &str,
        waivers: &[Waiver],
        today: Date,
    ) -> Vec<VerdictReason> {
        let mut reasons = Vec::new();
        self.evaluate_admission(observation, &mut |rule| {
            let Some(decision) = rule.action() else { return };
            let subject = Subject {
                text: name,
                names: [None, None],
            };
            let waiver = waivers.iter().find(|waiver| {
                waiver.is_current(today) && is_for(waiver, observation) && waiver.covers(rule.name(), subject)
            });
            let output = rule.admission_output(observation);
            reasons.push(VerdictReason {
                decision,
                rule: rule.name().to_owned(),
                subject: name.to_owned(),
                message: if output.is_empty() {
                    rule.description().to_owned()
                } else {
                    output
                },
                waived_by: waiver.map(|waiver| waiver.id.clone()),
            });
        });
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.decision), reason.waived_by.is_some()));
        reasons.truncate(limits::MAX_VERDICT_REASONS);
        reasons
    }
}

fn is_for(waiver: &Waiver, observation: &AdmissionObservation<'_>) -> bool {
    let Some(pattern) = &waiver.image else { return true };
    let mut images = observation.images.iter().peekable();
    images.peek().is_some() && images.all(|image| fits(pattern, image.reference))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use plimsoll_model::Decision;
    use plimsoll_rules::{AdmittedImage, RuleFile};
    use serde_json::{Value, json};

    use super::*;
    use crate::parse_waivers;

    const RULES: &str = r#"
- rule: Privileged container
  desc: It owns the node.
  source: admission
  condition: admission.containers.privileged intersects (true)
  output: "%admission.kind %admission.name of %admission.user.name: a container is privileged"
  priority: CRITICAL
  action: stop
- rule: Image by tag
  desc: A tag can move.
  source: admission
  condition: admission.containers.image.pinned intersects (false)
  output: "an image is named by tag: %admission.containers.image"
  priority: NOTICE
  action: warn
"#;

    fn policy() -> Policy {
        let files = [RuleFile {
            name: "objects.yaml".to_owned(),
            text: RULES.to_owned(),
        }];
        Policy::load("objects", &files).unwrap().0
    }

    fn pod(is_privileged: bool) -> Value {
        json!({"metadata": {"name": "web"}, "spec": {"containers": [
            {"name": "a", "image": "h/shop/web:1", "securityContext": {"privileged": is_privileged}}]}})
    }

    fn judge(object: &Value, waivers: &[Waiver]) -> Vec<VerdictReason> {
        let request = json!({"operation": "CREATE", "kind": {"group": "", "kind": "Pod"}, "object": object,
            "userInfo": {"username": "ann"}});
        let observation = AdmissionObservation {
            request: &request,
            pod: Some(object),
            images: &[AdmittedImage {
                reference: "h/shop/web:1",
                decision: None,
            }],
        };
        policy().judge_object(&observation, "Pod shop/web", waivers, date(2026, 6, 1))
    }

    #[test]
    fn rules_judge_an_object_and_the_worst_comes_first() {
        let reasons = judge(&pod(true), &[]);
        let found: Vec<_> = reasons
            .iter()
            .map(|reason| (reason.decision, reason.message.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (Decision::Stop, "Pod web of ann: a container is privileged"),
                (Decision::Warn, "an image is named by tag: (h/shop/web:1)"),
            ]
        );
        assert_eq!(judge(&pod(false), &[]).len(), 1);
        assert!(policy().judges_objects() && !Policy::shipped().judges_objects());
    }

    #[test]
    fn a_waiver_covers_an_object_whose_images_all_fit() {
        for (image, until, is_waived) in [
            ("'*/shop/web:*'", "2026-12-31", true),
            ("'*/shop/other:*'", "2026-12-31", false),
            ("'*/shop/web:*'", "2026-05-31", false),
        ] {
            let text =
                format!("- {{id: w, rule: Privileged container, image: {image}, reason: r, owner: o, until: {until}}}");
            let reasons = judge(&pod(true), &parse_waivers("w", &text).unwrap());
            assert_eq!(reasons[0].waived_by.is_some(), is_waived, "{text}");
        }
    }
}
