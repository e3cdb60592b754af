//! The form of workload and attack files: what may stand in them, as text of one file in, as typed values out.
//!
//! Whatever has no place in the form is an error with its line: a field that is read past would be a case that is not
//! judged. Fields that only mean something to Kubernetes or to another product are read and named so below.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A file of the kinds `FunctionalTestSuite` and `AttackSuite`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    /// Of their schema; any.
    #[serde(rename = "apiVersion")]
    pub(super) _api_version: Option<String>,
    /// Which of both.
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) target: Target,
    /// Of a `FunctionalTestSuite`.
    pub(super) tests: Option<Vec<Case>>,
    /// Of an `AttackSuite`.
    pub(super) attacks: Option<Vec<Case>>,
    /// What another product should say of the whole file.
    #[serde(default, rename = "expectedDetections")]
    pub(super) _expected_detections: Vec<Detection>,
}

/// Who the file is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    #[serde(rename = "description")]
    pub(super) _description: Option<String>,
    #[serde(default, rename = "labels")]
    pub(super) _labels: BTreeMap<String, String>,
    #[serde(default, rename = "annotations")]
    pub(super) _annotations: BTreeMap<String, String>,
}

/// What is worked with or attacked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) service: String,
    /// Of Kubernetes.
    #[serde(rename = "namespace")]
    pub(super) _namespace: Option<String>,
    pub(super) port: Option<u16>,
    /// What is spoken there; `https` is all that matters of it.
    pub(super) protocol: Option<String>,
    /// The same by its other name.
    pub(super) scheme: Option<String>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// Which sort of attack, in the words of the form; for people.
    #[serde(rename = "type")]
    pub(super) _sort: Option<String>,
    #[serde(rename = "description")]
    pub(super) _description: Option<String>,
    pub(super) redis: Option<Redis>,
    pub(super) exec: Option<Program>,
    pub(super) http: Option<Http>,
    pub(super) beside: Option<Program>,
    pub(super) machine: Option<Program>,
    /// As that of `redis`.
    pub(super) expected_reply: Option<String>,
    #[serde(default)]
    pub(super) success_indicators: Vec<Indicator>,
    /// `None`: anything that speaks of the attack. Empty: the file itself expects nothing.
    pub(super) expected_detections: Option<Vec<Detection>>,
    pub(super) repeat: Option<u32>,
    pub(super) operations: Option<u64>,
    #[serde(rename = "settle_ms")]
    pub(super) settle_ms: Option<u64>,
    pub(super) unseen: Option<String>,
    pub(super) unjudged: Option<String>,
}

/// Something said to a server of the redis protocol: one of the first three.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Redis {
    pub(super) command: Option<Vec<String>>,
    /// A script.
    pub(super) eval: Option<String>,
    /// Code of the form's own runner, by name.
    pub(super) exploit: Option<String>,
    pub(super) expected_reply: Option<String>,
    pub(super) repeat: Option<u32>,
}

/// A program to be run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Program {
    pub(super) command: Vec<String>,
    /// Of Kubernetes: there is one container here.
    #[serde(rename = "pod")]
    pub(super) _pod: Option<String>,
    #[serde(rename = "container")]
    pub(super) _container: Option<String>,
    pub(super) expected_exit_code: Option<i32>,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Http {
    pub(super) method: Option<String>,
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) query_params: BTreeMap<String, String>,
    pub(super) body: Option<String>,
    pub(super) expected_status: Option<u16>,
    pub(super) repeat: Option<u32>,
}

/// What the answer may show: one of them is enough.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Indicator {
    pub(super) response_contains: Option<String>,
    pub(super) body_contains: Option<String>,
    pub(super) response_regex: Option<String>,
    pub(super) body_regex: Option<String>,
    pub(super) status_code: Option<u16>,
}

/// What should be noticed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detection {
    /// With it, it is another product's rule, and so are all other fields but the name.
    #[serde(rename = "ruleID", alias = "rule")]
    pub(super) rule_id: Option<String>,
    #[serde(rename = "ruleName")]
    pub(super) rule_name: Option<String>,
    #[serde(rename = "containerName", alias = "target")]
    pub(super) _container_name: Option<String>,
    #[serde(rename = "command")]
    pub(super) _command: Option<String>,
    #[serde(rename = "condition")]
    pub(super) _condition: Option<String>,
    #[serde(rename = "attackType")]
    pub(super) _attack_type: Option<String>,
}

/// A file's `kind`, whatever else it holds; `None` when it says none.
pub(super) fn kind(text: &str) -> anyhow::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Kind {
        kind: Option<String>,
    }
    Ok(serde_saphyr::from_str::<Kind>(text)?.kind)
}
