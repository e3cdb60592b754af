//! Kubernetes audit events (audit.k8s.io/v1) and rules in, alerts out.
//! <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>

use plimsoll_model::{Alert, Pod, Reason, schema};
use plimsoll_rules::{Rule, RuleSet};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{limits, text::escape};

/// The audit events of a document: one event, or an `EventList` as the webhook back end of an API server posts it.
/// `None`: neither.
pub fn audit_events(document: Value) -> Option<Vec<Value>> {
    match document["kind"].as_str() {
        Some("Event") if is_audit(&document) => Some(vec![document]),
        Some("EventList") if is_audit(&document) => match document {
            Value::Object(mut list) => match list.remove("items") {
                Some(Value::Array(items)) => Some(items),
                Some(Value::Null) | None => Some(Vec::new()),
                Some(_) => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Old API servers send `v1beta1`, which has the same fields; an event that was taken out of a list has no version.
fn is_audit(document: &Value) -> bool {
    match document["apiVersion"].as_str() {
        Some(version) => version.starts_with("audit.k8s.io/"),
        None => document["auditID"].is_string(),
    }
}

/// The alert about one audit event: all rules that fired, worst first; `None` when none did. `cluster` stands where other
/// alerts name their node.
pub fn judge_audit(rules: &RuleSet, event: &Value, cluster: &str) -> Option<Alert> {
    let mut fired: Vec<&Rule> = Vec::new();
    rules.evaluate_audit(event, &mut |rule| fired.push(rule));
    fired.sort_by_key(|rule| rule.priority());
    let top = *fired.first()?;
    let observed = observed(event);
    let output = top.audit_output(event);
    let mut techniques: Vec<String> = Vec::new();
    for technique in fired.iter().flat_map(|rule| rule.techniques()) {
        if !techniques.iter().any(|known| known == technique) {
            techniques.push(technique.to_owned());
        }
    }
    Some(Alert {
        schema: schema::ALERT.to_owned(),
        id: id(event, cluster),
        time_ns: time_ns(event),
        priority: top.priority().as_str().to_owned(),
        rule: top.name().to_owned(),
        summary: match output.is_empty() {
            true => format!("{}: {observed}", top.name()),
            false => escape(&output),
        },
        reasons: fired.iter().map(|rule| reason(rule, event)).collect(),
        node: cluster.to_owned(),
        container_id: None,
        container_name: None,
        runtime: None,
        image: None,
        pod: pod(event),
        phase: None,
        process: None,
        ancestry: Vec::new(),
        observed,
        expected: Vec::new(),
        executable: None,
        techniques,
        lost_events: 0,
        allow: None,
        follow_ups: Vec::new(),
        count: 1,
    })
}

fn reason(rule: &Rule, event: &Value) -> Reason {
    Reason::Rule {
        name: rule.name().to_owned(),
        output: rule.audit_output(event),
        condition: rule.condition_text().to_owned(),
        values: rule.audit_values(event),
        tags: rule.tags().to_vec(),
        priority: rule.priority().as_str().to_owned(),
    }
}

/// A request is one alert, whichever of its stages made rules fire: that of an `exec` starts now and completes when its
/// shell is left.
fn id(event: &Value, cluster: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [cluster, word(event, "auditID")] {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let bytes = hasher.finalize();
    bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn word<'e>(event: &'e Value, key: &str) -> &'e str {
    event[key].as_str().unwrap_or_default()
}

/// When the stage was reached; 0 when the event does not say.
fn time_ns(event: &Value) -> u64 {
    ["stageTimestamp", "requestReceivedTimestamp", "timestamp"]
        .into_iter()
        .find_map(|key| event[key].as_str()?.parse::<jiff::Timestamp>().ok())
        .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
        .unwrap_or(0)
}

/// Who did what from where: `create pods/exec shop/web by ann from 10.0.0.7`.
fn observed(event: &Value) -> String {
    let object = &event["objectRef"];
    let mut text = match object["resource"].as_str() {
        Some(resource) => format!("{} {resource}", word(event, "verb")),
        None => format!("{} {}", word(event, "verb"), word(event, "requestURI")),
    };
    if let Some(part) = object["subresource"].as_str() {
        text.push('/');
        text.push_str(part);
    }
    match (object["namespace"].as_str(), object["name"].as_str()) {
        (Some(namespace), Some(name)) => text.extend([" ", namespace, "/", name]),
        (Some(one), None) | (None, Some(one)) => text.extend([" ", one]),
        (None, None) => {}
    }
    text.extend([" by ", event["user"]["username"].as_str().unwrap_or("nobody")]);
    if let Some(address) = event["sourceIPs"][0].as_str() {
        text.extend([" from ", address]);
    }
    let escaped = escape(&text);
    match escaped.char_indices().nth(limits::MAX_AUDIT_WORDS_CHARS) {
        Some((end, _)) => format!("{}…", &escaped[..end]),
        None => escaped,
    }
}

fn pod(event: &Value) -> Option<Pod> {
    let object = &event["objectRef"];
    let is_pod = object["resource"].as_str() == Some("pods");
    is_pod.then(|| Pod {
        name: word(object, "name").to_owned(),
        namespace: word(object, "namespace").to_owned(),
        uid: word(object, "uid").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_rules::RuleFile;
    use serde_json::json;

    use super::*;

    fn rules() -> RuleSet {
        let text = "
- rule: Exec into a pod
  desc: d
  condition: ka.verb = create and ka.target.subresource = exec
  output: \"%ka.user.name went into %ka.target.name\"
  priority: WARNING
  source: k8s_audit
  tags: [T1609]
- rule: Anything by ann
  desc: d
  condition: ka.user.name = ann
  output: x
  priority: NOTICE
  source: k8s_audit
";
        let files = [RuleFile {
            name: "audit.yaml".to_owned(),
            text: text.to_owned(),
        }];
        RuleSet::load(&files).unwrap().rules
    }

    fn exec() -> Value {
        json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete", "verb": "create",
            "requestURI": "/x", "user": {"username": "ann"}, "sourceIPs": ["10.0.0.7"],
            "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web\u{1b}"},
            "stageTimestamp": "2026-01-02T03:04:05.000006Z"})
    }

    #[test]
    fn one_event_is_one_alert_with_all_its_rules() {
        let alert = judge_audit(&rules(), &exec(), "east").unwrap();
        assert_eq!(alert.rule, "Exec into a pod");
        assert_eq!(alert.observed, "create pods/exec shop/web\\u{1b} by ann from 10.0.0.7");
        assert_eq!((alert.reasons.len(), alert.node.as_str()), (2, "east"));
        assert_eq!(alert.time_ns, 1_767_323_045_000_006_000);
        assert_eq!(alert.techniques, ["T1609"]);
        assert!(alert.process.is_none() && alert.pod.is_some());
        // Another stage of the same request is the same alert; another request is not, nor is that of another cluster.
        let mut other = exec();
        other["stage"] = json!("ResponseStarted");
        assert_eq!(judge_audit(&rules(), &other, "east").unwrap().id, alert.id);
        assert_ne!(judge_audit(&rules(), &other, "west").unwrap().id, alert.id);
        other["auditID"] = json!("a-2");
        assert_ne!(judge_audit(&rules(), &other, "east").unwrap().id, alert.id);
        let quiet = json!({"auditID": "b", "verb": "get", "user": {"username": "bob"}});
        assert!(judge_audit(&rules(), &quiet, "east").is_none());
    }

    #[test]
    fn events_come_alone_and_in_lists() {
        assert_eq!(audit_events(exec()).unwrap().len(), 1);
        let list = |items: Value| json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items});
        assert_eq!(audit_events(list(json!([exec(), exec()]))).unwrap().len(), 2);
        assert_eq!(audit_events(list(Value::Null)).unwrap().len(), 0);
        for hostile in [
            json!([]),
            json!({"kind": "Event"}),
            list(json!("x")),
            json!(null),
            json!({"kind": "Pod", "apiVersion": "v1"}),
        ] {
            assert!(audit_events(hostile.clone()).is_none(), "{hostile}");
        }
    }
}
